/* Sums inside a node: every rank has a ring of cells in shared memory, which its gang reads. No MPI here: memory, and flags.
 *
 * A sum is cut into blocks of at most RING_CELL floats. For each block a rank copies its parts into its next cells, one a part, and says so by `made`.
 * When all have made the block, each adds all parts itself, in the tree's order, and says so by `taken`. A cell is used again when all have taken its block:
 *
 *     rank 0   cells  [5a][6a][ 3 ][4a]    made 7, taken 5          a rank may have several parts: cells 5a, 5b of block 5
 *     rank 1   cells  [5b][6b][.  ][4b]    made 7, taken 4   here block 7 waits for rank 1 to take block 4
 *
 * So one flag a block suffices, nobody waits at the end of a sum for others to have read it, and a ring far smaller than a gradient, which stays
 * in the cache, serves any.
 *
 * That reads every part on every rank: best for two or three, or where there is little to add. Else blocks are dealt (ring_is_dealt): block b has one
 * owner, who alone adds its parts, writes the sum into its own first cell of the block, which nobody else reads parts from, and says so by `added`; the
 * others copy it. Each float is read about twice, however many ranks there are. Who adds changes no bit.
 *
 * Blocks are numbered on and on; a gang begins at a number that none of its members has reached, agreed on by whoever forms it.
 * Counters are only written by their own rank, but for one that deals numbers out to whoever comes first (ring_take). Nothing here waits: ring_move does what can be done now. */
#ifndef MPI_RING_H
#define MPI_RING_H

#include <stdatomic.h>
#include <stdint.h>

#include "mpi/reduction.h"
#include "storage/footprint.h"

enum { RING_CELL = 8192, RING_CELLS = 64 };

struct ring_share { /* a rank's, in shared memory; zeros at first */
    _Alignas(64) _Atomic uint64_t made;  /* blocks */
    _Alignas(64) _Atomic uint64_t added; /* the number after the last own block whose sum is there */
    _Alignas(64) _Atomic uint64_t taken;
    _Alignas(64) _Atomic uint64_t dealt; /* of a gang's first rank: the round (upper 32 bits) and how many of its numbers are gone; all ranks write it */
    _Alignas(64) float cells[RING_CELLS][RING_CELL];
};

_Static_assert(sizeof(struct ring_share) <= FOOTPRINT_RING, "plan tells a worker's memory");

enum { RING_LEVELS = 2 }; /* a sum at level 0 may be under way while one at level 1 begins and ends */

struct ring_cursor { /* a walk over blocks */
    uint64_t block;
    uint64_t *cell; /* (size) cells that each rank has used up to it, owned */
};

struct ring_block {
    int level;
    size_t from, n; /* floats of the slab */
};

struct ring { /* one rank's view of its gang */
    int rank, size;
    struct ring_share **share; /* (size) owned; what it points to is the node's */
    uint64_t made;             /* blocks, as the own share says */
    struct ring_cursor adding, taking; /* adding: own blocks; taking: all */
    uint64_t first;            /* number of blocks[0] */
    struct ring_block *blocks; /* (n_blocks) of the sums under way, owned */
    int n_blocks, capacity;
    struct ring_sum {          /* by level */
        struct gang_slab slab;
        struct reduction reduction;
        bool dealt;
        uint64_t last;         /* number after its last block; 0: it is not under way */
    } sums[RING_LEVELS];
    uint64_t cells;            /* that this rank has filled */
    uint64_t end[RING_CELLS];  /* cells filled after block b, at b % RING_CELLS */
    uint64_t *seen, *seen_added, seen_taken; /* (size) what others had made and added when last looked at; what all had taken */
    const float **part;        /* (part_capacity) */
    int part_capacity;
    uint32_t round;            /* of ring_take */
    uint64_t moved_bytes;      /* whoever reads it may set it to 0 */
};

void ring_clear(struct ring_share *share);
/* share (size) by rank of the gang. */
void ring_init(struct ring *r, struct ring_share *const *share, int rank, int size);
void ring_fini(struct ring *r);
/* The number that this rank's next block would have at least: the gang begins at the largest of its members'. */
uint64_t ring_number(const struct ring *r);
void ring_start(struct ring *r, uint64_t number);

/* Of a round's numbers 0 .. n - 1, each of which goes to one rank, the next; -1 where all are gone: this rank's next call belongs to the next round. */
int ring_take(struct ring *r, int n);

/* Are blocks of sums of that width dealt? */
bool ring_is_dealt(int size, size_t width);
/* Takes the floats [from, to) of all parts into the sum of a level. All ranks add the same pieces in the same order. */
void ring_add(struct ring *r, int level, const struct gang_slab *slab, size_t from, size_t to);
/* Does what can be done now. Returns false where that is nothing. */
bool ring_move(struct ring *r);
/* Is the sum of all that was added there? Then it is over: the next one at this level may begin. */
bool ring_done(struct ring *r, int level);
/* Have all read what this rank wrote? Only then may it leave for another gang. */
bool ring_read(const struct ring *r);

#endif
