/* Layers of networks: what each computes for one leaf (up to 32 rows) of a batch, forward and backward.
 *
 * A row of an activation is (steps, width), row-major; a leaf is (n, steps, width). Weights, gradients and transposed weights of all layers lie in
 * slabs of the network; a layer knows its offset. Each leaf has a cache of its own between forward and backward. Gradients are added to.
 * Names, shapes and starting values are Keras'. Layers do not allocate, and know neither ranks nor batches, but for batch
 * normalization, whose sums over the batch the network gathers (models/network.c). */
#ifndef MODELS_LAYER_H
#define MODELS_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leaf {
    int n;                  /* rows */
    bool training;
    const int32_t *samples; /* (n) index among the training rows: names a row's random numbers */
    uint64_t key;           /* of the trial and epoch */
    const int32_t *tokens;  /* (n, steps) or NULL */
    const float *numbers;   /* (n, steps, channels) */
};

struct layer_kind;

struct layer {
    const struct layer_kind *kind;
    int number;                              /* place in the network: names weights and random numbers */
    int in_steps, in_width, steps, width;    /* shapes of a row, in and out */
    size_t weights, n_weights;               /* offset and count in the slab of weights */
    size_t stats;                            /* batch normalization: offset of moving mean and variance in theirs */
    size_t transposed, n_transposed;         /* in the slab of transposed weights */
    size_t cache;                            /* floats a row */
    /* of one kind or another */
    int kernel_size, pool_size, embedding, vocabulary, channels, token_channel; /* token_channel: position of signed_size among channels */
    float rate;
    bool reset_after, hard_sigmoid;
    char activation; /* 'r' ReLU, 's' sigmoid, 't' tanh */
};

struct tensor { /* a named part of a layer's weights, for files */
    const char *name;
    size_t offset; /* within the layer's */
    int shape[3], n_dims;
};
enum { TENSORS_MAX = 4 };

struct layer_kind {
    const char *name;
    /* Fills in steps, width, n_weights, n_transposed, cache from in_steps, in_width and its own fields. */
    void (*shape)(struct layer *l);
    void (*init)(const struct layer *l, float *w, uint64_t key); /* NULL: zeros */
    void (*transpose)(const struct layer *l, const float *w, float *wt); /* NULL: needs none */
    void (*forward)(const struct layer *l, const float *w, const struct leaf *leaf, const float *in, float *out, float *cache);
    /* dout may be overwritten; din NULL: not wanted. */
    void (*backward)(const struct layer *l, const float *wt, const struct leaf *leaf, const float *in, const float *out, float *cache,
                     float *dout, float *din, float *grad);
    int (*tensors)(const struct layer *l, struct tensor out[TENSORS_MAX]); /* NULL: no weights */
};

extern const struct layer_kind layer_input;      /* embedding of signed sizes, other channels beside it; or all channels as numbers */
extern const struct layer_kind layer_dense;      /* flattens its input */
extern const struct layer_kind layer_activation; /* ReLU, sigmoid, tanh */
extern const struct layer_kind layer_conv1d;     /* "valid" */
extern const struct layer_kind layer_max_pooling;
extern const struct layer_kind layer_batch_norm; /* forward and backward: with sums that the network gathers, see below */
extern const struct layer_kind layer_dropout;
extern const struct layer_kind layer_lstm; /* the last output */
extern const struct layer_kind layer_gru;  /* the same, in both of Keras' forms */

/* Glorot and Bengio 2010, uniform: limit sqrt(6 / (fan_in + fan_out)). */
void layer_glorot(float *w, size_t n, int fan_in, int fan_out, uint64_t key);
/* (rows, columns) with orthonormal rows (rows <= columns): Saxe et al. 2014; Gram and Schmidt on normal numbers, in doubles. */
void layer_orthogonal(float *w, int rows, int columns, uint64_t key);

/* Batch normalization in phases; x (n * steps, width) of a leaf. eps 1e-3, momentum .99 as in Keras. */
void batch_norm_sum(const struct layer *l, int rows, const float *x, const float *mean, float *sum); /* mean NULL: sum of x; else of (x - mean)^2 */
/* cache gets the normalized x; variance and mean (width) of the batch. */
void batch_norm_apply(const struct layer *l, const float *w, int rows, const float *x, const float *mean, const float *variance, float *out,
                      float *cache);
void batch_norm_backward_sum(const struct layer *l, int rows, const float *dout, const float *cache, float *sum); /* (2 * width): dout, dout * x^ */
/* sum: over the batch of `total` rows. Adds to grad what this leaf gives. */
void batch_norm_backward(const struct layer *l, const float *w, int rows, const float *dout, const float *cache, const float *sum,
                         const float *variance, double total, float *din);
extern const float batch_norm_momentum;

#endif
