/* Input: signed sizes become vectors (embedding), other channels stand beside them as numbers; or every channel is a number. Out of rows by rows comes
 * (steps, n, width), or with `flat` (1, n, steps * width); or `by_token` each vector once. Room: a gradient for each token of the leaf. */
#include "base/random.h"
#include "models/engine.h"
#include "models/engine/columns.h"
#include "models/gang.h"

static void shape(struct layer *l)
{
    int width = l->embedding ? l->embedding + l->channels - 1 : l->channels;
    l->steps = l->flat ? 1 : l->in_steps;
    l->width = l->flat ? l->in_steps * width : width;
    l->n_weights = (size_t)l->embedding * (size_t)l->vocabulary;
    l->room = leaf_tokens_most(l) * (size_t)l->embedding;
}

static void init(const struct layer *l, float *w, uint64_t key)
{
    struct random r = random_of(key, 0);
    for (size_t i = 0; i < l->n_weights; i++)
        w[i] = (float)(0.1 * random_double(&r) - 0.05);
}

/* Where step t of row i lies in an activation. */
static size_t place(const struct layer *l, const struct leaf *leaf, int i, int t)
{
    size_t width = (size_t)l->width;
    return l->flat ? (size_t)i * width + (size_t)t * (width / (size_t)l->in_steps) : ((size_t)t * (size_t)leaf->n + (size_t)i) * width;
}

/* Every channel a number: copied row by row, or step by step. */
static void numbers(const struct layer *l, const struct leaf *leaf, float *out)
{
    size_t channels = (size_t)l->channels, row = (size_t)l->in_steps * channels;
    if (l->flat) {
        memcpy(out, leaf->numbers, (size_t)leaf->n * row * sizeof *out);
        return;
    }
    for (size_t t = 0; t < (size_t)l->in_steps; t++)
        for (size_t i = 0; i < (size_t)leaf->n; i++)
            for (size_t c = 0; c < channels; c++)
                *out++ = leaf->numbers[i * row + t * channels + c];
}

static int32_t token_at(const struct leaf *leaf, int i, int t)
{
    return leaf->tokens[leaf->which[(size_t)t * (size_t)leaf->n + (size_t)i]];
}

static void forward(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, float *cache)
{
    size_t k = (size_t)l->embedding, channels = (size_t)l->channels;
    (void)packed, (void)in, (void)cache;
    if (k == 0) {
        numbers(l, leaf, out);
        return;
    }
    if (l->by_token) {
        for (size_t i = 0; i < (size_t)leaf->n_tokens; i++)
            memcpy(out + i * k, w + (size_t)leaf->tokens[i] * k, k * sizeof *out);
        return;
    }
    for (int t = 0; t < l->in_steps; t++)
        for (int i = 0; i < leaf->n; i++) {
            size_t cell = (size_t)i * (size_t)l->in_steps + (size_t)t;
            float *y = out + place(l, leaf, i, t);
            memcpy(y, w + (size_t)token_at(leaf, i, t) * k, k * sizeof *y);
            y += k;
            for (size_t c = 0; c < channels; c++)
                if ((int)c != l->token_channel)
                    *y++ = leaf->numbers[cell * channels + c];
        }
}

/* Gradients of the tokens' vectors, from those of the places where they stand. */
static const float *sums(const struct layer *l, const struct leaf *leaf, const float *dout)
{
    size_t k = (size_t)l->embedding, n = (size_t)leaf->n;
    memset(leaf->room, 0, (size_t)leaf->n_tokens * k * sizeof *leaf->room);
    for (int t = 0; t < l->in_steps; t++)
        for (int i = 0; i < leaf_rows_in(leaf, l, t); i++)
            columns_add(leaf->room + (size_t)leaf->which[(size_t)t * n + (size_t)i] * k, dout + place(l, leaf, i, t), k, 1, k);
    return leaf->room;
}

static void backward(const struct layer *l, const float *packed, const struct leaf *leaf, const float *in, const float *out, float *cache, float *dout,
                     float *din, float *grad)
{
    size_t k = (size_t)l->embedding;
    const float *sum = l->by_token ? dout : sums(l, leaf, dout);
    (void)packed, (void)in, (void)out, (void)cache, (void)din;
    if (!leaf->joins)
        memset(grad, 0, l->n_weights * sizeof *grad);
    for (int i = 0; i < leaf->n_tokens; i++)
        columns_add(grad + (size_t)leaf->tokens[i] * k, sum + (size_t)i * k, k, 1, k);
}

static int tensors(const struct layer *l, struct tensor out[TENSORS_MAX])
{
    if (!l->embedding)
        return 0;
    out[0] = (struct tensor){"embeddings", 0, {l->vocabulary, l->embedding}, 2};
    return 1;
}

const struct layer_kind ENGINE(layer_input) = {
    .name = "embedding", .shape = shape, .init = init, .forward = forward, .backward = backward, .whole_gradient = true, .tensors = tensors};
