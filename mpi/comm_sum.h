/* A gang's sums over MPI: which way they go, and the waiting. Within a node through shared memory (mpi/ring.h), else by messages (mpi/comm_pieces.h).
 * Up to what size a piece goes whole from each to each depends on the network: the first gang of a size that needs messages tries both ways. No way
 * changes the bits. */
#ifndef MPI_COMM_SUM_H
#define MPI_COMM_SUM_H

#include "mpi/comm.h"
#include "mpi/comm_pieces.h"
#include "mpi/ring.h"

struct sums {
    struct comm *carrier;
    bool in_node; /* ring is used, else pieces */
    int spins;    /* looks in a row before the core is given to others */
    bool begun;   /* a sum in pieces is under way */
    struct ring ring;
    struct pieces pieces;
};

/* Collective over comm, whose ranks are members (world's). */
enum status sums_open(struct sums *s, struct comm *c, MPI_Comm comm, const int *members, int n, struct error *e);
/* Waits until others have read what this rank wrote for them. */
void sums_close(struct sums *s);
/* As sum_begin, sum_end and sum of models/gang.h; what was moved and waited is added to g. */
void sums_begin(struct sums *s, const struct gang_slab *slab, size_t from, size_t to);
enum status sums_end(struct sums *s, struct gang *g, struct error *e);
enum status sums_whole(struct sums *s, const struct gang_slab *slab, struct gang *g, struct error *e);

#endif
