/* What the coordinator tells the members of a gang, and what comes back: bodies of messages. */
#ifndef MPI_ASSIGNMENT_H
#define MPI_ASSIGNMENT_H

#include "models/training.h"

struct assignment {
    int trial;        /* index in the plan */
    int task;         /* index of the configuration's tasks */
    int split_repeat; /* which dealing of rows */
    uint64_t key;
    char *params;     /* canonical JSON, owned */
    int *members;     /* ranks, owned; the first is the gang's rank 0 */
    int n_members;
    int tag;          /* names the gang's communicator */
    int epoch;        /* of the checkpoint */
    const void *state; /* to go on from: points into the message, n_state bytes; 0: from the start */
    size_t n_state;
    const void *rows; /* description of the rows that are dealt to this member (mpi/dealing.h), as state; n_rows 0: the node has all */
    size_t n_rows;
    uint64_t set_version; /* of the set that it shares with the node (mpi/sets.h); 0: none */
    int set;              /* its place */
};

void assignment_put(const struct assignment *a, struct buffer *out);
/* STATUS_BUG where the bytes are none. */
enum status assignment_take(const struct buffer *body, struct assignment *out, struct error *e);
void assignment_fini(struct assignment *a);

/* Numbers that start every message of a gang: the trial, then an epoch where there is one. */
void trial_put(struct buffer *out, int trial, int epoch);

void progress_put(const struct model_progress *p, struct buffer *out);
struct model_progress progress_take(struct reader *r);

/* What the gang moved and waited, of a result or a stop. */
void cost_put(const struct training_result *r, struct buffer *out);
void cost_take(struct reader *r, double *waited_s, int64_t *moved_bytes);

#endif
