/* Long forests on whatever ranks become free.
 *
 * Where workers are free and no trial could use them, the gang that would gain most is told to stop: it leaves with a checkpoint at the end of its step, and its trial
 * goes back to the queue for a larger gang. Nothing but the models that can say what a step adds (struct model_kind's grows_by) is widened: their steps have no order of ranks
 * to keep, and bits are those of any other gang. */
#ifndef MPI_WIDENING_H
#define MPI_WIDENING_H

#include "mpi/coordinator_private.h"

/* Looks for a gang to widen, and tells it. One at a time. */
enum status widening_look(struct coordinator *c, struct error *e);
/* A gang has left with its trial undone: where it was to be widened, and the run goes on, the trial waits for a larger one. */
void widening_left(struct coordinator *c, struct gang_slot *g);

#endif
