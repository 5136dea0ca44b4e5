/* A column of a node by counting: where many samples share few codes, the samples need not be sorted.
 *
 * The codes that occur are marked and take ranks, in ascending order. Samples stand by class (tree_grow.c), so one class after another is counted by rank:
 *
 *     counts of a class by rank      2 0 1 3      summed up: 2 2 3 6, what stands left of each place to split
 *     squares of these               4 4 9 36     added to those of the classes before
 *
 * That is a pass over the samples and one over classes times ranks, in a row of counters that stays in the nearest cache. For weights of any
 * size; tree_table.c is faster where they are small. */
#include <math.h>
#include <string.h>

#include "base/kernels.h"
#include "models/tree_split.h"

void tree_count_cut(struct tree_count *c, struct slab *slab, size_t values, size_t rows)
{
    c->marks = slab_take(slab, values + TREE_MARKS);
    c->ranks = slab_take(slab, values * sizeof *c->ranks);
    c->counts = slab_take(slab, rows * sizeof *c->counts);
    c->left = slab_take(slab, rows * sizeof *c->left);
}

/* Lists those of eight marks that are set, from code `at` on. */
static int take_marks(const uint8_t *marks, uint32_t at, int found, int32_t *codes)
{
    uint64_t eight;
    memcpy(&eight, marks + at, sizeof eight);
    for (; eight; eight &= eight - 1)
        codes[found++] = (int32_t)(at + (uint32_t)__builtin_ctzll(eight) / 8);
    return found;
}

int tree_count_list(const struct tree_count *c, uint32_t n_values, int32_t *codes)
{
    uint8_t *marks = c->marks;
    int found = 0;
    for (uint32_t at = 0; at < n_values; at += TREE_MARKS) {
        uint64_t m[TREE_MARKS / 8];
        memcpy(m, marks + at, sizeof m);
        if (!(m[0] | m[1] | m[2] | m[3]))
            continue;
        for (uint32_t eight = 0; eight < TREE_MARKS; eight += 8)
            found = take_marks(marks, at + eight, found, codes);
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

struct counted { /* a column of the node */
    const struct tree_splitter *s;
    const uint32_t *codes;
    int n;
};

static int left_of(const void *counted, int place)
{
    const struct counted *o = counted;
    return tree_codes_up_to(o->codes, o->n, (uint32_t)o->s->place[place]);
}

/* tree_splitter_best where both sides keep enough samples: where one would not, no place beyond is looked at again. */
static int best_place(const struct tree_splitter *s, int column, const uint32_t *codes, int n, int places, const struct tree_split *best)
{
    const struct counted o = {s, codes, n};
    int at;
    while ((at = tree_splitter_best(s, column, places, best)) >= 0 && s->gain[at] > -INFINITY) {
        int side = s->params->min_samples_leaf <= 1 ? 0 : tree_splitter_short_side(s, left_of(&o, at), n);
        if (!side)
            return at;
        int enough = tree_splitter_enough(s, side, at, places, n, left_of, &o);
        for (int i = side < 0 ? 0 : enough; i < (side < 0 ? enough : places); i++)
            s->gain[i] = -INFINITY;
    }
    return -1;
}

enum tree_counted tree_count_try(struct tree_splitter *s, int column, const uint32_t *codes, int n, struct tree_split *best)
{
    enum { FEW = 64, SPARSE = 32, WORTH = 8 };
    struct tree_count *c = &s->count_room;
    uint32_t n_values = s->data->columns[column].n_values;
    if (n < FEW || n_values > SPARSE * (uint32_t)n || s->params->criterion != TREE_GINI)
        return TREE_NOT_COUNTED;
    if ((int64_t)n_values * s->node.n_classes > WORTH * (int64_t)s->data->n) /* too many codes here too, most likely */
        return TREE_NOT_COUNTED;
    for (int i = 0; i < n; i++)
        c->marks[codes[i]] = 1;
    int found = tree_count_list(c, n_values, s->place);
    if (found == 1)
        return TREE_CONSTANT;
    if ((int64_t)found * s->node.n_classes > WORTH * (int64_t)n)
        return TREE_NOT_COUNTED;
    for (int r = 0; r < found; r++)
        c->ranks[s->place[r]] = (uint32_t)r;
    count_by_class(s, codes, found);
    tree_splitter_gains(s, found - 1);
    int at = best_place(s, column, codes, n, found - 1, best);
    if (at >= 0)
        *best = tree_splitter_between(s, column, (uint32_t)s->place[at], (uint32_t)s->place[at + 1], s->gain[at]);
    return TREE_DIFFERS;
}
