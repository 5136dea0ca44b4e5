#include "mpi/comm_sum.h"

#include <stdlib.h>

#include "base/fault.h"
#include "base/memory.h"

enum { SMALL = 2048 }; /* floats */

/* The members' places in the node's memory, or false: they are on several nodes, or there is none. */
static bool find_shares(const struct comm *c, const int *members, int n, struct ring_share **share)
{
    for (int i = 0; i < n; i++) {
        if (!c->rings.base || c->rings.node[members[i]] != c->rings.node[members[0]])
            return false;
        share[i] = &c->rings.base[c->rings.place[members[i]]];
    }
    return true;
}

/* The ring's first number. */
static enum status agree(struct sums *s, MPI_Comm comm, struct error *e)
{
    uint64_t mine = ring_number(&s->ring), most = 0;
    MPI_Request r;
    MPI_Iallreduce(&mine, &most, 1, MPI_UINT64_T, MPI_MAX, comm, &r);
    TRY(comm_wait(s->carrier, &r, e));
    ring_start(&s->ring, most);
    return STATUS_OK;
}

enum status sums_open(struct sums *s, struct comm *c, MPI_Comm comm, const int *members, int n, struct error *e)
{
    struct ring_share **share = memory_new((size_t)n * sizeof *share);
    enum status status = STATUS_OK;
    int rank;
    *s = (struct sums){.carrier = c, .in_node = find_shares(c, members, n, share)};
    MPI_Comm_rank(comm, &rank);
    pieces_init(&s->pieces, comm, SMALL);
    if (s->in_node) {
        ring_init(&s->ring, share, rank, n);
        status = agree(s, comm, e);
    }
    free(share);
    return status;
}

static bool move(struct sums *s)
{
    return s->in_node ? ring_move(&s->ring) : pieces_move(&s->pieces);
}

static bool is_done(struct sums *s, int level)
{
    return s->in_node ? ring_done(&s->ring, level) : pieces_done(&s->pieces, level);
}

static bool is_read(struct sums *s, int level)
{
    (void)level;
    return !s->in_node || ring_read(&s->ring);
}

/* Others are served and watched meanwhile. Time counts from when nothing could be done. */
static enum status wait_until(struct sums *s, bool (*done)(struct sums *, int), int level, double *waited_s, struct error *e)
{
    double since = 0;
    for (int tries = 0; !done(s, level);) {
        if (move(s)) {
            *waited_s += tries ? comm_clock() - since : 0;
            tries = 0;
            continue;
        }
        since = tries ? since : comm_clock();
        if (tries % 64 == 63 || tries >= 4000)
            TRY(comm_serve(s->carrier, e));
        comm_pause(tries);
        tries += tries < 1000000;
    }
    return STATUS_OK;
}

static void add(struct sums *s, int level, const struct gang_slab *slab, size_t from, size_t to)
{
    if (s->in_node)
        ring_add(&s->ring, level, slab, from, to);
    else
        pieces_add(&s->pieces, level, slab, from, to);
    move(s);
}

static enum status finish(struct sums *s, int level, struct gang *g, struct error *e)
{
    fault_at(FAULT_SUM);
    TRY(wait_until(s, is_done, level, &g->waited_s, e));
    g->moved_bytes += s->ring.moved_bytes + s->pieces.moved_bytes;
    s->ring.moved_bytes = s->pieces.moved_bytes = 0;
    return STATUS_OK;
}

void sums_begin(struct sums *s, const struct gang_slab *slab, size_t from, size_t to)
{
    s->begun = true;
    add(s, 0, slab, from, to);
}

enum status sums_end(struct sums *s, struct gang *g, struct error *e)
{
    s->begun = false;
    return finish(s, 0, g, e);
}

enum status sums_whole(struct sums *s, const struct gang_slab *slab, struct gang *g, struct error *e)
{
    int level = s->begun;
    add(s, level, slab, 0, slab->width);
    return finish(s, level, g, e);
}

void sums_close(struct sums *s)
{
    double waited_s = 0;
    struct error ignored;
    if (wait_until(s, is_read, 0, &waited_s, &ignored) != STATUS_OK)
        return; /* requests may still point into it */
    ring_fini(&s->ring);
    pieces_fini(&s->pieces);
}
