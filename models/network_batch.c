/* Forward, loss and backward of a batch; predictions. */
#include <math.h>
#include <string.h>

#include "models/network_run.h"

static size_t width_of(const struct network *net) /* of a leaf's gradient */
{
    return net->n_weights + EXTRA_COUNT;
}

static float *leaf_out(const struct network *net, const struct run *r, int layer, int leaf)
{
    return r->out[layer] + (size_t)leaf * LEAF_ROWS * layer_floats(&net->layers[layer]);
}

static float *leaf_cache(const struct network *net, const struct run *r, int layer, int leaf)
{
    return r->cache[layer] + (size_t)leaf * LEAF_ROWS * net->layers[layer].cache;
}

struct deal { /* of a batch's leaves */
    int first, count, n_leaves;
    struct gang *gang;
    bool stop; /* asked before, where some rank has no leaf */
    struct gang_slab sum; /* of the gradients */
};

/* Own leaf i's place in slots of `stride` floats, and what it completes there: n floats of each slot. */
static float *leaf_slot(const struct deal *d, float *slots, size_t stride, int i)
{
    return slots + (size_t)gang_slot(d->first, d->first + i, d->n_leaves) * stride;
}

static void leaf_merge(const struct deal *d, float *slots, size_t stride, size_t n, int i)
{
    gang_merge(slots, stride, n, d->first, d->first + i, d->n_leaves);
}

static void pack(const struct network *net, struct run *r, const float *weights)
{
    for (int i = 0; i < net->n_layers; i++)
        if (network_kind(net, i)->pack)
            network_kind(net, i)->pack(&net->layers[i], weights + net->layers[i].weights, r->packed + net->layers[i].packed);
}

/* --- loading a leaf --- */

/* Real steps of a row as its layer sees them; a flow without any counts as one of one packet. */
static int length_of(const struct features *x, int32_t row)
{
    int length = x->flows->length[row];
    return length < 1 ? 1 : length < x->steps ? length : x->steps;
}

/* Puts places 0.. of rows in falling order of length, equal ones as they stood. */
static void sort_by_length(const struct features *x, const int32_t *rows, int n, int32_t *order)
{
    for (int i = 0; i < n; i++) {
        int j = i;
        for (; j > 0 && length_of(x, rows[order[j - 1]]) < length_of(x, rows[i]); j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
}

/* How many rows are there at every layer's every step. */
static void count_active(const struct network *net, const struct features *x, const int32_t *rows, int n, int32_t *active)
{
    memset(active, 0, (size_t)net->n_active * sizeof *active);
    for (int i = 0; i < n; i++) {
        int length = length_of(x, rows[i]);
        for (int t = 0; t < length; t++)
            active[t]++;
        for (int layer = 1; layer < net->n_layers; layer++) {
            const struct layer *l = &net->layers[layer];
            if (!network_kind(net, layer)->length)
                continue;
            length = network_kind(net, layer)->length(l, length);
            for (int t = 0; t < length; t++)
                active[l->active + t]++;
        }
    }
}

/* Each token of a leaf once, in the order in which steps bring them. number[token] may be of another leaf: then that token does not stand there. */
static void find_tokens(const struct network *net, struct run *r, struct leaf *leaf, int32_t *tokens, int32_t *which)
{
    int steps = net->layers[0].in_steps, n_tokens = 0;
    for (int t = 0; t < steps; t++)
        for (int i = 0; i < leaf->n; i++) {
            int32_t token = r->row_tokens[i * steps + t], at = r->number[token];
            if (at >= n_tokens || tokens[at] != token) {
                r->number[token] = at = n_tokens++;
                tokens[at] = token;
            }
            *which++ = at;
        }
    leaf->n_tokens = n_tokens;
}

/* Fills leaf i with n rows of features; r->order says where each stood in rows. */
static void load(const struct network *net, struct run *r, int i, const struct features *x, const int32_t *rows, int n)
{
    const struct layer *input = &net->layers[0];
    size_t steps = (size_t)input->in_steps, first = (size_t)i * LEAF_ROWS;
    float *numbers = r->numbers + first * steps * (size_t)input->channels;
    int32_t *tokens = r->tokens + first * steps, *which = r->which + first * steps, *mine = r->rows + first;
    r->leaves[i] = (struct leaf){.n = n, .tokens = tokens, .which = which, .numbers = numbers, .room = r->room};
    for (int j = 0; j < n; j++)
        r->order[j] = j;
    if (net->masking)
        sort_by_length(x, rows, n, r->order);
    for (int j = 0; j < n; j++)
        mine[j] = rows[r->order[j]];
    if (net->masking) {
        int32_t *active = r->active + (size_t)i * (size_t)net->n_active;
        count_active(net, x, mine, n, active);
        r->leaves[i].active = active;
    }
    if (!input->embedding || input->channels > 1) /* else only tokens are read */
        features_gather(x, mine, n, numbers);
    if (input->embedding) {
        features_tokens(x, mine, n, r->row_tokens);
        find_tokens(net, r, &r->leaves[i], tokens, which);
    }
}

/* Leaf `leaf` of the batch, as resident i. */
static void load_training(const struct network *net, struct run *r, const struct batch *b, int leaf, int i)
{
    int at = leaf * LEAF_ROWS, n = b->n - at < LEAF_ROWS ? b->n - at : LEAF_ROWS;
    int32_t rows[LEAF_ROWS] = {0}, *samples = r->samples + (size_t)i * LEAF_ROWS;
    for (int j = 0; j < n; j++)
        rows[j] = b->row ? b->row[at + j] : b->rows->row[b->samples[at + j]];
    load(net, r, i, b->features, rows, n);
    for (int j = 0; j < n; j++) {
        samples[j] = b->samples[at + r->order[j]];
        __builtin_prefetch(&b->rows->y[samples[j]]); /* for the loss */
    }
    r->leaves[i].training = true;
    r->leaves[i].samples = samples;
    r->leaves[i].key = b->key;
}

/* --- one layer of one resident leaf --- */

static void layer_forward(const struct network *net, struct run *r, const float *weights, const float *stats, int layer, int leaf)
{
    const struct layer *l = &net->layers[layer];
    const float *in = layer ? leaf_out(net, r, layer - 1, leaf) : NULL;
    float *out = leaf_out(net, r, layer, leaf), *cache = leaf_cache(net, r, layer, leaf);
    if (l->type == LAYER_BATCH_NORM)
        net->engine->batch_norm->apply(l, weights + l->weights, &r->leaves[leaf], in, stats + l->stats, stats + l->stats + l->width, out, cache);
    else
        network_kind(net, layer)->forward(l, weights + l->weights, r->packed + l->packed, &r->leaves[leaf], in, out, cache);
}

/* Where own leaf i's gradient of a layer goes, zeros at first; whole: it is made at once and may join the leaves before it there. */
static float *grad_slot(const struct network *net, struct run *r, const struct deal *d, const struct layer *l, int i, bool whole, bool joins)
{
    float *grad = leaf_slot(d, r->grad, width_of(net), i) - (joins ? width_of(net) : 0) + l->weights;
    if (!whole)
        memset(grad, 0, l->n_weights * sizeof *grad);
    return grad;
}

static void grad_merge(const struct network *net, struct run *r, const struct deal *d, const struct layer *l, int i, bool joins)
{
    (joins ? gang_merge_rest : gang_merge)(r->grad + l->weights, width_of(net), l->n_weights, d->first, d->first + i, d->n_leaves);
}

/* Of own leaf i, resident as `leaf`. */
static void layer_backward(const struct network *net, struct run *r, const struct deal *d, int layer, int i, int leaf)
{
    const struct layer *l = &net->layers[layer];
    bool whole = network_kind(net, layer)->whole_gradient, joins = whole && gang_joins_before(d->first, d->first + i, d->n_leaves);
    float *grad = grad_slot(net, r, d, l, i, whole, joins);
    size_t at = (size_t)leaf * LEAF_ROWS * r->widest;
    r->leaves[leaf].joins = joins;
    bool wanted = layer > 1 || (layer == 1 && net->layers[0].embedding);
    network_kind(net, layer)->backward(l, r->packed + l->packed, &r->leaves[leaf], layer ? leaf_out(net, r, layer - 1, leaf) : NULL,
                                       leaf_out(net, r, layer, leaf), leaf_cache(net, r, layer, leaf), r->dout + at, wanted ? r->din + at : NULL,
                                       grad);
    grad_merge(net, r, d, l, i, joins);
}

static void swap_deltas(struct run *r)
{
    float *swap = r->dout;
    r->dout = r->din;
    r->din = swap;
}

static int first_with_gradient(const struct network *net)
{
    return net->layers[0].embedding ? 0 : 1;
}

/* --- loss --- */

/* Of one row; returns log(sum(e^x)). What is not a number stays none. */
static float softmax_row(const struct engine *engine, float *x, int k)
{
    float most = x[0], sum = 0;
    for (int c = 1; c < k; c++)
        most = x[c] > most ? x[c] : most;
    for (int c = 0; c < k; c++)
        x[c] -= most;
    engine->exp(x, (size_t)k);
    for (int c = 0; c < k; c++)
        sum += x[c];
    for (int c = 0; c < k; c++)
        x[c] /= sum;
    return most + logf(sum);
}

void network_softmax(const struct engine *engine, float *x, int n, int k)
{
    for (int i = 0; i < n; i++)
        softmax_row(engine, x + (size_t)i * (size_t)k, k);
}

/* What a label weighs as a whole: its own logit and, smoothed, all of them. */
static float chosen_of(const float *logits, int k, int y, float smoothing)
{
    float sum = 0;
    for (int c = 0; c < k; c++)
        sum += logits[c];
    return (1 - smoothing) * logits[y] + smoothing / (float)k * sum;
}

/* Where the largest stands, the first of several. */
static int largest(const float *p, int k)
{
    int best = 0;
    float most = p[0];
    for (int c = 1; c < k; c++)
        if (p[c] > most) {
            most = p[c];
            best = c;
        }
    return best;
}

/* Softmax cross-entropy, mean over the batch's rows (weights of the rows' classes multiply and labels are smoothed as in Keras): of own leaf i, resident as `leaf`, its logits become
 * probabilities, dout their gradient; loss, hits and the stop flag. Source: Bishop 2006, eq. 4.108. */
static void leaf_loss(const struct network *net, struct run *r, const struct batch *b, const struct deal *d, int i, int leaf)
{
    float *extra = leaf_slot(d, r->grad, width_of(net), i) + net->n_weights;
    int k = net->layers[net->n_layers - 1].width;
    float *logits = leaf_out(net, r, net->n_layers - 1, leaf), *dlogits = r->dout + (size_t)leaf * LEAF_ROWS * r->widest;
    const struct leaf *f = &r->leaves[leaf];
    float smoothing = b->label_smoothing, others = smoothing / (float)k;
    extra[EXTRA_LOSS] = extra[EXTRA_HITS] = 0;
    extra[EXTRA_STOP] = d->stop || d->gang->stop(d->gang);
    for (int row = 0; row < f->n; row++) {
        float *p = logits + (size_t)row * (size_t)k, *dp = dlogits + (size_t)row * (size_t)k;
        int y = b->rows->y[f->samples[row]];
        float weight = b->class_weight ? b->class_weight[y] : 1, scale = weight / (float)b->n;
        float chosen = smoothing > 0 ? chosen_of(p, k, y, smoothing) : p[y];
        extra[EXTRA_LOSS] += weight * (softmax_row(net->engine, p, k) - chosen);
        for (int c = 0; c < k; c++)
            dp[c] = (p[c] - others) * scale;
        dp[y] = (p[y] - (1 - smoothing + others)) * scale;
        extra[EXTRA_HITS] += largest(p, k) == y;
    }
    leaf_merge(d, r->grad + net->n_weights, width_of(net), EXTRA_COUNT, i);
}

/* A layer's gradients are final: their sum is on its way while the layers before are worked on. */
static void layer_done(const struct network *net, const struct deal *d, int layer)
{
    const struct layer *l = &net->layers[layer];
    d->gang->sum_begin(d->gang, &d->sum, l->weights, l->weights + l->n_weights);
}

static void losses_done(const struct network *net, const struct deal *d)
{
    d->gang->sum_begin(d->gang, &d->sum, net->n_weights, width_of(net));
}

/* --- leaf after leaf --- */

static void leaf_after_leaf(const struct network *net, struct run *r, const float *weights, const struct batch *b, const struct deal *d)
{
    for (int i = 0; i < d->count; i++) {
        load_training(net, r, b, d->first + i, 0);
        for (int layer = 0; layer < net->n_layers; layer++)
            layer_forward(net, r, weights, NULL, layer, 0);
        leaf_loss(net, r, b, d, i, 0);
        if (i == d->count - 1)
            losses_done(net, d);
        for (int layer = net->n_layers - 1; layer >= first_with_gradient(net); layer--) {
            layer_backward(net, r, d, layer, i, 0);
            swap_deltas(r);
            if (i == d->count - 1)
                layer_done(net, d, layer);
        }
    }
}

/* A rank without a leaf has nothing to add, and takes part. */
static void no_leaf(const struct network *net, const struct deal *d)
{
    losses_done(net, d);
    for (int layer = net->n_layers - 1; layer >= first_with_gradient(net); layer--)
        layer_done(net, d, layer);
}

/* --- layer after layer, where batch normalization gathers sums in between --- */

/* Rows and steps of the batch that take part in a layer. Collective. */
static enum status norm_count(const struct network *net, struct run *r, const struct layer *l, const struct batch *b, const struct deal *d, struct gang *g,
                              double *count, struct error *e)
{
    if (!net->masking) {
        *count = (double)b->n * l->steps;
        return STATUS_OK;
    }
    for (int i = 0; i < d->count; i++) {
        *leaf_slot(d, r->sums, 1, i) = (float)net->engine->batch_norm->count(l, &r->leaves[i]);
        leaf_merge(d, r->sums, 1, 1, i);
    }
    TRY(g->sum(g, r->sums, r->sum, 1, d->n_leaves, e));
    *count = (double)r->sum[0];
    return STATUS_OK;
}

/* Mean and variance over the batch, then the moving ones. Collective. */
static enum status norm_statistics(const struct network *net, struct run *r, float *stats, int layer, const struct batch *b, const struct deal *d,
                                   struct gang *g, struct error *e)
{
    const struct layer *l = &net->layers[layer];
    size_t n = (size_t)l->width;
    float *mean = r->batch_stats + l->stats, *variance = mean + n;
    double count;
    TRY(norm_count(net, r, l, b, d, g, &count, e));
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < d->count; i++) {
            net->engine->batch_norm->sum(l, &r->leaves[i], leaf_out(net, r, layer - 1, i), pass ? mean : NULL, leaf_slot(d, r->sums, n, i));
            leaf_merge(d, r->sums, n, n, i);
        }
        TRY(g->sum(g, r->sums, r->sum, n, d->n_leaves, e));
        for (size_t j = 0; j < n; j++)
            (pass ? variance : mean)[j] = r->sum[j] / (float)count;
    }
    for (size_t j = 0; j < 2 * n; j++)
        stats[l->stats + j] = BATCH_NORM_MOMENTUM * stats[l->stats + j] + (1 - BATCH_NORM_MOMENTUM) * r->batch_stats[l->stats + j];
    return STATUS_OK;
}

static enum status norm_backward(const struct network *net, struct run *r, const float *weights, int layer, const struct batch *b, const struct deal *d,
                                 struct gang *g, struct error *e)
{
    const struct layer *l = &net->layers[layer];
    size_t n = (size_t)l->width, row = LEAF_ROWS * r->widest;
    double count;
    TRY(norm_count(net, r, l, b, d, g, &count, e));
    for (int i = 0; i < d->count; i++) {
        float *sum = leaf_slot(d, r->sums, 2 * n, i), *grad = grad_slot(net, r, d, l, i, false, false);
        net->engine->batch_norm->backward_sum(l, &r->leaves[i], r->dout + (size_t)i * row, leaf_cache(net, r, layer, i), sum);
        for (size_t j = 0; j < n; j++) {
            grad[j] += sum[n + j];
            grad[n + j] += sum[j];
        }
        leaf_merge(d, r->sums, 2 * n, 2 * n, i);
        grad_merge(net, r, d, l, i, false);
    }
    TRY(g->sum(g, r->sums, r->sum, 2 * n, d->n_leaves, e));
    for (int i = 0; i < d->count; i++)
        net->engine->batch_norm->backward(l, weights + l->weights, &r->leaves[i], r->dout + (size_t)i * row, leaf_cache(net, r, layer, i), r->sum,
                                          r->batch_stats + l->stats + n, count, r->din + (size_t)i * row);
    return STATUS_OK;
}

static enum status layer_after_layer(const struct network *net, struct run *r, const float *weights, float *stats, const struct batch *b,
                                     const struct deal *d, struct gang *g, struct error *e)
{
    for (int i = 0; i < d->count; i++)
        load_training(net, r, b, d->first + i, i);
    for (int layer = 0; layer < net->n_layers; layer++) {
        if (net->layers[layer].type == LAYER_BATCH_NORM)
            TRY(norm_statistics(net, r, stats, layer, b, d, g, e));
        for (int i = 0; i < d->count; i++)
            layer_forward(net, r, weights, r->batch_stats, layer, i);
    }
    for (int i = 0; i < d->count; i++)
        leaf_loss(net, r, b, d, i, i);
    losses_done(net, d);
    for (int layer = net->n_layers - 1; layer >= first_with_gradient(net); layer--) {
        if (net->layers[layer].type == LAYER_BATCH_NORM)
            TRY(norm_backward(net, r, weights, layer, b, d, g, e));
        else
            for (int i = 0; i < d->count; i++)
                layer_backward(net, r, d, layer, i, i);
        swap_deltas(r);
        layer_done(net, d, layer);
    }
    return STATUS_OK;
}

/* --- a batch --- */

enum status network_batch(const struct network *net, struct run *r, const float *weights, float *stats, const struct batch *b, struct gang *g,
                          float *total, struct error *e)
{
    struct deal d = {.n_leaves = gang_leaves(b->n), .gang = g};
    d.sum = (struct gang_slab){r->grad, total, width_of(net), d.n_leaves};
    d.first = gang_first(d.n_leaves, g->rank, g->size);
    d.count = gang_first(d.n_leaves, g->rank + 1, g->size) - d.first;
    if (d.n_leaves < g->size) /* a rank without a leaf has no slab to put its flag in */
        TRY(gang_any(g, g->stop(g), &d.stop, e));
    pack(net, r, weights);
    if (net->n_stats)
        TRY(layer_after_layer(net, r, weights, stats, b, &d, g, e));
    else if (d.count > 0)
        leaf_after_leaf(net, r, weights, b, &d);
    else
        no_leaf(net, &d);
    return g->sum_end(g, &d.sum, e);
}

/* --- predicting --- */

enum status network_predict(const struct network *net, struct run *r, const float *weights, const float *stats, const struct features *x,
                            const int32_t *rows, int n, struct gang *g, float *proba, struct error *e)
{
    int first, last, layers = net->n_layers;
    size_t k = (size_t)net->layers[layers - 1].width;
    gang_rows(n, g->rank, g->size, &first, &last);
    pack(net, r, weights);
    for (int at = first; at < last; at += LEAF_ROWS) {
        int m = last - at < LEAF_ROWS ? last - at : LEAF_ROWS;
        load(net, r, 0, x, rows + at, m);
        for (int layer = 0; layer < layers; layer++)
            layer_forward(net, r, weights, stats, layer, 0);
        float *logits = leaf_out(net, r, layers - 1, 0);
        network_softmax(net->engine, logits, m, (int)k);
        for (int i = 0; i < m; i++)
            memcpy(proba + (size_t)(at + r->order[i]) * k, logits + (size_t)i * k, k * sizeof *proba);
        gang_look(g);
    }
    return gang_share_rows(g, proba, n, (int)k, e);
}
