/* What `plan` shows: trials by task and model, those that are done, gangs, rows, memory; points that cannot work; what ranks gain. */
#ifndef STORAGE_PLAN_TABLE_H
#define STORAGE_PLAN_TABLE_H

#include "base/table.h"
#include "base/status.h"

/* t: three tables (trials, points, gangs), which the caller frees. workers: that run would start. unfit: zeroed before; set where a trial cannot fit in this node's memory.
 * Reads the configuration, its flows, and what its database has already; touches nothing. */
enum status plan_tables(const char *config, const char *const *sets, int n_sets, int workers, struct table t[3], struct error *unfit,
                        struct error *e);

#endif
