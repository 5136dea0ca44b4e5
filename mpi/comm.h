/* The carrier over MPI: messages, the node's copy of the flows, gangs. MPI_THREAD_FUNNELED; only this, comm_*.c and main.c include mpi.h.
 *
 * Nothing blocks: messages are queued and moved on by comm_serve, which every wait calls; every wait is a loop of tests with a growing
 * pause. Collective over all ranks only at the start (comm_init, publish) and at the end; in between nothing is collective over more than a gang.
 *
 * Who is lost is noticed, so that nothing waits for ever:
 * - Messages are numbered. A gap says that one was lost.
 * - The coordinator, once it knows silence_s, pings every worker four times within it (the ping tells it), and the carrier answers while its owner looks for messages or waits. Who was not
 *   heard of for so long is lost. Time in which this process itself did not look (a long computation, a laptop asleep) does not count.
 * - Each rank watches the processes of those on its node; a worker tells the coordinator of a death.
 * Then every call returns an error, transport.broken is set, and all that is left to do is to write down why and to abort. */
#ifndef MPI_COMM_H
#define MPI_COMM_H

#include <mpi.h>

#include "mpi/transport.h"

/* Collective over all ranks, after MPI_Init. STATUS_CONFIG where their arithmetic differs. */
enum status comm_init(struct transport *t, struct error *e);
/* Collective, unless broken: then it lets go of what is its own, and the caller aborts. */
void comm_fini(struct transport *t);

enum {
    COMM_PIECE = 16 << 20, /* bytes of a message or broadcast at a time: no count comes near 2 GiB */
    COMM_START_S = 3600    /* silence that is borne while the coordinator reads the flows */
};

struct comm_card { /* what a rank says of itself at the start */
    char host[64];
    int64_t pid;
    char arithmetic[24];
};

struct outgoing {
    struct outgoing *next;
    uint64_t head[3]; /* kind, bytes, number */
    struct buffer body;
    size_t at; /* bytes handed to MPI */
    bool headed;
};

struct comm_peer {
    struct comm_card card;
    int process;              /* pidfd where it runs on this node, or -1 */
    double heard_s, pinged_s; /* on the clock of comm_watch.c */
    uint64_t sent, received;  /* numbers of the last messages */
    struct outgoing *first, *last; /* waiting to be sent, owned */
    MPI_Request sending;
    struct message coming; /* being received: coming.body grows to its full size first */
    size_t coming_at;
    bool is_coming;
    MPI_Request receiving;
};

struct ring_share; /* mpi/ring.h */

struct comm_rings { /* where the ranks of a node add up; base NULL: there are none */
    struct ring_share *base; /* (ranks of this node) */
    int *node, *place;       /* (size) by rank: equal for ranks of a node; which of its shares; owned */
    MPI_Win window;
};

struct comm { /* transport.context */
    MPI_Comm world;   /* ours alone */
    struct transport *transport;
    struct comm_peer *peers; /* (size) owned */
    struct message *arrived; /* (n_arrived) complete, in order; owned */
    int n_arrived, arrived_capacity;
    double served_s, watched_s;
    double told_s;    /* the silence that the last pings told of */
    double moved_s;   /* when a message, or a piece of one, last came or went */
    struct error why;   /* of transport.broken */
    bool serving;     /* comm_serve is at work: waits inside it must not call it again */
    MPI_Win window, sets; /* of the node's copy and of its places for sets, or MPI_WIN_NULL */
    struct comm_rings rings;
    uint64_t *small;  /* (size + 1) by gang size: floats that go from each to each (mpi/comm_sum.h); 0: not tried yet. Owned */
    void *private;    /* where no window could be had */
};

/* Moves messages on and looks after peers. Cheap where there is nothing to do. STATUS_IO once the carrier is broken. */
enum status comm_serve(struct comm *c, struct error *e);
/* Waits for a request by testing, serving meanwhile. MPI's own errors end the program. */
enum status comm_wait(struct comm *c, MPI_Request *r, struct error *e);

/* Between two looks in a loop: nothing at first, then the core is given to others, then it sleeps, up to 1 ms. */
void comm_pause(int tries);

/* Collective over comm: n bytes of its rank root, in pieces. */
enum status comm_broadcast(struct comm *c, MPI_Comm comm, void *bytes, size_t n, int root, struct error *e);

/* comm_message.c */
enum status comm_send(struct transport *t, int to, enum message_kind kind, struct buffer *body, struct error *e);
enum status comm_poll(struct transport *t, struct message *out, bool *got, struct error *e);
bool comm_sent(struct transport *t);
enum status comm_move_messages(struct comm *c, struct error *e);
void comm_free_messages(struct comm *c);

/* comm_watch.c */
double comm_clock(void);
enum status comm_meet(struct comm *c, struct error *e); /* collective: cards are exchanged; workers are bound to cores */
enum status comm_watch(struct comm *c, struct error *e);
enum status comm_heard(struct comm *c, int rank, const struct message *m, struct error *e); /* PONG, DEATH: for the carrier itself */
void comm_free_peers(struct comm *c);
/* Sets broken and blames a rank. Returns STATUS_IO. */
enum status comm_lost(struct comm *c, int rank, struct error *e, const char *format, ...) __attribute__((format(printf, 4, 5)));

enum status comm_publish(struct transport *t, struct publication *p, struct error *e);
enum status comm_gang_new(struct transport *t, const int *members, int n, int tag, bool (*stop)(struct gang *), void *stop_context,
                          struct gang *out, struct error *e);
void comm_gang_free(struct transport *t, struct gang *g);

#endif
