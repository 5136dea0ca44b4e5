#include "mpi/ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void ring_clear(struct ring_share *share)
{
    atomic_init(&share->made, 0);
    atomic_init(&share->added, 0);
    atomic_init(&share->taken, 0);
    atomic_init(&share->dealt, 0);
}

void ring_init(struct ring *r, struct ring_share *const *share, int rank, int size)
{
    *r = (struct ring){.rank = rank, .size = size, .round = 1};
    r->share = memory_new((size_t)size * sizeof *r->share);
    memcpy(r->share, share, (size_t)size * sizeof *share);
    r->adding.cell = memory_new((size_t)size * sizeof *r->adding.cell);
    r->taking.cell = memory_new((size_t)size * sizeof *r->taking.cell);
    r->seen = memory_new((size_t)size * sizeof *r->seen);
    r->seen_added = memory_new((size_t)size * sizeof *r->seen_added);
    if (rank == 0)
        atomic_store(&share[0]->dealt, 0); /* before a number of blocks is agreed on, so before anybody takes one */
}

void ring_fini(struct ring *r)
{
    free(r->share);
    free(r->adding.cell);
    free(r->taking.cell);
    free(r->seen);
    free(r->seen_added);
    free(r->blocks);
    free(r->part);
    for (int level = 0; level < RING_LEVELS; level++)
        reduction_fini(&r->sums[level].reduction);
    *r = (struct ring){0};
}

uint64_t ring_number(const struct ring *r)
{
    return atomic_load_explicit(&r->share[r->rank]->made, memory_order_relaxed);
}

void ring_start(struct ring *r, uint64_t number)
{
    r->made = r->adding.block = r->taking.block = r->first = r->seen_taken = number;
    for (int i = 0; i < r->size; i++)
        r->seen[i] = r->seen_added[i] = number;
    for (int b = 0; b < RING_CELLS; b++)
        r->end[b] = 0;
    atomic_store_explicit(&r->share[r->rank]->taken, number, memory_order_release);
    atomic_store_explicit(&r->share[r->rank]->added, number, memory_order_release);
    atomic_store_explicit(&r->share[r->rank]->made, number, memory_order_release);
}

int ring_take(struct ring *r, int n)
{
    _Atomic uint64_t *dealt = &r->share[0]->dealt;
    uint64_t first = (uint64_t)r->round << 32, found = atomic_load(dealt), next;
    do {
        next = found < first ? first : found;
        if (next - first >= (uint64_t)n) { /* also where others are in a later round */
            r->round++;
            return -1;
        }
    } while (!atomic_compare_exchange_weak(dealt, &found, next + 1));
    return (int)(next - first);
}

bool ring_is_dealt(int size, size_t width)
{
    return size > 3 && width > 2 * RING_CELL;
}

static void add_block(struct ring *r, int level, size_t from, size_t n)
{
    if (r->n_blocks == r->capacity) {
        r->capacity = r->capacity ? 2 * r->capacity : 64;
        r->blocks = memory_resize(r->blocks, (size_t)r->capacity * sizeof *r->blocks);
    }
    r->blocks[r->n_blocks++] = (struct ring_block){level, from, n};
}

static void begin(struct ring *r, struct ring_sum *s, const struct gang_slab *slab)
{
    s->slab = *slab;
    s->dealt = ring_is_dealt(r->size, slab->width);
    reduction_fit(&s->reduction, slab->n_leaves, r->size);
    if (s->reduction.capacity > r->part_capacity) {
        r->part_capacity = s->reduction.capacity;
        r->part = memory_resize(r->part, (size_t)r->part_capacity * sizeof *r->part);
    }
}

void ring_add(struct ring *r, int level, const struct gang_slab *slab, size_t from, size_t to)
{
    struct ring_sum *s = &r->sums[level];
    if (s->last == 0)
        begin(r, s, slab);
    for (size_t at = from; at < to; at += RING_CELL)
        add_block(r, level, at, to - at < RING_CELL ? to - at : RING_CELL);
    s->last = r->first + (uint64_t)r->n_blocks;
}

/* --- blocks --- */

static const struct ring_block *block_at(const struct ring *r, uint64_t number)
{
    return &r->blocks[number - r->first];
}

static const struct ring_sum *sum_at(const struct ring *r, uint64_t number)
{
    return &r->sums[block_at(r, number)->level];
}

/* -1: everybody adds it. */
static int owner_of(const struct ring *r, uint64_t number)
{
    return sum_at(r, number)->dealt ? (int)(number % (uint64_t)r->size) : -1;
}

static int parts_of(const struct ring_sum *s, int rank)
{
    return s->reduction.offset[rank + 1] - s->reduction.offset[rank];
}

/* Cells that a rank uses for a block. */
static int cells_of(const struct ring *r, uint64_t number, int rank)
{
    int parts = parts_of(sum_at(r, number), rank);
    return parts == 0 && owner_of(r, number) == rank ? 1 : parts;
}

static const float *own_part(const struct ring_sum *s, int p, const struct ring_block *b)
{
    return s->slab.mine + (size_t)p * s->slab.width + b->from;
}

static float *cell_of(const struct ring *r, int rank, uint64_t cell)
{
    return r->share[rank]->cells[cell % RING_CELLS];
}

static void step(const struct ring *r, struct ring_cursor *c)
{
    for (int i = 0; i < r->size; i++)
        c->cell[i] += (uint64_t)cells_of(r, c->block, i);
    c->block++;
}

/* --- making --- */

static uint64_t taken_by_all(const struct ring *r)
{
    uint64_t least = r->taking.block;
    for (int i = 0; i < r->size; i++) {
        uint64_t taken = i == r->rank ? least : atomic_load_explicit(&r->share[i]->taken, memory_order_acquire);
        least = taken < least ? taken : least;
    }
    return least < r->seen_taken ? r->seen_taken : least; /* who has not begun yet has a smaller number */
}

/* Is there room for so many cells of the next block? */
static bool has_room(const struct ring *r, int cells)
{
    uint64_t freed = r->end[(r->seen_taken - 1) % RING_CELLS]; /* 0 before the first */
    return r->made - r->seen_taken < RING_CELLS && r->cells + (uint64_t)cells - freed <= RING_CELLS;
}

static bool make(struct ring *r)
{
    if (r->made == r->first + (uint64_t)r->n_blocks)
        return false;
    int cells = cells_of(r, r->made, r->rank), parts = parts_of(sum_at(r, r->made), r->rank);
    const struct ring_block *b = block_at(r, r->made);
    if (!has_room(r, cells)) {
        r->seen_taken = taken_by_all(r);
        if (!has_room(r, cells))
            return false;
    }
    for (int p = 0; p < parts && owner_of(r, r->made) != r->rank; p++) {
        memcpy(cell_of(r, r->rank, r->cells + (uint64_t)p), own_part(sum_at(r, r->made), p, b), b->n * sizeof(float));
        r->moved_bytes += b->n * sizeof(float);
    }
    r->cells += (uint64_t)cells;
    r->end[r->made % RING_CELLS] = r->cells;
    atomic_store_explicit(&r->share[r->rank]->made, ++r->made, memory_order_release);
    return true;
}

/* --- adding --- */

static bool made_by_all(struct ring *r, uint64_t number)
{
    for (int i = 0; i < r->size; i++)
        if (i != r->rank && r->seen[i] <= number) {
            r->seen[i] = atomic_load_explicit(&r->share[i]->made, memory_order_acquire);
            if (r->seen[i] <= number)
                return false;
        }
    return r->made > number;
}

/* All parts of the block at a cursor into the total. */
static void add_parts(struct ring *r, const struct ring_cursor *c)
{
    const struct ring_block *b = block_at(r, c->block);
    const struct ring_sum *s = sum_at(r, c->block);
    for (int i = 0, part = 0; i < r->size; i++)
        for (int p = 0; p < parts_of(s, i); p++)
            r->part[part++] = i == r->rank ? own_part(s, p, b) : cell_of(r, i, c->cell[i] + (uint64_t)p);
    reduction_add(&s->reduction, r->part, s->slab.total + b->from, b->n);
}

/* The next block that this rank owns, for all. */
static bool add_own(struct ring *r)
{
    struct ring_cursor *c = &r->adding;
    while (c->block < r->made && owner_of(r, c->block) != r->rank)
        step(r, c);
    if (c->block == r->made || !made_by_all(r, c->block))
        return false;
    const struct ring_block *b = block_at(r, c->block);
    add_parts(r, c);
    memcpy(cell_of(r, r->rank, c->cell[r->rank]), sum_at(r, c->block)->slab.total + b->from, b->n * sizeof(float));
    r->moved_bytes += b->n * sizeof(float);
    step(r, c);
    atomic_store_explicit(&r->share[r->rank]->added, c->block, memory_order_release);
    return true;
}

/* --- taking --- */

/* Is a block added by another there? */
static bool added_by(struct ring *r, int owner, uint64_t number)
{
    if (r->seen_added[owner] <= number)
        r->seen_added[owner] = atomic_load_explicit(&r->share[owner]->added, memory_order_acquire);
    return r->seen_added[owner] > number;
}

static bool is_there(struct ring *r, int owner, uint64_t number)
{
    if (owner < 0)
        return made_by_all(r, number);
    return owner == r->rank ? r->adding.block > number : added_by(r, owner, number);
}

static bool take(struct ring *r)
{
    struct ring_cursor *c = &r->taking;
    int owner = c->block < r->made ? owner_of(r, c->block) : -1;
    if (c->block == r->made || !is_there(r, owner, c->block))
        return false;
    const struct ring_block *b = block_at(r, c->block);
    if (owner < 0)
        add_parts(r, c);
    else if (owner != r->rank)
        memcpy(sum_at(r, c->block)->slab.total + b->from, cell_of(r, owner, c->cell[owner]), b->n * sizeof(float));
    step(r, c);
    atomic_store_explicit(&r->share[r->rank]->taken, c->block, memory_order_release);
    return true;
}

bool ring_move(struct ring *r)
{
    bool moved = false;
    for (bool more = true; more; moved |= more) {
        more = make(r);
        more |= add_own(r);
        more |= take(r);
    }
    return moved;
}

bool ring_done(struct ring *r, int level)
{
    if (r->taking.block < r->sums[level].last)
        return false;
    r->sums[level].last = 0;
    if (r->taking.block == r->first + (uint64_t)r->n_blocks) {
        while (r->adding.block < r->taking.block)
            step(r, &r->adding);
        r->first = r->taking.block;
        r->n_blocks = 0;
    }
    return true;
}

bool ring_read(const struct ring *r)
{
    for (int i = 0; i < r->size; i++)
        if (atomic_load_explicit(&r->share[i]->taken, memory_order_acquire) < r->made)
            return false;
    return true;
}
