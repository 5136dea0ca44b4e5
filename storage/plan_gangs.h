/* What `plan` says of gangs: seconds of an epoch by ranks, as earlier runs have shown or leaves let expect, and from what size on another rank is wasted. */
#ifndef STORAGE_PLAN_GANGS_H
#define STORAGE_PLAN_GANGS_H

#include "base/table.h"
#include "storage/footprint.h"

/* Of networks; out: freed by the caller, with no rows where the plan has none. f: of the plan. Looks into the study's database where there is one; that it cannot be
 * read is said in the table's note. */
void plan_gangs(const struct config *c, const struct plan *p, const struct footprint *f, struct table *out);

#endif
