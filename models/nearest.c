#include <math.h>
#include <string.h>

#include "models/engine.h"
#include "models/nearest_blocks.h"

enum { ROWS = DISTANCES_ROWS, BOXES = DISTANCES_BOXES, SHORT = 12, ENOUGH = 2 /* blocks without any of the k: the next one probably has none either */ };

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
    const float *x = nearest_kept(s, s->place[row]);
    for (int j = 0; j < s->width; j++)
        out[j] = x[j * ROWS];
}

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
    int without;        /* blocks in a row that had none of the k */
    uint64_t last;      /* what does not come before it is none of the k */
};

/* The block where x would stand. */
static int home_of(const struct nearest *s, const float *x)
{
    int from = 0, to = nearest_blocks_of(s->distinct);
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
    const float *x = s->x + (size_t)block * nearest_block_floats(s);
    if (q->without >= ENOUGH && d->none(x, s->width, q->x, limit_of(q)))
        return;
    uint64_t near = d->rows(x, s->width, q->x, limit_of(q), distance);
    q->without = near ? 0 : q->without + 1;
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
    int n = nearest_blocks_of(s->distinct) - group * BOXES;
    unsigned near = d->boxes(s->box + (size_t)group * nearest_group_floats(s), s->width, q->x, limit_of(q));
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
    for (int g = 0; g < nearest_groups_of(s->distinct); g++)
        look_through(s, d, g, q, n);
    for (int i = 0; i < n; i++) {
        settle(&q[i]);
        sort_keys(q[i].best, k);
        memmove(out + (size_t)i * (size_t)k, q[i].best, (size_t)k * sizeof *out);
    }
    return k;
}
