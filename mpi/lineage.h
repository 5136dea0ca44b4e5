/* Which finished model a trial goes on from, and which it waits for: the coordinator's look at plan_trial.after. Pure.
 *
 * Trials that differ in nothing but the number of trees stand in a line, the smallest first. Each goes on from the nearest smaller one that is done, and waits
 * for smaller ones that are still to be done; what failed or was cancelled is passed over. So every tree is grown once, however often the run is stopped. */
#ifndef MPI_LINEAGE_H
#define MPI_LINEAGE_H

#include "storage/db.h"

/* trials: (plan->n_trials) as db_trials gives them, states kept up to date; one that runs is still queued. Indices in the plan, or -1. */
int lineage_done(const struct plan *p, const struct db_trial *trials, int trial);
int lineage_awaited(const struct plan *p, const struct db_trial *trials, int trial);
bool lineage_follows(const struct plan *p, int trial, int earlier);
/* left (n_trials): of each trial and of all that follow it; what must be begun first is what most depends on. */
void lineage_flops(const struct plan *p, double *left);

#endif
