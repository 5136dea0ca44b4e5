/* Columns of a node split at random: one threshold each, drawn between the smallest and the largest value there, as by scikit-learn's RandomSplitter.
 * Where the engine can, all columns at hand are looked at side by side (struct tree_sides); else one by one. */
#include <string.h>

#include "models/engine.h"
#include "models/tree_split.h"

static float draw_threshold(struct random *random, const struct tree_column *c, uint32_t least, uint32_t most)
{
    double low = (double)c->values[least], high = (double)c->values[most];
    float t = (float)(low + random_double(random) * (high - low));
    return t < c->values[least] || t >= c->values[most] ? c->values[least] : t;
}

/* The greatest code whose values may lie at t or below; there is one, and `high` is none. Without a branch: which way it goes cannot be guessed. */
static uint32_t code_below(const struct tree_column *c, float t, uint32_t low, uint32_t high)
{
    for (uint32_t n = high - low, half; n > 1; n -= half) {
        half = n / 2;
        low = c->values[low + half] <= t ? low + half : low;
    }
    return low;
}

/* So of lanes whose codes are not all the same, all step by step together: what a step reads comes from far away, and none waits for another's. */
static void codes_below(struct tree_sides *o, const struct tree_column *const *of, uint32_t differ, int n_columns)
{
    const float *low[TREE_LANES];
    uint32_t n[TREE_LANES], longest = 1;
    for (int c = 0; c < n_columns; c++) {
        low[c] = of[c]->values + o->least[c];
        n[c] = differ >> c & 1 ? o->most[c] - o->least[c] : 1;
        longest = n[c] > longest ? n[c] : longest;
    }
    for (; longest > 1; longest -= longest / 2)
        for (int c = 0; c < n_columns; c++) {
            uint32_t half = n[c] / 2;
            low[c] = low[c][half] <= o->threshold[c] ? low[c] + half : low[c];
            n[c] -= half;
        }
    for (int c = 0; c < n_columns; c++)
        o->last[c] = (uint32_t)(low[c] - of[c]->values);
}

/* Values are joined, and a threshold may lie within a bin: the code that has it must then be known. Else any will do that tells the node's samples apart. */
static bool has_bins(const struct tree_column *c)
{
    return c->most != c->values;
}

static struct tree_split split_at(const struct tree_splitter *s, int column, float t, uint32_t left, double gain)
{
    float most = s->data->columns[column].most[left];
    return (struct tree_split){.feature = column, .left_code = left, .right_code = left, .threshold = t < most ? most : t, .gain = gain, .decrease = gain - s->own};
}

/* --- side by side --- */

bool tree_random_take(const struct tree_splitter *s)
{
    return s->params->random_thresholds && s->engine->tree_sides_fill;
}

/* Two samples, of different classes (gini): whatever tells them apart takes all impurity away, so the column is the best whose turn comes first. All the same a
 * threshold is drawn for each. */
static uint32_t try_pair(struct tree_splitter *s, const int *column, int n_columns, const tree_sample *samples, struct tree_split *best)
{
    const struct tree_node_facts *f = &s->node;
    const uint16_t *a = s->data->records + sample_record(samples[0]) * s->data->stride, *b = s->data->records + sample_record(samples[1]) * s->data->stride;
    double gain = tree_gini_gain(f, f->weights[0] * f->weights[0], f->weights[0] * f->weights[0], f->weights[0]);
    uint32_t differ = 0;
    for (int c = 0; c < n_columns; c++) {
        const struct tree_column *of = &s->data->columns[column[c]];
        uint32_t x = tree_code(a, of), y = tree_code(b, of), least = x < y ? x : y, most = x < y ? y : x;
        if (x == y)
            continue;
        differ |= (uint32_t)1 << c;
        float t = draw_threshold(s->random, of, least, most);
        if (tree_splitter_gains_more(s, column[c], gain, best))
            *best = split_at(s, column[c], t, has_bins(of) ? code_below(of, t, least, most) : least, gain);
    }
    return differ;
}

static void look_up(struct tree_sides *o, const struct tree_column *const *of, int n_columns, int n)
{
    const float *values[TREE_LANES];
    for (int c = 0; c < n_columns; c++)
        values[c] = of[c]->values;
    for (int i = 0; i < n; i++)
        for (int c = 0; c < n_columns; c++)
            o->values[i][c] = values[c][o->codes[i][c]];
}

/* The largest code of a lane that goes left; of values that are joined into bins, the one that the threshold has. */
static uint32_t last_code(const struct tree_sides *o, const struct tree_column *c, int lane, int n)
{
    uint32_t last = o->least[lane];
    if (has_bins(c))
        return code_below(c, o->threshold[lane], o->least[lane], o->most[lane]);
    for (int i = 0; i < n; i++)
        last = o->values[i][lane] <= o->threshold[lane] && o->codes[i][lane] > last ? o->codes[i][lane] : last;
    return last;
}

/* What sweep notes of places, of what lanes have left (times drawn). */
static void note_left(const struct tree_splitter *s, int n_columns)
{
    const struct tree_sides *o = s->sides;
    bool entropy = s->params->criterion == TREE_ENTROPY;
    memset(o->squares, 0, (size_t)n_columns * sizeof *o->squares);
    memset(o->across, 0, (size_t)n_columns * sizeof *o->across);
    memset(o->weight, 0, (size_t)n_columns * sizeof *o->weight);
    for (int c = 0; c < s->node.n_classes; c++)
        for (int k = 0; k < n_columns; k++) {
            int64_t times = o->left[c][k], w = times * s->unit_of[c];
            o->squares[k] += entropy ? s->logs_of[c][times] + s->logs_of[c][s->count[c] - times] : w * w;
            o->across[k] += w * s->node.weights[c];
            o->weight[k] += w;
        }
}

uint32_t tree_random_try(struct tree_splitter *s, const int *column, int n_columns, const tree_sample *samples, int n, struct tree_split *best)
{
    enum { LIGHT = 1 << 16 };
    const struct tree_node_facts *f = &s->node;
    const uint32_t leaf = (uint32_t)s->params->min_samples_leaf;
    const bool gini = s->params->criterion == TREE_GINI, light = gini && s->plain && f->weight < LIGHT && leaf <= 1, by_value = n <= TREE_SIDES_FEW;
    const struct tree_column *of[TREE_LANES];
    struct tree_sides *o = s->sides;
    struct tree_codes codes = {.records = s->data->records, .stride = s->data->stride, .samples = samples, .n_columns = n_columns};
    uint32_t differ = 0;
    int at = -1;
    if (n == 2 && gini)
        return try_pair(s, column, n_columns, samples, best);
    for (int c = 0; c < n_columns; c++) {
        of[c] = &s->data->columns[column[c]];
        codes.at[c] = of[c]->at;
        codes.wide |= (uint32_t)of[c]->wide << c;
    }
    s->engine->tree_sides_fill(o, &codes, n);
    if (by_value)
        look_up(o, of, n_columns, n);
    for (int c = 0; c < n_columns; c++) {
        if (o->least[c] == o->most[c])
            continue;
        differ |= (uint32_t)1 << c;
        o->threshold[c] = draw_threshold(s->random, of[c], o->least[c], o->most[c]);
    }
    if (!by_value)
        codes_below(o, of, differ, n_columns);
    if (!differ)
        return 0;
    s->engine->tree_sides_count(o, &(struct tree_side_classes){s->labels, f->first, f->weights, f->n_classes, light, by_value}, n_columns);
    if (!light)
        note_left(s, n_columns);
    tree_splitter_gains(s, n_columns); /* those of columns that are constant are not looked at */
    for (int c = 0; c < n_columns; c++) {
        bool allowed = differ >> c & 1 && (leaf <= 1 || (o->rows[c] >= leaf && (uint32_t)n - o->rows[c] >= leaf));
        if (allowed && tree_splitter_gains_more(s, column[c], s->gain[c], best)) {
            best->feature = column[c];
            best->gain = s->gain[c];
            at = c;
        }
    }
    if (at >= 0)
        *best = split_at(s, column[at], o->threshold[at], by_value ? last_code(o, of[at], at, n) : o->last[at], s->gain[at]);
    return differ;
}

/* --- one by one --- */

/* Rows with a code up to `last`; their weights into s->left, how often drawn where entropy wants that. */
static int count_left(struct tree_splitter *s, const uint32_t *codes, int n, uint32_t last)
{
    bool times_alone = s->params->criterion == TREE_ENTROPY;
    int rows = 0;
    memset(s->left, 0, (size_t)s->node.n_classes * sizeof *s->left);
    for (int i = 0; i < n; i++) {
        uint32_t class = s->labels[i] >> 16, is_left = codes[i] <= last;
        s->left[class] += is_left * (s->labels[i] & 0xffff);
        rows += (int)is_left;
    }
    for (int c = 0; c < s->node.n_classes && !times_alone; c++)
        s->left[c] *= s->unit_of[c];
    return rows;
}

/* What sweep notes of a place, of s->left. */
static void note(struct tree_splitter *s)
{
    int64_t sum = 0, across = 0, weight = 0;
    bool entropy = s->params->criterion == TREE_ENTROPY;
    for (int c = 0; c < s->node.n_classes; c++) {
        int64_t left = s->left[c];
        sum += entropy ? s->logs_of[c][left] + s->logs_of[c][s->count[c] - left] : left * left;
        across += left * s->node.weights[c];
        weight += entropy ? left * s->unit_of[c] : left;
    }
    s->left_squares[0] = sum;
    s->across[0] = across;
    s->left_weight[0] = weight;
}

bool tree_splitter_try_random(struct tree_splitter *s, int column, const uint32_t *codes, int n, struct tree_split *best)
{
    const struct tree_column *of = &s->data->columns[column];
    uint32_t least, most;
    tree_codes_range(codes, n, &least, &most);
    if (least == most)
        return false;
    float t = draw_threshold(s->random, of, least, most);
    uint32_t left = code_below(of, t, least, most);
    int rows = count_left(s, codes, n, left), leaf = s->params->min_samples_leaf;
    if (rows < leaf || n - rows < leaf)
        return true;
    note(s);
    tree_splitter_gains(s, 1);
    if (tree_splitter_gains_more(s, column, s->gain[0], best))
        *best = split_at(s, column, t, left, s->gain[0]);
    return true;
}
