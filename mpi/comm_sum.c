#include "mpi/comm_sum.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/memory.h"

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
        comm_pause(tries < s->spins ? 0 : tries - s->spins);
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

/* --- opening --- */

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

enum { WIDTHS = 4, LEAST_WIDTH = 256, TURNS = 3 }; /* 256, 1024, 4096, 16384 floats are tried */

/* Seconds of one sum, where they are less than *least. */
static enum status try_way(struct sums *s, const struct gang_slab *slab, size_t small, double *least, struct error *e)
{
    double start = comm_clock(), waited_s = 0;
    s->pieces.small = small;
    add(s, 0, slab, 0, slab->width);
    TRY(wait_until(s, is_done, 0, &waited_s, e));
    *least = fmin(*least, comm_clock() - start);
    return STATUS_OK;
}

/* x: room for two slabs of the largest width. Times are the slowest member's, so that all choose the same. */
static enum status try_ways(struct sums *s, MPI_Comm comm, float *x, size_t *small, struct error *e)
{
    double least[WIDTHS][2], slowest[WIDTHS][2];
    MPI_Request r;
    for (int i = 0; i < WIDTHS; i++) {
        const size_t width = (size_t)LEAST_WIDTH << (2 * i);
        const struct gang_slab slab = {x, x + width, width, s->pieces.size};
        least[i][0] = least[i][1] = INFINITY;
        for (int turn = 0; turn < 2 * TURNS; turn++)
            TRY(try_way(s, &slab, turn % 2 ? width : 0, &least[i][turn % 2], e));
    }
    MPI_Iallreduce(least, slowest, 2 * WIDTHS, MPI_DOUBLE, MPI_MAX, comm, &r);
    TRY(comm_wait(s->carrier, &r, e));
    *small = LEAST_WIDTH;
    for (int i = 0; i < WIDTHS && slowest[i][1] <= slowest[i][0]; i++)
        *small = (size_t)LEAST_WIDTH << (2 * i);
    return STATUS_OK;
}

/* Tries them where a member has never been in a gang of so many. */
static enum status choose_small(struct sums *s, MPI_Comm comm, int n, struct error *e)
{
    uint64_t known = s->carrier->small[n], least = 0;
    size_t small;
    MPI_Request r;
    MPI_Iallreduce(&known, &least, 1, MPI_UINT64_T, MPI_MIN, comm, &r);
    TRY(comm_wait(s->carrier, &r, e));
    small = least;
    if (small == 0) {
        float *x = memory_new(((size_t)LEAST_WIDTH << (2 * WIDTHS - 2)) * 2 * sizeof *x);
        enum status status = try_ways(s, comm, x, &small, e);
        if (status != STATUS_OK)
            return status; /* messages may still be on their way into x */
        free(x);
    }
    s->carrier->small[n] = s->pieces.small = small;
    s->pieces.moved_bytes = 0; /* of trying */
    return STATUS_OK;
}

enum { SPINS = 2000 }; /* tens of us: as long as a block of others takes */

/* A rank that has a core for itself keeps it for a moment: given away, it may come back only milliseconds later. Where ranks outnumber cores, those
 * that it waits for may need it. */
static int spins_of(const struct comm *c)
{
    const int *node = c->rings.node;
    int rank = c->transport->rank, workers = 0;
    for (int i = 1; i < c->transport->size; i++)
        workers += node[i] == node[rank];
    return workers <= sysconf(_SC_NPROCESSORS_ONLN) ? SPINS : 0;
}

enum status sums_open(struct sums *s, struct comm *c, MPI_Comm comm, const int *members, int n, struct error *e)
{
    struct ring_share **share = memory_new((size_t)n * sizeof *share);
    int rank;
    *s = (struct sums){.carrier = c, .in_node = find_shares(c, members, n, share)};
    MPI_Comm_rank(comm, &rank);
    pieces_init(&s->pieces, comm);
    if (s->in_node) {
        ring_init(&s->ring, share, rank, n);
        s->spins = spins_of(c);
    }
    free(share);
    return s->in_node ? agree(s, comm, e) : choose_small(s, comm, n, e);
}

/* --- sums --- */

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
