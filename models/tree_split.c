#include "models/tree_split.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "models/engine.h"
#include "base/kernels.h"
#include "models/tree_sort.h"
#include "models/tree_table.h"

static int at_once(const struct tree_splitter *s)
{
    return s->params->max_features < TREE_AT_ONCE ? s->params->max_features : TREE_AT_ONCE;
}

void tree_splitter_cut(struct tree_splitter *s, struct slab *slab, size_t rows)
{
    size_t k = (size_t)s->data->n_classes;
    s->unit = slab_take(slab, k * sizeof *s->unit);
    s->node.classes = slab_take(slab, (k + TREE_LANES) * sizeof *s->node.classes);
    s->node.weights = slab_take(slab, k * sizeof *s->node.weights);
    s->node.first = slab_take(slab, (k + TREE_LANES) * sizeof *s->node.first);
    s->node.drawn = slab_take(slab, (k + TREE_LANES) * sizeof *s->node.drawn);
    s->labels = slab_take(slab, rows * sizeof *s->labels);
    s->codes = slab_take(slab, rows * (size_t)(tree_random_take(s) ? TREE_LANES : at_once(s)) * sizeof *s->codes);
    s->keys = slab_take(slab, (rows + TREE_LANES) * sizeof(uint64_t));
    s->sorted = slab_take(slab, (rows + TREE_LANES) * sizeof(uint64_t));
    s->left = slab_take(slab, k * sizeof *s->left);
    s->unit_of = slab_take(slab, k * sizeof *s->unit_of);
    if (s->params->criterion == TREE_ENTROPY) {
        tree_logs_cut(&s->logs, slab, (size_t)s->data->n, k);
        s->count = slab_take(slab, k * sizeof *s->count);
        s->logs_of = slab_take(slab, k * sizeof *s->logs_of);
    }
    s->left_squares = slab_take(slab, (rows + TREE_LANES) * sizeof *s->left_squares);
    s->across = slab_take(slab, (rows + TREE_LANES) * sizeof *s->across);
    s->left_weight = slab_take(slab, (rows + TREE_LANES) * sizeof *s->left_weight);
    s->gain = slab_take(slab, (rows + TREE_LANES) * sizeof *s->gain);
    s->place = slab_take(slab, rows * sizeof *s->place);
    tree_count_cut(&s->count_room, slab, (size_t)s->data->n, rows);
    tree_table_cut(&s->table_room, slab);
    s->lanes = slab_take(slab, sizeof *s->lanes);
    s->sides = slab_take(slab, sizeof *s->sides);
    s->left_of = slab_take(slab, tree_random_take(s) ? k * sizeof *s->left_of : 0);
    s->columns = slab_take(slab, (size_t)s->data->n_columns * sizeof *s->columns);
    s->turn = slab_take(slab, (size_t)s->data->n_columns * sizeof *s->turn);
}

void tree_splitter_begin(struct tree_splitter *s, const int32_t *times)
{
    const struct tree_data *d = s->data;
    if (s->params->criterion == TREE_ENTROPY)
        tree_logs_fill(&s->logs, d, times, s->unit);
    for (int c = 0; c < d->n_columns; c++) {
        int bits = tree_bits_of(d->columns[c].n_values - 1);
        s->columns[c] = s->turn[c] = c;
        s->code_bits = bits > s->code_bits ? bits : s->code_bits;
    }
    s->sides->codes = (uint32_t (*)[TREE_LANES])(void *)s->codes;
    s->sides->left = s->left_of;
    s->sides->squares = s->left_squares;
    s->sides->across = s->across;
    s->sides->weight = s->left_weight;
    s->small = s->engine->tree_lanes_sort && !s->params->random_thresholds;
}

static bool look_at_pure(struct tree_node_facts *f, uint32_t class)
{
    f->n_classes = 1;
    f->classes[0] = class;
    f->weights[0] = f->weight = 1;
    return true;
}

bool tree_splitter_look(struct tree_splitter *s, const tree_sample *samples, int n)
{
    struct tree_node_facts *f = &s->node;
    if (sample_class(samples[0]) == sample_class(samples[n - 1]))
        return look_at_pure(f, sample_class(samples[0]));
    const struct tree_counts o = {samples, s->labels, f->classes, f->first, f->drawn, &f->all_times};
    f->n_classes = s->engine->tree_count(&o, n);
    f->first[f->n_classes] = n;
    f->weight = f->squares = 0;
    for (int c = 0; c < f->n_classes; c++) {
        int64_t unit = s->unit[f->classes[c]], weight = unit * (f->drawn[c + 1] - f->drawn[c]);
        s->unit_of[c] = unit;
        f->weights[c] = weight;
        f->weight += weight;
        f->squares += weight * weight;
    }
    return false;
}

/* --- one column --- */

struct sorted { /* the node's samples by a column */
    bool wide;
    int times_bits, label_bits;
    uint32_t least, range; /* codes from least to least + range */
    const void *keys;
};

/* Codes of some columns: out (n_columns, n). */
static void gather_records(const struct tree_data *d, const int *column, int n_columns, const tree_sample *samples, int n, uint32_t *restrict out)
{
    size_t at[TREE_AT_ONCE], apart = (size_t)n;
    bool wide = false;
    for (int c = 0; c < n_columns; c++) {
        at[c] = d->columns[column[c]].at;
        wide |= d->columns[column[c]].wide;
    }
    for (int i = 0; i < n; i++) {
        const uint16_t *record = d->records + sample_record(samples[i]) * d->stride;
        uint32_t *to = out + i;
        if (i + TREE_AHEAD < n)
            tree_fetch(d->records + sample_record(samples[i + TREE_AHEAD]) * d->stride, d->stride);
        if (!wide)
            for (int c = 0; c < n_columns; c++, to += apart)
                *to = record[at[c]];
        else
            for (int c = 0; c < n_columns; c++, to += apart)
                *to = tree_code(record, &d->columns[column[c]]);
    }
}

static void gather_plane(const struct tree_data *d, int column, const tree_sample *samples, int n, uint32_t *restrict out)
{
    const uint16_t *plane = tree_plane(d, column, n);
    uint32_t n_values = d->columns[column].n_values;
    for (int i = 0; i < n; i++)
        out[i] = tree_table_code(plane[sample_record(samples[i])], n_values);
}

KERNEL void tree_codes_range(const uint32_t *codes, int n, uint32_t *least, uint32_t *most)
{
    uint32_t low = UINT32_MAX, high = 0;
    for (int i = 0; i < n; i++) {
        low = codes[i] < low ? codes[i] : low;
        high = codes[i] > high ? codes[i] : high;
    }
    *least = low;
    *most = high;
}

KERNEL int tree_codes_up_to(const uint32_t *codes, int n, uint32_t last)
{
    int found = 0;
    for (int i = 0; i < n; i++)
        found += codes[i] <= last;
    return found;
}

int tree_splitter_enough(const struct tree_splitter *s, int side, int at, int places, int n, int (*left)(const void *of, int place), const void *of)
{
    int low = side < 0 ? at : -1, high = side < 0 ? places : at;
    while (high - low > 1) { /* too few are left of low, or few enough; not of high */
        int middle = low + (high - low) / 2, left_of = left(of, middle), leaf = s->params->min_samples_leaf;
        bool below = side < 0 ? left_of < leaf : n - left_of >= leaf;
        *(below ? &low : &high) = middle;
    }
    return high;
}

KERNEL static void make_keys_32(const uint32_t *restrict codes, const uint32_t *restrict labels, int n, uint32_t least, int times_bits, int label_bits,
                                uint32_t *restrict keys)
{
    for (int i = 0; i < n; i++)
        keys[i] = (codes[i] - least) << label_bits | labels[i] >> 16 << times_bits | (labels[i] & 0xffff);
}

KERNEL static void make_keys_64(const uint32_t *restrict codes, const uint32_t *restrict labels, int n, uint32_t least, uint64_t *restrict keys)
{
    for (int i = 0; i < n; i++)
        keys[i] = (uint64_t)(codes[i] - least) << 32 | labels[i];
}

/* Sorts a node by the codes (n) of a column; false where they are all the same. times_bits: that the largest times needs. */
static bool sort_column(struct tree_splitter *s, const uint32_t *codes, int n, int times_bits, struct sorted *out)
{
    uint32_t least, most;
    tree_codes_range(codes, n, &least, &most);
    *out = (struct sorted){.least = least, .range = most - least};
    if (most == least)
        return false;
    int code_bits = tree_bits_of(out->range), label_bits = times_bits + tree_bits_of((uint32_t)s->node.n_classes - 1);
    out->wide = code_bits + label_bits > 32;
    out->times_bits = out->wide ? 16 : times_bits;
    out->label_bits = out->wide ? 32 : label_bits;
    if (out->wide) {
        make_keys_64(codes, s->labels, n, least, s->keys);
        out->keys = tree_sort_64(s->keys, s->sorted, n, 32, code_bits);
    } else {
        make_keys_32(codes, s->labels, n, least, times_bits, label_bits, s->keys);
        out->keys = tree_sort_32(s->keys, s->sorted, n, label_bits, code_bits);
    }
    return true;
}

static int64_t logs_of_node(const struct tree_splitter *s)
{
    int64_t sum = 0;
    for (int c = 0; c < s->node.n_classes; c++)
        sum += s->logs_of[c][s->count[c]];
    return sum;
}

/* Adds up sorted keys; notes what stands left and right of every place where the code changes and both sides keep enough rows. Returns how many. */
#define SWEEP(name, key_t)                                                                                  \
    static inline __attribute__((always_inline)) int name(struct tree_splitter *s, const struct sorted *o, int n, bool plain, bool entropy) \
    {                                                                                                       \
        const key_t *keys = o->keys;                                                                        \
        const int64_t *restrict whole = entropy ? s->count : s->node.weights, *restrict unit = s->unit_of;  \
        int64_t *restrict left = s->left, left_squares = 0, across = 0, weight = 0;                         \
        int64_t *restrict all_left_squares = s->left_squares, *restrict all_across = s->across, *restrict all_weight = s->left_weight; \
        int32_t *restrict place = s->place;                                                                 \
        int found = 0, leaf = s->params->min_samples_leaf, times_bits = o->times_bits, label_bits = o->label_bits; \
        uint32_t times_mask = (1u << times_bits) - 1, class_mask = (uint32_t)((UINT64_C(1) << label_bits) - 1) >> times_bits; \
        if (entropy)                                                                                        \
            left_squares = logs_of_node(s);                                                                 \
        memset(left, 0, (size_t)s->node.n_classes * sizeof *left);                                          \
        for (int i = 0; i + leaf < n; i++) {                                                                \
            uint32_t label = (uint32_t)keys[i], class = label >> times_bits & class_mask;                   \
            int64_t times = label & times_mask, w = plain ? times : unit[class] * times, before = left[class]; \
            if (entropy) {                                                                                  \
                const int64_t *logs = s->logs_of[class], *rest = logs + whole[class] - before;              \
                left[class] = before + times;                                                               \
                left_squares += logs[before + times] - logs[before] + rest[-times] - rest[0];               \
            } else {                                                                                        \
                left[class] = before + w;                                                                   \
                left_squares += w * (2 * before + w);                                                       \
                across += w * whole[class];                                                                 \
                all_across[found] = across;                                                                 \
            }                                                                                               \
            weight += w;                                                                                    \
            all_left_squares[found] = left_squares;                                                         \
            all_weight[found] = weight;                                                                     \
            place[found] = i;                                                                               \
            found += (keys[i] >> label_bits != keys[i + 1] >> label_bits) & (i + 1 >= leaf);                \
        }                                                                                                   \
        return found;                                                                                       \
    }

SWEEP(sweep_32, uint32_t)
SWEEP(sweep_64, uint64_t)

static int sweep(struct tree_splitter *s, const struct sorted *o, int n)
{
    bool entropy = s->params->criterion == TREE_ENTROPY;
    if (o->wide)
        return entropy ? sweep_64(s, o, n, false, true) : sweep_64(s, o, n, false, false);
    if (entropy)
        return s->plain ? sweep_32(s, o, n, true, true) : sweep_32(s, o, n, false, true);
    return s->plain ? sweep_32(s, o, n, true, false) : sweep_32(s, o, n, false, false);
}

KERNEL static void gini_gains(const struct tree_splitter *s, int n)
{
    const int64_t *restrict left_squares = s->left_squares, *restrict across = s->across, *restrict left_weight = s->left_weight;
    double *restrict gain = s->gain;
    const struct tree_node_facts f = s->node;
    for (int i = 0; i < n; i++)
        gain[i] = tree_gini_gain(&f, left_squares[i], across[i], left_weight[i]);
}

void tree_splitter_gains(const struct tree_splitter *s, int n)
{
    if (s->params->criterion == TREE_ENTROPY)
        tree_entropy_gains(&s->logs, s->left_squares, s->left_weight, s->node.weight, n, s->gain);
    else
        gini_gains(s, n);
}

/* The node's own gain, and of entropy the tables of its classes. */
static void prepare(struct tree_splitter *s)
{
    const struct tree_node_facts *f = &s->node;
    s->own = (double)f->squares / (double)f->weight;
    if (s->params->criterion != TREE_ENTROPY)
        return;
    for (int c = 0; c < f->n_classes; c++) {
        s->count[c] = f->weights[c] / s->unit_of[c];
        s->logs_of[c] = s->logs.table + s->logs.first[f->classes[c]];
    }
    s->own = (double)logs_of_node(s) * s->logs.unit - tree_x_log_x((double)f->weight);
}

static uint32_t code_at(const struct sorted *o, int i)
{
    return o->least + (o->wide ? (uint32_t)(((const uint64_t *)o->keys)[i] >> o->label_bits) : ((const uint32_t *)o->keys)[i] >> o->label_bits);
}

/* The midpoint of two values as a float that is at least a and below b. */
static float midpoint(float a, float b)
{
    double middle = (double)a / 2 + (double)b / 2;
    float t = (float)middle;
    if ((double)t > middle)
        t = nextafterf(t, -INFINITY);
    return t < a || t >= b ? a : t;
}

float tree_splitter_threshold(const struct tree_data *d, int column, uint32_t left, uint32_t right)
{
    const struct tree_column *of = &d->columns[column];
    bool joined = of->most != of->values; /* then thresholds lie between bins, so that a code says which way all its values go */
    return midpoint(of->most[left], of->values[joined ? left + 1 : right]);
}

int tree_splitter_best(const struct tree_splitter *s, int column, int places, const struct tree_split *best)
{
    bool preferred = tree_splitter_prefers(s, column, best);
    double most = best->gain;
    int at = -1;
    for (int i = 0; i < places; i++)
        if (s->gain[i] > most || (s->gain[i] == most && at < 0 && preferred)) {
            most = s->gain[i];
            at = i;
        }
    return at;
}

/* The best place of a column, of its sorted keys. */
static void try_sorted(struct tree_splitter *s, int column, const struct sorted *o, int n, struct tree_split *best)
{
    int places = sweep(s, o, n);
    tree_splitter_gains(s, places);
    int at = tree_splitter_best(s, column, places, best);
    if (at >= 0)
        *best = tree_splitter_between(s, column, code_at(o, s->place[at]), code_at(o, s->place[at] + 1), s->gain[at]);
}

void tree_splitter_try_sorted(struct tree_splitter *s, int column, const uint32_t *keys, int n, int times_bits, int label_bits, struct tree_split *best)
{
    try_sorted(s, column, &(struct sorted){.times_bits = times_bits, .label_bits = label_bits, .keys = keys}, n, best);
}

/* Of its codes; false where it is constant. */
static bool try_all(struct tree_splitter *s, int column, const uint32_t *codes, int n, int times_bits, struct tree_split *best)
{
    struct sorted o;
    enum tree_counted counted = tree_count_try(s, column, codes, n, best);
    if (counted != TREE_NOT_COUNTED)
        return counted == TREE_DIFFERS;
    if (!sort_column(s, codes, n, times_bits, &o))
        return false;
    try_sorted(s, column, &o, n, best);
    return true;
}

/* --- all columns --- */

/* Draws the next columns, up to `wanted`; those known to be constant are counted only. Returns how many are to be looked at. */
static int draw(struct tree_splitter *s, const uint64_t *restrict constant, int wanted, int *looked, int *n_constant, int *restrict out)
{
    struct random *restrict random = s->random;
    int *restrict columns = s->columns;
    int n = 0, n_columns = s->data->n_columns, most = s->params->max_features, all = *looked, constants = *n_constant;
    while (n < wanted && all < n_columns && (all < most || all == constants)) {
        int at = all + (int)random_below(random, (uint32_t)(n_columns - all)), column = columns[at];
        columns[at] = columns[all];
        columns[all++] = column;
        int known = (int)(constant[column / 64] >> column % 64 & 1);
        out[n] = column; /* taken back where it is known; there is room for one more */
        n += !known;
        constants += known;
    }
    *looked = all;
    *n_constant = constants;
    return n;
}

/* Looks at some columns; which of them are not constant, bit by bit. */
static uint32_t try_columns(struct tree_splitter *s, const int *column, int n_columns, const tree_sample *samples, int n, int times_bits, struct tree_split *best)
{
    bool planes = tree_plane(s->data, 0, n), tables = tree_table_take(s, n);
    uint32_t differ = 0, taken = 0, placed = planes && tables ? tree_table_placed(s, column, n_columns, n) : 0;
    if (!planes)
        gather_records(s->data, column, n_columns, samples, n, s->codes);
    for (int c = 0; c < n_columns && planes && tables; c++)
        if (!(placed >> c & 1))
            gather_plane(s->data, column[c], samples, n, s->codes + (size_t)c * (size_t)n);
    if (tables)
        taken = tree_table_try(s, column, n_columns, samples, n, placed, &differ, best);
    for (int c = 0; c < n_columns; c++) {
        const uint32_t *codes = s->codes + (size_t)c * (size_t)n;
        if (taken >> c & 1)
            continue;
        if (planes && !tables)
            gather_plane(s->data, column[c], samples, n, s->codes + (size_t)c * (size_t)n);
        bool differs = s->params->random_thresholds ? tree_splitter_try_random(s, column[c], codes, n, best)
                                                    : try_all(s, column[c], codes, n, times_bits, best);
        differ |= (uint32_t)differs << c;
    }
    return differ;
}

/* What rounding can make of a split that takes nothing away: of gini three quotients, of entropy x log2 x of the sides and the sums of the classes'. */
static double rounding(const struct tree_splitter *s)
{
    double weight = (double)s->node.weight;
    if (s->params->criterion != TREE_ENTROPY)
        return 4 * DBL_EPSILON * weight;
    return 8 * DBL_EPSILON * (tree_x_log_x(weight) + weight) + 2 * (s->node.n_classes + 1) * s->logs.unit;
}

/* Notes where the codes of a split's column are, if it is among those gathered last: (n_columns, n), or side by side (n, TREE_LANES). */
static void note_codes(const struct tree_splitter *s, const int *column, int n_columns, int n, bool beside, struct tree_split *split)
{
    split->codes = NULL;
    split->apart = beside ? TREE_LANES : 1;
    for (int c = 0; c < n_columns; c++)
        if (column[c] == split->feature)
            split->codes = s->codes + (size_t)c * (beside ? 1 : (size_t)n);
}

struct tree_split tree_splitter_find(struct tree_splitter *s, const tree_sample *samples, int n, uint64_t *constant)
{
    enum { WORTH = 3 /* columns side by side */ };
    struct tree_split best = {.feature = -1, .gain = -INFINITY};
    int looked = 0, n_constant = 0, drawn, column[TREE_AT_ONCE + 1];
    prepare(s);
    bool small = tree_small_take(s, n), random = tree_random_take(s), planes = tree_plane(s->data, 0, n);
    if (small || (random && s->params->max_features <= TREE_AT_ONCE)) /* of more, which are drawn before a threshold is would hang on what is known */
        tree_small_constant(s, samples, n, constant);
    while ((drawn = draw(s, constant, looked < s->params->max_features ? at_once(s) : 1, &looked, &n_constant, column)) > 0) {
        bool beside = random && drawn >= WORTH;
        for (int c = 0; c < drawn && s->params->ties == TREE_TIES_DRAWN; c++)
            s->turn[column[c]] = looked - drawn + c; /* after all before */
        uint32_t differ = small    ? tree_small_try(s, column, drawn, samples, &best)
                          : beside ? tree_random_try(s, column, drawn, samples, n, &best)
                                   : try_columns(s, column, drawn, samples, n, tree_bits_of(s->node.all_times), &best);
        for (int c = 0; c < drawn; c++)
            if (!(differ >> c & 1)) {
                constant[column[c] / 64] |= UINT64_C(1) << column[c] % 64;
                n_constant++;
            }
        if (beside ? n > 2 : !small && !planes)
            note_codes(s, column, drawn, n, beside, &best);
        else
            best.codes = NULL;
    }
    if (fabs(best.decrease) <= rounding(s))
        best.decrease = 0;
    return best;
}

/* A column of records that were looked at a moment ago. */
static void gather_again(const struct tree_data *d, const struct tree_column *column, const tree_sample *samples, int n, uint32_t *restrict out)
{
    const uint16_t *codes = d->records + column->at;
    for (int i = 0; i < n && !column->wide; i++)
        out[i] = codes[sample_record(samples[i]) * d->stride];
    for (int i = 0; i < n && column->wide; i++)
        out[i] = tree_code(d->records + sample_record(samples[i]) * d->stride, column);
}

const uint32_t *tree_splitter_codes(struct tree_splitter *s, const struct tree_split *split, const tree_sample *samples, int n)
{
    uint32_t *apart = s->keys;
    if (split->codes && split->apart == 1)
        return split->codes;
    if (split->codes) {
        for (int i = 0; i < n; i++)
            apart[i] = split->codes[(size_t)i * TREE_LANES];
        return apart;
    }
    if (tree_plane(s->data, split->feature, n))
        gather_plane(s->data, split->feature, samples, n, s->codes);
    else
        gather_again(s->data, &s->data->columns[split->feature], samples, n, s->codes);
    return s->codes;
}
