/* What a plan takes of memory, told before anything starts.
 *
 * A node holds, once: in node placement the flows; and the sets that ranks share (models/model.h: struct model_node), as many as can be in use
 * at a time. A rank holds what its model says, its task's rows and predictions, and in sharded placement its share of the gang's rows, twice for
 * networks. The coordinator holds the flows where nobody else does, and at the start beside the node's copy. What ranks share lies in /dev/shm; where
 * that is too small each has its own. Bytes are estimates, on the side of too much. */
#ifndef STORAGE_FOOTPRINT_H
#define STORAGE_FOOTPRINT_H

#include "storage/config.h"

enum { FOOTPRINT_RING = (1 << 20) + 4096 }; /* bytes of /dev/shm that each worker has for sums, where there are gangs of several (mpi/ring.h) */

struct footprint_trial {
    int task, ranks;      /* ranks: of its gang */
    const char *model;
    uint64_t rank;        /* bytes of each */
    uint64_t set;         /* bytes of the set that it looks at; 0: none */
};

struct footprint {
    bool sharded;
    bool flows_apart, sets_apart; /* /dev/shm is too small: each rank has its own */
    int workers;
    uint64_t flows;    /* one copy */
    uint64_t set;      /* bytes of the largest set, with some room; 0: none is needed */
    int n_sets;        /* in use at a time, at most */
    bool gangs;        /* of several ranks */
    struct footprint_trial *trials; /* (n), most bytes a rank first; owned */
    int n;
};

/* With so many workers; 0: one process, which shares with nobody. Same errors as task_new. */
enum status footprint_of(const struct config *c, const struct flows *f, const struct plan *p, int workers, struct footprint *out, struct error *e);
void footprint_fini(struct footprint *f);

/* Bytes of a node that runs one gang alone, all of it there. */
uint64_t footprint_gang(const struct footprint *f, const struct footprint_trial *t);
/* Bytes of a node with so many of the workers, busy with the largest trials that fit side by side. */
uint64_t footprint_node(const struct footprint *f, int workers);
/* Has /dev/shm room for so many bytes more? */
bool footprint_shared_has(uint64_t bytes);
/* What this node has for it: memory that is available, and the flows that were read already. [bytes] */
uint64_t footprint_available(const struct footprint *f);

/* STATUS_CONFIG, in words: a gang that does not fit, whatever else runs; or so many workers on this node (0: only the former). */
enum status footprint_check(const struct footprint *f, int workers, struct error *e);

#endif
