/* A column of a node split at random: one threshold, drawn between the smallest and the largest value there, as by scikit-learn's RandomSplitter. */
#include <string.h>

#include "models/tree_split.h"

/* The greatest code whose values may lie at t or below; there is one, and `high` is none. */
static uint32_t code_below(const struct tree_column *c, float t, uint32_t low, uint32_t high)
{
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (c->values[middle] <= t)
            low = middle;
        else
            high = middle;
    }
    return low;
}

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
    double low = (double)of->values[least], high = (double)of->values[most];
    float t = (float)(low + random_double(s->random) * (high - low));
    if (t < of->values[least] || t >= of->values[most])
        t = of->values[least];
    uint32_t left = code_below(of, t, least, most);
    int rows = count_left(s, codes, n, left), leaf = s->params->min_samples_leaf;
    if (rows < leaf || n - rows < leaf)
        return true;
    note(s);
    tree_splitter_gains(s, 1);
    if (s->gain[0] > best->gain || (s->gain[0] == best->gain && tree_splitter_prefers(s, column, best)))
        *best = (struct tree_split){column, left, left, t < of->most[left] ? of->most[left] : t, s->gain[0], s->gain[0] - s->own};
    return true;
}
