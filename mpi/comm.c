#include "mpi/comm.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fault.h"
#include "base/memory.h"

void comm_pause(int tries)
{
    if (tries < 200)
        return;
    if (tries < 2000) {
        sched_yield();
        return;
    }
    struct timespec t = {0, tries < 4000 ? 50000 : 1000000};
    nanosleep(&t, NULL);
}

enum status comm_serve(struct comm *c, struct error *e)
{
    if (c->serving)
        return STATUS_OK;
    c->serving = true;
    enum status s = comm_move_messages(c, e);
    if (s == STATUS_OK)
        s = comm_watch(c, e);
    c->serving = false;
    return s;
}

enum status comm_wait(struct comm *c, MPI_Request *r, struct error *e)
{
    int done = 0;
    for (int tries = 0; MPI_Test(r, &done, MPI_STATUS_IGNORE), !done; tries += tries < 1000000) {
        if (tries % 64 == 63 || tries >= 4000)
            TRY(comm_serve(c, e));
        comm_pause(tries);
    }
    return STATUS_OK;
}

enum status comm_broadcast(struct comm *c, MPI_Comm comm, void *bytes, size_t n, int root, struct error *e)
{
    for (size_t at = 0; at < n; at += COMM_PIECE) {
        MPI_Request r;
        MPI_Ibcast((char *)bytes + at, (int)(n - at < COMM_PIECE ? n - at : COMM_PIECE), MPI_BYTE, root, comm, &r);
        TRY(comm_wait(c, &r, e));
    }
    return STATUS_OK;
}

static enum status serve(struct transport *t, struct error *e)
{
    return comm_serve(t->context, e);
}

static bool is_under_way(const struct comm *c)
{
    for (int rank = 0; rank < c->transport->size; rank++)
        if (c->peers[rank].first || c->peers[rank].is_coming)
            return true;
    return false;
}

/* A part of the time since something last came or went, 0.1 ms at least and 20 ms at most: what took long is noticed a little late. The coordinator sleeps
 * longer, beside workers that train; a worker that pauses has nothing else to do, and its gang waits for it. Pieces of a message follow each other sooner. */
static void pause_idle(struct transport *t)
{
    const struct comm *c = t->context;
    double since_s = comm_clock() - c->moved_s, most_s = is_under_way(c) ? 0.5e-3 : 20e-3, pause_s = since_s / (t->rank == 0 ? 8 : 64);
    pause_s = pause_s < 0.1e-3 ? 0.1e-3 : pause_s > most_s ? most_s : pause_s;
    struct timespec p = {0, (long)(pause_s * 1e9)};
    nanosleep(&p, NULL);
}

enum status comm_init(struct transport *t, struct error *e)
{
    struct comm *c = memory_new(sizeof *c);
    *t = (struct transport){.context = c, .send = comm_send, .poll = comm_poll, .sent = comm_sent, .serve = serve, .pause = pause_idle,
                            .publish = comm_publish, .gang_new = comm_gang_new, .gang_free = comm_gang_free, .silence_s = -1};
    c->transport = t;
    c->window = c->sets = c->rings.window = MPI_WIN_NULL;
    MPI_Comm_dup(MPI_COMM_WORLD, &c->world);
    MPI_Comm_rank(c->world, &t->rank);
    MPI_Comm_size(c->world, &t->size);
    fault_rank(t->rank);
    c->peers = memory_new((size_t)t->size * sizeof *c->peers);
    c->small = memory_new(((size_t)t->size + 1) * sizeof *c->small);
    for (int rank = 0; rank < t->size; rank++) {
        c->peers[rank].process = -1;
        c->peers[rank].sending = c->peers[rank].receiving = MPI_REQUEST_NULL;
    }
    TRY(comm_meet(c, e));
    for (int rank = 0; rank < t->size; rank++)
        t->neighbours += rank != t->rank && strcmp(c->peers[rank].card.host, c->peers[t->rank].card.host) == 0 &&
                         fault_node(rank, t->size) == fault_node(t->rank, t->size);
    return STATUS_OK;
}

/* Nobody leaves while a last word is on its way. */
static enum status last_words(struct comm *c, struct error *e)
{
    MPI_Request r;
    for (struct timespec p = {0, 200000}; !comm_sent(c->transport); nanosleep(&p, NULL))
        TRY(comm_serve(c, e));
    comm_free_peers(c); /* from here on others may end before this one has heard of it */
    MPI_Ibarrier(c->world, &r);
    return comm_wait(c, &r, e);
}

void comm_fini(struct transport *t)
{
    struct comm *c = t->context;
    struct error ignored;
    if (!t->broken && last_words(c, &ignored) == STATUS_OK) {
        if (c->window != MPI_WIN_NULL)
            MPI_Win_free(&c->window);
        if (c->sets != MPI_WIN_NULL)
            MPI_Win_free(&c->sets);
        if (c->rings.window != MPI_WIN_NULL)
            MPI_Win_free(&c->rings.window);
        comm_free_messages(c);
        MPI_Comm_free(&c->world);
    }
    comm_free_peers(c);
    if (t->broken)
        return; /* requests may still point into what is left; the caller aborts */
    free(c->peers);
    free(c->private);
    free(c->rings.node);
    free(c->rings.place);
    free(c->small);
    free(t->sets.node);
    free(c);
}
