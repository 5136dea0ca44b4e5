/* Flatten: the steps of a row side by side, in one; with masking zeros where a row has ended. */
#include "models/engine.h"
#include "models/engine/lanes.h"

static void shape(struct layer *l)
{
    l->steps = 1;
    l->width = l->in_steps * l->in_width;
}

static int length(const struct layer *l, int in)
{
    (void)l, (void)in;
    return 1;
}

static void forward(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, float *cache)
{
    size_t n = (size_t)l->in_width, rows = (size_t)leaf->n, width = (size_t)l->width;
    (void)w, (void)packed, (void)cache;
    for (size_t t = 0; t < (size_t)l->in_steps; t++)
        for (size_t i = 0; i < rows; i++) {
            float *y = out + i * width + t * n;
            if ((int)i < leaf_rows_in(leaf, l, (int)t))
                memcpy(y, in + (t * rows + i) * n, n * sizeof *y);
            else
                memset(y, 0, n * sizeof *y);
        }
}

static void backward(const struct layer *l, const float *packed, const struct leaf *leaf, const float *in, const float *out, float *cache, float *dout,
                     float *din, float *grad)
{
    size_t n = (size_t)l->in_width, rows = (size_t)leaf->n, width = (size_t)l->width;
    (void)packed, (void)in, (void)out, (void)cache, (void)grad;
    for (size_t t = 0; t < (size_t)l->in_steps && din; t++)
        for (size_t i = 0; i < rows; i++)
            memcpy(din + (t * rows + i) * n, dout + i * width + t * n, n * sizeof *din);
}

const struct layer_kind ENGINE(layer_flatten) = {.name = "flatten", .shape = shape, .length = length, .forward = forward, .backward = backward};
