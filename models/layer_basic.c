/* Input, dense, activation, dropout; starting values. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "models/gemm.h"
#include "models/kernels.h"
#include "models/layer.h"

#include <stdlib.h>

void layer_glorot(float *w, size_t n, int fan_in, int fan_out, uint64_t key)
{
    struct random r = random_of(key, 0);
    double limit = sqrt(6.0 / ((double)fan_in + fan_out));
    for (size_t i = 0; i < n; i++)
        w[i] = (float)((2 * random_double(&r) - 1) * limit);
}

static double dot(const double *a, const double *b, int n)
{
    double s = 0;
    for (int i = 0; i < n; i++)
        s += a[i] * b[i];
    return s;
}

void layer_orthogonal(float *w, int rows, int columns, uint64_t key)
{
    struct random r = random_of(key, 0);
    double *q = memory_new((size_t)rows * (size_t)columns * sizeof *q);
    for (int i = 0; i < rows; i++) {
        double *row = q + (size_t)i * (size_t)columns;
        for (int j = 0; j < columns; j++)
            row[j] = random_normal(&r);
        for (int pass = 0; pass < 2; pass++) /* twice is enough: Giraud et al. 2005 */
            for (int k = 0; k < i; k++) {
                const double *other = q + (size_t)k * (size_t)columns;
                double along = dot(row, other, columns);
                for (int j = 0; j < columns; j++)
                    row[j] -= along * other[j];
            }
        double norm = sqrt(dot(row, row, columns));
        for (int j = 0; j < columns; j++) {
            row[j] /= norm;
            w[(size_t)i * (size_t)columns + (size_t)j] = (float)row[j];
        }
    }
    free(q);
}

/* --- input --- */

static void input_shape(struct layer *l)
{
    l->steps = l->in_steps;
    l->width = l->embedding ? l->embedding + l->channels - 1 : l->channels;
    l->n_weights = (size_t)l->embedding * (size_t)l->vocabulary;
}

static void input_init(const struct layer *l, float *w, uint64_t key)
{
    struct random r = random_of(key, 0);
    for (size_t i = 0; i < l->n_weights; i++)
        w[i] = (float)(0.1 * random_double(&r) - 0.05);
}

static void input_forward(const struct layer *l, const float *w, const struct leaf *leaf, const float *in,
                          float *out, float *cache)
{
    (void)in, (void)cache;
    size_t k = (size_t)l->embedding, cells = (size_t)leaf->n * (size_t)l->steps;
    if (k == 0) {
        memcpy(out, leaf->numbers, cells * (size_t)l->channels * sizeof *out);
        return;
    }
    for (size_t i = 0; i < cells; i++) {
        memcpy(out, w + (size_t)leaf->tokens[i] * k, k * sizeof *out);
        out += k;
        for (int c = 0; c < l->channels; c++)
            if (c != l->token_channel)
                *out++ = leaf->numbers[i * (size_t)l->channels + (size_t)c];
    }
}

static void input_backward(const struct layer *l, const float *wt, const struct leaf *leaf, const float *in,
                           const float *out, float *cache, float *dout, float *din, float *grad)
{
    (void)wt, (void)in, (void)out, (void)cache, (void)din;
    size_t k = (size_t)l->embedding, cells = (size_t)leaf->n * (size_t)l->steps;
    for (size_t i = 0; i < cells && k; i++)
        kernel_axpy(grad + (size_t)leaf->tokens[i] * k, dout + i * (size_t)l->width, 1, k);
}

static int input_tensors(const struct layer *l, struct tensor out[TENSORS_MAX])
{
    if (!l->embedding)
        return 0;
    out[0] = (struct tensor){"embeddings", 0, {l->vocabulary, l->embedding}, 2};
    return 1;
}

const struct layer_kind layer_input = {"embedding",   input_shape,    input_init,   NULL,
                                       input_forward, input_backward, input_tensors};

/* --- dense --- */

static void dense_shape(struct layer *l)
{
    size_t in = (size_t)l->in_steps * (size_t)l->in_width;
    l->steps = 1;
    l->n_weights = (in + 1) * (size_t)l->width;
    l->n_transposed = in * (size_t)l->width;
}

static void dense_init(const struct layer *l, float *w, uint64_t key)
{
    int in = l->in_steps * l->in_width;
    layer_glorot(w, (size_t)in * (size_t)l->width, in, l->width, key);
}

static void dense_transpose(const struct layer *l, const float *w, float *wt)
{
    gemm_transpose(w, l->in_steps * l->in_width, l->width, wt);
}

static void dense_forward(const struct layer *l, const float *w, const struct leaf *leaf, const float *in,
                          float *out, float *cache)
{
    size_t k = (size_t)l->in_steps * (size_t)l->in_width, n = (size_t)l->width;
    (void)cache;
    for (int i = 0; i < leaf->n; i++)
        memcpy(out + (size_t)i * n, w + k * n, n * sizeof *out);
    gemm(&(struct gemm){leaf->n, l->width, (int)k, in, k, 1, w, n, out, n, true});
}

static void dense_backward(const struct layer *l, const float *wt, const struct leaf *leaf, const float *in,
                           const float *out, float *cache, float *dout, float *din, float *grad)
{
    size_t k = (size_t)l->in_steps * (size_t)l->in_width, n = (size_t)l->width;
    (void)out, (void)cache;
    gemm(&(struct gemm){(int)k, l->width, leaf->n, in, 1, k, dout, n, grad, n, true});
    for (int i = 0; i < leaf->n; i++)
        kernel_axpy(grad + k * n, dout + (size_t)i * n, 1, n);
    if (din)
        gemm(&(struct gemm){leaf->n, (int)k, l->width, dout, n, 1, wt, k, din, k, false});
}

static int dense_tensors(const struct layer *l, struct tensor out[TENSORS_MAX])
{
    int in = l->in_steps * l->in_width;
    out[0] = (struct tensor){"kernel", 0, {in, l->width}, 2};
    out[1] = (struct tensor){"bias", (size_t)in * (size_t)l->width, {l->width}, 1};
    return 2;
}

const struct layer_kind layer_dense = {"dense",       dense_shape,    dense_init,   dense_transpose,
                                       dense_forward, dense_backward, dense_tensors};

/* --- activation --- */

static void same_shape(struct layer *l)
{
    l->steps = l->in_steps;
    l->width = l->in_width;
}

static size_t floats(const struct layer *l, const struct leaf *leaf)
{
    return (size_t)leaf->n * (size_t)l->steps * (size_t)l->width;
}

static void activation_forward(const struct layer *l, const float *w, const struct leaf *leaf,
                               const float *in, float *out, float *cache)
{
    size_t n = floats(l, leaf);
    (void)w, (void)cache;
    if (l->activation == 'r') {
        for (size_t i = 0; i < n; i++)
            out[i] = in[i] > 0 ? in[i] : 0;
        return;
    }
    memcpy(out, in, n * sizeof *out);
    if (l->activation == 's')
        kernel_sigmoid(out, n);
    else
        kernel_tanh(out, n);
}

static void activation_backward(const struct layer *l, const float *wt, const struct leaf *leaf,
                                const float *in, const float *out, float *cache, float *dout, float *din,
                                float *grad)
{
    size_t n = floats(l, leaf);
    (void)wt, (void)in, (void)cache, (void)grad;
    if (!din)
        return;
    for (size_t i = 0; i < n; i++)
        din[i] = l->activation == 'r'   ? (out[i] > 0 ? dout[i] : 0)
                 : l->activation == 's' ? dout[i] * out[i] * (1 - out[i])
                                        : dout[i] * (1 - out[i] * out[i]);
}

const struct layer_kind layer_activation = {"activation",       same_shape,          NULL, NULL,
                                            activation_forward, activation_backward, NULL};

/* --- dropout (Srivastava et al. 2014), kept units scaled up --- */

static void dropout_shape(struct layer *l)
{
    same_shape(l);
    l->cache = (size_t)l->steps * (size_t)l->width;
}

static void dropout_forward(const struct layer *l, const float *w, const struct leaf *leaf, const float *in,
                            float *out, float *cache)
{
    size_t row = (size_t)l->steps * (size_t)l->width, n = floats(l, leaf);
    (void)w;
    if (!leaf->training || l->rate <= 0) {
        memcpy(out, in, n * sizeof *out);
        return;
    }
    float scale = 1.0f / (1.0f - l->rate);
    for (int i = 0; i < leaf->n; i++) {
        struct random r = random_of(random_key(leaf->key, (uint64_t)l->number), (uint64_t)leaf->samples[i]);
        for (size_t j = 0; j < row; j++)
            cache[(size_t)i * row + j] = random_float(&r) < l->rate ? 0 : scale;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] * cache[i];
}

static void dropout_backward(const struct layer *l, const float *wt, const struct leaf *leaf, const float *in,
                             const float *out, float *cache, float *dout, float *din, float *grad)
{
    size_t n = floats(l, leaf);
    (void)wt, (void)in, (void)out, (void)grad;
    for (size_t i = 0; din && i < n; i++)
        din[i] = l->rate > 0 ? dout[i] * cache[i] : dout[i];
}

const struct layer_kind layer_dropout = {"dropout",       dropout_shape,    NULL, NULL,
                                         dropout_forward, dropout_backward, NULL};
