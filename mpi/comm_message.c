/* Messages over MPI: a queue for each rank to send to, one message at a time coming from each.
 *
 * A message is a head (kind, bytes, number) under TAG_HEAD, then its body in pieces of COMM_PIECE under TAG_BODY. Between two ranks MPI keeps the
 * order, and the next head is sent after the last piece, so one message at a time needs putting together. */
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "mpi/comm.h"

enum { TAG_HEAD = 1, TAG_BODY = 2 };

/* --- sending --- */

enum status comm_send(struct transport *t, int to, enum message_kind kind, struct buffer *body, struct error *e)
{
    struct comm *c = t->context;
    struct comm_peer *p = &c->peers[to];
    struct outgoing *o = memory_new(sizeof *o);
    o->head[0] = kind;
    o->head[2] = ++p->sent;
    if (body) {
        o->body = *body;
        *body = (struct buffer){0};
    }
    o->head[1] = o->body.size;
    if (fault_at(FAULT_SEND) == FAULT_ACTION_DROP) {
        buffer_fini(&o->body);
        free(o);
        return STATUS_OK;
    }
    if (p->last)
        p->last->next = o;
    else
        p->first = o;
    p->last = o;
    return comm_serve(c, e);
}

static size_t piece_of(size_t size, size_t at)
{
    return size - at < COMM_PIECE ? size - at : COMM_PIECE;
}

/* Hands over what can be handed over to one rank. */
static void send_on(struct comm *c, int to)
{
    struct comm_peer *p = &c->peers[to];
    for (int done; p->first;) {
        struct outgoing *o = p->first;
        MPI_Test(&p->sending, &done, MPI_STATUS_IGNORE);
        if (!done)
            return;
        c->moved_s = comm_clock();
        if (!o->headed) {
            MPI_Isend(o->head, 3, MPI_UINT64_T, to, TAG_HEAD, c->world, &p->sending);
            o->headed = true;
        } else if (o->at < o->body.size) {
            size_t n = piece_of(o->body.size, o->at);
            MPI_Isend(o->body.data + o->at, (int)n, MPI_BYTE, to, TAG_BODY, c->world, &p->sending);
            o->at += n;
        } else {
            p->first = o->next;
            p->last = p->first ? p->last : NULL;
            buffer_fini(&o->body);
            free(o);
        }
    }
}

bool comm_sent(struct transport *t)
{
    const struct comm *c = t->context;
    for (int rank = 0; rank < t->size; rank++)
        if (c->peers[rank].first)
            return false;
    return true;
}

/* --- receiving --- */

static void arrive(struct comm *c, struct message *m)
{
    if (c->n_arrived == c->arrived_capacity) {
        c->arrived_capacity = c->arrived_capacity ? 2 * c->arrived_capacity : 16;
        c->arrived = memory_resize(c->arrived, (size_t)c->arrived_capacity * sizeof *c->arrived);
    }
    c->arrived[c->n_arrived++] = *m;
    *m = (struct message){0};
}

/* A whole message is there: for the carrier itself, or for its owner. */
static enum status complete(struct comm *c, struct comm_peer *p, struct error *e)
{
    struct message *m = &p->coming;
    enum status s = STATUS_OK;
    p->is_coming = false;
    if (m->kind == MESSAGE_PING || m->kind == MESSAGE_PONG || m->kind == MESSAGE_DEATH) {
        s = comm_heard(c, m->from, m, e);
        buffer_fini(&m->body);
    } else {
        arrive(c, m);
    }
    return s;
}

/* Goes on with a body under way. */
static enum status receive_on(struct comm *c, struct comm_peer *p, struct error *e)
{
    for (int done; p->is_coming;) {
        MPI_Test(&p->receiving, &done, MPI_STATUS_IGNORE);
        if (!done)
            return STATUS_OK;
        c->moved_s = comm_clock();
        if (p->coming_at == p->coming.body.size)
            return complete(c, p, e);
        size_t n = piece_of(p->coming.body.size, p->coming_at);
        MPI_Irecv(p->coming.body.data + p->coming_at, (int)n, MPI_BYTE, p->coming.from, TAG_BODY, c->world, &p->receiving);
        p->coming_at += n;
    }
    return STATUS_OK;
}

static enum status receive_head(struct comm *c, int from, struct error *e)
{
    struct comm_peer *p = &c->peers[from];
    uint64_t head[3];
    MPI_Recv(head, 3, MPI_UINT64_T, from, TAG_HEAD, c->world, MPI_STATUS_IGNORE); /* it is there already: Iprobe has seen it */
    if (fault_at(FAULT_RECEIVE) == FAULT_ACTION_DROP)
        head[2]++; /* as if it had never come, and the next one had */
    if (head[2] != ++p->received || head[0] >= MESSAGE_KIND_COUNT)
        return comm_lost(c, from, e, "a message of rank %d was lost: number %llu came where %llu was expected", from, (unsigned long long)head[2],
                         (unsigned long long)p->received);
    p->heard_s = comm_clock();
    p->coming = (struct message){.kind = (enum message_kind)head[0], .from = from};
    p->coming_at = 0;
    p->is_coming = true;
    if (head[1])
        buffer_grow(&p->coming.body, head[1]);
    return receive_on(c, p, e);
}

static enum status receive_all(struct comm *c, struct error *e)
{
    for (int rank = 0; rank < c->transport->size; rank++)
        if (c->peers[rank].is_coming)
            TRY(receive_on(c, &c->peers[rank], e));
    for (int n = 0; n < 64; n++) {
        MPI_Status s;
        int there;
        MPI_Iprobe(MPI_ANY_SOURCE, TAG_HEAD, c->world, &there, &s);
        if (!there || c->peers[s.MPI_SOURCE].is_coming) /* the last piece first */
            return STATUS_OK;
        TRY(receive_head(c, s.MPI_SOURCE, e));
    }
    return STATUS_OK;
}

enum status comm_move_messages(struct comm *c, struct error *e)
{
    if (c->transport->broken)
        return error_set(e, STATUS_IO, "%s", c->why.message);
    for (int rank = 0; rank < c->transport->size; rank++)
        if (c->peers[rank].first)
            send_on(c, rank);
    return receive_all(c, e);
}

enum status comm_poll(struct transport *t, struct message *out, bool *got, struct error *e)
{
    struct comm *c = t->context;
    *got = false;
    TRY(comm_serve(c, e));
    if (c->n_arrived == 0)
        return STATUS_OK;
    *out = c->arrived[0];
    memmove(c->arrived, c->arrived + 1, (size_t)--c->n_arrived * sizeof *c->arrived);
    *got = true;
    return STATUS_OK;
}

void comm_free_messages(struct comm *c)
{
    while (c->n_arrived)
        buffer_fini(&c->arrived[--c->n_arrived].body);
    free(c->arrived);
    c->arrived = NULL;
}
