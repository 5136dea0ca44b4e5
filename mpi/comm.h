/* The carrier over MPI: messages, the node's copy of the flows, gangs. MPI_THREAD_FUNNELED; only this, comm_*.c and main.c include mpi.h.
 *
 * Every wait is a loop of tests with a growing pause. Collective over all ranks only at the start (publish); from then on nothing is
 * collective over more than a gang. */
#ifndef MPI_COMM_H
#define MPI_COMM_H

#include <mpi.h>

#include "mpi/transport.h"

/* Collective over all ranks, after MPI_Init. */
enum status comm_init(struct transport *t, struct error *e);
/* Collective. */
void comm_fini(struct transport *t);

/* Waits for a request by testing; MPI's own errors end the program. */
void comm_wait(MPI_Request *r);

enum status comm_publish(struct transport *t, struct buffer *text, const void **block, size_t *size, struct error *e);
enum status comm_gang_new(struct transport *t, const int *members, int n, int tag, bool (*stop)(struct gang *), void *stop_context,
                          struct gang *out, struct error *e);
void comm_gang_free(struct transport *t, struct gang *g);

enum { COMM_PIECE = 1 << 26 }; /* bytes of a message or broadcast at a time: no count comes near 2 GiB */

struct comm { /* transport.context */
    MPI_Comm world;   /* ours alone */
    int idle;         /* polls in a row that found nothing */
    MPI_Win window;   /* of the node's copy, or MPI_WIN_NULL */
    void *private;    /* where no window could be had */
};

#endif
