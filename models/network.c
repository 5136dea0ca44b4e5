#include "models/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "models/kernels.h"

/* --- building --- */

static void place(struct network *net, struct layer *l)
{
    l->number = net->n_layers;
    l->kind->shape(l);
    l->weights = net->n_weights;
    l->transposed = net->n_transposed;
    l->stats = net->n_stats;
    net->n_weights += l->n_weights;
    net->n_transposed += l->n_transposed;
    net->n_stats += l->kind == &layer_batch_norm ? 2 * (size_t)l->width : 0;
    net->layers[net->n_layers++] = *l;
}

void network_init(struct network *net, int steps, int n_channels, int token_channel, int clip, int embedding)
{
    struct layer l = {.kind = &layer_input,
                      .in_steps = steps,
                      .in_width = n_channels,
                      .channels = n_channels,
                      .token_channel = token_channel,
                      .embedding = embedding,
                      .vocabulary = 2 * clip + 2};
    *net = (struct network){0};
    place(net, &l);
}

bool network_add(struct network *net, struct layer layer)
{
    const struct layer *last = &net->layers[net->n_layers - 1];
    if (net->n_layers == NETWORK_LAYERS_MAX)
        return false;
    layer.in_steps = last->steps;
    layer.in_width = last->width;
    if ((layer.kind == &layer_conv1d && layer.kernel_size > layer.in_steps) ||
        (layer.kind == &layer_max_pooling && layer.pool_size > layer.in_steps))
        return false;
    place(net, &layer);
    return true;
}

double network_products(const struct network *net)
{
    double n = 0;
    for (int i = 1; i < net->n_layers; i++) {
        const struct layer *l = &net->layers[i];
        bool recurrent = l->kind == &layer_lstm || l->kind == &layer_gru;
        n += (double)l->n_weights * (recurrent ? l->in_steps : l->kind == &layer_conv1d ? l->steps : 1);
    }
    return n;
}

static size_t out_floats(const struct layer *l)
{
    return (size_t)l->steps * (size_t)l->width;
}

size_t network_row_floats(const struct network *net)
{
    size_t n = 0;
    for (int i = 0; i < net->n_layers; i++)
        n += out_floats(&net->layers[i]) + net->layers[i].cache;
    return n;
}

void network_start(const struct network *net, float *weights, float *stats, uint64_t key)
{
    memset(weights, 0, net->n_weights * sizeof *weights);
    for (int i = 0; i < net->n_layers; i++) {
        const struct layer *l = &net->layers[i];
        if (l->kind->init)
            l->kind->init(l, weights + l->weights, random_key(key, (uint64_t)i));
        for (int j = 0; l->kind == &layer_batch_norm && j < l->width; j++) {
            stats[l->stats + (size_t)j] = 0;
            stats[l->stats + (size_t)l->width + (size_t)j] = 1;
        }
    }
}

/* --- memory --- */

struct run {
    struct slab slab;
    int max_leaves;
    struct leaf *leaves;                                        /* (max_leaves) */
    float *out[NETWORK_LAYERS_MAX], *cache[NETWORK_LAYERS_MAX]; /* (max_leaves, LEAF_ROWS, floats of a row) */
    float *numbers;
    int32_t *tokens, *rows;
    float *dout, *din; /* (max_leaves, LEAF_ROWS, widest row) */
    size_t widest;
    float *grad; /* (max_leaves, n_weights + EXTRA_COUNT) */
    float *transposed;
    float *sums, *sum,
        *batch_stats; /* of batch normalization: (max_leaves, 2 * width), (2 * width), (n_stats) */
};

static void cut(struct run *r, const struct network *net, bool training)
{
    size_t rows = (size_t)r->max_leaves * LEAF_ROWS, widest_norm = 1;
    struct slab *s = &r->slab;
    const struct layer *input = &net->layers[0];
    r->leaves = slab_take(s, (size_t)r->max_leaves * sizeof *r->leaves);
    r->numbers = slab_take(s, rows * (size_t)input->in_steps * (size_t)input->channels * sizeof(float));
    r->tokens = slab_take(s, rows * (size_t)input->in_steps * sizeof(int32_t));
    r->rows = slab_take(s, rows * sizeof(int32_t));
    r->widest = 0;
    for (int i = 0; i < net->n_layers; i++) {
        const struct layer *l = &net->layers[i];
        r->out[i] = slab_take(s, rows * out_floats(l) * sizeof(float));
        r->cache[i] = slab_take(s, rows * l->cache * sizeof(float));
        r->widest = out_floats(l) > r->widest ? out_floats(l) : r->widest;
        if (l->kind == &layer_batch_norm && (size_t)l->width > widest_norm)
            widest_norm = (size_t)l->width;
    }
    if (!training)
        return;
    r->dout = slab_take(s, rows * r->widest * sizeof(float));
    r->din = slab_take(s, rows * r->widest * sizeof(float));
    r->grad = slab_take(s, (size_t)r->max_leaves * (net->n_weights + EXTRA_COUNT) * sizeof(float));
    r->transposed = slab_take(s, net->n_transposed * sizeof(float));
    r->sums = slab_take(s, (size_t)r->max_leaves * 2 * widest_norm * sizeof(float));
    r->sum = slab_take(s, 2 * widest_norm * sizeof(float));
    r->batch_stats = slab_take(s, net->n_stats * sizeof(float));
}

enum status run_new(struct run **out, const struct network *net, int max_leaves, bool training,
                    struct error *e)
{
    struct run *r = memory_new(sizeof *r);
    *out = NULL;
    r->max_leaves = max_leaves > 0 ? max_leaves : 1;
    cut(r, net, training);
    enum status s = slab_new(&r->slab, "a network's batches", e);
    if (s != STATUS_OK) {
        run_free(r);
        return s;
    }
    cut(r, net, training);
    *out = r;
    return STATUS_OK;
}

void run_free(struct run *r)
{
    if (r)
        slab_fini(&r->slab);
    free(r);
}

/* --- forward --- */

static float *leaf_out(const struct network *net, const struct run *r, int layer, int leaf)
{
    return r->out[layer] + (size_t)leaf * LEAF_ROWS * out_floats(&net->layers[layer]);
}

static float *leaf_cache(const struct network *net, const struct run *r, int layer, int leaf)
{
    return r->cache[layer] + (size_t)leaf * LEAF_ROWS * net->layers[layer].cache;
}

/* Fills leaf i with n rows of features. */
static void load(const struct network *net, struct run *r, int i, const struct features *x,
                 const int32_t *rows, int n)
{
    const struct layer *input = &net->layers[0];
    size_t steps = (size_t)input->in_steps;
    float *numbers = r->numbers + (size_t)i * LEAF_ROWS * steps * (size_t)input->channels;
    int32_t *tokens = r->tokens + (size_t)i * LEAF_ROWS * steps;
    features_gather(x, rows, n, numbers);
    if (input->embedding)
        features_tokens(x, rows, n, tokens);
    r->leaves[i] = (struct leaf){.n = n, .tokens = tokens, .numbers = numbers};
}

static void layer_forward(const struct network *net, struct run *r, const float *weights, const float *stats,
                          int layer, int leaf)
{
    const struct layer *l = &net->layers[layer];
    const float *in = layer ? leaf_out(net, r, layer - 1, leaf) : NULL;
    float *out = leaf_out(net, r, layer, leaf), *cache = leaf_cache(net, r, layer, leaf);
    if (l->kind == &layer_batch_norm)
        batch_norm_apply(l, weights + l->weights, r->leaves[leaf].n, in, stats + l->stats,
                         stats + l->stats + l->width, out, cache);
    else
        l->kind->forward(l, weights + l->weights, &r->leaves[leaf], in, out, cache);
}

struct deal { /* of a batch's leaves */
    int first, count, n_leaves;
    int rows; /* of the batch */
};

/* Mean and variance over the batch, then the moving ones. Collective. */
static enum status norm_statistics(const struct network *net, struct run *r, float *stats, int layer,
                                   const struct deal *d, struct gang *g, struct error *e)
{
    const struct layer *l = &net->layers[layer];
    size_t n = (size_t)l->width;
    float *mean = r->batch_stats + l->stats, *variance = mean + n,
          count = (float)((double)d->rows * l->steps);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < d->count; i++)
            batch_norm_sum(l, r->leaves[i].n, leaf_out(net, r, layer - 1, i), pass ? mean : NULL,
                           r->sums + (size_t)i * n);
        TRY(g->sum(g, r->sums, r->sum, n, d->n_leaves, e));
        for (size_t j = 0; j < n; j++)
            (pass ? variance : mean)[j] = r->sum[j] / count;
    }
    for (size_t j = 0; j < 2 * n; j++)
        stats[l->stats + j] = batch_norm_momentum * stats[l->stats + j] +
                              (1 - batch_norm_momentum) * r->batch_stats[l->stats + j];
    return STATUS_OK;
}

static enum status forward(const struct network *net, struct run *r, const float *weights, float *stats,
                           const struct deal *d, struct gang *g, struct error *e)
{
    for (int layer = 0; layer < net->n_layers; layer++) {
        if (net->layers[layer].kind == &layer_batch_norm)
            TRY(norm_statistics(net, r, stats, layer, d, g, e));
        for (int i = 0; i < d->count; i++)
            layer_forward(net, r, weights, r->batch_stats, layer, i);
    }
    return STATUS_OK;
}

/* --- loss --- */

/* Of one row; returns log(sum(e^x)). What is not a number stays none. */
static float softmax_row(float *x, int k)
{
    float most = x[0], sum = 0;
    for (int c = 1; c < k; c++)
        most = x[c] > most ? x[c] : most;
    for (int c = 0; c < k; c++)
        x[c] -= most;
    kernel_exp(x, (size_t)k);
    for (int c = 0; c < k; c++)
        sum += x[c];
    for (int c = 0; c < k; c++)
        x[c] /= sum;
    return most + logf(sum);
}

void network_softmax(float *x, int n, int k)
{
    for (int i = 0; i < n; i++)
        softmax_row(x + (size_t)i * (size_t)k, k);
}

/* Softmax cross-entropy, mean over the batch's rows (weights of classes multiply, as in Keras): dlogits of a leaf (overwrites the logits), loss and hits.
 * Source: Bishop 2006, eq. 4.108. */
static void leaf_loss(const struct batch *b, const struct leaf *leaf, int k, float *logits, float *dlogits,
                      float *extra)
{
    extra[EXTRA_LOSS] = extra[EXTRA_HITS] = 0;
    for (int i = 0; i < leaf->n; i++) {
        float *p = logits + (size_t)i * (size_t)k;
        float *d = dlogits + (size_t)i * (size_t)k;
        int y = b->rows->y[leaf->samples[i]], best = 0;
        float weight = b->class_weight ? b->class_weight[y] : 1, scale = weight / (float)b->n, chosen = p[y];
        extra[EXTRA_LOSS] += weight * (softmax_row(p, k) - chosen);
        for (int c = 0; c < k; c++) {
            best = p[c] > p[best] ? c : best;
            d[c] = (p[c] - (c == y)) * scale;
        }
        extra[EXTRA_HITS] += best == y;
    }
}

/* --- backward --- */

static enum status norm_backward(const struct network *net, struct run *r, const float *weights, int layer,
                                 const struct deal *d, struct gang *g, struct error *e)
{
    const struct layer *l = &net->layers[layer];
    size_t n = (size_t)l->width, row = LEAF_ROWS * r->widest;
    for (int i = 0; i < d->count; i++) {
        float *sum = r->sums + (size_t)i * 2 * n,
              *grad = r->grad + (size_t)i * (net->n_weights + EXTRA_COUNT) + l->weights;
        batch_norm_backward_sum(l, r->leaves[i].n, r->dout + (size_t)i * row, leaf_cache(net, r, layer, i),
                                sum);
        for (size_t j = 0; j < n; j++) {
            grad[j] += sum[n + j];
            grad[n + j] += sum[j];
        }
    }
    TRY(g->sum(g, r->sums, r->sum, 2 * n, d->n_leaves, e));
    for (int i = 0; i < d->count; i++)
        batch_norm_backward(l, weights + l->weights, r->leaves[i].n, r->dout + (size_t)i * row,
                            leaf_cache(net, r, layer, i), r->sum, r->batch_stats + l->stats + n,
                            (double)d->rows * l->steps, r->din + (size_t)i * row);
    return STATUS_OK;
}

static void layer_backward(const struct network *net, struct run *r, int layer, int leaf)
{
    const struct layer *l = &net->layers[layer];
    size_t row = LEAF_ROWS * r->widest;
    float *grad = r->grad + (size_t)leaf * (net->n_weights + EXTRA_COUNT) + l->weights;
    bool wanted = layer > 1 || (layer == 1 && net->layers[0].embedding);
    l->kind->backward(l, r->transposed + l->transposed, &r->leaves[leaf],
                      layer ? leaf_out(net, r, layer - 1, leaf) : NULL, leaf_out(net, r, layer, leaf),
                      leaf_cache(net, r, layer, leaf), r->dout + (size_t)leaf * row,
                      wanted ? r->din + (size_t)leaf * row : NULL, grad);
}

static enum status backward(const struct network *net, struct run *r, const float *weights,
                            const struct deal *d, struct gang *g, struct error *e)
{
    for (int i = 0; i < net->n_layers; i++)
        if (net->layers[i].kind->transpose)
            net->layers[i].kind->transpose(&net->layers[i], weights + net->layers[i].weights,
                                           r->transposed + net->layers[i].transposed);
    for (int layer = net->n_layers - 1; layer >= (net->layers[0].embedding ? 0 : 1); layer--) {
        if (net->layers[layer].kind == &layer_batch_norm)
            TRY(norm_backward(net, r, weights, layer, d, g, e));
        else
            for (int i = 0; i < d->count; i++)
                layer_backward(net, r, layer, i);
        float *swap = r->dout;
        r->dout = r->din;
        r->din = swap;
    }
    return STATUS_OK;
}

/* --- a batch --- */

static void load_batch(const struct network *net, struct run *r, const struct batch *b, const struct deal *d)
{
    for (int i = 0; i < d->count; i++) {
        int at = (d->first + i) * LEAF_ROWS, n = b->n - at < LEAF_ROWS ? b->n - at : LEAF_ROWS;
        int32_t *rows = r->rows + (size_t)i * LEAF_ROWS;
        for (int j = 0; j < n; j++)
            rows[j] = b->row ? b->row[at + j] : b->rows->row[b->samples[at + j]];
        load(net, r, i, b->features, rows, n);
        r->leaves[i].training = true;
        r->leaves[i].samples = b->samples + at;
        r->leaves[i].key = b->key;
    }
}

enum status network_batch(const struct network *net, struct run *r, const float *weights, float *stats,
                          const struct batch *b, struct gang *g, float *total, struct error *e)
{
    size_t width = net->n_weights + EXTRA_COUNT;
    struct deal d = {.n_leaves = gang_leaves(b->n), .rows = b->n};
    d.first = gang_first(d.n_leaves, g->rank, g->size);
    d.count = gang_first(d.n_leaves, g->rank + 1, g->size) - d.first;
    int last = net->n_layers - 1, k = net->layers[last].width;
    bool stop = g->stop(g);
    if (d.n_leaves < g->size) /* a rank without a leaf has no slab to put its flag in */
        TRY(gang_any(g, stop, &stop, e));
    load_batch(net, r, b, &d);
    memset(r->grad, 0, (size_t)d.count * width * sizeof *r->grad);
    TRY(forward(net, r, weights, stats, &d, g, e));
    for (int i = 0; i < d.count; i++) {
        float *extra = r->grad + (size_t)i * width + net->n_weights;
        leaf_loss(b, &r->leaves[i], k, leaf_out(net, r, last, i), r->dout + (size_t)i * LEAF_ROWS * r->widest,
                  extra);
        extra[EXTRA_STOP] = stop;
    }
    TRY(backward(net, r, weights, &d, g, e));
    return g->sum(g, r->grad, total, width, d.n_leaves, e);
}

/* --- predicting --- */

const float *network_leaf(const struct network *net, struct run *r, const float *weights, const float *stats,
                          const struct features *x, const int32_t *rows, int n)
{
    load(net, r, 0, x, rows, n);
    for (int layer = 0; layer < net->n_layers; layer++)
        layer_forward(net, r, weights, stats, layer, 0);
    return leaf_out(net, r, net->n_layers - 1, 0);
}

enum status network_predict(const struct network *net, struct run *r, const float *weights,
                            const float *stats, const struct features *x, const int32_t *rows, int n,
                            struct gang *g, float *proba, struct error *e)
{
    int first, last, k = net->layers[net->n_layers - 1].width;
    gang_rows(n, g->rank, g->size, &first, &last);
    for (int at = first; at < last; at += LEAF_ROWS) {
        int m = last - at < LEAF_ROWS ? last - at : LEAF_ROWS;
        float *p = proba + (size_t)at * (size_t)k;
        memcpy(p, network_leaf(net, r, weights, stats, x, rows + at, m), (size_t)m * (size_t)k * sizeof *p);
        network_softmax(p, m, k);
        gang_look(g);
    }
    return gang_share_rows(g, proba, n, k, e);
}
