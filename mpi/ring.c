#include "mpi/ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void ring_clear(struct ring_share *share)
{
    atomic_init(&share->made, 0);
    atomic_init(&share->taken, 0);
}

void ring_init(struct ring *r, struct ring_share *const *share, int rank, int size)
{
    *r = (struct ring){.rank = rank, .size = size};
    r->share = memory_new((size_t)size * sizeof *r->share);
    memcpy(r->share, share, (size_t)size * sizeof *share);
    r->cell = memory_new((size_t)size * sizeof *r->cell);
    r->seen = memory_new((size_t)size * sizeof *r->seen);
}

void ring_fini(struct ring *r)
{
    free(r->share);
    free(r->cell);
    free(r->seen);
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
    r->made = r->taken = r->first = r->seen_taken = number;
    for (int i = 0; i < r->size; i++)
        r->seen[i] = number;
    for (int b = 0; b < RING_CELLS; b++)
        r->end[b] = 0;
    atomic_store_explicit(&r->share[r->rank]->taken, number, memory_order_release);
    atomic_store_explicit(&r->share[r->rank]->made, number, memory_order_release);
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

static int parts_of(const struct ring_sum *s, int rank)
{
    return s->reduction.offset[rank + 1] - s->reduction.offset[rank];
}

static const float *own_part(const struct ring_sum *s, int p, const struct ring_block *b)
{
    return s->slab.mine + (size_t)p * s->slab.width + b->from;
}

/* --- making --- */

static uint64_t taken_by_all(const struct ring *r)
{
    uint64_t least = r->taken;
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
    const struct ring_block *b = &r->blocks[r->made - r->first];
    const struct ring_sum *s = &r->sums[b->level];
    struct ring_share *mine = r->share[r->rank];
    int parts = parts_of(s, r->rank);
    if (!has_room(r, parts)) {
        r->seen_taken = taken_by_all(r);
        if (!has_room(r, parts))
            return false;
    }
    for (int p = 0; p < parts; p++, r->cells++)
        memcpy(mine->cells[r->cells % RING_CELLS], own_part(s, p, b), b->n * sizeof(float));
    r->moved_bytes += (uint64_t)parts * b->n * sizeof(float);
    r->end[r->made % RING_CELLS] = r->cells;
    atomic_store_explicit(&mine->made, ++r->made, memory_order_release);
    return true;
}

/* --- taking --- */

static bool made_by_all(struct ring *r)
{
    for (int i = 0; i < r->size; i++)
        if (i != r->rank && r->seen[i] <= r->taken) {
            r->seen[i] = atomic_load_explicit(&r->share[i]->made, memory_order_acquire);
            if (r->seen[i] <= r->taken)
                return false;
        }
    return r->made > r->taken;
}

static bool take(struct ring *r)
{
    if (r->taken == r->made || !made_by_all(r))
        return false;
    const struct ring_block *b = &r->blocks[r->taken - r->first];
    const struct ring_sum *s = &r->sums[b->level];
    for (int i = 0, part = 0; i < r->size; i++)
        for (int p = 0; p < parts_of(s, i); p++, r->cell[i]++)
            r->part[part++] = i == r->rank ? own_part(s, p, b) : r->share[i]->cells[r->cell[i] % RING_CELLS];
    reduction_add(&s->reduction, r->part, s->slab.total + b->from, b->n);
    atomic_store_explicit(&r->share[r->rank]->taken, ++r->taken, memory_order_release);
    return true;
}

bool ring_move(struct ring *r)
{
    bool moved = false;
    for (bool more = true; more; moved |= more) {
        more = make(r);
        more |= take(r);
    }
    return moved;
}

bool ring_done(struct ring *r, int level)
{
    if (r->taken < r->sums[level].last)
        return false;
    r->sums[level].last = 0;
    if (r->taken == r->first + (uint64_t)r->n_blocks) {
        r->first = r->taken;
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
