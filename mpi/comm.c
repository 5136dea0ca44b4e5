#include "mpi/comm.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"

enum { TAG_HEAD = 1, TAG_BODY = 2 };

static void pause_after(int tries)
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

void comm_wait(MPI_Request *r)
{
    int done = 0;
    for (int tries = 0; MPI_Test(r, &done, MPI_STATUS_IGNORE), !done; tries += tries < 1000000)
        pause_after(tries);
}

static enum status send_message(struct transport *t, int to, enum message_kind kind, const struct buffer *body, struct error *e)
{
    struct comm *c = t->context;
    uint64_t head[2] = {kind, body ? body->size : 0};
    MPI_Request r;
    (void)e;
    MPI_Isend(head, 2, MPI_UINT64_T, to, TAG_HEAD, c->world, &r);
    comm_wait(&r);
    for (uint64_t at = 0; at < head[1]; at += COMM_PIECE) {
        uint64_t n = head[1] - at < COMM_PIECE ? head[1] - at : COMM_PIECE;
        MPI_Isend(body->data + at, (int)n, MPI_BYTE, to, TAG_BODY, c->world, &r);
        comm_wait(&r);
    }
    return STATUS_OK;
}

static enum status poll_message(struct transport *t, struct message *out, bool *got, struct error *e)
{
    struct comm *c = t->context;
    uint64_t head[2];
    int there = 0;
    MPI_Status s;
    MPI_Request r;
    *got = false;
    MPI_Iprobe(MPI_ANY_SOURCE, TAG_HEAD, c->world, &there, &s);
    if (!there)
        return STATUS_OK;
    MPI_Irecv(head, 2, MPI_UINT64_T, s.MPI_SOURCE, TAG_HEAD, c->world, &r);
    comm_wait(&r);
    if (head[0] >= MESSAGE_KIND_COUNT)
        return error_set(e, STATUS_BUG, "rank %d sent a message of no kind", s.MPI_SOURCE);
    *out = (struct message){.kind = (enum message_kind)head[0], .from = s.MPI_SOURCE};
    char *bytes = head[1] ? buffer_grow(&out->body, head[1]) : NULL;
    for (uint64_t at = 0; at < head[1]; at += COMM_PIECE) {
        uint64_t n = head[1] - at < COMM_PIECE ? head[1] - at : COMM_PIECE;
        MPI_Irecv(bytes + at, (int)n, MPI_BYTE, s.MPI_SOURCE, TAG_BODY, c->world, &r);
        comm_wait(&r);
    }
    c->idle = 0;
    *got = true;
    return STATUS_OK;
}

/* 0.1 ms at first, 5 ms when nothing has come for a while. */
static void pause_idle(struct transport *t)
{
    struct comm *c = t->context;
    struct timespec p = {0, c->idle < 50 ? 100000 : c->idle < 200 ? 500000 : 5000000};
    c->idle += c->idle < 1000;
    nanosleep(&p, NULL);
}

enum status comm_init(struct transport *t, struct error *e)
{
    (void)e;
    struct comm *c = memory_new(sizeof *c);
    *t = (struct transport){.context = c, .send = send_message, .poll = poll_message, .pause = pause_idle, .publish = comm_publish,
                            .gang_new = comm_gang_new, .gang_free = comm_gang_free};
    c->window = MPI_WIN_NULL;
    MPI_Comm_dup(MPI_COMM_WORLD, &c->world);
    MPI_Comm_rank(c->world, &t->rank);
    MPI_Comm_size(c->world, &t->size);
    return STATUS_OK;
}

void comm_fini(struct transport *t)
{
    struct comm *c = t->context;
    MPI_Request r;
    MPI_Ibarrier(c->world, &r); /* nobody leaves while a last word is on its way */
    comm_wait(&r);
    if (c->window != MPI_WIN_NULL)
        MPI_Win_free(&c->window);
    MPI_Comm_free(&c->world);
    free(c->private);
    free(c);
}
