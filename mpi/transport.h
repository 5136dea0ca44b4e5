/* Messages between the coordinator (rank 0) and workers, whatever carries them.
 *
 * Three carriers: mpi/serial.c (one process: the worker runs inside send), mpi/comm.c (MPI). Messages are buffers with a kind;
 * a carrier cuts large ones into pieces and never blocks for ever. */
#ifndef MPI_TRANSPORT_H
#define MPI_TRANSPORT_H

#include "base/buffer.h"
#include "models/gang.h"

enum message_kind {
    MESSAGE_ASSIGN,     /* coordinator to each member: trial, params, task, members, state */
    MESSAGE_READY,      /* member to coordinator: allocated; or FAILED */
    MESSAGE_GO,         /* coordinator to members: form the gang and train */
    MESSAGE_ABANDON,    /* coordinator to members: another one failed; be free again */
    MESSAGE_EPOCH,      /* gang's rank 0 to coordinator: curve row */
    MESSAGE_CHECKPOINT, /* gang's rank 0 to coordinator: epoch, state */
    MESSAGE_RESULT,     /* gang's rank 0 to coordinator: model, probabilities */
    MESSAGE_FAILED,     /* any member: the trial cannot go on, with words */
    MESSAGE_STOPPED,    /* gang's rank 0: left after a checkpoint */
    MESSAGE_FREE,       /* every member, after all its other messages of an attempt */
    MESSAGE_STOP,       /* coordinator to members: checkpoint and leave */
    MESSAGE_BYE,        /* coordinator to workers: the run is over */
    MESSAGE_KIND_COUNT
};

struct message {
    enum message_kind kind;
    int from; /* rank */
    struct buffer body;
};

struct transport {
    int rank, size; /* size counts the coordinator; 1 for serial */
    void *context;
    enum status (*send)(struct transport *t, int to, enum message_kind kind, const struct buffer *body, struct error *e);
    /* The next message that has arrived: *got false where there is none yet. Does not wait. */
    enum status (*poll)(struct transport *t, struct message *out, bool *got, struct error *e);
    /* Sleeps a little, longer the longer nothing has come. */
    void (*pause)(struct transport *t);
    /* Collective over members (ranks, n): forms and ends a gang's communicator. */
    enum status (*gang_new)(struct transport *t, const int *members, int n, int tag, bool (*stop)(struct gang *), void *stop_context,
                            struct gang *out, struct error *e);
    void (*gang_free)(struct transport *t, struct gang *g);
};

#endif
