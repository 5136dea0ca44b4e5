/* Gangs: a communicator of a few workers, sums up the fixed tree of models/gang.h, everyone's piece for everyone, bytes from rank to rank. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mpi/comm.h"

struct gang_context {
    struct comm *carrier;
    MPI_Comm comm;
    float *scratch; /* (width) of the widest sum so far, owned */
    size_t width;
};

/* Open MPI 4 sends what MPI_Comm_create_group agrees on as messages of that very tag: a worker that polls would take them for the coordinator's.
 * So the tags of gangs begin above those of messages (mpi/comm.c). MPI promises tags up to 32767. */
enum { TAG_GANGS = 16, N_TAGS = 32767 - TAG_GANGS };
enum { TAG_SUM = 3, TAG_PASS = 4, FLOATS_AT_A_TIME = COMM_PIECE / sizeof(float) };

static enum status send_floats(struct gang_context *c, const float *x, size_t n, int to, struct error *e)
{
    for (size_t at = 0; at < n; at += FLOATS_AT_A_TIME) {
        MPI_Request r;
        MPI_Isend(x + at, (int)(n - at < FLOATS_AT_A_TIME ? n - at : FLOATS_AT_A_TIME), MPI_FLOAT, to, TAG_SUM, c->comm, &r);
        TRY(comm_wait(c->carrier, &r, e));
    }
    return STATUS_OK;
}

static enum status receive_floats(struct gang_context *c, float *x, size_t n, int from, struct error *e)
{
    for (size_t at = 0; at < n; at += FLOATS_AT_A_TIME) {
        MPI_Request r;
        MPI_Irecv(x + at, (int)(n - at < FLOATS_AT_A_TIME ? n - at : FLOATS_AT_A_TIME), MPI_FLOAT, from, TAG_SUM, c->comm, &r);
        TRY(comm_wait(c->carrier, &r, e));
    }
    return STATUS_OK;
}

static int part_owner(const struct gang *g, int n_leaves, int part)
{
    int r = 0;
    while (gang_part_offset(n_leaves, r + 1, g->size) <= part)
        r++;
    return r;
}

/* Part `into` takes in part `from`; first: the number of this rank's first part. */
static enum status join(struct gang *g, float *mine, size_t width, int n_leaves, const struct gang_join *j, int first, struct error *e)
{
    struct gang_context *c = g->context;
    int to = part_owner(g, n_leaves, j->into), from = part_owner(g, n_leaves, j->from);
    if (g->rank == from && from != to)
        return send_floats(c, mine + (size_t)(j->from - first) * width, width, to, e);
    if (g->rank != to)
        return STATUS_OK;
    const float *other = mine + (size_t)(j->from - first) * width;
    if (from != to) {
        TRY(receive_floats(c, c->scratch, width, from, e));
        other = c->scratch;
    }
    gang_add(mine + (size_t)(j->into - first) * width, other, width);
    return STATUS_OK;
}

static enum status sum(struct gang *g, float *mine, float *total, size_t width, int n_leaves, struct error *e)
{
    struct gang_context *c = g->context;
    if (n_leaves == 0) {
        memset(total, 0, width * sizeof *total);
        return STATUS_OK;
    }
    if (width > c->width) {
        c->scratch = memory_resize(c->scratch, width * sizeof *c->scratch);
        c->width = width;
    }
    struct gang_join *joins = memory_new((size_t)gang_part_offset(n_leaves, g->size, g->size) * sizeof *joins);
    int n = gang_joins(n_leaves, g->size, joins), first = gang_part_offset(n_leaves, g->rank, g->size);
    enum status s = STATUS_OK;
    for (int i = 0; s == STATUS_OK && i < n; i++)
        s = join(g, mine, width, n_leaves, &joins[i], first, e);
    free(joins);
    TRY(s);
    int root = part_owner(g, n_leaves, 0);
    if (g->rank == root)
        memcpy(total, mine, width * sizeof *total);
    return comm_broadcast(c->carrier, c->comm, total, width * sizeof *total, root, e);
}

static enum status share(struct gang *g, void *data, const size_t *offset, struct error *e)
{
    struct gang_context *c = g->context;
    for (int r = 0; r < g->size; r++)
        TRY(comm_broadcast(c->carrier, c->comm, (char *)data + offset[r], offset[r + 1] - offset[r], r, e));
    return STATUS_OK;
}

static enum status pass(struct gang *g, int to, const void *out, size_t n_out, int from, void *in, size_t n_in, struct error *e)
{
    struct gang_context *c = g->context;
    for (size_t at = 0; at < n_out || at < n_in; at += COMM_PIECE) {
        MPI_Request sent = MPI_REQUEST_NULL, received = MPI_REQUEST_NULL;
        if (at < n_in)
            MPI_Irecv((char *)in + at, (int)(n_in - at < COMM_PIECE ? n_in - at : COMM_PIECE), MPI_BYTE, from, TAG_PASS, c->comm, &received);
        if (at < n_out)
            MPI_Isend((const char *)out + at, (int)(n_out - at < COMM_PIECE ? n_out - at : COMM_PIECE), MPI_BYTE, to, TAG_PASS, c->comm, &sent);
        TRY(comm_wait(c->carrier, &received, e));
        TRY(comm_wait(c->carrier, &sent, e));
    }
    return STATUS_OK;
}

enum status comm_gang_new(struct transport *t, const int *members, int n, int tag, bool (*stop)(struct gang *), void *stop_context,
                          struct gang *out, struct error *e)
{
    struct comm *c = t->context;
    (void)e;
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
    out->share = share;
    out->pass = pass;
    MPI_Comm_rank(context->comm, &out->rank);
    MPI_Comm_size(context->comm, &out->size);
    return STATUS_OK;
}

void comm_gang_free(struct transport *t, struct gang *g)
{
    struct gang_context *c = g->context;
    if (!c || t->broken) /* requests may still point into it; the program ends */
        return;
    MPI_Comm_free(&c->comm);
    free(c->scratch);
    free(c);
    g->context = NULL;
}
