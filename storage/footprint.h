/* What a plan takes of memory, told before anything starts.
 *
 * A node holds, once: in node placement the flows; and the sets that ranks share (models/model.h: struct model_node), as many as can be in use
 * at a time. A rank holds its program and MPI, what its model says, its task's rows and predictions, and in sharded placement its share of the gang's rows,
 * twice for networks. The coordinator holds the flows where nobody else does, and at the start beside the node's copy. What ranks share lies in /dev/shm;
 * where that is too small each has its own. Of networks a rank's bytes are right within a few hundredths (attempt.planned_bytes and peak_bytes tell);
 * of forests they are an estimate, on the side of too much. */
#ifndef STORAGE_FOOTPRINT_H
#define STORAGE_FOOTPRINT_H

#include "storage/config.h"

/* What a process has before a trial begins, libraries with it: measured as resident_peak of an idle worker (Debian 12, x86-64, Open MPI 4.1.4), and of the
 * program alone. */
enum { FOOTPRINT_PROGRAM = 19 << 20, FOOTPRINT_ALONE = 10 << 20 };
enum { FOOTPRINT_RING = (2 << 20) + 4096 }; /* bytes of /dev/shm that each worker has for sums, where there are gangs of several (mpi/ring.h) */

struct footprint_trial {
    int trial, task, ranks; /* trial: index in the plan; ranks: of its gang */
    const char *model;
    int64_t train_rows;   /* of its task */
    uint64_t rank;        /* bytes of each, without copies of what a node shares */
    uint64_t between;     /* bytes more for sums between nodes (mpi/comm_pieces.h) */
    uint64_t set;         /* bytes of the set that it looks at; 0: none */
};

struct footprint {
    bool sharded;
    bool alone;           /* one process, which is all there is */
    bool spread;          /* over several nodes, gangs too; set by whoever knows */
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

/* Bytes that a rank has for itself, and the kernel would say of it (base/resident.h); of a plan's trial. */
uint64_t footprint_own(const struct footprint *f, const struct footprint_trial *t);
uint64_t footprint_of_trial(const struct footprint *f, int trial);
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
