/* Convolution over steps, max pooling, batch normalization. */
#include <math.h>
#include <string.h>

#include "models/gemm.h"
#include "models/kernels.h"
#include "models/layer.h"

/* --- convolution: kernel (kernel_size, in_width, width), a product with windows that overlap --- */

static void conv_shape(struct layer *l)
{
    size_t taps = (size_t)l->kernel_size * (size_t)l->in_width;
    l->steps = l->in_steps - l->kernel_size + 1;
    l->n_weights = (taps + 1) * (size_t)l->width;
    l->n_transposed = taps * (size_t)l->width;
}

static void conv_init(const struct layer *l, float *w, uint64_t key)
{
    layer_glorot(w, (size_t)l->kernel_size * (size_t)l->in_width * (size_t)l->width,
                 l->kernel_size * l->in_width, l->kernel_size * l->width, key);
}

/* Each tap's (in_width, width) by itself. */
static void conv_transpose(const struct layer *l, const float *w, float *wt)
{
    size_t tap = (size_t)l->in_width * (size_t)l->width;
    for (int k = 0; k < l->kernel_size; k++)
        gemm_transpose(w + (size_t)k * tap, l->in_width, l->width, wt + (size_t)k * tap);
}

static void conv_forward(const struct layer *l, const float *w, const struct leaf *leaf, const float *in,
                         float *out, float *cache)
{
    size_t cin = (size_t)l->in_width, n = (size_t)l->width, taps = (size_t)l->kernel_size * cin;
    (void)cache;
    for (int i = 0; i < leaf->n * l->steps; i++)
        memcpy(out + (size_t)i * n, w + taps * n, n * sizeof *out);
    for (int i = 0; i < leaf->n; i++)
        gemm(&(struct gemm){l->steps, l->width, (int)taps, in + (size_t)i * (size_t)l->in_steps * cin, cin, 1,
                            w, n, out + (size_t)i * (size_t)l->steps * n, n, true});
}

static void conv_backward(const struct layer *l, const float *wt, const struct leaf *leaf, const float *in,
                          const float *out, float *cache, float *dout, float *din, float *grad)
{
    size_t cin = (size_t)l->in_width, n = (size_t)l->width, taps = (size_t)l->kernel_size * cin;
    (void)out, (void)cache;
    if (din)
        memset(din, 0, (size_t)leaf->n * (size_t)l->in_steps * cin * sizeof *din);
    for (int i = 0; i < leaf->n; i++) {
        const float *x = in + (size_t)i * (size_t)l->in_steps * cin,
                    *dy = dout + (size_t)i * (size_t)l->steps * n;
        gemm(&(struct gemm){(int)taps, l->width, l->steps, x, 1, cin, dy, n, grad, n, true});
        for (int k = 0; din && k < l->kernel_size; k++)
            gemm(&(struct gemm){l->steps, l->in_width, l->width, dy, n, 1, wt + (size_t)k * cin * n, cin,
                                din + ((size_t)i * (size_t)l->in_steps + (size_t)k) * cin, cin, true});
    }
    for (int i = 0; i < leaf->n * l->steps; i++)
        kernel_axpy(grad + taps * n, dout + (size_t)i * n, 1, n);
}

static int conv_tensors(const struct layer *l, struct tensor out[TENSORS_MAX])
{
    out[0] = (struct tensor){"kernel", 0, {l->kernel_size, l->in_width, l->width}, 3};
    out[1] = (struct tensor){
        "bias", (size_t)l->kernel_size * (size_t)l->in_width * (size_t)l->width, {l->width}, 1};
    return 2;
}

const struct layer_kind layer_conv1d = {"conv1d",     conv_shape,    conv_init,   conv_transpose,
                                        conv_forward, conv_backward, conv_tensors};

/* --- max pooling: windows side by side, what is left over is dropped; ties to the earlier step --- */

static void pool_shape(struct layer *l)
{
    l->steps = l->in_steps / l->pool_size;
    l->width = l->in_width;
}

static void pool_forward(const struct layer *l, const float *w, const struct leaf *leaf, const float *in,
                         float *out, float *cache)
{
    size_t n = (size_t)l->width;
    (void)w, (void)cache;
    for (int i = 0; i < leaf->n; i++)
        for (int t = 0; t < l->steps; t++) {
            const float *x = in + ((size_t)i * (size_t)l->in_steps + (size_t)t * (size_t)l->pool_size) * n;
            float *y = out + ((size_t)i * (size_t)l->steps + (size_t)t) * n;
            memcpy(y, x, n * sizeof *y);
            for (int k = 1; k < l->pool_size; k++)
                for (size_t j = 0; j < n; j++)
                    y[j] = x[(size_t)k * n + j] > y[j] ? x[(size_t)k * n + j] : y[j];
        }
}

static void pool_backward(const struct layer *l, const float *wt, const struct leaf *leaf, const float *in,
                          const float *out, float *cache, float *dout, float *din, float *grad)
{
    size_t n = (size_t)l->width;
    (void)wt, (void)cache, (void)grad;
    if (!din)
        return;
    memset(din, 0, (size_t)leaf->n * (size_t)l->in_steps * n * sizeof *din);
    for (int i = 0; i < leaf->n; i++)
        for (int t = 0; t < l->steps; t++) {
            size_t from = ((size_t)i * (size_t)l->in_steps + (size_t)t * (size_t)l->pool_size) * n,
                   at = ((size_t)i * (size_t)l->steps + (size_t)t) * n;
            for (size_t j = 0; j < n; j++) {
                size_t k = 0;
                while (in[from + k * n + j] != out[at + j] && k + 1 < (size_t)l->pool_size)
                    k++;
                din[from + k * n + j] = dout[at + j];
            }
        }
}

const struct layer_kind layer_max_pooling = {"max_pooling", pool_shape,    NULL, NULL,
                                             pool_forward,  pool_backward, NULL};

/* --- batch normalization (Ioffe and Szegedy 2015): weights gamma, beta; stats moving mean, moving variance --- */

const float batch_norm_momentum = 0.99f;
static const float epsilon = 1e-3f;

static void norm_shape(struct layer *l)
{
    l->steps = l->in_steps;
    l->width = l->in_width;
    l->n_weights = 2 * (size_t)l->width;
    l->cache = (size_t)l->steps * (size_t)l->width;
}

static void norm_init(const struct layer *l, float *w, uint64_t key)
{
    (void)key;
    for (int j = 0; j < l->width; j++)
        w[j] = 1;
}

void batch_norm_sum(const struct layer *l, int rows, const float *x, const float *mean, float *sum)
{
    size_t n = (size_t)l->width;
    memset(sum, 0, n * sizeof *sum);
    for (size_t i = 0; i < (size_t)rows * (size_t)l->steps; i++)
        for (size_t j = 0; j < n; j++) {
            float d = mean ? x[i * n + j] - mean[j] : x[i * n + j];
            sum[j] += mean ? d * d : d;
        }
}

void batch_norm_apply(const struct layer *l, const float *w, int rows, const float *x, const float *mean,
                      const float *variance, float *out, float *cache)
{
    size_t n = (size_t)l->width;
    for (size_t i = 0; i < (size_t)rows * (size_t)l->steps; i++)
        for (size_t j = 0; j < n; j++) {
            float z = (x[i * n + j] - mean[j]) / sqrtf(variance[j] + epsilon);
            if (cache)
                cache[i * n + j] = z;
            out[i * n + j] = w[j] * z + w[n + j];
        }
}

void batch_norm_backward_sum(const struct layer *l, int rows, const float *dout, const float *cache,
                             float *sum)
{
    size_t n = (size_t)l->width;
    memset(sum, 0, 2 * n * sizeof *sum);
    for (size_t i = 0; i < (size_t)rows * (size_t)l->steps; i++)
        for (size_t j = 0; j < n; j++) {
            sum[j] += dout[i * n + j];
            sum[n + j] += dout[i * n + j] * cache[i * n + j];
        }
}

void batch_norm_backward(const struct layer *l, const float *w, int rows, const float *dout,
                         const float *cache, const float *sum, const float *variance, double total,
                         float *din)
{
    size_t n = (size_t)l->width;
    float count = (float)total;
    for (size_t i = 0; i < (size_t)rows * (size_t)l->steps; i++)
        for (size_t j = 0; j < n; j++)
            din[i * n + j] = w[j] / sqrtf(variance[j] + epsilon) *
                             (dout[i * n + j] - sum[j] / count - cache[i * n + j] * (sum[n + j] / count));
}

static int norm_tensors(const struct layer *l, struct tensor out[TENSORS_MAX])
{
    out[0] = (struct tensor){"gamma", 0, {l->width}, 1};
    out[1] = (struct tensor){"beta", (size_t)l->width, {l->width}, 1};
    return 2;
}

const struct layer_kind layer_batch_norm = {"batch_norm", norm_shape, norm_init,   NULL,
                                            NULL,         NULL,       norm_tensors};
