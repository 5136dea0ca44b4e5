/* Layers of networks: what each computes for one leaf (up to 32 rows) of a batch, forward and backward.
 *
 * An activation is (steps, n, width), row-major (but for an input by token, below): time-major, so that the rows of a step lie together, and a convolution's tap or a cell's step is a
 * product of plain matrices. Weights, gradients and packed weights of all layers lie in slabs of the network; a layer knows its offset. Each
 * leaf has a cache of its own between forward and backward. Gradients are added to.
 * Names, shapes and starting values are Keras'. Layers do not allocate, and know neither ranks nor batches, but for batch
 * normalization, whose sums over the batch the network gathers (models/network.c).
 *
 * Masking: the rows of a leaf stand in falling order of length, and `active` counts, for every layer and step, the rows that are still there. Step t of
 * an activation is computed for its first rows alone; what stands behind them is not looked at:
 *
 *     step    0 1 2 3 4        active 4 4 3 1 1
 *     row 0   x x x x x
 *     row 1   x x x
 *     row 2   x x x
 *     row 3   x x                                                                                                                        */
#ifndef MODELS_LAYER_H
#define MODELS_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/gang.h" /* LEAF_ROWS */

enum layer_type {
    LAYER_INPUT,      /* embedding of signed sizes, other channels beside it; or all channels as numbers */
    LAYER_DENSE,      /* of one step */
    LAYER_ACTIVATION, /* ReLU, sigmoid, tanh */
    LAYER_CONV1D,
    LAYER_CONV1D_TOKENS, /* the same, of an embedding alone: network_add takes it where it is worth it */
    LAYER_POOLING,
    LAYER_BATCH_NORM, /* forward and backward: with sums that the network gathers, see below */
    LAYER_DROPOUT,
    LAYER_LSTM, /* the last output */
    LAYER_GRU,  /* the same, in both of Keras' forms */
    LAYER_FLATTEN,
    LAYER_COUNT
};

struct leaf {
    int n;                  /* rows */
    bool training;
    bool joins;             /* backward adds its gradient to what is there */
    const int32_t *samples; /* (n) index among the training rows: names a row's random numbers */
    uint64_t key;           /* of the trial and epoch */
    const int32_t *tokens;  /* (n_tokens) that its rows have, each once; where the network has an embedding */
    int n_tokens;
    const int32_t *which;   /* (steps, n) the one of them that stands there */
    const float *numbers;   /* (n, steps, channels) */
    float *room;            /* the largest that a layer asks for, for a layer's use while it computes */
    const int32_t *active;  /* rows of every layer's steps, at layer.in_active and layer.active; NULL: all rows, always */
};

struct layer {
    enum layer_type type;
    int number;                              /* place in the network: names weights and random numbers */
    int in_steps, in_width, steps, width;    /* shapes of a row, in and out */
    int in_active, active;                   /* offsets in struct leaf's */
    size_t weights, n_weights;               /* offset and count in the slab of weights */
    size_t stats;                            /* batch normalization: offset of moving mean and variance in theirs */
    size_t packed, n_packed;                 /* in the slab of packed weights */
    size_t cache, room;                      /* floats a row; a leaf */
    /* of one type or another */
    int embedding, vocabulary, channels, token_channel; /* vocabulary: also of a convolution of tokens; token_channel: position of signed_size among channels */
    bool flat;                                          /* input: all steps side by side, in one */
    bool by_token;                                      /* input: gives the vectors of the leaf's tokens, (n_tokens, embedding), instead */
    int kernel_size, strides, dilation_rate, pool_size; /* pool_size 0: all steps; strides and dilation_rate 0: 1 */
    bool same;                                          /* convolution: padded with zeros to ceil(steps / strides); else "valid" */
    bool average;                                       /* pooling; else the largest */
    float rate;
    int units;                                          /* of a cell, in each direction */
    bool bidirectional, reset_after, hard_sigmoid;
    char activation; /* 'r' ReLU, 's' sigmoid, 't' tanh; a convolution's: 'r' or none */
};

struct tensor { /* a named part of a layer's weights, for files */
    const char *name;
    size_t offset; /* within the layer's */
    int shape[3], n_dims;
};
enum { TENSORS_MAX = 6 };
enum { CONV_TOKENS_TAPS = 16 }; /* kernel_size of LAYER_CONV1D_TOKENS at most */

struct layer_kind {
    const char *name;
    /* Fills in steps, width, n_weights, n_packed, cache, room from in_steps, in_width and its own fields. */
    void (*shape)(struct layer *l);
    int (*length)(const struct layer *l, int length); /* steps out of a row whose first `length` steps in are real; NULL: as many */
    void (*init)(const struct layer *l, float *w, uint64_t key); /* NULL: zeros */
    void (*pack)(const struct layer *l, const float *w, float *packed); /* once a batch, before all else; NULL: needs none */
    void (*forward)(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, float *cache);
    /* dout may be overwritten; din NULL: not wanted. grad: zeros at first, which the leaf's gradient is added to step by step; with whole_gradient it is
     * made at once, in place of what is there, or added to it where the leaf joins others. */
    void (*backward)(const struct layer *l, const float *packed, const struct leaf *leaf, const float *in, const float *out, float *cache,
                     float *dout, float *din, float *grad);
    bool whole_gradient;
    int (*tensors)(const struct layer *l, struct tensor out[TENSORS_MAX]); /* NULL: no weights */
};

/* Tokens that a leaf has at most. */
static inline size_t leaf_tokens_most(const struct layer *l)
{
    size_t places = (size_t)LEAF_ROWS * (size_t)l->in_steps;
    return places < (size_t)l->vocabulary ? places : (size_t)l->vocabulary;
}

/* Rows that take part in step t of what a layer reads, or gives. */
static inline int leaf_rows_in(const struct leaf *leaf, const struct layer *l, int t)
{
    return leaf->active ? leaf->active[l->in_active + t] : leaf->n;
}
static inline int leaf_rows_out(const struct leaf *leaf, const struct layer *l, int t)
{
    return leaf->active ? leaf->active[l->active + t] : leaf->n;
}

/* Glorot and Bengio 2010, uniform: limit sqrt(6 / (fan_in + fan_out)). */
void layer_glorot(float *w, size_t n, int fan_in, int fan_out, uint64_t key);
/* (rows, columns) with orthonormal rows (rows <= columns): Saxe et al. 2014; Gram and Schmidt on normal numbers, in doubles. */
void layer_orthogonal(float *w, int rows, int columns, uint64_t key);

/* Batch normalization in phases; x (steps, n, width) of a leaf. eps 1e-3, momentum .99 as in Keras. Over the active rows of every step. */
struct batch_norm {
    double (*count)(const struct layer *l, const struct leaf *leaf); /* rows and steps that take part */
    void (*sum)(const struct layer *l, const struct leaf *leaf, const float *x, const float *mean, float *sum); /* mean NULL: of x; else of (x - mean)^2 */
    /* cache gets the normalized x; variance and mean (width) of the batch. */
    void (*apply)(const struct layer *l, const float *w, const struct leaf *leaf, const float *x, const float *mean, const float *variance, float *out,
                  float *cache);
    void (*backward_sum)(const struct layer *l, const struct leaf *leaf, const float *dout, const float *cache, float *sum); /* (2 * width): dout, dout * x^ */
    /* sum: over the batch, of `total` counts. */
    void (*backward)(const struct layer *l, const float *w, const struct leaf *leaf, const float *dout, const float *cache, const float *sum,
                     const float *variance, double total, float *din);
};
#define BATCH_NORM_MOMENTUM 0.99f

#endif
