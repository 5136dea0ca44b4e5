/* Messages between the coordinator (rank 0) and workers, whatever carries them.
 *
 * Two carriers: mpi/serial.c (one process: the worker's turn comes when the coordinator polls and nothing waits for it) and mpi/comm.c (MPI). Messages
 * are buffers with a kind; a carrier queues them, cuts large ones into pieces, and never blocks. That a rank or a message is lost, a carrier notices by
 * itself and says as an error of any call.
 *
 * The life of a gang:
 *
 *     coordinator        members
 *       ASSIGN  ------->          allocate, prepare
 *       ROWS .. ------->          rows that the member holds, in sharded placement (mpi/dealing.h)
 *               <-------  READY   or FAILED
 *       GO      ------->          form the gang, train      (ABANDON instead where a member FAILED)
 *               <-------  EPOCH, CHECKPOINT ..              from the gang's rank 0
 *       STOP    ------->          where the run must end: checkpoint and leave
 *               <-------  RESULT, STOPPED or FAILED         from the gang's rank 0 (FAILED from any)
 *               <-------  FREE                              from every member, its last word */
#ifndef MPI_TRANSPORT_H
#define MPI_TRANSPORT_H

#include "base/buffer.h"
#include "models/gang.h"

enum message_kind {
    MESSAGE_ASSIGN,
    MESSAGE_ROWS,
    MESSAGE_READY,
    MESSAGE_GO,
    MESSAGE_ABANDON,
    MESSAGE_EPOCH,
    MESSAGE_ROUNDS,
    MESSAGE_CHECKPOINT,
    MESSAGE_RESULT,
    MESSAGE_FAILED,
    MESSAGE_STOPPED,
    MESSAGE_FREE,
    MESSAGE_STOP,
    MESSAGE_BYE, /* coordinator to workers: the run is over */
    MESSAGE_PING, /* these are for carriers themselves: are you there? */
    MESSAGE_PONG,
    MESSAGE_DEATH, /* a worker has seen that a rank of its node died */
    MESSAGE_KIND_COUNT
};

struct message {
    enum message_kind kind;
    int from; /* rank */
    struct buffer body;
};

/* Places for sets (models/model.h: struct model_node) that the ranks of a node share. */
struct node_sets {
    int n;        /* 0: there are none */
    size_t bytes; /* of each */
    char *base;   /* (n, bytes) where this rank sees its node's */
    int *node;    /* (size) by rank: equal for ranks of a node; owned by the carrier */
};

struct publication {
    struct buffer *text; /* from the coordinator, for everybody */
    const void *block;   /* flows: the coordinator's, afterwards the node's one copy, at the same bytes everywhere and valid until the end */
    size_t size;         /* 0: rows stay with the coordinator, which deals them */
    int n_sets;          /* places wanted on each node */
    size_t set_bytes;
    bool gangs;          /* of several workers: they add up in memory that nodes share, where there is room */
    bool copied, set_apart, rings_apart; /* told: each rank has flows of its own; makes sets of its own; adds up by messages: for want of shared memory */
};

struct transport {
    int rank, size; /* size counts the coordinator; 1 for serial, where the worker has rank 1 all the same */
    int neighbours; /* other ranks on this one's node */
    void *context;
    double silence_s; /* who was not heard of for so long is lost; 0: never; below 0: not known yet. Set by whoever knows the configuration */
    bool broken;      /* a rank or a message was lost: nothing more can be sent, and the program must end by aborting the others */
    int lost_rank;    /* the rank to blame, where broken */
    struct node_sets sets; /* since publish */
    /* Takes the bytes of body (or NULL), leaving it empty, and sends them when it can; does not wait. */
    enum status (*send)(struct transport *t, int to, enum message_kind kind, struct buffer *body, struct error *e);
    /* The next message that has arrived: *got false where there is none yet. Does not wait. The caller frees out->body. */
    enum status (*poll)(struct transport *t, struct message *out, bool *got, struct error *e);
    /* Has everything that was sent been handed over? */
    bool (*sent)(struct transport *t);
    /* Keeps the carrier going (answers, watches) while its owner is busy with something else. */
    enum status (*serve)(struct transport *t, struct error *e);
    /* Sleeps a little, longer the longer nothing has come. */
    void (*pause)(struct transport *t);
    /* Collective over all ranks, once, at the start: what the coordinator has read, and memory that nodes share. A coordinator that could not read passes
     * block NULL, and all get STATUS_STOPPED. */
    enum status (*publish)(struct transport *t, struct publication *p, struct error *e);
    /* Collective over members (ranks, n): forms a gang's communicator. */
    enum status (*gang_new)(struct transport *t, const int *members, int n, int tag, bool (*stop)(struct gang *), void *stop_context,
                            struct gang *out, struct error *e);
    void (*gang_free)(struct transport *t, struct gang *g);
};

#endif
