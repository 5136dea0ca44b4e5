/* A network: layers in a row, their weights in one slab, and what a batch does to them.
 *
 * A batch is cut into leaves of 32 rows; each is computed whole by one rank, layer by layer over all its leaves, so that batch normalization can sum over
 * the batch in between. Gradients of leaves are summed up the gang's fixed tree: the bits do not depend on the number of ranks. Behind the gradients in
 * the same slab ride the loss, the hits and the stop flag. */
#ifndef MODELS_NETWORK_H
#define MODELS_NETWORK_H

#include "base/memory.h"
#include "flows/features.h"
#include "models/gang.h"
#include "models/layer.h"

enum { NETWORK_LAYERS_MAX = 96 };
enum { EXTRA_LOSS, EXTRA_HITS, EXTRA_STOP, EXTRA_COUNT };

struct network {
    struct layer layers[NETWORK_LAYERS_MAX];
    int n_layers;
    size_t n_weights, n_stats, n_transposed;
};

/* Begins with the input layer: channels of features, embedding 0 or the numbers a token gets. */
void network_init(struct network *net, int steps, int n_channels, int token_channel, int clip, int embedding);
/* Adds a layer: kind and its own fields are given, shapes and offsets filled in. Returns false where no steps are left or there are too many layers. */
bool network_add(struct network *net, struct layer layer);
/* Multiplications of one row's forward pass. */
double network_products(const struct network *net);
size_t network_row_floats(const struct network *net); /* activations and caches of a row */
/* Starting values; weights (n_weights), stats (n_stats). */
void network_start(const struct network *net, float *weights, float *stats, uint64_t key);

struct run; /* memory for batches of up to so many leaves on this rank */

/* STATUS_MEMORY. max_leaves: of this rank. training: with room for gradients. */
enum status run_new(struct run **out, const struct network *net, int max_leaves, bool training, struct error *e);
void run_free(struct run *r);

struct batch {
    const struct features *features;
    const struct rows *rows;     /* the training part */
    const int32_t *samples;      /* (n) indices into rows: they name random numbers and classes */
    const int32_t *row;          /* (n) where each lies in features->flows (used for this rank's leaves alone); NULL: where rows says */
    int n;
    uint64_t key;                /* of the trial and epoch */
    const float *class_weight;   /* (n_classes) or NULL */
};

/* Collective. total (n_weights + EXTRA_COUNT): gradients of the mean loss; sum of losses, hits; stop flags. Moves the moving statistics. */
enum status network_batch(const struct network *net, struct run *r, const float *weights, float *stats, const struct batch *b, struct gang *g,
                          float *total, struct error *e);
/* Collective: probabilities (n, n_classes) on every rank. */
enum status network_predict(const struct network *net, struct run *r, const float *weights, const float *stats, const struct features *x,
                            const int32_t *rows, int n, struct gang *g, float *proba, struct error *e);

/* One leaf forward, without gang or dropout, to the logits (n, n_classes), which lie in r. */
const float *network_leaf(const struct network *net, struct run *r, const float *weights, const float *stats, const struct features *x,
                          const int32_t *rows, int n);
/* Softmax in place; x (n,k). */
void network_softmax(float *x, int n, int k);

#endif
