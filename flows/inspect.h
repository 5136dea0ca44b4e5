/* What `data inspect` and `init` say about a file. */
#ifndef FLOWS_INSPECT_H
#define FLOWS_INSPECT_H

#include "flows/flows_read.h"

/* Tables for people, several of them: overview, labels, ceiling by packets, value ranges, warnings. *tables is an array of *n; the caller
 * frees each with table_fini, then the array. */
enum status inspect_flows(const struct params *data, const struct flows *f, const struct flows_report *r, struct table **tables, int *n,
                          struct error *e);
/* A commented configuration that runs, for these flows. */
enum status inspect_config(const struct params *data, const struct flows *f, const struct flows_report *r, struct buffer *out, struct error *e);

#endif
