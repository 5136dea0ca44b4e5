#include "models/gang.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

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

static void add(float *restrict into, const float *restrict x, size_t width)
{
    for (size_t j = 0; j < width; j++)
        into[j] += x[j];
}

/* Smallest multiple of m that is at least x. */
static int round_up(int x, int m)
{
    return x % m ? x - x % m + m : x;
}

void gang_fold(float *x, size_t width, int first, int count, int n_leaves)
{
    for (int stride = 1; stride < n_leaves && stride <= INT32_MAX / 4; stride *= 2)
        for (int i = round_up(first, 2 * stride); i < first + count && n_leaves - i > stride; i += 2 * stride)
            if (gang_step_inside(i, stride, first, count, n_leaves))
                add(x + (size_t)(i - first) * width, x + (size_t)(i + stride - first) * width, width);
}

static enum status alone_sum(struct gang *g, float *mine, float *total, size_t width, int n_leaves,
                             struct error *e)
{
    (void)g, (void)e;
    gang_fold(mine, width, 0, n_leaves, n_leaves);
    if (n_leaves > 0)
        memcpy(total, mine, width * sizeof *total);
    else
        memset(total, 0, width * sizeof *total);
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
                         .share = alone_share,
                         .pass = alone_pass,
                         .stop = stop ? stop : never,
                         .stop_context = stop_context};
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
    size_t *offset = memory_new(((size_t)g->size + 1) * sizeof *offset);
    for (int r = 0; r < g->size; r++) {
        int first, last;
        gang_rows(n, r, g->size, &first, &last);
        offset[r] = (size_t)first * (size_t)width * sizeof *x;
        offset[r + 1] = (size_t)last * (size_t)width * sizeof *x;
    }
    enum status s = g->share(g, x, offset, e);
    free(offset);
    return s;
}
