/* ReLU and its gradient; what is not a number stays none. */
#ifndef MODELS_RELU_H
#define MODELS_RELU_H

#include "models/engine/lanes.h"

/* y (n) = max(x, 0); may be x. */
static inline void relu(const float *x, float *y, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        lanes_store(y + i, lanes_max(lanes_set(0), lanes_load(x + i)));
    if (i < n)
        lanes_store_n(y + i, lanes_max(lanes_set(0), lanes_load_n(x + i, (int)(n - i))), (int)(n - i));
}

/* dx (n) = dy where y > 0; may be dy. */
static inline void relu_backward(const float *y, const float *dy, float *dx, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        lanes_store(dx + i, lanes_positive(lanes_load(y + i), lanes_load(dy + i)));
    if (i < n)
        lanes_store_n(dx + i, lanes_positive(lanes_load_n(y + i, (int)(n - i)), lanes_load_n(dy + i, (int)(n - i))), (int)(n - i));
}

#endif
