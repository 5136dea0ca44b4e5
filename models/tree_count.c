/* A column of a node by counting: where many samples share few codes, the samples need not be sorted.
 *
 * The codes that occur are marked and take ranks, in ascending order. Samples stand by class (tree_grow.c), so one class after another is counted by rank:
 *
 *     counts of a class by rank      2 0 1 3      summed up: 2 2 3 6, what stands left of each place to split
 *     squares of these               4 4 9 36     added to those of the classes before
 *
 * That is a pass over the samples and one over classes times ranks, in a row of counters that stays in the nearest cache. */
#include <string.h>

#include "models/kernels.h"
#include "models/tree_split.h"


void tree_count_cut(struct tree_count *c, struct slab *slab, size_t samples)
{
    c->marks = slab_take(slab, samples + 8);
    c->ranks = slab_take(slab, samples * sizeof *c->ranks);
    c->counts = slab_take(slab, samples * sizeof *c->counts);
    c->left = slab_take(slab, samples * sizeof *c->left);
}

/* The codes (n) that occur, into c->codes, and their ranks. Returns how many. */
static int rank_codes(struct tree_count *c, const uint32_t *codes, int n, uint32_t n_values, int32_t *distinct)
{
    uint8_t *marks = c->marks;
    int found = 0;
    for (int i = 0; i < n; i++)
        marks[codes[i]] = 1;
    for (uint32_t at = 0; at < n_values; at += 8) {
        uint64_t eight;
        memcpy(&eight, marks + at, sizeof eight);
        if (!eight)
            continue;
        memset(marks + at, 0, sizeof eight);
        for (; eight; eight &= eight - 1) {
            uint32_t code = at + (uint32_t)__builtin_ctzll(eight) / 8;
            c->ranks[code] = (uint32_t)found;
            distinct[found++] = (int32_t)code;
        }
    }
    return found;
}

/* How often samples (n) of each rank were drawn, summed up into c->left. */
#define COUNT(name, streams)                                                                             \
    static void name(const struct tree_count *c, const uint32_t *codes, const uint32_t *labels, int n, int found) \
    {                                                                                                    \
        const uint32_t *restrict ranks = c->ranks;                                                       \
        uint32_t *restrict counts = c->counts, *restrict left = c->left, sum = 0;                        \
        for (int i = 0; i < n; i++)                                                                      \
            counts[(streams) * ranks[codes[i]] + i % (streams)] += labels[i] & 0xffff;                   \
        for (int r = 0; r < found; r++)                                                                  \
            for (int j = 0; j < (streams); j++) {                                                        \
                sum += counts[(streams) * r + j];                                                        \
                counts[(streams) * r + j] = 0;                                                           \
                left[r] = sum;                                                                           \
            }                                                                                            \
    }
COUNT(count_alone, 1)
COUNT(count_by_2, 2)
COUNT(count_by_4, 4)

static void count_class(const struct tree_count *c, const uint32_t *codes, const uint32_t *labels, int n, int found)
{
    (n < 2 * found ? count_alone : n < 8 * found ? count_by_2 : count_by_4)(c, codes, labels, n, found);
}

/* One class more: squares, across and weight (found) of all so far. */
KERNEL static void add_class(const uint32_t *restrict left, int found, int64_t unit, int64_t whole, int64_t *restrict squares, int64_t *restrict across,
                             int64_t *restrict weight)
{
    for (int r = 0; r < found; r++) {
        int64_t w = left[r] * unit;
        squares[r] += w * w;
        across[r] += w * whole;
        weight[r] += w;
    }
}

/* The same, where all sums stay below 2^32. */
KERNEL static void add_class_small(const uint32_t *restrict left, int found, uint32_t whole, uint32_t *restrict squares, uint32_t *restrict across,
                                   uint32_t *restrict weight)
{
    for (int r = 0; r < found; r++) {
        uint32_t w = left[r];
        squares[r] += w * w;
        across[r] += w * whole;
        weight[r] += w;
    }
}

static void widen(const uint32_t *restrict from, int n, int64_t *restrict to)
{
    for (int i = 0; i < n; i++)
        to[i] = from[i];
}

static void count_small(struct tree_splitter *s, const uint32_t *codes, int found)
{
    const struct tree_node_facts *f = &s->node;
    uint32_t *squares = s->keys, *across = squares + found, *weight = s->sorted;
    memset(squares, 0, 2 * (size_t)found * sizeof *squares);
    memset(weight, 0, (size_t)found * sizeof *weight);
    for (int c = 0; c < f->n_classes; c++) {
        int first = f->first[c], n = f->first[c + 1] - first;
        count_class(&s->count_room, codes + first, s->labels + first, n, found);
        add_class_small(s->count_room.left, found, (uint32_t)f->weights[c], squares, across, weight);
    }
    widen(squares, found, s->left_squares);
    widen(across, found, s->across);
    widen(weight, found, s->left_weight);
}

static void count_large(struct tree_splitter *s, const uint32_t *codes, int found)
{
    const struct tree_node_facts *f = &s->node;
    memset(s->left_squares, 0, (size_t)found * sizeof *s->left_squares);
    memset(s->across, 0, (size_t)found * sizeof *s->across);
    memset(s->left_weight, 0, (size_t)found * sizeof *s->left_weight);
    for (int c = 0; c < f->n_classes; c++) {
        int first = f->first[c], n = f->first[c + 1] - first;
        count_class(&s->count_room, codes + first, s->labels + first, n, found);
        add_class(s->count_room.left, found, s->unit_of[c], f->weights[c], s->left_squares, s->across, s->left_weight);
    }
}

int tree_splitter_count(struct tree_splitter *s, const uint32_t *codes, int n, uint32_t n_values)
{
    enum { FEW = 64, SPARSE = 32, WORTH = 8 };
    if (n < FEW || n_values > SPARSE * (uint32_t)n || s->params->criterion != TREE_GINI || s->params->min_samples_leaf > 1)
        return -1;
    int found = rank_codes(&s->count_room, codes, n, n_values, s->place);
    if (found == 1)
        return 0;
    if ((int64_t)found * s->node.n_classes > WORTH * (int64_t)n)
        return -1;
    if (s->plain && s->node.weight <= UINT16_MAX)
        count_small(s, codes, found);
    else
        count_large(s, codes, found);
    return found - 1;
}
