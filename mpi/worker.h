/* A worker: prepares and trains what it is assigned, one trial at a time. The same code behind MPI and in one process. */
#ifndef MPI_WORKER_H
#define MPI_WORKER_H

#include "mpi/transport.h"
#include "storage/config.h"

struct worker;

/* config and flows must outlive it. flows NULL: rows come with the assignments. */
struct worker *worker_new(struct transport *t, const struct config *c, const struct flows *f);
void worker_free(struct worker *w);
/* What a message asks for; may take as long as a trial. *over: the run has ended. Errors are those of the transport: trials' own go to the coordinator. */
enum status worker_handle(struct worker *w, struct message *m, bool *over, struct error *e);
/* Until the coordinator says BYE, or is silent for too long. */
enum status worker_loop(struct worker *w, struct error *e);

#endif
