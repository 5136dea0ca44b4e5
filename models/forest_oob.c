#include "models/forest_oob.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { TOGETHER = 64, LEAST = 4 << 20, MOST = 256 << 20 }; /* rows; bytes */

/* That say which rows trees drew and which not, kept for some rows at a time: for an eighth of them all trees are asked about as long as they are drawn anew. */
uint64_t forest_oob_bytes(int64_t rows, int64_t trees)
{
    uint64_t all = (uint64_t)rows * (uint64_t)trees / 8, some = all / 8;
    some = some < LEAST ? LEAST : some > MOST ? MOST : some;
    return all < some ? all : some;
}

struct tally {
    int64_t labelled, right; /* rows */
};

/* bits (n_trees, words): which of the records [first, first + n) a tree did not draw. Drawing them again is cheaper than to keep them. */
static void find_left_out(const struct forest_oob *o, int first, int n, struct gang *g, uint64_t *bits, size_t words)
{
    int32_t *times = memory_new((size_t)o->sample->n * sizeof *times);
    memset(bits, 0, (size_t)o->n_trees * words * sizeof *bits);
    for (int t = 0; t < o->n_trees; t++, bits += words) {
        forest_sample_draw(o->sample, t, times);
        for (int i = 0; i < n; i++)
            bits[i / 64] |= (uint64_t)(times[tree_row(o->data, first + i)] == 0) << i % 64;
        gang_look(g);
    }
    free(times);
}

/* As tree_walk_add takes a row. */
static void keys_of(const struct tree_data *d, int at, uint32_t *x)
{
    const uint16_t *record = d->records + (size_t)at * d->stride;
    for (int c = 0; c < d->n_columns; c++)
        x[c] = tree_walk_key(d->columns[c].values[tree_code(record, &d->columns[c])]);
    x[d->n_columns] = 0;
}

/* Shares of records [first, first + n), n <= TOGETHER, summed over the trees that bits (n_trees, words) name. x (TOGETHER, columns + 1) is room. */
static void add_trees(const struct forest_oob *o, int first, int n, const uint64_t *bits, size_t words, uint32_t *x, double *sum)
{
    size_t k = (size_t)o->data->n_classes, stride = (size_t)o->data->n_columns + 1;
    memset(sum, 0, (size_t)n * k * sizeof *sum);
    for (int i = 0; i < n; i++)
        keys_of(o->data, first + i, x + (size_t)i * stride);
    for (int t = 0; t < o->n_trees; t++, bits += words)
        for (int i = 0; i < n; i++)
            if (*bits >> i & 1)
                tree_walk_add(&o->trees[t], x + (size_t)i * stride, o->data->n_columns, 1, sum + (size_t)i * k, o->data->n_classes);
}

/* Ties go to the lowest class; a row that every tree drew has no label. */
static void count(const struct forest_oob *o, int first, int n, const double *sum, struct tally *tally)
{
    int k = o->data->n_classes;
    for (int i = 0; i < n; i++, sum += k) {
        int best = 0;
        for (int c = 1; c < k; c++)
            best = sum[c] > sum[best] ? c : best;
        tally->labelled += sum[best] > 0;
        tally->right += sum[best] > 0 && best == o->sample->y[tree_row(o->data, first + i)];
    }
}

static void tally_rows(const struct forest_oob *o, int first, int last, struct gang *g, struct tally *tally)
{
    size_t words = (size_t)forest_oob_bytes(o->sample->n, o->n_trees) / 8 / (size_t)o->n_trees, all = ((size_t)(last - first) + 63) / 64;
    words = words < 1 ? 1 : words < all ? words : all;
    uint64_t *bits = memory_new((size_t)o->n_trees * words * sizeof *bits);
    uint32_t *x = memory_new((size_t)TOGETHER * ((size_t)o->data->n_columns + 1) * sizeof *x);
    double *sum = memory_new((size_t)TOGETHER * (size_t)o->data->n_classes * sizeof *sum);
    for (int at = first; at < last; at += TOGETHER) {
        size_t word = (size_t)(at - first) / 64 % words;
        int left = last - at, n = left < TOGETHER ? left : TOGETHER;
        if (word == 0)
            find_left_out(o, at, left < (int)words * 64 ? left : (int)words * 64, g, bits, words);
        add_trees(o, at, n, bits + word, words, x, sum);
        count(o, at, n, sum, tally);
        gang_look(g);
    }
    free(bits);
    free(x);
    free(sum);
}

enum status forest_oob_accuracy(const struct forest_oob *o, struct gang *g, double *out, struct error *e)
{
    struct tally *tallies = memory_new((size_t)g->size * sizeof *tallies), sum = {0, 0};
    size_t *offset = memory_new(((size_t)g->size + 1) * sizeof *offset);
    int n = o->sample->n;
    for (int r = 0; r <= g->size; r++)
        offset[r] = (size_t)r * sizeof *tallies;
    tally_rows(o, gang_first(n, g->rank, g->size), gang_first(n, g->rank + 1, g->size), g, &tallies[g->rank]);
    enum status s = g->share(g, tallies, offset, e);
    for (int r = 0; r < g->size; r++) {
        sum.labelled += tallies[r].labelled;
        sum.right += tallies[r].right;
    }
    *out = sum.labelled ? (double)sum.right / (double)sum.labelled : NAN;
    free(tallies);
    free(offset);
    return s;
}
