#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "models/nearest_blocks.h"

enum { ROWS = DISTANCES_ROWS, BOXES = DISTANCES_BOXES, SAMPLE = 1024 };

static void filling_free(struct nearest_filling *f)
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
    s->x = lines_new((size_t)nearest_blocks_of(n) * nearest_block_floats(s));
    s->box = lines_new((size_t)nearest_groups_of(n) * nearest_group_floats(s));
    s->cut = calloc((size_t)nearest_blocks_of(n) + 1, sizeof *s->cut);
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
    return (rows + ROWS) * row + (blocks + BOXES) * 2 * row + blocks * sizeof(struct nearest_cut) + rows * (4 * sizeof(int32_t) + sizeof(struct nearest_sortable));
}

/* Of what is filled: the row that a member is. */
static const float *row_of(const struct nearest *s, int member)
{
    return s->filling->rows + (size_t)s->member[member] * (size_t)s->width;
}

static int by_columns(const void *a, const void *b, void *filling)
{
    const struct nearest_filling *f = filling;
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
static int widest(const struct nearest *s, const struct nearest_sortable *some, int n)
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
    const struct nearest_sortable *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value ? -1 : 1) : (x->first > y->first) - (x->first < y->first);
}

/* Blocks [from, to) of n rows in all: those of the lower half of values in the widest column, then the others, and so on within each half. */
static void deal(struct nearest *s, int from, int to, int n)
{
    struct nearest_sortable *distinct = s->filling->distinct;
    while (to - from > 1) {
        int middle = from + (to - from) / 2, first = from * ROWS, end = to * ROWS < n ? to * ROWS : n;
        int column = widest(s, distinct + first, end - first);
        for (int i = first; i < end; i++)
            distinct[i].value = row_of(s, distinct[i].first)[column];
        qsort(distinct + first, (size_t)(end - first), sizeof *distinct, by_value);
        s->cut[middle] = (struct nearest_cut){column, distinct[middle * ROWS].value};
        deal(s, from, middle, n);
        from = middle;
    }
}

static void keep(struct nearest *s, const float *row)
{
    int place = s->distinct++, block = place / ROWS;
    float *x = nearest_kept(s, place), *box = s->box + (size_t)(block / BOXES) * nearest_group_floats(s) + block % BOXES;
    if (place % ROWS == 0)
        memset(x, 0, nearest_block_floats(s) * sizeof *x);
    if (place % (ROWS * BOXES) == 0)
        memset(box, 0, nearest_group_floats(s) * sizeof *box);
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
    deal(s, 0, nearest_blocks_of(n), n);
    for (int i = 0; i < n; i++)
        take_members(s, s->filling->distinct[i].first);
    filling_free(s->filling);
    s->filling = NULL;
}
