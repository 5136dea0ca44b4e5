/* A column of a node by counting: where many samples share few codes, the samples need not be sorted.
 *
 * The codes that occur are marked and take ranks, in ascending order. Samples stand by class (tree_grow.c), so one class after another is counted by rank:
 *
 *     counts of a class by rank      2 0 1 3      summed up: 2 2 3 6, what stands left of each place to split
 *     squares of these               4 4 9 36     added to those of the classes before
 *
 * That is a pass over the samples and one over classes times ranks, in a row of counters that stays in the nearest cache. Where classes are counted together,
 * samples with the column's common code (most often padding) are left out: what the others leave of a class's weight is theirs. */
#include <string.h>

#include "models/engine.h"
#include "base/kernels.h"
#include "models/tree_split.h"

enum { MARKS = 32 /* looked at together */, TABLE = 1 << 16 /* counters of all classes together */ };

void tree_count_cut(struct tree_count *c, struct slab *slab, size_t samples)
{
    c->marks = slab_take(slab, samples + MARKS);
    c->ranks = slab_take(slab, samples * sizeof *c->ranks);
    c->counts = slab_take(slab, (samples > TABLE ? samples : TABLE) * sizeof *c->counts);
    c->carry = slab_take(slab, TABLE / TREE_LANES * sizeof *c->carry);
    c->left = slab_take(slab, samples * sizeof *c->left);
    c->codes = slab_take(slab, (samples + TREE_LANES) * sizeof *c->codes);
    c->labels = slab_take(slab, (samples + TREE_LANES) * sizeof *c->labels);
}

/* Lists those of eight marks that are set, from code `at` on. */
static int take_marks(struct tree_count *c, uint8_t *marks, uint32_t at, int found, int32_t *distinct)
{
    uint64_t eight;
    memcpy(&eight, marks + at, sizeof eight);
    for (; eight; eight &= eight - 1) {
        uint32_t code = at + (uint32_t)__builtin_ctzll(eight) / 8;
        c->ranks[code] = (uint32_t)found;
        distinct[found++] = (int32_t)code;
    }
    return found;
}

/* The codes (n) that occur, those marked already too, and their ranks. Returns how many. */
static int rank_codes(struct tree_count *c, const uint32_t *codes, int n, uint32_t n_values, int32_t *distinct)
{
    uint8_t *marks = c->marks;
    int found = 0;
    for (int i = 0; i < n; i++)
        marks[codes[i]] = 1;
    for (uint32_t at = 0; at < n_values; at += MARKS) {
        uint64_t m[MARKS / 8];
        memcpy(m, marks + at, sizeof m);
        if (!(m[0] | m[1] | m[2] | m[3]))
            continue;
        for (uint32_t eight = 0; eight < MARKS; eight += 8)
            found = take_marks(c, marks, at + eight, found, distinct);
        memset(marks + at, 0, sizeof m);
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

static void widen(const uint32_t *restrict from, int n, int64_t *restrict to)
{
    for (int i = 0; i < n; i++)
        to[i] = from[i];
}

/* May all classes be counted at once? Sums of squares stay below 2^32 then. */
static bool counts_together(const struct tree_splitter *s)
{
    return s->engine->tree_table_sum && s->plain && s->node.weight <= UINT16_MAX;
}

/* All classes at once, by the samples (n) of other codes than the common one, whose rank is `common`; -1: no sample has it. False where there is no room
 * for so many counters. */
static bool count_together(struct tree_splitter *s, int n, int common, int found)
{
    const struct tree_node_facts *f = &s->node;
    const uint32_t *restrict codes = s->count_room.codes, *restrict labels = s->count_room.labels, *restrict ranks = s->count_room.ranks;
    uint32_t *restrict counts = s->count_room.counts;
    int apart = (found + TREE_LANES - 1) / TREE_LANES * TREE_LANES;
    struct tree_table t = {counts, f->n_classes, 1, apart, common, s->count_room.carry, f->weights, s->keys, (uint32_t *)s->keys + apart, s->sorted};
    if ((int64_t)f->n_classes * apart > TABLE)
        return false;
    t.streams = n > 2 * f->n_classes * apart && 2 * f->n_classes * apart <= TABLE ? 2 : 1;
    uint32_t next = (uint32_t)apart * (uint32_t)t.streams, other = t.streams == 2 ? (uint32_t)apart : 0;
    int i = 0;
    for (; i + 1 < n; i += 2) {
        counts[(labels[i] >> 16) * next + ranks[codes[i]]] += labels[i] & 0xffff;
        counts[(labels[i + 1] >> 16) * next + other + ranks[codes[i + 1]]] += labels[i + 1] & 0xffff;
    }
    if (i < n)
        counts[(labels[i] >> 16) * next + ranks[codes[i]]] += labels[i] & 0xffff;
    s->engine->tree_table_sum(&t);
    widen(t.squares, found, s->left_squares);
    widen(t.across, found, s->across);
    widen(t.weight, found, s->left_weight);
    return true;
}

static void count_by_class(struct tree_splitter *s, const uint32_t *codes, int found)
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

int tree_splitter_count(struct tree_splitter *s, const uint32_t *codes, int n, const struct tree_column *column)
{
    enum { FEW = 64, SPARSE = 32, WORTH = 8 };
    struct tree_count *c = &s->count_room;
    bool together = counts_together(s);
    if (n < FEW || column->n_values > SPARSE * (uint32_t)n || s->params->criterion != TREE_GINI || s->params->min_samples_leaf > 1)
        return -1;
    int others = together ? s->engine->tree_others(&(struct tree_others){codes, s->labels, column->common, c->codes, c->labels}, n) : n;
    if (others < n)
        c->marks[column->common] = 1;
    int found = rank_codes(c, together ? c->codes : codes, others, column->n_values, s->place);
    if (found == 1)
        return 0;
    if ((int64_t)found * s->node.n_classes > WORTH * (int64_t)n)
        return -1;
    if (!together || !count_together(s, others, others < n ? (int)c->ranks[column->common] : -1, found))
        count_by_class(s, codes, found);
    return found - 1;
}
