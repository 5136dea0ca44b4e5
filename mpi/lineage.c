#include "mpi/lineage.h"

static int nearest(const struct plan *p, const struct db_trial *trials, int trial, enum trial_state state)
{
    int i = p->trials[trial].after;
    while (i >= 0 && trials[i].state != state)
        i = p->trials[i].after;
    return i;
}

int lineage_done(const struct plan *p, const struct db_trial *trials, int trial)
{
    return nearest(p, trials, trial, TRIAL_DONE);
}

/* Nobody waits for one that is smaller than what is done already. */
int lineage_awaited(const struct plan *p, const struct db_trial *trials, int trial)
{
    int awaited = nearest(p, trials, trial, TRIAL_QUEUED), done = lineage_done(p, trials, trial);
    return done >= 0 && lineage_follows(p, done, awaited) ? -1 : awaited;
}

bool lineage_follows(const struct plan *p, int trial, int earlier)
{
    int i = p->trials[trial].after;
    while (i >= 0 && i != earlier)
        i = p->trials[i].after;
    return i >= 0;
}

void lineage_flops(const struct plan *p, double *left)
{
    for (int i = 0; i < p->n_trials; i++)
        left[i] = 0;
    for (int i = 0; i < p->n_trials; i++)
        for (int j = i; j >= 0; j = p->trials[j].after)
            left[j] += p->trials[i].flops;
}
