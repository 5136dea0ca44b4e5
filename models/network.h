/* A network: layers in a row, their weights in one slab, and what a batch does to them.
 *
 * A batch is cut into leaves of 32 rows; each is computed whole by one rank. Without batch normalization a leaf goes forward and backward before the
 * next one begins, in the same memory; with it the leaves of a rank go layer by layer, so that sums over the batch can be gathered in between.
 * Gradients of leaves are summed up the gang's fixed tree, a layer's as soon as they are final: the bits do not depend on the number of ranks. Behind the gradients in
 * the same slab ride the loss, the hits and the stop flag. */
#ifndef MODELS_NETWORK_H
#define MODELS_NETWORK_H

#include "base/memory.h"
#include "flows/features.h"
#include "models/engine.h"
#include "models/gang.h"

enum { NETWORK_LAYERS_MAX = 96 };
enum { EXTRA_LOSS, EXTRA_HITS, EXTRA_STOP, EXTRA_COUNT };

struct network {
    const struct engine *engine; /* the best here, unless a test says otherwise */
    struct layer layers[NETWORK_LAYERS_MAX];
    int n_layers, numbers; /* numbers: given to layers so far */
    size_t n_weights, n_stats, n_packed;
    bool masking; /* padded steps take no part */
    int n_active; /* counts of struct leaf.active */
};

struct network_input {
    int steps, n_channels, token_channel, clip;
    int embedding; /* numbers a token gets; 0: none */
    bool flat;     /* all steps side by side */
    bool masking;
};

/* Begins with the input layer. */
void network_init(struct network *net, const struct network_input *in);
/* Adds a layer: type and its own fields are given, shapes and offsets filled in. Returns false where no steps are left or there are too many layers. */
bool network_add(struct network *net, struct layer layer);
const struct layer_kind *network_kind(const struct network *net, int layer);
/* Multiplications of one row's forward pass. */
double network_products(const struct network *net);
/* Starting values; weights (n_weights), stats (n_stats). */
void network_start(const struct network *net, float *weights, float *stats, uint64_t key);

struct run; /* memory for batches of up to so many leaves on this rank */

/* STATUS_MEMORY. max_leaves: of this rank. training: with room for gradients. */
enum status run_new(struct run **out, const struct network *net, int max_leaves, bool training, struct error *e);
void run_free(struct run *r);
/* The same out of the caller's slab, with which it goes: NULL while that only counts. Not for run_free. */
struct run *run_cut(struct slab *s, const struct network *net, int max_leaves, bool training);

float *run_total(struct run *r); /* where a gang of one makes what network_batch totals; the run's */

struct batch {
    const struct features *features;
    const struct rows *rows;     /* the training part */
    const int32_t *samples;      /* (n) indices into rows: they name random numbers and classes */
    const int32_t *row;          /* (n) where each lies in features->flows (used for this rank's leaves alone); NULL: where rows says */
    int n;
    uint64_t key;                /* of the trial and epoch */
    const float *class_weight;   /* (n_classes) or NULL */
    float label_smoothing;       /* share of a label that is spread over all classes, its own too */
};

/* Collective. total (n_weights + EXTRA_COUNT): gradients of the mean loss; sum of losses, hits; stop flags. Moves the moving statistics.
 * For a gang of one total may be run_total: nothing is copied. */
enum status network_batch(const struct network *net, struct run *r, const float *weights, float *stats, const struct batch *b, struct gang *g,
                          float *total, struct error *e);
/* Collective: probabilities (n, n_classes) on every rank. */
enum status network_predict(const struct network *net, struct run *r, const float *weights, const float *stats, const struct features *x,
                            const int32_t *rows, int n, struct gang *g, float *proba, struct error *e);

/* Softmax in place; x (n,k). */
void network_softmax(const struct engine *engine, float *x, int n, int k);

#endif
