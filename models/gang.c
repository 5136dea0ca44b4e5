#include "models/gang.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/kernels.h"

int gang_first(int n, int rank, int size)
{
    return (int)((int64_t)n * rank / size);
}

int gang_owner(int item, int n, int size)
{
    int r = (int)((int64_t)item * size / n);
    while (gang_first(n, r + 1, size) <= item)
        r++;
    return r;
}

int gang_leaves(int rows)
{
    return rows / LEAF_ROWS + (rows % LEAF_ROWS != 0);
}

KERNEL void gang_add(float *restrict into, const float *restrict x, size_t n)
{
    for (size_t j = 0; j < n; j++)
        into[j] += x[j];
}

/* --- parts --- */

/* Where the largest node that begins at leaf `at` and lies in [at, end) ends. */
static int part_end(int at, int end, int n_leaves)
{
    int64_t size = 1;
    while (at + size < n_leaves && at % (2 * size) == 0 && (at + 2 * size <= end || end == n_leaves))
        size *= 2;
    return at + size < n_leaves ? (int)(at + size) : n_leaves;
}

int gang_parts(int first, int end, int n_leaves)
{
    int n = 0;
    for (int at = first; at < end; at = part_end(at, end, n_leaves))
        n++;
    return n;
}

int gang_slot(int first, int i, int n_leaves)
{
    return gang_parts(first, i, n_leaves);
}

/* Slots from the `slot`-th down to the last that the leaves up to i leave. */
static void merge(float *x, size_t stride, size_t n, int slot, int first, int i, int n_leaves)
{
    for (int last = gang_parts(first, i + 1, n_leaves) - 1; slot > last; slot--)
        gang_add(x + (size_t)(slot - 1) * stride, x + (size_t)slot * stride, n);
}

void gang_merge(float *x, size_t stride, size_t n, int first, int i, int n_leaves)
{
    merge(x, stride, n, gang_slot(first, i, n_leaves), first, i, n_leaves);
}

bool gang_joins_before(int first, int i, int n_leaves)
{
    return gang_slot(first, i, n_leaves) >= gang_parts(first, i + 1, n_leaves);
}

void gang_merge_rest(float *x, size_t stride, size_t n, int first, int i, int n_leaves)
{
    merge(x, stride, n, gang_slot(first, i, n_leaves) - 1, first, i, n_leaves);
}

int gang_slots(int first, int end, int n_leaves)
{
    int most = 0;
    for (int i = first; i < end; i++)
        most = gang_slot(first, i, n_leaves) >= most ? gang_slot(first, i, n_leaves) + 1 : most;
    return most;
}

int gang_slots_most(int count)
{
    int most = 0;
    for (int64_t left = (int64_t)count + 1; left > 1; left /= 2)
        most += 2;
    return most < count ? most : count;
}

int gang_part_offset(int n_leaves, int rank, int size)
{
    int n = 0;
    for (int r = 0; r < rank; r++)
        n += gang_parts(gang_first(n_leaves, r, size), gang_first(n_leaves, r + 1, size), n_leaves);
    return n;
}

int gang_joins(int n_leaves, int size, struct gang_join *out)
{
    int n = 0, part = 0, open[GANG_PARTS_EACH]; /* open: parts that stand for the leaves so far */
    for (int r = 0, top = 0; r < size; r++)
        for (int at = gang_first(n_leaves, r, size), end = gang_first(n_leaves, r + 1, size); at < end; at = part_end(at, end, n_leaves)) {
            open[top++] = part++;
            for (int left = gang_parts(0, part_end(at, end, n_leaves), n_leaves); top > left; top--, n++)
                if (out)
                    out[n] = (struct gang_join){open[top - 2], open[top - 1]};
        }
    return n;
}

/* --- a gang of one --- */

static void alone_begin(struct gang *g, const struct gang_slab *s, size_t from, size_t to)
{
    (void)g;
    if (s->n_leaves == 0)
        memset(s->total + from, 0, (to - from) * sizeof *s->total);
    else if (s->total != s->mine) /* one part */
        memcpy(s->total + from, s->mine + from, (to - from) * sizeof *s->total);
}

static enum status alone_end(struct gang *g, const struct gang_slab *s, struct error *e)
{
    (void)g, (void)s, (void)e;
    return STATUS_OK;
}

static enum status alone_sum(struct gang *g, const float *mine, float *total, size_t width, int n_leaves, struct error *e)
{
    const struct gang_slab s = {mine, total, width, n_leaves};
    (void)e;
    alone_begin(g, &s, 0, width);
    return STATUS_OK;
}

static enum status alone_share(struct gang *g, void *data, const size_t *offset, struct error *e)
{
    (void)g, (void)data, (void)offset, (void)e;
    return STATUS_OK;
}

static enum status alone_pass(struct gang *g, int to, const void *out, size_t n_out, int from, void *in, size_t n_in,
                              struct error *e)
{
    (void)g, (void)to, (void)n_out, (void)from, (void)e;
    if (n_in)
        memcpy(in, out, n_in);
    return STATUS_OK;
}

static bool never(struct gang *g)
{
    (void)g;
    return false;
}

struct gang gang_alone(bool (*stop)(struct gang *), void *stop_context)
{
    return (struct gang){.rank = 0,
                         .size = 1,
                         .sum = alone_sum,
                         .sum_begin = alone_begin,
                         .sum_end = alone_end,
                         .share = alone_share,
                         .pass = alone_pass,
                         .stop = stop ? stop : never,
                         .stop_context = stop_context};
}

int gang_take(struct gang *g, int n)
{
    if (g->take)
        return g->take(g, n);
    int first = gang_first(n, g->rank, g->size);
    if (first + g->taken < gang_first(n, g->rank + 1, g->size))
        return first + g->taken++;
    g->taken = 0;
    return -1;
}

enum status gang_any(struct gang *g, bool mine, bool *any, struct error *e)
{
    float one = mine ? 1 : 0, total = 0; /* as many leaves as ranks: one each */
    *any = true;
    TRY(g->sum(g, &one, &total, 1, g->size, e));
    *any = total > 0;
    return STATUS_OK;
}

void gang_look(struct gang *g)
{
    (void)g->stop(g);
}

void gang_rows(int n, int rank, int size, int *first, int *last)
{
    int leaves = gang_leaves(n), from = gang_first(leaves, rank, size), to = gang_first(leaves, rank + 1, size);
    *first = from * LEAF_ROWS;
    *last = to == leaves ? n : to * LEAF_ROWS;
}

enum status gang_share_rows(struct gang *g, float *x, int n, int width, struct error *e)
{
    if (g->size == 1)
        return STATUS_OK;
    for (int r = 0; r < g->size; r++) {
        int first, last;
        gang_rows(n, r, g->size, &first, &last);
        g->offset[r] = (size_t)first * (size_t)width * sizeof *x;
        g->offset[r + 1] = (size_t)last * (size_t)width * sizeof *x;
    }
    return g->share(g, x, g->offset, e);
}

enum status gang_cost(struct gang *g, int64_t peak_bytes, struct gang_cost *out, struct error *e)
{
    struct gang_cost *all = memory_new((size_t)g->size * sizeof *all);
    size_t *offset = memory_new(((size_t)g->size + 1) * sizeof *offset);
    for (int r = 0; r < g->size; r++)
        offset[r + 1] = offset[r] + sizeof *all;
    all[g->rank] = (struct gang_cost){g->waited_s, (int64_t)g->moved_bytes, peak_bytes};
    enum status s = g->share(g, all, offset, e);
    *out = (struct gang_cost){0};
    for (int r = 0; r < g->size; r++) {
        out->waited_s += all[r].waited_s / g->size;
        out->moved_bytes += all[r].moved_bytes;
        out->peak_bytes = all[r].peak_bytes > out->peak_bytes ? all[r].peak_bytes : out->peak_bytes;
    }
    free(offset);
    free(all);
    return s;
}
