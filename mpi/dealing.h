/* Sharded placement: a task's rows dealt over the members of a gang when it forms. The coordinator alone has all flows.
 *
 * ASSIGN describes what a member gets: classes of training and stop rows, which all members need, how many rows of each part there are, and the fitted
 * features, since scaling needs all training rows. ROWS messages follow with the rows that the member holds, in this order:
 *
 *     training     gang_first(N, member, size) up to the next member's      (models/shard.h)
 *     stop, validation, test     those that gang_rows has it predict; none of validation where it is the same rows as stop
 *
 * On its side the rows stand in a piece, and the task's row numbers are places in it, -1 for what others hold. */
#ifndef MPI_DEALING_H
#define MPI_DEALING_H

#include "flows/piece.h"
#include "models/model.h"
#include "mpi/assignment.h"
#include "mpi/transport.h"
#include "storage/config.h"

struct dealing { /* to one member, seen from the coordinator */
    const struct flows *flows;
    const struct task *task;
    const struct features *features; /* NULL: rows are not dealt */
    int member, size;                /* of the gang */
};

/* Channels, scaling: what the trial's model sees of a task, fitted on its training rows. In node placement every rank does so by itself. */
enum status dealing_features(const struct config *c, const struct flows *f, const struct params *p, const struct task *task, struct features *out,
                             struct error *e);
/* What ASSIGN tells. */
void dealing_put(const struct dealing *d, struct buffer *out);
/* The next rows, from the *at-th that the member holds on (which moves on), as many as fit a message; false when there are none left. */
bool dealing_rows(const struct dealing *d, int *at, struct buffer *out);

/* ASSIGN to the member, and the ROWS that follow. a->rows is set. */
enum status dealing_send(struct transport *t, const struct dealing *d, struct assignment *a, struct error *e);

struct hand { /* what a member has got */
    struct task *task;
    struct features features;
    struct piece piece;
    int n, wanted; /* rows that have come, of so many */
};

/* *out is zeroed first; on errors it is empty. STATUS_MEMORY; STATUS_BUG where the bytes are none. */
enum status hand_take(struct hand *out, const void *bytes, size_t n, int member, int size, struct error *e);
/* Rows of a message; with the last of them hand->n is hand->wanted. */
enum status hand_add(struct hand *h, const void *rows, size_t n, struct error *e);
void hand_fini(struct hand *h);

#endif
