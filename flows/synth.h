/* Synthetic flows from a seeded generator: sites of providers, response templates, repeats, noise, drift in time. */
#ifndef FLOWS_SYNTH_H
#define FLOWS_SYNTH_H

#include "base/param.h"
#include "flows/flows.h"

/* rows, sites, seed, steps, drift, noise, repeats ..: accepted in data where source = "synthetic", with "synth." before the names,
 * and as options of `data synth`. */
extern const struct param synth_params[];

/* Flows in order of time, in memory. params: complete set named as in synth_params (no prefix). */
enum status synth_flows(const struct params *params, struct flows *out, struct error *e);
/* Writes flows as CSV: layout "blocks" (padding in front, as GCseq25.csv has it) or "signed" (padding at the end). Rows [first, last).
 * A plain file appears or changes when it is whole, also where path is a link to it; into a pipe or a device rows are written as they come.
 * STATUS_USAGE for another layout, STATUS_CANNOT_CREATE. */
enum status synth_write(const struct flows *f, const char *layout, int first, int last, const char *path, struct error *e);

#endif
