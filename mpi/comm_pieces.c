#include "mpi/comm_pieces.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Tags of a gang's own communicator: parts and sums of piece k. Those of the same tag arrive in order. */
enum { TAG_PIECES = 16, TAGS = 4096, PIECE_MOST = 4 << 20 };

void pieces_init(struct pieces *p, MPI_Comm comm)
{
    *p = (struct pieces){.comm = comm};
    MPI_Comm_rank(comm, &p->rank);
    MPI_Comm_size(comm, &p->size);
}

void pieces_fini(struct pieces *p)
{
    for (int i = 0; i < p->capacity; i++) {
        free(p->piece[i].room);
        free(p->piece[i].requests);
    }
    free(p->piece);
    free(p->part);
    for (int level = 0; level < PIECES_LEVELS; level++)
        reduction_fini(&p->sums[level].reduction);
    *p = (struct pieces){0};
}

struct slice {
    size_t from, n;
};

static bool is_small(const struct pieces *p, const struct piece *piece)
{
    return piece->to - piece->from <= p->small;
}

/* What rank adds up of a piece. */
static struct slice slice_of(const struct pieces *p, const struct piece *piece, int rank)
{
    size_t n = piece->to - piece->from, size = (size_t)p->size, r = (size_t)rank;
    if (is_small(p, piece))
        return (struct slice){piece->from, n};
    return (struct slice){piece->from + n * r / size, n * (r + 1) / size - n * r / size};
}

static int parts_of(const struct pieces_sum *s, int rank)
{
    return s->reduction.offset[rank + 1] - s->reduction.offset[rank];
}

/* --- memory --- */

static void make_room(const struct pieces *p, struct piece *piece)
{
    const struct pieces_sum *s = &p->sums[piece->level];
    int parts = s->reduction.offset[p->size], requests = parts + parts_of(s, p->rank) * p->size + 2 * p->size;
    if (requests > piece->capacity) {
        piece->requests = memory_resize(piece->requests, (size_t)requests * sizeof(MPI_Request));
        piece->capacity = requests;
    }
    size_t floats = (size_t)parts * slice_of(p, piece, p->rank).n;
    if (floats > piece->room_floats) {
        piece->room = memory_resize(piece->room, floats * sizeof *piece->room);
        piece->room_floats = floats;
    }
}

static struct piece *new_piece(struct pieces *p, int level, size_t from, size_t to)
{
    if (p->n == p->capacity) {
        int more = p->capacity ? 2 * p->capacity : 8;
        p->piece = memory_resize(p->piece, (size_t)more * sizeof *p->piece);
        memset(p->piece + p->capacity, 0, (size_t)(more - p->capacity) * sizeof *p->piece);
        p->capacity = more;
    }
    struct piece *piece = &p->piece[p->n++];
    piece->level = level;
    piece->from = from;
    piece->to = to;
    piece->n = piece->n_in = 0;
    piece->added = piece->done = false;
    make_room(p, piece);
    return piece;
}

/* --- messages --- */

static void receive(const struct pieces *p, struct piece *piece, float *x, size_t n, int from, int tag)
{
    MPI_Irecv(x, (int)n, MPI_FLOAT, from, tag, p->comm, &piece->requests[piece->n++]);
}

static void send(struct pieces *p, struct piece *piece, const float *x, size_t n, int to, int tag)
{
    MPI_Isend(x, (int)n, MPI_FLOAT, to, tag, p->comm, &piece->requests[piece->n++]);
    p->moved_bytes += n * sizeof *x;
}

static int tag_of(const struct pieces *p, const struct piece *piece)
{
    return TAG_PIECES + (int)(piece - p->piece) % TAGS * 2;
}

/* The parts of its slice from all others; then those of their slices to them; then their sums. */
static void exchange(struct pieces *p, struct piece *piece)
{
    const struct pieces_sum *s = &p->sums[piece->level];
    struct slice mine = slice_of(p, piece, p->rank);
    int tag = tag_of(p, piece), next = 0;
    for (int r = 0; r < p->size; r++)
        for (int i = 0; i < parts_of(s, r); i++, next++)
            if (r != p->rank && mine.n)
                receive(p, piece, piece->room + (size_t)next * mine.n, mine.n, r, tag);
    piece->n_in = piece->n;
    for (int r = 0; r < p->size; r++) {
        struct slice theirs = slice_of(p, piece, r);
        if (r == p->rank || theirs.n == 0)
            continue;
        for (int i = 0; i < parts_of(s, p->rank); i++)
            send(p, piece, s->slab.mine + (size_t)i * s->slab.width + theirs.from, theirs.n, r, tag);
        if (!is_small(p, piece))
            receive(p, piece, s->slab.total + theirs.from, theirs.n, r, tag + 1);
    }
}

/* The sum of the own slice, to all. */
static void add(struct pieces *p, struct piece *piece)
{
    const struct pieces_sum *s = &p->sums[piece->level];
    struct slice mine = slice_of(p, piece, p->rank);
    int n = 0;
    for (int r = 0; r < p->size; r++)
        for (int i = 0; i < parts_of(s, r); i++, n++)
            p->part[n] = r == p->rank ? s->slab.mine + (size_t)i * s->slab.width + mine.from : piece->room + (size_t)n * mine.n;
    reduction_add(&s->reduction, p->part, s->slab.total + mine.from, mine.n);
    for (int r = 0; r < p->size && !is_small(p, piece) && mine.n; r++)
        if (r != p->rank)
            send(p, piece, s->slab.total + mine.from, mine.n, r, tag_of(p, piece) + 1);
    piece->added = true;
}

static void begin(struct pieces *p, struct pieces_sum *s, const struct gang_slab *slab)
{
    s->slab = *slab;
    s->begun = true;
    reduction_fit(&s->reduction, slab->n_leaves, p->size);
    if (s->reduction.capacity > p->part_capacity) {
        p->part_capacity = s->reduction.capacity;
        p->part = memory_resize(p->part, (size_t)p->part_capacity * sizeof *p->part);
    }
}

void pieces_add(struct pieces *p, int level, const struct gang_slab *slab, size_t from, size_t to)
{
    struct pieces_sum *s = &p->sums[level];
    if (!s->begun)
        begin(p, s, slab);
    for (size_t at = from; at < to; at += PIECE_MOST, s->left++)
        exchange(p, new_piece(p, level, at, to - at < PIECE_MOST ? to : at + PIECE_MOST));
}

/* One step of a piece, or none. */
static bool move(struct pieces *p, struct piece *piece)
{
    int ready = 0;
    if (!piece->added) {
        MPI_Testall(piece->n_in, piece->requests, &ready, MPI_STATUSES_IGNORE);
        if (ready)
            add(p, piece);
        return ready;
    }
    MPI_Testall(piece->n - piece->n_in, piece->requests + piece->n_in, &ready, MPI_STATUSES_IGNORE);
    piece->done = ready;
    p->sums[piece->level].left -= ready;
    return ready;
}

bool pieces_move(struct pieces *p)
{
    bool moved = false;
    for (int i = 0; i < p->n; i++)
        while (!p->piece[i].done && move(p, &p->piece[i]))
            moved = true;
    return moved;
}

bool pieces_done(struct pieces *p, int level)
{
    bool any = false;
    if (p->sums[level].left > 0)
        return false;
    p->sums[level].begun = false;
    for (int other = 0; other < PIECES_LEVELS; other++)
        any |= p->sums[other].begun;
    p->n = any ? p->n : 0;
    return true;
}
