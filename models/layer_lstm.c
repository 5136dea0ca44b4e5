/* LSTM (Hochreiter and Schmidhuber 1997), gates in Keras' order i, f, c, o: kernel (in, 4u), recurrent kernel (u, 4u), bias (4u).
 *
 * Cache of a leaf: gates (n,T,4u) after their activation, cells (n,T,u), their tanh (n,T,u), outputs (n,T,u); backward: dz (n,T,4u), dh, dc (n,u). */
#include <math.h>
#include <string.h>

#include "models/gemm.h"
#include "models/kernels.h"
#include "models/layer.h"

struct lstm_cache {
    float *gates, *cells, *tanhs, *outputs, *dz, *dh, *dc;
};

static struct lstm_cache cut(const struct layer *l, int n, float *cache)
{
    size_t u = (size_t)l->width, row = (size_t)n * (size_t)l->in_steps * u;
    struct lstm_cache c = {.gates = cache};
    c.cells = c.gates + 4 * row;
    c.tanhs = c.cells + row;
    c.outputs = c.tanhs + row;
    c.dz = c.outputs + row;
    c.dh = c.dz + 4 * row;
    c.dc = c.dh + (size_t)n * u;
    return c;
}

static void lstm_shape(struct layer *l)
{
    size_t u = (size_t)l->width, in = (size_t)l->in_width;
    l->steps = 1;
    l->n_weights = (in + u + 1) * 4 * u;
    l->n_transposed = (in + u) * 4 * u;
    l->cache = (size_t)l->in_steps * 11 * u + 2 * u;
}

static void lstm_init(const struct layer *l, float *w, uint64_t key)
{
    size_t u = (size_t)l->width, in = (size_t)l->in_width;
    layer_glorot(w, in * 4 * u, l->in_width, 4 * l->width, key);
    layer_orthogonal(w + in * 4 * u, l->width, 4 * l->width, key + 1);
    for (size_t j = 0; j < u; j++)
        w[(in + u) * 4 * u + u + j] = 1; /* forget bias */
}

static void lstm_transpose(const struct layer *l, const float *w, float *wt)
{
    size_t k = (size_t)l->in_width * 4 * (size_t)l->width;
    gemm_transpose(w, l->in_width, 4 * l->width, wt);
    gemm_transpose(w + k, l->width, 4 * l->width, wt + k);
}

static void hard_sigmoid(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float y = 0.2f * x[i] + 0.5f;
        x[i] = y < 0 ? 0 : y > 1 ? 1 : y;
    }
}

static void sigmoid(const struct layer *l, float *x, size_t n)
{
    if (l->hard_sigmoid)
        hard_sigmoid(x, n);
    else
        kernel_sigmoid(x, n);
}

/* Derivative by the value. */
static inline float dsigmoid(const struct layer *l, float y)
{
    return l->hard_sigmoid ? (y > 0 && y < 1 ? 0.2f : 0) : y * (1 - y);
}

static void step_forward(const struct layer *l, int n, int t, const struct lstm_cache *c)
{
    size_t u = (size_t)l->width, steps = (size_t)l->in_steps;
    for (int i = 0; i < n; i++) {
        size_t at = ((size_t)i * steps + (size_t)t) * u;
        float *z = c->gates + 4 * at;
        sigmoid(l, z, 2 * u);
        kernel_tanh(z + 2 * u, u);
        sigmoid(l, z + 3 * u, u);
        for (size_t j = 0; j < u; j++)
            c->cells[at + j] = (t ? z[u + j] * c->cells[at - u + j] : 0) + z[j] * z[2 * u + j];
        memcpy(c->tanhs + at, c->cells + at, u * sizeof *c->cells);
        kernel_tanh(c->tanhs + at, u);
        for (size_t j = 0; j < u; j++)
            c->outputs[at + j] = z[3 * u + j] * c->tanhs[at + j];
    }
}

static void lstm_forward(const struct layer *l, const float *w, const struct leaf *leaf, const float *in,
                         float *out, float *cache)
{
    size_t u = (size_t)l->width, k = (size_t)l->in_width, steps = (size_t)l->in_steps;
    const float *recurrent = w + k * 4 * u, *bias = recurrent + u * 4 * u;
    struct lstm_cache c = cut(l, leaf->n, cache);
    int cells = leaf->n * l->in_steps;
    for (int i = 0; i < cells; i++)
        memcpy(c.gates + (size_t)i * 4 * u, bias, 4 * u * sizeof *bias);
    gemm(&(struct gemm){cells, 4 * l->width, l->in_width, in, k, 1, w, 4 * u, c.gates, 4 * u, true});
    for (int t = 0; t < l->in_steps; t++) {
        if (t)
            gemm(&(struct gemm){leaf->n, 4 * l->width, l->width, c.outputs + (size_t)(t - 1) * u, steps * u,
                                1, recurrent, 4 * u, c.gates + (size_t)t * 4 * u, steps * 4 * u, true});
        step_forward(l, leaf->n, t, &c);
    }
    for (int i = 0; i < leaf->n; i++)
        memcpy(out + (size_t)i * u, c.outputs + ((size_t)(i + 1) * steps - 1) * u, u * sizeof *out);
}

static void step_backward(const struct layer *l, int n, int t, const struct lstm_cache *c)
{
    size_t u = (size_t)l->width, steps = (size_t)l->in_steps;
    for (int i = 0; i < n; i++) {
        size_t at = ((size_t)i * steps + (size_t)t) * u;
        const float *z = c->gates + 4 * at;
        float *dz = c->dz + 4 * at, *dh = c->dh + (size_t)i * u, *dc = c->dc + (size_t)i * u;
        for (size_t j = 0; j < u; j++) {
            float gi = z[j], gf = z[u + j], gg = z[2 * u + j], go = z[3 * u + j], th = c->tanhs[at + j];
            float d = dc[j] + dh[j] * go * (1 - th * th), before = t ? c->cells[at - u + j] : 0;
            dz[j] = d * gg * dsigmoid(l, gi);
            dz[u + j] = d * before * dsigmoid(l, gf);
            dz[2 * u + j] = d * gi * (1 - gg * gg);
            dz[3 * u + j] = dh[j] * th * dsigmoid(l, go);
            dc[j] = d * gf;
        }
    }
}

static void lstm_backward(const struct layer *l, const float *wt, const struct leaf *leaf, const float *in,
                          const float *out, float *cache, float *dout, float *din, float *grad)
{
    size_t u = (size_t)l->width, k = (size_t)l->in_width, steps = (size_t)l->in_steps;
    struct lstm_cache c = cut(l, leaf->n, cache);
    int n = leaf->n, cells = n * l->in_steps;
    (void)out;
    memcpy(c.dh, dout, (size_t)n * u * sizeof *dout);
    memset(c.dc, 0, (size_t)n * u * sizeof *c.dc);
    for (int t = l->in_steps - 1; t >= 0; t--) {
        step_backward(l, n, t, &c);
        if (t)
            gemm(&(struct gemm){n, l->width, 4 * l->width, c.dz + (size_t)t * 4 * u, steps * 4 * u, 1,
                                wt + k * 4 * u, u, c.dh, u, false});
    }
    gemm(&(struct gemm){l->in_width, 4 * l->width, cells, in, 1, k, c.dz, 4 * u, grad, 4 * u, true});
    for (int i = 0; i < n; i++)
        gemm(&(struct gemm){l->width, 4 * l->width, l->in_steps - 1, c.outputs + (size_t)i * steps * u, 1, u,
                            c.dz + ((size_t)i * steps + 1) * 4 * u, 4 * u, grad + k * 4 * u, 4 * u, true});
    for (int i = 0; i < cells; i++)
        kernel_axpy(grad + (k + u) * 4 * u, c.dz + (size_t)i * 4 * u, 1, 4 * u);
    if (din)
        gemm(&(struct gemm){cells, l->in_width, 4 * l->width, c.dz, 4 * u, 1, wt, k, din, k, false});
}

static int lstm_tensors(const struct layer *l, struct tensor out[TENSORS_MAX])
{
    size_t u = (size_t)l->width, k = (size_t)l->in_width;
    out[0] = (struct tensor){"kernel", 0, {l->in_width, 4 * l->width}, 2};
    out[1] = (struct tensor){"recurrent_kernel", k * 4 * u, {l->width, 4 * l->width}, 2};
    out[2] = (struct tensor){"bias", (k + u) * 4 * u, {4 * l->width}, 1};
    return 3;
}

const struct layer_kind layer_lstm = {"lstm",       lstm_shape,    lstm_init,   lstm_transpose,
                                      lstm_forward, lstm_backward, lstm_tensors};
