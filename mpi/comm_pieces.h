/* Sums between nodes, by messages: a piece of the slab is dealt over the gang's ranks, each gets everybody's parts of its slice, adds them in the tree's
 * order and sends the sum to all. A small piece goes whole from each to each instead: one way, not two.
 *
 * Pieces are on their way while others are still computed; they make progress whenever pieces_move is called. Nothing here waits.
 * Memory is kept from sum to sum: once a sum has been made, others like it allocate nothing. */
#ifndef MPI_COMM_PIECES_H
#define MPI_COMM_PIECES_H

#include <mpi.h>
#include <stdint.h>

#include "mpi/reduction.h"

enum { PIECES_LEVELS = 2 }; /* a sum at level 0 may be under way while one at level 1 begins and ends */

struct piece {
    int level;
    size_t from, to; /* floats of the slab */
    float *room;     /* parts of others, of the own slice; owned */
    size_t room_floats;
    MPI_Request *requests; /* first n_in that the addition needs, then others; owned */
    int n_in, n, capacity;
    bool added, done;
};

struct pieces {
    MPI_Comm comm;
    int rank, size;
    size_t small;        /* floats: up to so many a piece goes from each to each; set by the owner, the same on all ranks */
    struct pieces_sum {  /* by level */
        struct gang_slab slab;
        struct reduction reduction;
        int left;        /* pieces that are not there yet */
        bool begun;
    } sums[PIECES_LEVELS];
    struct piece *piece; /* (n) of the sums under way; owned, with what (capacity) of them hold */
    int n, capacity;
    const float **part;  /* (part_capacity) */
    int part_capacity;
    uint64_t moved_bytes; /* whoever reads it may set it to 0 */
};

void pieces_init(struct pieces *p, MPI_Comm comm);
void pieces_fini(struct pieces *p); /* nothing is on its way */
/* As ring_add, ring_move, ring_done (mpi/ring.h). */
void pieces_add(struct pieces *p, int level, const struct gang_slab *slab, size_t from, size_t to);
bool pieces_move(struct pieces *p);
bool pieces_done(struct pieces *p, int level);

#endif
