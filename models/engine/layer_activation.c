/* ReLU, sigmoid, tanh; and dropout (Srivastava et al. 2014), kept units scaled up. */
#include "base/random.h"
#include "models/engine.h"
#include "models/engine/relu.h"

static void shape(struct layer *l)
{
    l->steps = l->in_steps;
    l->width = l->in_width;
}

/* Floats of step t that take part, from *first on; without masking those of all steps at step 0, and none at others. */
static size_t run(const struct layer *l, const struct leaf *leaf, int t, size_t *first)
{
    size_t width = (size_t)l->width;
    *first = (size_t)t * (size_t)leaf->n * width;
    if (!leaf->active)
        return t == 0 ? (size_t)l->steps * (size_t)leaf->n * width : 0;
    return (size_t)leaf_rows_in(leaf, l, t) * width;
}

static void activate(char activation, const float *restrict x, float *restrict y, size_t n)
{
    size_t i = 0;
    for (; i < n; i += LANES) {
        int count = n - i < LANES ? (int)(n - i) : LANES;
        lanes v = lanes_load_n(x + i, count);
        v = activation == 's' ? lanes_sigmoid(v) : lanes_tanh(v);
        lanes_store_n(y + i, v, count);
    }
}

static void forward(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, float *cache)
{
    (void)w, (void)packed, (void)cache;
    for (int t = 0; t < l->steps; t++) {
        size_t at, n = run(l, leaf, t, &at);
        const float *restrict x = in + at;
        float *restrict y = out + at;
        if (l->activation != 'r')
            activate(l->activation, x, y, n);
        else
            relu(x, y, n);
    }
}

static void backward(const struct layer *l, const float *packed, const struct leaf *leaf, const float *in, const float *out, float *cache, float *dout,
                     float *din, float *grad)
{
    (void)packed, (void)in, (void)cache, (void)grad;
    for (int t = 0; t < l->steps && din; t++) {
        size_t at, n = run(l, leaf, t, &at);
        const float *restrict y = out + at, *restrict dy = dout + at;
        float *restrict dx = din + at;
        if (l->activation == 'r')
            relu_backward(y, dy, dx, n);
        else if (l->activation == 's')
            for (size_t i = 0; i < n; i++)
                dx[i] = dy[i] * y[i] * (1 - y[i]);
        else
            for (size_t i = 0; i < n; i++)
                dx[i] = dy[i] * (1 - y[i] * y[i]);
    }
}

const struct layer_kind ENGINE(layer_activation) = {.name = "activation", .shape = shape, .forward = forward, .backward = backward};

/* --- dropout; cache: a byte for each unit, 1 where it is kept --- */

static void dropout_shape(struct layer *l)
{
    shape(l);
    l->cache = ((size_t)l->steps * (size_t)l->width + sizeof(float) - 1) / sizeof(float);
}

/* A unit's random number hangs on its sample, step and place alone: 24 bits of a word that two rounds of multiplying and shifting mix (Wellons 2018, "lowbias32"),
 * keyed before each. */
static void draw(uint32_t low, uint32_t high, int32_t threshold, uint8_t *restrict keep, uint32_t n)
{
    for (uint32_t j = 0; j < n; j++) {
        uint32_t h = low + j;
        h = (h ^ h >> 16) * 0x7feb352du;
        h = (h ^ h >> 15 ^ high) * 0x846ca68bu;
        h ^= h >> 16;
        keep[j] = (int32_t)(h >> 8) >= threshold;
    }
}

static void keep_some(const float *restrict x, const uint8_t *restrict keep, float scale, float *restrict y, size_t n)
{
    for (size_t j = 0; j < n; j++)
        y[j] = keep[j] ? x[j] * scale : 0;
}

static void dropout_forward(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, float *cache)
{
    size_t width = (size_t)l->width, n = (size_t)leaf->n;
    int32_t threshold = (int32_t)(l->rate * 0x1p24f);
    uint8_t *keep = (uint8_t *)cache;
    (void)w, (void)packed;
    if (!leaf->training || l->rate <= 0) {
        memcpy(out, in, n * (size_t)l->steps * width * sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t key = random_key(random_key(leaf->key, (uint64_t)l->number), (uint64_t)leaf->samples[i]);
        for (int t = 0; t < l->steps && (int)i < leaf_rows_in(leaf, l, t); t++)
            draw((uint32_t)key + (uint32_t)t * (uint32_t)width, (uint32_t)(key >> 32), threshold, keep + ((size_t)t * n + i) * width, (uint32_t)width);
    }
    for (int t = 0; t < l->steps; t++) {
        size_t at, floats = run(l, leaf, t, &at);
        keep_some(in + at, keep + at, 1.0f / (1.0f - l->rate), out + at, floats);
    }
}

static void dropout_backward(const struct layer *l, const float *packed, const struct leaf *leaf, const float *in, const float *out, float *cache,
                             float *dout, float *din, float *grad)
{
    (void)in, (void)out, (void)grad, (void)packed;
    if (din && l->rate <= 0)
        memcpy(din, dout, (size_t)leaf->n * (size_t)l->steps * (size_t)l->width * sizeof *din);
    for (int t = 0; t < l->steps && din && l->rate > 0; t++) {
        size_t at, floats = run(l, leaf, t, &at);
        keep_some(dout + at, (const uint8_t *)cache + at, 1.0f / (1.0f - l->rate), din + at, floats);
    }
}

const struct layer_kind ENGINE(layer_dropout) = {.name = "dropout", .shape = dropout_shape, .forward = dropout_forward, .backward = dropout_backward};
