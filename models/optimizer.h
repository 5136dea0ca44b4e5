/* Optimizers over one flat slab of weights. Rates come from outside (models/schedule.h); clipping and weight decay are part of a step. */
#ifndef MODELS_OPTIMIZER_H
#define MODELS_OPTIMIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/param.h"

struct optimizer {
    enum { OPTIMIZER_ADAM, OPTIMIZER_SGD, OPTIMIZER_RMSPROP } kind; /* adamw is adam with weight decay */
    bool nesterov, centered;
    double momentum, beta_1, beta_2, rho, epsilon;
    double weight_decay;               /* 0: none */
    double clipvalue, global_clipnorm; /* 0: not */
};

enum { OPTIMIZER_MOMENTS_MAX = 3 };

/* From "train.*". */
struct optimizer optimizer_of(const struct params *p);
/* Floats beside every weight: 0 to OPTIMIZER_MOMENTS_MAX. */
int optimizer_moments(const struct optimizer *o);

/* One update, the step-th (from 1), at this rate. w (n); g (n): the gradient, overwritten; moments (optimizer_moments, n), zero before the first step.
 * Every weight also loses rate * weight_decay of itself, apart from the gradient, whatever the optimizer: Keras' weight_decay, PyTorch's AdamW.
 * Before it the gradient is clipped: each component, or all by the norm, which is summed in doubles in a fixed order.
 * Adam: Kingma and Ba 2015, algorithm 1; AdamW: Loshchilov and Hutter 2019. SGD: Keras' v = momentum v - rate g; w += v, with nesterov
 * w += momentum v - rate g. RMSprop: Keras', epsilon under the root. */
void optimizer_step(const struct optimizer *o, double rate, int64_t step, float *w, float *g, float *moments, size_t n);

#endif
