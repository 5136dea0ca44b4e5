/* What the two forms of a convolution over steps (Conv1D) share: kernel (kernel_size, in_width, width), bias (width), then ReLU if set.
 *
 *     y[t] = b + sum over taps k of x[t * strides + k * dilation_rate - padding] W[k]                                                                  */
#ifndef MODELS_CONVOLUTION_H
#define MODELS_CONVOLUTION_H

#include "models/engine.h"
#include "models/engine/columns.h"
#include "models/engine/relu.h"

static inline int conv_strides(const struct layer *l)
{
    return l->strides > 1 ? l->strides : 1;
}

static inline int conv_dilation(const struct layer *l)
{
    return l->dilation_rate > 1 ? l->dilation_rate : 1;
}

/* Zeros before the first step, as in TensorFlow: half of what is lacking, rounded down. */
static inline int conv_padding(const struct layer *l)
{
    int lacking = (l->steps - 1) * conv_strides(l) + (l->kernel_size - 1) * conv_dilation(l) + 1 - l->in_steps;
    return l->same && lacking > 0 ? lacking / 2 : 0;
}

static inline void conv_shape(struct layer *l)
{
    int reach = (l->kernel_size - 1) * conv_dilation(l), room = l->same ? l->in_steps : l->in_steps - reach;
    l->steps = room > 0 ? (room + conv_strides(l) - 1) / conv_strides(l) : 0;
    l->n_weights = ((size_t)l->kernel_size * (size_t)l->in_width + 1) * (size_t)l->width;
    l->n_packed = (size_t)l->kernel_size * (gemm_packed(l->in_width, l->width) + gemm_packed(l->width, l->in_width));
}

/* A step is real where its first tap, or with "same" the tap at its own place, sees a real one. */
static inline int conv_length(const struct layer *l, int in)
{
    int out = (in + conv_strides(l) - 1) / conv_strides(l);
    return out < l->steps ? out : l->steps;
}

static inline void conv_init(const struct layer *l, float *w, uint64_t key)
{
    layer_glorot(w, (size_t)l->kernel_size * (size_t)l->in_width * (size_t)l->width, l->kernel_size * l->in_width, l->kernel_size * l->width, key);
}

static inline size_t conv_bias(const struct layer *l) /* where it begins among the weights */
{
    return (size_t)l->kernel_size * (size_t)l->in_width * (size_t)l->width;
}

/* Of steps [t, end): what passes ReLU backward, in place, and the gradient of the bias. */
static inline void conv_backward_bias(const struct layer *l, const struct leaf *leaf, const float *out, float *dout, float *grad, int t, int end)
{
    size_t n = (size_t)l->width;
    for (int at = t; at < end; at = leaf->active ? at + 1 : end) {
        size_t first = (size_t)at * (size_t)leaf->n * n, rows = (size_t)(leaf->active ? leaf_rows_out(leaf, l, at) : (end - at) * leaf->n);
        if (l->activation == 'r')
            relu_backward(out + first, dout + first, dout + first, rows * n);
        columns_add(grad + conv_bias(l), dout + first, n, rows, n);
    }
}

static inline int conv_tensors(const struct layer *l, struct tensor out[TENSORS_MAX])
{
    out[0] = (struct tensor){"kernel", 0, {l->kernel_size, l->in_width, l->width}, 3};
    out[1] = (struct tensor){"bias", conv_bias(l), {l->width}, 1};
    return 2;
}

#endif
