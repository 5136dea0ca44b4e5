/* Gangs: a communicator of a few workers, sums (mpi/comm_sum.h), everyone's piece for everyone, bytes from rank to rank. */
#include <stdlib.h>

#include "base/memory.h"
#include "mpi/comm_sum.h"

struct gang_context {
    MPI_Comm comm;
    struct comm *carrier;
    struct sums sums;
};

/* Open MPI 4 sends what MPI_Comm_create_group agrees on as messages of that very tag: a worker that polls would take them for the coordinator's.
 * So the tags of gangs begin above those of messages (mpi/comm.c). MPI promises tags up to 32767. */
enum { TAG_GANGS = 16, N_TAGS = 32767 - TAG_GANGS };
enum { TAG_PASS = 4 };

static void sum_begin(struct gang *g, const struct gang_slab *s, size_t from, size_t to)
{
    struct gang_context *c = g->context;
    sums_begin(&c->sums, s, from, to);
}

static enum status sum_end(struct gang *g, const struct gang_slab *s, struct error *e)
{
    struct gang_context *c = g->context;
    (void)s;
    return sums_end(&c->sums, g, e);
}

static enum status sum(struct gang *g, const float *mine, float *total, size_t width, int n_leaves, struct error *e)
{
    struct gang_context *c = g->context;
    const struct gang_slab s = {mine, total, width, n_leaves};
    return sums_whole(&c->sums, &s, g, e);
}

static int take(struct gang *g, int n)
{
    struct gang_context *c = g->context;
    return ring_take(&c->sums.ring, n);
}

static enum status share(struct gang *g, void *data, const size_t *offset, struct error *e)
{
    struct gang_context *c = g->context;
    double start = comm_clock();
    for (int r = 0; r < g->size; r++)
        TRY(comm_broadcast(c->carrier, c->comm, (char *)data + offset[r], offset[r + 1] - offset[r], r, e));
    g->waited_s += comm_clock() - start;
    g->moved_bytes += offset[g->rank + 1] - offset[g->rank];
    return STATUS_OK;
}

static enum status pass(struct gang *g, int to, const void *out, size_t n_out, int from, void *in, size_t n_in, struct error *e)
{
    struct gang_context *c = g->context;
    double start = comm_clock();
    for (size_t at = 0; at < n_out || at < n_in; at += COMM_PIECE) {
        MPI_Request sent = MPI_REQUEST_NULL, received = MPI_REQUEST_NULL;
        if (at < n_in)
            MPI_Irecv((char *)in + at, (int)(n_in - at < COMM_PIECE ? n_in - at : COMM_PIECE), MPI_BYTE, from, TAG_PASS, c->comm, &received);
        if (at < n_out)
            MPI_Isend((const char *)out + at, (int)(n_out - at < COMM_PIECE ? n_out - at : COMM_PIECE), MPI_BYTE, to, TAG_PASS, c->comm, &sent);
        TRY(comm_wait(c->carrier, &received, e));
        TRY(comm_wait(c->carrier, &sent, e));
    }
    g->waited_s += comm_clock() - start;
    g->moved_bytes += n_out;
    return STATUS_OK;
}

enum status comm_gang_new(struct transport *t, const int *members, int n, int tag, bool (*stop)(struct gang *), void *stop_context,
                          struct gang *out, struct error *e)
{
    struct comm *c = t->context;
    *out = gang_alone(stop, stop_context);
    if (n == 1)
        return STATUS_OK;
    struct gang_context *context = memory_new(sizeof *context);
    context->carrier = c;
    MPI_Group world, group;
    MPI_Comm_group(c->world, &world);
    MPI_Group_incl(world, n, members, &group);
    MPI_Comm_create_group(c->world, group, TAG_GANGS + tag % N_TAGS, &context->comm);
    MPI_Group_free(&group);
    MPI_Group_free(&world);
    out->context = context;
    out->sum = sum;
    out->sum_begin = sum_begin;
    out->sum_end = sum_end;
    out->share = share;
    out->pass = pass;
    out->offset = memory_new(((size_t)n + 1) * sizeof *out->offset);
    MPI_Comm_rank(context->comm, &out->rank);
    MPI_Comm_size(context->comm, &out->size);
    TRY(sums_open(&context->sums, c, context->comm, members, n, e));
    out->take = context->sums.in_node ? take : NULL;
    return STATUS_OK;
}

void comm_gang_free(struct transport *t, struct gang *g)
{
    struct gang_context *c = g->context;
    if (!c)
        return;
    sums_close(&c->sums);
    if (t->broken) /* requests may still point into it; the program ends */
        return;
    MPI_Comm_free(&c->comm);
    free(c);
    free(g->offset);
    g->offset = NULL;
    g->context = NULL;
}
