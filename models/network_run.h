/* The memory of struct run, for models/network.c, which cuts it, and models/network_batch.c, which uses it. */
#ifndef MODELS_NETWORK_RUN_H
#define MODELS_NETWORK_RUN_H

#include "models/network.h"

struct run {
    struct slab slab;           /* of run_new */
    int max_leaves, max_slots;
    int resident;               /* leaves whose activations are there at a time */
    struct leaf *leaves;        /* (resident) */
    float *out[NETWORK_LAYERS_MAX], *cache[NETWORK_LAYERS_MAX]; /* (resident, LEAF_ROWS, floats of a row) */
    float *numbers;
    int32_t *rows, *samples, *active;
    int32_t *tokens, *which;    /* struct leaf's */
    int32_t *row_tokens;        /* (LEAF_ROWS, steps) of the last loaded leaf */
    int32_t *number;            /* (vocabulary) where a token stands among a leaf's, if it does */
    float *room;                /* struct leaf's */
    int32_t order[LEAF_ROWS];   /* places of the last loaded leaf's rows in what it was loaded from */
    float *dout, *din;          /* (resident, LEAF_ROWS, widest row) */
    size_t widest;
    float *grad;                /* (max_slots, n_weights + EXTRA_COUNT): models/gang.h tells which leaf's gradient lies where */
    float *packed;
    float *sums, *sum,
        *batch_stats;           /* of batch normalization: (max_slots, 2 * width), (2 * width), (n_stats) */
};

static inline size_t layer_floats(const struct layer *l) /* of a row, out */
{
    return (size_t)l->steps * (size_t)l->width;
}

#endif
