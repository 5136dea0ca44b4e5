#include "models/nearest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "models/engine.h"

enum { ROWS = DISTANCES_ROWS, BOXES = DISTANCES_BOXES };

struct nearest {
    int n, width, distinct;
    float *x;        /* blocks (ceil(distinct / 64), width, 64), sorted; zeros behind the last row; owned, as all */
    float *box;      /* groups (ceil(blocks / 16), width, 2, 16) */
    int32_t *member; /* (n) rows, those that are the same beside each other */
    int32_t *first;  /* (distinct + 1) where a place's members begin */
    int32_t *place;  /* (n) where a row is kept */
};

static int blocks_of(int rows)
{
    return (rows + ROWS - 1) / ROWS;
}

static size_t block_floats(const struct nearest *s)
{
    return (size_t)s->width * ROWS;
}

static size_t group_floats(const struct nearest *s)
{
    return (size_t)s->width * 2 * BOXES;
}

static int groups_of(int rows)
{
    return (blocks_of(rows) + BOXES - 1) / BOXES;
}

enum status nearest_new(struct nearest **out, int n, int width, struct error *e)
{
    struct nearest *s = memory_new(sizeof *s);
    *s = (struct nearest){.n = n, .width = width};
    s->x = calloc((size_t)blocks_of(n) * block_floats(s) + 1, sizeof *s->x);
    s->box = calloc((size_t)groups_of(n) * group_floats(s) + 1, sizeof *s->box);
    s->member = calloc((size_t)n + 1, sizeof *s->member);
    s->first = calloc((size_t)n + 1, sizeof *s->first);
    s->place = calloc((size_t)n + 1, sizeof *s->place);
    *out = s;
    if (s->x && s->box && s->member && s->first && s->place)
        return STATUS_OK;
    nearest_free(s);
    *out = NULL;
    return error_set(e, STATUS_MEMORY, "no memory for %d rows of %d numbers and what finds the nearest", n, width);
}

void nearest_free(struct nearest *s)
{
    if (!s)
        return;
    free(s->x);
    free(s->box);
    free(s->member);
    free(s->first);
    free(s->place);
    free(s);
}

uint64_t nearest_bytes(int64_t n, int64_t width)
{
    uint64_t row = (uint64_t)width * sizeof(float);
    return (uint64_t)(n + ROWS) * (row + 3 * sizeof(int32_t)) + (uint64_t)(n / ROWS + BOXES) * 2 * row;
}

/* --- filling --- */

struct sorting {
    const float *rows;
    int width;
};

static int by_columns(const void *a, const void *b, void *context)
{
    const struct sorting *s = context;
    int32_t i = *(const int32_t *)a, k = *(const int32_t *)b;
    const float *x = s->rows + (size_t)i * (size_t)s->width, *y = s->rows + (size_t)k * (size_t)s->width;
    for (int j = 0; j < s->width; j++)
        if (x[j] != y[j])
            return x[j] < y[j] ? -1 : 1;
    return (i > k) - (i < k);
}

static bool same(const float *x, const float *y, int width)
{
    int j = 0;
    while (j < width && x[j] == y[j])
        j++;
    return j == width;
}

static float *kept(const struct nearest *s, int place)
{
    return s->x + (size_t)(place / ROWS) * block_floats(s) + place % ROWS;
}

static void keep(struct nearest *s, const float *row)
{
    int place = s->distinct++, block = place / ROWS;
    float *x = kept(s, place), *box = s->box + (size_t)(block / BOXES) * group_floats(s) + block % BOXES;
    for (int j = 0; j < s->width; j++, box += 2 * BOXES) {
        float v = row[j] + 0.0F; /* -0 becomes 0 */
        x[j * ROWS] = v;
        box[0] = place % ROWS == 0 || v < box[0] ? v : box[0];
        box[BOXES] = place % ROWS == 0 || v > box[BOXES] ? v : box[BOXES];
    }
}

void nearest_fill(struct nearest *s, const float *rows)
{
    const float *last = NULL;
    for (int i = 0; i < s->n; i++)
        s->member[i] = i;
    qsort_r(s->member, (size_t)s->n, sizeof *s->member, by_columns, &(struct sorting){rows, s->width});
    for (int i = 0; i < s->n; i++) {
        const float *row = rows + (size_t)s->member[i] * (size_t)s->width;
        if (!last || !same(last, row, s->width)) {
            s->first[s->distinct] = i;
            keep(s, row);
        }
        last = row;
        s->place[s->member[i]] = s->distinct - 1;
    }
    s->first[s->distinct] = s->n;
    float *fewer = realloc(s->x, ((size_t)blocks_of(s->distinct) * block_floats(s) + 1) * sizeof *s->x);
    s->x = fewer ? fewer : s->x;
}

int nearest_distinct(const struct nearest *s)
{
    return s->distinct;
}

int nearest_members(const struct nearest *s, int place, const int32_t **rows)
{
    *rows = s->member + s->first[place];
    return s->first[place + 1] - s->first[place];
}

void nearest_row(const struct nearest *s, int row, float *out)
{
    const float *x = kept(s, s->place[row]);
    for (int j = 0; j < s->width; j++)
        out[j] = x[j * ROWS];
}

/* --- searching --- */

struct search { /* one of the rows of a call */
    const float *x;
    struct neighbour *best; /* (k) sorted */
    int found, k, home;     /* home: the block where it began */
    float limit;            /* what is farther is none of the k */
};

/* The block where x would stand. */
static int home_of(const struct nearest *s, const float *x)
{
    int low = 0, high = s->distinct;
    while (low < high) {
        int middle = low + (high - low) / 2, j = 0;
        const float *row = kept(s, middle);
        while (j < s->width && row[j * ROWS] == x[j])
            j++;
        if (j < s->width && row[j * ROWS] < x[j])
            low = middle + 1;
        else
            high = middle;
    }
    return (low < s->distinct ? low : s->distinct - 1) / ROWS;
}

static bool nearer(const struct neighbour *a, const struct neighbour *b)
{
    return a->distance < b->distance || (a->distance == b->distance && a->row < b->row);
}

static void enter(struct search *q, struct neighbour n)
{
    int low = 0, high = q->found;
    if (q->found == q->k && !nearer(&n, &q->best[q->k - 1]))
        return;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (nearer(&n, &q->best[middle]))
            high = middle;
        else
            low = middle + 1;
    }
    q->found += q->found < q->k;
    memmove(q->best + low + 1, q->best + low, (size_t)(q->found - low - 1) * sizeof *q->best);
    q->best[low] = n;
    if (q->found == q->k)
        q->limit = q->best[q->k - 1].distance;
}

static void look_into(const struct nearest *s, const struct distances *d, int block, struct search *q)
{
    float distance[ROWS];
    int first = block * ROWS, n = s->distinct - first < ROWS ? s->distinct - first : ROWS;
    uint64_t near = d->rows(s->x + (size_t)block * block_floats(s), s->width, q->x, q->limit, distance);
    for (near &= ~0ULL >> (ROWS - n); near; near &= near - 1) {
        int i = __builtin_ctzll(near);
        enter(q, (struct neighbour){distance[i], s->member[s->first[first + i]], first + i});
    }
}

/* All blocks of a group that may hold one of the k. */
static void look_through(const struct nearest *s, const struct distances *d, int group, struct search *q)
{
    int first = group * BOXES, n = blocks_of(s->distinct) - first;
    unsigned near = d->boxes(s->box + (size_t)group * group_floats(s), s->width, q->x, q->limit);
    for (near &= n < BOXES ? (1U << n) - 1 : ~0U; near; near &= near - 1) {
        int block = first + __builtin_ctz(near);
        if (block != q->home)
            look_into(s, d, block, q);
    }
}

int nearest_search(const struct nearest *s, const float *x, int n, int k, struct neighbour *out)
{
    const struct distances *d = engine_best()->distances;
    struct search q[NEAREST_QUERIES];
    for (int i = 0; i < n; i++) {
        q[i] = (struct search){.x = x + (size_t)i * (size_t)s->width, .best = out + (size_t)i * (size_t)k, .k = k, .limit = INFINITY};
        q[i].home = home_of(s, q[i].x);
        look_into(s, d, q[i].home, &q[i]);
    }
    for (int g = 0; g < groups_of(s->distinct); g++)
        for (int i = 0; i < n; i++)
            look_through(s, d, g, &q[i]);
    return k < s->distinct ? k : s->distinct;
}
