/* Small nodes, most of a tree: their columns are sorted and swept side by side (models/tree_lanes.h), then the few places that may be the best are
 * computed exactly; of entropy they are sorted side by side alone. */
#include <math.h>

#include "models/engine.h"
#include "models/tree_split.h"

bool tree_small_take(struct tree_splitter *s, int n)
{
    const struct tree_node_facts *f = &s->node;
    struct tree_lanes *o = s->lanes;
    bool fits = f->n_classes <= 1 << TREE_LANES_CLASS_BITS && f->drawn[f->n_classes] < 1 << TREE_LANES_WHOLE_BITS;
    int label_bits = tree_bits_of(f->all_times) + TREE_LANES_CLASS_BITS;
    if (!s->small || n > TREE_LANES_SAMPLES || !fits || label_bits + s->code_bits > 32)
        return false;
    o->label_bits = label_bits;
    o->weight = (uint32_t)f->weight; /* with squares, of plain ones */
    o->squares = (uint32_t)f->squares;
    o->n = n;
    o->n_classes = f->n_classes;
    o->leaf = s->params->min_samples_leaf;
    return true;
}

/* What the place behind sample `at` of a lane gains, exactly as of larger nodes. */
static double exact_gain(const struct tree_lanes *o, int lane, int at)
{
    uint32_t left = o->squares_at[at][lane] & 0xffff, right = o->squares_at[at][lane] >> 16, weight = o->weights_at[at][lane] >> 16;
    return (double)left / (double)weight + (double)right / (double)(o->weight - weight);
}

/* Two samples, of different classes: whatever tells them apart takes all impurity away, so the column is the best whose turn comes first. */
static uint32_t try_pair(const struct tree_splitter *s, const int *column, int n_columns, const tree_sample *samples, struct tree_split *best)
{
    const uint16_t *a = s->data->records + sample_record(samples[0]) * s->data->stride, *b = s->data->records + sample_record(samples[1]) * s->data->stride;
    uint32_t differ = 0;
    int at = -1;
    for (int c = 0; c < n_columns; c++) {
        bool differs = tree_code(a, &s->data->columns[column[c]]) != tree_code(b, &s->data->columns[column[c]]);
        differ |= (uint32_t)differs << c;
        at = differs && (at < 0 || s->turn[column[c]] < s->turn[at]) ? column[c] : at;
    }
    if (at >= 0 && tree_splitter_prefers(s, at, best)) {
        uint32_t x = tree_code(a, &s->data->columns[at]), y = tree_code(b, &s->data->columns[at]);
        int64_t square = s->node.weights[0] * s->node.weights[0];
        *best = tree_splitter_between(s, at, x < y ? x : y, x < y ? y : x, tree_gini_gain(&s->node, square, square, s->node.weights[0]));
    }
    return differ;
}

void tree_small_constant(const struct tree_splitter *s, const tree_sample *samples, int n, uint64_t *constant)
{
    const struct tree_data *d = s->data;
    uint64_t differ[TREE_DIFFER_MOST / 64] = {0};
    if (n > s->engine->tree_differ_samples || d->stride != (size_t)d->n_columns || d->stride < TREE_DIFFER_LEAST || d->stride > TREE_DIFFER_MOST)
        return; /* where a column is wide, a column's place is not its number */
    const struct tree_codes codes = {.records = d->records, .stride = d->stride, .samples = samples};
    s->engine->tree_lanes_differ(&codes, n, differ);
    for (int i = 0; i < (d->n_columns + 63) / 64; i++)
        constant[i] |= ~differ[i];
}

static bool is_constant(const struct tree_splitter *s, int column, const tree_sample *samples, int n)
{
    const struct tree_column *of = &s->data->columns[column];
    const uint16_t *records = s->data->records;
    size_t stride = s->data->stride;
    uint32_t first = tree_code(records + sample_record(samples[0]) * stride, of);
    int i = 1;
    while (i < n && tree_code(records + sample_record(samples[i]) * stride, of) == first)
        i++;
    return i == n;
}

/* Entropy: sorted side by side, then one by one as of larger nodes. Which of the columns are not constant, bit by bit. */
static uint32_t sweep_one_by_one(struct tree_splitter *s, const int *column, int n_columns, const struct tree_codes *codes, struct tree_split *best)
{
    struct tree_lanes *o = s->lanes;
    uint32_t differ = 0, *keys = s->keys;
    int times_bits = o->label_bits - TREE_LANES_CLASS_BITS;
    for (int i = 0; i < o->n; i++)
        o->labels[i] = s->labels[i] >> 16 << times_bits | (s->labels[i] & 0xffff);
    s->engine->tree_lanes_fill(o, codes);
    s->engine->tree_lanes_sort(o, n_columns);
    for (int c = 0; c < n_columns; c++) {
        if (o->keys[0][c] >> o->label_bits == o->keys[o->n - 1][c] >> o->label_bits)
            continue;
        differ |= (uint32_t)1 << c;
        for (int i = 0; i < o->n; i++)
            keys[i] = o->keys[i][c];
        tree_splitter_try_sorted(s, column[c], keys, o->n, times_bits, o->label_bits, best);
    }
    return differ;
}

static bool keep_better(const struct tree_splitter *s, struct tree_split *best, int column, double gain)
{
    if (!tree_splitter_gains_more(s, column, gain, best))
        return false;
    best->gain = gain;
    best->feature = column;
    return true;
}

uint32_t tree_small_try(struct tree_splitter *s, const int *column, int n_columns, const tree_sample *samples, struct tree_split *best)
{
    struct tree_lanes *o = s->lanes;
    struct tree_codes codes = {.records = s->data->records, .stride = s->data->stride, .samples = samples, .n_columns = n_columns};
    uint32_t differ;
    int place = -1;
    if (o->n == 2 && o->n_classes == 2 && s->params->criterion == TREE_GINI)
        return try_pair(s, column, n_columns, samples, best);
    if (n_columns == 1 && is_constant(s, column[0], samples, o->n)) /* as are, mostly, all that are looked at one by one (tree_splitter_find) */
        return 0;
    for (int c = 0; c < n_columns; c++) {
        codes.at[c] = s->data->columns[column[c]].at;
        codes.wide |= (uint32_t)s->data->columns[column[c]].wide << c;
    }
    if (s->params->criterion == TREE_ENTROPY)
        return sweep_one_by_one(s, column, n_columns, &codes, best);
    s->engine->tree_lanes_label(o, s->labels, s->node.weights);
    s->engine->tree_lanes_fill(o, &codes);
    s->engine->tree_lanes_sort(o, n_columns);
    if (s->plain) {
        s->engine->tree_lanes_sweep(o, n_columns);
        int n = s->engine->tree_lanes_best(o, n_columns, &differ);
        for (int i = 0; i < n; i++) {
            int lane = o->best[i] % TREE_LANES;
            place = keep_better(s, best, column[lane], exact_gain(o, lane, o->best[i] / TREE_LANES)) ? o->best[i] : place;
        }
    } else {
        const struct tree_weights weights = {s->unit_of, s->node.weights, s->node.weight, s->node.squares};
        differ = s->engine->tree_lanes_weigh(o, &weights, n_columns);
        for (int lane = 0; lane < n_columns; lane++)
            if (o->gain_of[lane] > -INFINITY && keep_better(s, best, column[lane], o->gain_of[lane]))
                place = (int)o->place_of[lane] * TREE_LANES + lane;
    }
    if (place >= 0) {
        int lane = place % TREE_LANES, at = place / TREE_LANES;
        *best = tree_splitter_between(s, best->feature, o->keys[at][lane] >> o->label_bits, o->keys[at + 1][lane] >> o->label_bits, best->gain);
    }
    return differ;
}
