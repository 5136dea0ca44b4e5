#include "mpi/reduction.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/kernels.h"

enum { TILE = 1024 }; /* floats: sums in between stay in the nearest cache */

void reduction_fit(struct reduction *r, int n_leaves, int size)
{
    if (r->offset && r->n_leaves == n_leaves && r->size == size)
        return;
    if (!r->offset || size != r->size)
        r->offset = memory_resize(r->offset, ((size_t)size + 1) * sizeof *r->offset);
    r->n_leaves = n_leaves;
    r->size = size;
    r->offset[0] = 0;
    for (int rank = 0; rank < size; rank++)
        r->offset[rank + 1] = r->offset[rank] + gang_parts(gang_first(n_leaves, rank, size), gang_first(n_leaves, rank + 1, size), n_leaves);
    int n = r->offset[size];
    if (n > r->capacity) {
        r->joins = memory_resize(r->joins, (size_t)n * sizeof *r->joins);
        r->room = memory_resize(r->room, (size_t)n * TILE * sizeof *r->room);
        r->capacity = n;
    }
    gang_joins(n_leaves, size, r->joins);
}

void reduction_fini(struct reduction *r)
{
    free(r->offset);
    free(r->joins);
    free(r->room);
    *r = (struct reduction){0};
}

KERNEL static void sum_of_two(float *restrict out, const float *restrict a, const float *restrict b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] + b[i];
}

/* Floats [at, at + n). */
static void add_tile(const struct reduction *r, const float *const *part, float *total, size_t at, size_t n)
{
    const float *x[r->capacity];
    for (int p = 0; p < r->offset[r->size]; p++)
        x[p] = part[p] + at;
    for (int i = 0; i < r->offset[r->size] - 1; i++) {
        int into = r->joins[i].into, from = r->joins[i].from;
        float *sum = into == 0 ? total + at : r->room + (size_t)into * TILE;
        if (x[into] == sum)
            gang_add(sum, x[from], n);
        else
            sum_of_two(sum, x[into], x[from], n);
        x[into] = sum;
    }
}

void reduction_add(const struct reduction *r, const float *const *part, float *total, size_t n)
{
    if (r->offset[r->size] == 0)
        memset(total, 0, n * sizeof *total);
    else if (r->offset[r->size] == 1)
        memcpy(total, part[0], n * sizeof *total);
    else
        for (size_t at = 0; at < n; at += TILE)
            add_tile(r, part, total, at, n - at < TILE ? n - at : TILE);
}
