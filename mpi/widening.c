#include "mpi/widening.h"

#include <stdlib.h>

static const double WORTH_S = 1; /* what it must save: leaving, writing and reading a checkpoint, and coming together take time too */

/* Ranks that could grow it with so many more. */
static int wider(const struct gang_slot *g, const struct model_kind *kind, int spare)
{
    return g->n + spare < kind->grows_by ? g->n + spare : kind->grows_by;
}

static int steps_left(const struct coordinator *c, const struct gang_slot *g)
{
    const struct plan_configuration *k = &c->plan->configurations[c->plan->trials[g->trial].configuration];
    return (int)((plan_size(k) + k->kind->grows_by - 1) / k->kind->grows_by) - g->last_epoch;
}

/* Seconds that it has before it, going by what it has behind it: of what follows the last step its rounds, else its steps after the first (which makes codes
 * too). 0 where it has done none. */
static double left_s(const struct coordinator *c, const struct gang_slot *g)
{
    if (g->rounds.all)
        return g->rounds.done > g->rounds.first ? (g->rounds.last - g->rounds.began) / (g->rounds.done - g->rounds.first) * (g->rounds.all - g->rounds.done) : 0;
    if (g->last_epoch <= g->first_epoch + 1)
        return 0;
    double step_s = (g->last_step - g->first_step) / (g->last_epoch - g->first_epoch - 1);
    return step_s * (steps_left(c, g) - 1); /* the step that it is in is its own */
}

/* Seconds; 0 where it cannot be widened. */
static double saves(const struct coordinator *c, const struct gang_slot *g, int spare)
{
    const struct model_kind *kind = g->n ? c->plan->configurations[c->plan->trials[g->trial].configuration].kind : NULL;
    if (!kind || !kind->grows || !g->going || g->failed || g->done)
        return 0;
    return left_s(c, g) * (1 - (double)g->n / wider(g, kind, spare));
}

/* Half of what this node has left is enough for those who join, as if all were here. */
static bool has_room(const struct coordinator *c, const struct gang_slot *g, int spare)
{
    const struct model_kind *kind = c->plan->configurations[c->plan->trials[g->trial].configuration].kind;
    uint64_t join = (uint64_t)(wider(g, kind, spare) - g->n);
    return join * footprint_of_trial(c->r.footprint, g->trial) <= footprint_available(c->r.footprint) / 2;
}

enum status widening_look(struct coordinator *c, struct error *e)
{
    int spare = c->stopping ? 0 : scheduler_spare(c->scheduler);
    struct gang_slot *best = NULL;
    double most = WORTH_S;
    for (int i = 0; spare > 0 && i < c->gangs.n; i++) {
        struct gang_slot *g = &c->gangs.slots[i];
        double s = saves(c, g, spare);
        if (g->n > 0 && g->widening)
            return STATUS_OK;
        if (s <= most || !has_room(c, g, spare))
            continue;
        best = g;
        most = s;
    }
    if (!best)
        return STATUS_OK;
    best->widening = true;
    return coordinator_tell(c, best, MESSAGE_STOP, e);
}

void widening_left(struct coordinator *c, struct gang_slot *g)
{
    const struct model_kind *kind = c->plan->configurations[c->plan->trials[g->trial].configuration].kind;
    int others = scheduler_spare(c->scheduler) - g->n; /* its members are free already */
    if (!g->widening || c->stopping)
        return;
    g->stopped = false; /* no work that the run leaves undone */
    scheduler_requeue_with(c->scheduler, g->trial, others > 0 ? wider(g, kind, others) : g->n);
}
