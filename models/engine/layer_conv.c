/* Convolution over steps of any numbers (convolution.h).
 *
 * A few steps at a time, so that what the taps add up to stays in the cache; a tap is one product for all steps that it reaches, and where there is one channel
 * all taps together are one. Packed: each tap's W, then each tap's transpose. */
#include "models/engine/convolution.h"

enum { STEPS = 4 }; /* at a time */

static void pack(const struct layer *l, const float *w, float *packed)
{
    size_t n = (size_t)l->width, there = gemm_packed(l->in_width, l->width), back = gemm_packed(l->width, l->in_width);
    for (size_t k = 0; k < (size_t)l->kernel_size; k++) {
        const float *tap = w + k * (size_t)l->in_width * n;
        ENGINE(gemm_pack)(tap, n, 1, l->in_width, l->width, packed + k * there);
        ENGINE(gemm_pack)(tap, 1, n, l->width, l->in_width, packed + (size_t)l->kernel_size * there + k * back);
    }
}

struct reach { /* steps [t, t + n) out that a tap connects with steps from `from` on, side by side; rows of one step, or of all */
    int t, from, rows;
};

/* The next reach of tap k at or after step t, before step `end`; false where there is none. All of it at once where steps follow each other and no row is masked. */
static bool next(const struct layer *l, const struct leaf *leaf, int k, int t, int end, struct reach *out)
{
    int offset = k * conv_dilation(l) - conv_padding(l), s = conv_strides(l);
    while (t < end && t * s + offset < 0)
        t++;
    if (t >= end || t * s + offset >= l->in_steps)
        return false;
    int steps = 1;
    if (s == 1 && !leaf->active)
        steps = end - t < l->in_steps - t - offset ? end - t : l->in_steps - t - offset;
    *out = (struct reach){t, t * s + offset, steps * leaf->n};
    if (leaf->active) { /* padded steps count as zeros */
        int in = leaf_rows_in(leaf, l, out->from), there = leaf_rows_out(leaf, l, t);
        out->rows = in < there ? in : there;
    }
    return true;
}

static int steps_of(const struct leaf *leaf, const struct reach *r)
{
    return leaf->active ? 1 : r->rows / leaf->n;
}

/* Are all taps of steps [t, end) one product? One channel's values that the taps of a step see lie equally far apart. */
static bool is_one_product(const struct layer *l, const struct leaf *leaf, int t, int end)
{
    int first = t - conv_padding(l), last = end - 1 - conv_padding(l) + (l->kernel_size - 1) * conv_dilation(l);
    return l->in_width == 1 && conv_strides(l) == 1 && !leaf->active && first >= 0 && last < l->in_steps;
}

static void one_product(const struct layer *l, const float *w, const struct leaf *leaf, const float *in, float *out, int t, int end)
{
    size_t n = (size_t)l->width, rows = (size_t)leaf->n;
    ENGINE(gemm)(&(struct gemm){.m = (end - t) * leaf->n, .n = l->width, .k = l->kernel_size, .a = in + (size_t)(t - conv_padding(l)) * rows, .a_row = 1,
                                .a_col = (size_t)conv_dilation(l) * rows, .b = w, .b_row = n, .c = out + (size_t)t * rows * n, .c_row = n, .bias = w + conv_bias(l)});
}

static void tap_by_tap(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, int t, int end)
{
    size_t cin = (size_t)l->in_width, n = (size_t)l->width, rows = (size_t)leaf->n;
    const float *bias = w + conv_bias(l);
    struct reach r;
    bool begins = next(l, leaf, 0, t, end, &r) && r.t == t && r.rows == (end - t) * leaf->n; /* the first tap reaches all */
    for (size_t i = (size_t)t * rows; !begins && i < (size_t)end * rows; i++)
        memcpy(out + i * n, bias, n * sizeof *out);
    for (int k = 0; k < l->kernel_size; k++) {
        bool first = begins && k == 0;
        for (int at = t; next(l, leaf, k, at, end, &r); at = r.t + steps_of(leaf, &r))
            ENGINE(gemm)(&(struct gemm){.m = r.rows, .n = l->width, .k = l->in_width, .a = in + (size_t)r.from * rows * cin, .a_row = cin, .a_col = 1,
                                        .b = packed + (size_t)k * gemm_packed(l->in_width, l->width), .c = out + (size_t)r.t * rows * n, .c_row = n,
                                        .add = !first, .bias = first ? bias : NULL});
    }
}

static void steps_forward(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, int t, int end)
{
    size_t n = (size_t)l->width, rows = (size_t)leaf->n;
    if (is_one_product(l, leaf, t, end))
        one_product(l, w, leaf, in, out, t, end);
    else
        tap_by_tap(l, w, packed, leaf, in, out, t, end);
    if (l->activation == 'r')
        relu(out + (size_t)t * rows * n, out + (size_t)t * rows * n, (size_t)(end - t) * rows * n);
}

static int later(const struct layer *l, int t)
{
    return t + STEPS < l->steps ? t + STEPS : l->steps;
}

static void forward(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, float *cache)
{
    (void)cache;
    for (int t = 0; t < l->steps; t = later(l, t))
        steps_forward(l, w, packed, leaf, in, out, t, later(l, t));
}

/* One tap of some steps: the gradient of its weights, and what reaches the input. */
static void tap_backward(const struct layer *l, const float *back, const struct leaf *leaf, const float *in, const float *dout, float *din, float *grad, int k,
                         const struct reach *r)
{
    size_t cin = (size_t)l->in_width, n = (size_t)l->width, rows = (size_t)leaf->n, from = (size_t)r->from * rows * cin;
    const float *dy = dout + (size_t)r->t * rows * n;
    ENGINE(gemm)(&(struct gemm){.m = l->in_width, .n = l->width, .k = r->rows, .a = in + from, .a_row = 1, .a_col = cin, .b = dy, .b_row = n,
                                .c = grad + (size_t)k * cin * n, .c_row = n, .add = true});
    if (din)
        ENGINE(gemm)(&(struct gemm){.m = r->rows, .n = l->in_width, .k = l->width, .a = dy, .a_row = n, .a_col = 1,
                                    .b = back + (size_t)k * gemm_packed(l->width, l->in_width), .c = din + from, .c_row = cin, .add = true});
}

static void steps_backward(const struct layer *l, const float *back, const struct leaf *leaf, const float *in, const float *out, float *dout, float *din,
                           float *grad, int t, int end)
{
    size_t n = (size_t)l->width;
    conv_backward_bias(l, leaf, out, dout, grad, t, end);
    if (!din && is_one_product(l, leaf, t, end)) {
        ENGINE(gemm)(&(struct gemm){.m = l->kernel_size, .n = l->width, .k = (end - t) * leaf->n, .a = in + (size_t)(t - conv_padding(l)) * (size_t)leaf->n,
                                    .a_row = (size_t)conv_dilation(l) * (size_t)leaf->n, .a_col = 1, .b = dout + (size_t)t * (size_t)leaf->n * n, .b_row = n, .c = grad,
                                    .c_row = n, .add = true});
        return;
    }
    for (int k = 0; k < l->kernel_size; k++) {
        struct reach r;
        for (int at = t; next(l, leaf, k, at, end, &r); at = r.t + steps_of(leaf, &r))
            tap_backward(l, back, leaf, in, dout, din, grad, k, &r);
    }
}

static void backward(const struct layer *l, const float *packed, const struct leaf *leaf, const float *in, const float *out, float *cache, float *dout,
                     float *din, float *grad)
{
    const float *back = packed + (size_t)l->kernel_size * gemm_packed(l->in_width, l->width);
    (void)cache;
    if (din)
        memset(din, 0, (size_t)leaf->n * (size_t)l->in_steps * (size_t)l->in_width * sizeof *din);
    for (int t = 0; t < l->steps; t = later(l, t))
        steps_backward(l, back, leaf, in, out, dout, din, grad, t, later(l, t));
}

const struct layer_kind ENGINE(layer_conv1d) = {.name = "conv1d", .shape = conv_shape, .length = conv_length, .init = conv_init, .pack = pack,
                                                .forward = forward, .backward = backward, .tensors = conv_tensors};
