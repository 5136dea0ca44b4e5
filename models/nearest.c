#include "models/nearest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "models/engine.h"

enum { ROWS = DISTANCES_ROWS, BOXES = DISTANCES_BOXES, SAMPLE = 1024, SHORT = 12 };

struct cut { /* between two blocks: what is less in this column went to those before it */
    int32_t column;
    float value;
};

struct nearest {
    int n, width, distinct;
    float *x;               /* blocks (ceil(distinct / 64), width, 64), zeros behind the last row; owned, as all */
    float *box;             /* groups (ceil(blocks / 16), width, 2, 16) */
    struct cut *cut;        /* (blocks) before a block; 0 has none */
    int32_t *place;         /* (n) where a row is kept */
    int32_t *member;        /* (n) rows, those that are the same beside each other, in order */
    int32_t *first, *last;  /* (distinct) where a place's members begin and end */
    struct filling *filling;
};

struct sortable { /* rows that are the same */
    float value;   /* in the column that they are sorted by */
    int32_t first; /* of them among the members */
};

struct filling { /* what filling takes besides */
    struct sortable *distinct; /* (n) */
    double *sums;              /* (2, width) */
    const float *rows;
    int width;
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

static void filling_free(struct filling *f)
{
    if (!f)
        return;
    free(f->distinct);
    free(f->sums);
    free(f);
}

void nearest_free(struct nearest *s)
{
    if (!s)
        return;
    free(s->x);
    free(s->box);
    free(s->cut);
    free(s->place);
    free(s->member);
    free(s->first);
    free(s->last);
    filling_free(s->filling);
    free(s);
}

/* Floats, a multiple of 16, from the start of a cache line on. Pages of what turns out to be too much are never touched. */
static float *lines_new(size_t floats)
{
    return aligned_alloc(SLAB_ALIGNMENT, floats * sizeof(float));
}

enum status nearest_new(struct nearest **out, int n, int width, struct error *e)
{
    struct nearest *s = memory_new(sizeof *s);
    size_t rows = (size_t)n + 1;
    *s = (struct nearest){.n = n, .width = width, .filling = memory_new(sizeof *s->filling)};
    s->x = lines_new((size_t)blocks_of(n) * block_floats(s));
    s->box = lines_new((size_t)groups_of(n) * group_floats(s));
    s->cut = calloc((size_t)blocks_of(n) + 1, sizeof *s->cut);
    s->place = calloc(rows, sizeof *s->place);
    s->member = calloc(rows, sizeof *s->member);
    s->first = calloc(rows, sizeof *s->first);
    s->last = calloc(rows, sizeof *s->last);
    s->filling->distinct = calloc(rows, sizeof *s->filling->distinct);
    s->filling->sums = calloc(2 * (size_t)width + 1, sizeof *s->filling->sums);
    *out = s;
    if (s->x && s->box && s->cut && s->place && s->member && s->first && s->last && s->filling->distinct && s->filling->sums)
        return STATUS_OK;
    nearest_free(s);
    *out = NULL;
    return error_set(e, STATUS_MEMORY, "no memory for %d rows of %d numbers and what finds the nearest", n, width);
}

uint64_t nearest_bytes(int64_t n, int64_t width)
{
    uint64_t row = (uint64_t)width * sizeof(float), rows = (uint64_t)n, blocks = rows / ROWS + 1;
    return (rows + ROWS) * row + (blocks + BOXES) * 2 * row + blocks * sizeof(struct cut) + rows * (4 * sizeof(int32_t) + sizeof(struct sortable));
}

/* --- filling --- */

/* Of what is filled: the row that a member is. */
static const float *row_of(const struct nearest *s, int member)
{
    return s->filling->rows + (size_t)s->member[member] * (size_t)s->width;
}

static int by_columns(const void *a, const void *b, void *filling)
{
    const struct filling *f = filling;
    int32_t i = *(const int32_t *)a, k = *(const int32_t *)b;
    const float *x = f->rows + (size_t)i * (size_t)f->width, *y = f->rows + (size_t)k * (size_t)f->width;
    for (int j = 0; j < f->width; j++)
        if (x[j] != y[j])
            return x[j] < y[j] ? -1 : 1;
    return (i > k) - (i < k);
}

/* Whether a member is the same row as the one before it. */
static bool same_again(const struct nearest *s, int member)
{
    const float *x = row_of(s, member - 1), *y = row_of(s, member);
    int j = 0;
    while (j < s->width && x[j] == y[j])
        j++;
    return j == s->width;
}

/* Members, sorted; their first ones. Returns how many differ. */
static int find_distinct(struct nearest *s)
{
    int n = 0;
    for (int i = 0; i < s->n; i++)
        s->member[i] = i;
    qsort_r(s->member, (size_t)s->n, sizeof *s->member, by_columns, s->filling);
    for (int i = 0; i < s->n; i++)
        if (i == 0 || !same_again(s, i))
            s->filling->distinct[n++].first = i;
    return n;
}

/* The column in which rows vary most; of many rows, some say it. */
static int widest(const struct nearest *s, const struct sortable *some, int n)
{
    double *sum = s->filling->sums, *squares = sum + s->width, most = -1;
    int column = 0, step = n / SAMPLE + 1, count = (n + step - 1) / step;
    memset(sum, 0, 2 * (size_t)s->width * sizeof *sum);
    for (int i = 0; i < n; i += step) {
        const float *row = row_of(s, some[i].first);
        for (int j = 0; j < s->width; j++) {
            double v = (double)row[j];
            sum[j] += v;
            squares[j] += v * v;
        }
    }
    for (int j = 0; j < s->width; j++) {
        double variance = squares[j] - sum[j] * sum[j] / count;
        if (variance > most) {
            most = variance;
            column = j;
        }
    }
    return column;
}

static int by_value(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value ? -1 : 1) : (x->first > y->first) - (x->first < y->first);
}

/* Blocks [from, to) of n rows in all: those of the lower half of values in the widest column, then the others, and so on within each half. */
static void deal(struct nearest *s, int from, int to, int n)
{
    struct sortable *distinct = s->filling->distinct;
    while (to - from > 1) {
        int middle = from + (to - from) / 2, first = from * ROWS, end = to * ROWS < n ? to * ROWS : n;
        int column = widest(s, distinct + first, end - first);
        for (int i = first; i < end; i++)
            distinct[i].value = row_of(s, distinct[i].first)[column];
        qsort(distinct + first, (size_t)(end - first), sizeof *distinct, by_value);
        s->cut[middle] = (struct cut){column, distinct[middle * ROWS].value};
        deal(s, from, middle, n);
        from = middle;
    }
}

static float *kept(const struct nearest *s, int place)
{
    return s->x + (size_t)(place / ROWS) * block_floats(s) + place % ROWS;
}

static void keep(struct nearest *s, const float *row)
{
    int place = s->distinct++, block = place / ROWS;
    float *x = kept(s, place), *box = s->box + (size_t)(block / BOXES) * group_floats(s) + block % BOXES;
    if (place % ROWS == 0)
        memset(x, 0, block_floats(s) * sizeof *x);
    if (place % (ROWS * BOXES) == 0)
        memset(box, 0, group_floats(s) * sizeof *box);
    for (int j = 0; j < s->width; j++, box += 2 * BOXES) {
        float v = row[j] + 0.0F; /* -0 becomes 0 */
        x[j * ROWS] = v;
        box[0] = place % ROWS == 0 || v < box[0] ? v : box[0];
        box[BOXES] = place % ROWS == 0 || v > box[BOXES] ? v : box[BOXES];
    }
}

/* The next place is for the members from `first` on that are the same. */
static void take_members(struct nearest *s, int first)
{
    int place = s->distinct, i = first;
    keep(s, row_of(s, first));
    do
        s->place[s->member[i++]] = place;
    while (i < s->n && same_again(s, i));
    s->first[place] = first;
    s->last[place] = i;
}

void nearest_fill(struct nearest *s, const float *rows)
{
    s->filling->rows = rows;
    s->filling->width = s->width;
    int n = find_distinct(s);
    deal(s, 0, blocks_of(n), n);
    for (int i = 0; i < n; i++)
        take_members(s, s->filling->distinct[i].first);
    filling_free(s->filling);
    s->filling = NULL;
}

int nearest_distinct(const struct nearest *s)
{
    return s->distinct;
}

int nearest_members(const struct nearest *s, uint64_t key, const int32_t **rows)
{
    int place = s->place[(uint32_t)key];
    *rows = s->member + s->first[place];
    return s->last[place] - s->first[place];
}

void nearest_row(const struct nearest *s, int row, float *out)
{
    const float *x = kept(s, s->place[row]);
    for (int j = 0; j < s->width; j++)
        out[j] = x[j * ROWS];
}

/* --- searching --- */

/* Sums of squares are never below zero, so their bits are in their order. */
static uint64_t key_of(float distance, int32_t row)
{
    uint32_t bits;
    memcpy(&bits, &distance, sizeof bits);
    return (uint64_t)bits << 32 | (uint32_t)row;
}

float nearest_distance(uint64_t key)
{
    uint32_t bits = (uint32_t)(key >> 32);
    float distance;
    memcpy(&distance, &bits, sizeof distance);
    return distance;
}

struct search { /* one of the rows of a call */
    const float *x;
    uint64_t *best; /* (2 k) the k first in any order, and what came since */
    int found, k, group; /* group: where it began */
    bool seldom;        /* whether the last block had none of the k: the next one probably has none */
    uint64_t last;      /* what does not come before it is none of the k */
};

/* The block where x would stand. */
static int home_of(const struct nearest *s, const float *x)
{
    int from = 0, to = blocks_of(s->distinct);
    while (to - from > 1) {
        int middle = from + (to - from) / 2;
        if (x[s->cut[middle].column] < s->cut[middle].value)
            to = middle;
        else
            from = middle;
    }
    return from;
}

/* Keys that are less than one of them go before it, the others behind. Returns where it is then. No two are the same. */
static int part(uint64_t *key, int n)
{
    uint64_t *a = key, *b = key + n / 2, *c = key + n - 1, *middle = *a < *b ? (*b < *c ? b : *a < *c ? c : a) : (*a < *c ? a : *b < *c ? c : b);
    uint64_t pivot = *middle;
    int below = 0;
    *middle = *c;
    for (int i = 0; i < n - 1; i++) { /* without a branch: nobody could foretell it */
        uint64_t t = key[i];
        key[i] = key[below];
        key[below] = t;
        below += t < pivot;
    }
    *c = key[below];
    key[below] = pivot;
    return below;
}

/* The k least of n keys go to the front. */
static void select_least(uint64_t *key, int n, int k)
{
    while (k > 0 && k < n) {
        int at = part(key, n);
        if (at >= k) {
            n = at;
        } else {
            key += at + 1;
            n -= at + 1;
            k -= at + 1;
        }
    }
}

static void sort_keys(uint64_t *key, int n)
{
    while (n > SHORT) {
        int at = part(key, n);
        sort_keys(key, at);
        key += at + 1;
        n -= at + 1;
    }
    for (int i = 1; i < n; i++) {
        uint64_t t = key[i];
        int at = i;
        for (; at > 0 && key[at - 1] > t; at--)
            key[at] = key[at - 1];
        key[at] = t;
    }
}

/* Drops all but the k first. */
static void settle(struct search *q)
{
    select_least(q->best, q->found, q->k);
    q->found = q->k;
    q->last = q->best[0];
    for (int i = 1; i < q->k; i++)
        q->last = q->best[i] > q->last ? q->best[i] : q->last;
}

static float limit_of(const struct search *q)
{
    return q->last == UINT64_MAX ? INFINITY : nearest_distance(q->last);
}

static void look_into(const struct nearest *s, const struct distances *d, int block, struct search *q)
{
    float distance[ROWS];
    int first = block * ROWS, n = s->distinct - first < ROWS ? s->distinct - first : ROWS;
    const float *x = s->x + (size_t)block * block_floats(s);
    if (q->seldom && d->none(x, s->width, q->x, limit_of(q)))
        return;
    uint64_t near = d->rows(x, s->width, q->x, limit_of(q), distance);
    q->seldom = near == 0;
    for (near &= ~0ULL >> (ROWS - n); near; near &= near - 1) {
        int i = __builtin_ctzll(near);
        uint64_t key = key_of(distance[i], s->member[s->first[first + i]]);
        if (key >= q->last)
            continue;
        q->best[q->found++] = key;
        if (q->found == 2 * q->k || (q->last == UINT64_MAX && q->found == q->k))
            settle(q);
    }
}

/* Bits of the blocks of a group that may hold one of the k. */
static unsigned blocks_near(const struct nearest *s, const struct distances *d, int group, const struct search *q)
{
    int n = blocks_of(s->distinct) - group * BOXES;
    unsigned near = d->boxes(s->box + (size_t)group * group_floats(s), s->width, q->x, limit_of(q));
    return near & (n < BOXES ? (1U << n) - 1 : ~0U);
}

/* The block where x would stand, then the others of its group. */
static void begin(const struct nearest *s, const struct distances *d, struct search *q)
{
    int home = home_of(s, q->x);
    q->group = home / BOXES;
    look_into(s, d, home, q);
    for (unsigned near = blocks_near(s, d, q->group, q) & ~(1U << home % BOXES); near; near &= near - 1)
        look_into(s, d, q->group * BOXES + __builtin_ctz(near), q);
}

/* A group that is no row's own: each block for all rows, so that it stays in the first cache. */
static void look_through(const struct nearest *s, const struct distances *d, int group, struct search *q, int n)
{
    unsigned near[NEAREST_QUERIES], any = 0;
    for (int i = 0; i < n; i++) {
        near[i] = q[i].group == group ? 0 : blocks_near(s, d, group, &q[i]);
        any |= near[i];
    }
    for (; any; any &= any - 1) {
        int block = __builtin_ctz(any);
        for (int i = 0; i < n; i++)
            if (near[i] >> block & 1)
                look_into(s, d, group * BOXES + block, &q[i]);
    }
}

int nearest_search(const struct nearest *s, const float *x, int n, int k, uint64_t *out)
{
    const struct distances *d = engine_best()->distances;
    struct search q[NEAREST_QUERIES];
    k = k < s->distinct ? k : s->distinct;
    for (int i = 0; i < n; i++) {
        q[i] = (struct search){.x = x + (size_t)i * (size_t)s->width, .best = out + 2 * (size_t)i * (size_t)k, .k = k, .last = UINT64_MAX};
        begin(s, d, &q[i]);
    }
    for (int g = 0; g < groups_of(s->distinct); g++)
        look_through(s, d, g, q, n);
    for (int i = 0; i < n; i++) {
        settle(&q[i]);
        sort_keys(q[i].best, k);
        memmove(out + (size_t)i * (size_t)k, q[i].best, (size_t)k * sizeof *out);
    }
    return k;
}
