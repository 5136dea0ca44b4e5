/* One process: coordinator and worker take turns. run -n 0 goes through it, with every other line shared with MPI.
 *
 * What the coordinator sends waits for the worker; the worker's turn comes inside the coordinator's poll. What the worker sends
 * is handed over at once (deliver), so that a checkpoint is in the database before training goes on. While the worker
 * looks for STOP, the coordinator's tick runs: signals and time limits are seen between batches. */
#ifndef MPI_SERIAL_H
#define MPI_SERIAL_H

#include "mpi/transport.h"
#include "mpi/worker.h"

struct serial {
    struct transport coordinator, worker;
    struct message inbox[8]; /* of the worker */
    int n_inbox;
    struct error trouble; /* of the coordinator: it ends the run, and is no failure of the trial that the worker was about to report on */
    struct worker *hand;
    void *context; /* of the next two */
    enum status (*deliver)(void *context, const struct message *m, struct error *e);
    enum status (*tick)(void *context, struct error *e);
};

void serial_init(struct serial *s);
void serial_fini(struct serial *s);

#endif
