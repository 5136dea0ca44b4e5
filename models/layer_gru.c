/* GRU (Cho et al. 2014), gates in Keras' order z, r, h: kernel (in, 3u), recurrent kernel (u, 3u), bias (3u), and with reset_after a second bias (3u)
 * for the recurrent side.
 *
 *   reset_after:  h~ = tanh(x Wh + bh + r * (h Uh + bh'))       (also what cuDNN and PyTorch compute)
 *   else:         h~ = tanh(x Wh + bh + (r * h) Uh)
 *   h' = z * h + (1 - z) * h~
 *
 * Cache of a leaf: gates (n,T,3u) after their activation, inner (n,T,u): h Uh + bh' or r * h, outputs (n,T,u); backward: dx (n,T,3u) by the input
 * side, dr (n,T,3u) by the recurrent side, dh, room (n,u each). */
#include <string.h>

#include "models/gemm.h"
#include "models/kernels.h"
#include "models/layer.h"

struct gru_cache {
    float *gates, *inner, *outputs, *dx, *dr, *dh, *room;
};

static struct gru_cache cut(const struct layer *l, int n, float *cache)
{
    size_t u = (size_t)l->width, row = (size_t)n * (size_t)l->in_steps * u;
    struct gru_cache c = {.gates = cache};
    c.inner = c.gates + 3 * row;
    c.outputs = c.inner + row;
    c.dx = c.outputs + row;
    c.dr = c.dx + 3 * row;
    c.dh = c.dr + 3 * row;
    c.room = c.dh + (size_t)n * u;
    return c;
}

static void gru_shape(struct layer *l)
{
    size_t u = (size_t)l->width, in = (size_t)l->in_width;
    l->steps = 1;
    l->n_weights = (in + u + (l->reset_after ? 2 : 1)) * 3 * u;
    l->n_transposed = (in + u) * 3 * u;
    l->cache = (size_t)l->in_steps * 11 * u + 2 * u;
}

static void gru_init(const struct layer *l, float *w, uint64_t key)
{
    size_t u = (size_t)l->width, in = (size_t)l->in_width;
    layer_glorot(w, in * 3 * u, l->in_width, 3 * l->width, key);
    layer_orthogonal(w + in * 3 * u, l->width, 3 * l->width, key + 1);
}

static void gru_transpose(const struct layer *l, const float *w, float *wt)
{
    size_t k = (size_t)l->in_width * 3 * (size_t)l->width;
    gemm_transpose(w, l->in_width, 3 * l->width, wt);
    gemm_transpose(w + k, l->width, 3 * l->width, wt + k);
}

static void sigmoid(const struct layer *l, float *x, size_t n)
{
    if (!l->hard_sigmoid) {
        kernel_sigmoid(x, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float y = 0.2f * x[i] + 0.5f;
        x[i] = y < 0 ? 0 : y > 1 ? 1 : y;
    }
}

static inline float dsigmoid(const struct layer *l, float y)
{
    return l->hard_sigmoid ? (y > 0 && y < 1 ? 0.2f : 0) : y * (1 - y);
}

/* Adds to the first `gates` thirds what the outputs before give; h (n rows, `apart` floats from each other). */
static void add_recurrent(const struct layer *l, int n, const float *h, size_t apart, const float *weights,
                          int columns, float *out, size_t out_apart)
{
    gemm(&(struct gemm){n, columns, l->width, h, apart, 1, weights, 3 * (size_t)l->width, out, out_apart,
                        true});
}

/* inner of step t: h Uh + bh' with reset_after, else r * h; then the candidate's input side is completed. */
static void candidate(const struct layer *l, const float *recurrent, const float *bias, int n, int t,
                      const struct gru_cache *c)
{
    size_t u = (size_t)l->width, steps = (size_t)l->in_steps;
    for (int i = 0; i < n; i++) {
        size_t at = ((size_t)i * steps + (size_t)t) * u;
        const float *r = c->gates + 3 * at + u;
        for (size_t j = 0; j < u; j++)
            c->inner[at + j] = l->reset_after ? bias[3 * u + 2 * u + j]
                               : t            ? r[j] * c->outputs[at - u + j]
                                              : 0;
    }
    if (t && l->reset_after)
        add_recurrent(l, n, c->outputs + (size_t)(t - 1) * u, steps * u, recurrent + 2 * u, l->width,
                      c->inner + (size_t)t * u, steps * u);
    if (t && !l->reset_after)
        add_recurrent(l, n, c->inner + (size_t)t * u, steps * u, recurrent + 2 * u, l->width,
                      c->gates + (size_t)t * 3 * u + 2 * u, steps * 3 * u);
}

static void gru_step(const struct layer *l, const float *recurrent, const float *bias, int n, int t,
                     const struct gru_cache *c)
{
    size_t u = (size_t)l->width, steps = (size_t)l->in_steps;
    if (t)
        add_recurrent(l, n, c->outputs + (size_t)(t - 1) * u, steps * u, recurrent, 2 * l->width,
                      c->gates + (size_t)t * 3 * u, steps * 3 * u);
    for (int i = 0; i < n; i++)
        sigmoid(l, c->gates + ((size_t)i * steps + (size_t)t) * 3 * u, 2 * u);
    candidate(l, recurrent, bias, n, t, c);
    for (int i = 0; i < n; i++) {
        size_t at = ((size_t)i * steps + (size_t)t) * u;
        float *z = c->gates + 3 * at;
        for (size_t j = 0; j < u && l->reset_after; j++)
            z[2 * u + j] += z[u + j] * c->inner[at + j];
        kernel_tanh(z + 2 * u, u);
        for (size_t j = 0; j < u; j++)
            c->outputs[at + j] = (t ? z[j] * c->outputs[at - u + j] : 0) + (1 - z[j]) * z[2 * u + j];
    }
}

static void gru_forward(const struct layer *l, const float *w, const struct leaf *leaf, const float *in,
                        float *out, float *cache)
{
    size_t u = (size_t)l->width, k = (size_t)l->in_width, steps = (size_t)l->in_steps;
    const float *recurrent = w + k * 3 * u, *bias = recurrent + u * 3 * u;
    struct gru_cache c = cut(l, leaf->n, cache);
    int cells = leaf->n * l->in_steps;
    for (int i = 0; i < cells; i++)
        for (size_t j = 0; j < 3 * u; j++)
            c.gates[(size_t)i * 3 * u + j] = bias[j] + (l->reset_after && j < 2 * u ? bias[3 * u + j] : 0);
    gemm(&(struct gemm){cells, 3 * l->width, l->in_width, in, k, 1, w, 3 * u, c.gates, 3 * u, true});
    for (int t = 0; t < l->in_steps; t++)
        gru_step(l, recurrent, bias, leaf->n, t, &c);
    for (int i = 0; i < leaf->n; i++)
        memcpy(out + (size_t)i * u, c.outputs + ((size_t)(i + 1) * steps - 1) * u, u * sizeof *out);
}

/* dx and dr of step t out of dh; dh becomes what reaches the step before through z (and r * h). */
static void gru_step_backward(const struct layer *l, const float *recurrent_t, int n, int t,
                              const struct gru_cache *c)
{
    size_t u = (size_t)l->width, steps = (size_t)l->in_steps;
    for (int i = 0; i < n; i++) {
        size_t at = ((size_t)i * steps + (size_t)t) * u;
        const float *z = c->gates + 3 * at;
        float *dx = c->dx + 3 * at, *dh = c->dh + (size_t)i * u;
        for (size_t j = 0; j < u; j++) {
            float before = t ? c->outputs[at - u + j] : 0, h = z[2 * u + j];
            dx[j] = dh[j] * (before - h) * dsigmoid(l, z[j]);
            dx[2 * u + j] = dh[j] * (1 - z[j]) * (1 - h * h);
            dx[u + j] = dx[2 * u + j] * c->inner[at + j] * dsigmoid(l, z[u + j]); /* with reset_after */
            dh[j] *= z[j];
        }
    }
    if (!l->reset_after) /* d(r * h) = dh~ Uh^T */
        gemm(&(struct gemm){n, l->width, l->width, c->dx + (size_t)t * 3 * u + 2 * u, steps * 3 * u, 1,
                            recurrent_t + 2 * u * u, u, c->room, u, false});
    for (int i = 0; i < n; i++) {
        size_t at = ((size_t)i * steps + (size_t)t) * u;
        const float *z = c->gates + 3 * at;
        float *dx = c->dx + 3 * at, *dr = c->dr + 3 * at, *dh = c->dh + (size_t)i * u;
        for (size_t j = 0; j < u; j++) {
            if (!l->reset_after) {
                float d = c->room[(size_t)i * u + j];
                dx[u + j] = t ? d * c->outputs[at - u + j] * dsigmoid(l, z[u + j]) : 0;
                dh[j] += d * z[u + j];
            }
            dr[j] = dx[j];
            dr[u + j] = dx[u + j];
            dr[2 * u + j] = l->reset_after ? dx[2 * u + j] * z[u + j] : 0;
        }
    }
    if (t)
        gemm(&(struct gemm){n, l->width, 3 * l->width, c->dr + (size_t)t * 3 * u, steps * 3 * u, 1,
                            recurrent_t, u, c->dh, u, true});
}

/* Gradients of the recurrent kernel: outputs before (and r * h for the candidate) times dr. */
static void recurrent_gradient(const struct layer *l, int n, const struct gru_cache *c, float *grad)
{
    size_t u = (size_t)l->width, steps = (size_t)l->in_steps;
    for (int i = 0; i < n; i++) {
        size_t row = (size_t)i * steps * u;
        gemm(&(struct gemm){l->width, 3 * l->width, l->in_steps - 1, c->outputs + row, 1, u,
                            c->dr + 3 * row + 3 * u, 3 * u, grad, 3 * u, true});
        if (!l->reset_after)
            gemm(&(struct gemm){l->width, l->width, l->in_steps - 1, c->inner + row + u, 1, u,
                                c->dx + 3 * row + 3 * u + 2 * u, 3 * u, grad + 2 * u, 3 * u, true});
    }
}

static void gru_backward(const struct layer *l, const float *wt, const struct leaf *leaf, const float *in,
                         const float *out, float *cache, float *dout, float *din, float *grad)
{
    size_t u = (size_t)l->width, k = (size_t)l->in_width;
    struct gru_cache c = cut(l, leaf->n, cache);
    int n = leaf->n, cells = n * l->in_steps;
    (void)out;
    memcpy(c.dh, dout, (size_t)n * u * sizeof *dout);
    for (int t = l->in_steps - 1; t >= 0; t--)
        gru_step_backward(l, wt + k * 3 * u, n, t, &c);
    gemm(&(struct gemm){l->in_width, 3 * l->width, cells, in, 1, k, c.dx, 3 * u, grad, 3 * u, true});
    recurrent_gradient(l, n, &c, grad + k * 3 * u);
    for (int i = 0; i < cells; i++) {
        kernel_axpy(grad + (k + u) * 3 * u, c.dx + (size_t)i * 3 * u, 1, 3 * u);
        if (l->reset_after)
            kernel_axpy(grad + (k + u + 1) * 3 * u, c.dr + (size_t)i * 3 * u, 1, 3 * u);
    }
    if (din)
        gemm(&(struct gemm){cells, l->in_width, 3 * l->width, c.dx, 3 * u, 1, wt, k, din, k, false});
}

static int gru_tensors(const struct layer *l, struct tensor out[TENSORS_MAX])
{
    size_t u = (size_t)l->width, k = (size_t)l->in_width;
    out[0] = (struct tensor){"kernel", 0, {l->in_width, 3 * l->width}, 2};
    out[1] = (struct tensor){"recurrent_kernel", k * 3 * u, {l->width, 3 * l->width}, 2};
    out[2] = l->reset_after ? (struct tensor){"bias", (k + u) * 3 * u, {2, 3 * l->width}, 2}
                            : (struct tensor){"bias", (k + u) * 3 * u, {3 * l->width}, 1};
    return 3;
}

const struct layer_kind layer_gru = {"gru",       gru_shape,    gru_init,   gru_transpose,
                                     gru_forward, gru_backward, gru_tensors};
