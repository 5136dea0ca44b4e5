/* Optimizers over one flat slab of weights. */
#ifndef MODELS_OPTIMIZER_H
#define MODELS_OPTIMIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/param.h"

struct optimizer {
    enum { OPTIMIZER_ADAM, OPTIMIZER_SGD } kind;
    double learning_rate, momentum, beta_1, beta_2, epsilon;
};

/* From "train.*". */
struct optimizer optimizer_of(const struct params *p);
/* One update, the step-th (from 1). w, g (n); m, v (n): moments; sgd uses m alone.
 * Adam: Kingma and Ba 2015, algorithm 1. SGD: Keras' v = momentum v - rate g; w += v. */
void optimizer_step(const struct optimizer *o, int64_t step, float *w, const float *g, float *m, float *v, size_t n);

#endif
