/* Pooling over steps: the largest or the average of windows side by side, what is left over is dropped; or of all steps (global).
 * With masking a window holds the steps that are real for its row. Ties of the largest go to the earlier step. */
#include "models/engine.h"
#include "models/engine/lanes.h"

static int window(const struct layer *l)
{
    return l->pool_size ? l->pool_size : l->in_steps;
}

static void shape(struct layer *l)
{
    l->steps = l->in_steps / window(l);
    l->width = l->in_width;
}

static int length(const struct layer *l, int in)
{
    int out = (in + window(l) - 1) / window(l);
    return out < l->steps ? out : l->steps;
}

/* How many rows from i on have as many real steps in the window of step t as row i has; *steps: so many. */
static int alike(const struct layer *l, const struct leaf *leaf, int t, int i, int *steps)
{
    int first = t * window(l), k = 1;
    *steps = window(l);
    if (!leaf->active)
        return leaf->n - i;
    while (k < window(l) && leaf_rows_in(leaf, l, first + k) > i)
        k++;
    *steps = k;
    return leaf_rows_in(leaf, l, first + k - 1) - i;
}

/* x (steps, `apart` floats from each other), y: n units. */
static void largest(const float *restrict x, size_t apart, int steps, float *restrict y, size_t n)
{
    memcpy(y, x, n * sizeof *y);
    for (int k = 1; k < steps; k++) {
        const float *restrict other = x + (size_t)k * apart;
        for (size_t j = 0; j < n; j++)
            y[j] = other[j] > y[j] ? other[j] : y[j];
    }
}

static void average(const float *restrict x, size_t apart, int steps, float *restrict y, size_t n)
{
    float count = (float)steps;
    memcpy(y, x, n * sizeof *y);
    for (int k = 1; k < steps; k++) {
        const float *restrict other = x + (size_t)k * apart;
        for (size_t j = 0; j < n; j++)
            y[j] += other[j];
    }
    for (size_t j = 0; j < n; j++)
        y[j] /= count;
}

static void forward(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, float *cache)
{
    size_t width = (size_t)l->width, apart = (size_t)leaf->n * width;
    (void)w, (void)packed, (void)cache;
    for (int t = 0; t < l->steps; t++)
        for (int i = 0, rows, steps; i < leaf_rows_out(leaf, l, t); i += rows) {
            rows = alike(l, leaf, t, i, &steps);
            const float *x = in + (size_t)t * (size_t)window(l) * apart + (size_t)i * width;
            (l->average ? average : largest)(x, apart, steps, out + (size_t)t * apart + (size_t)i * width, (size_t)rows * width);
        }
}

/* dx of the first of the largest gets dy, the others 0. */
static void largest_backward(const float *restrict x, size_t apart, int steps, const float *restrict dy, float *restrict dx, size_t n)
{
    enum { UNITS = 256 };
    for (size_t from = 0; from < n; from += UNITS) {
        size_t m = n - from < UNITS ? n - from : UNITS;
        float top[UNITS];
        int32_t place[UNITS];
        for (size_t j = 0; j < m; j++) {
            top[j] = x[from + j];
            place[j] = 0;
        }
        for (int k = 1; k < steps; k++)
            for (size_t j = 0; j < m; j++) {
                float other = x[(size_t)k * apart + from + j];
                place[j] = other > top[j] ? k : place[j];
                top[j] = other > top[j] ? other : top[j];
            }
        for (int k = 0; k < steps; k++)
            for (size_t j = 0; j < m; j++)
                dx[(size_t)k * apart + from + j] = place[j] == k ? dy[from + j] : 0;
    }
}

static void average_backward(size_t apart, int steps, const float *restrict dy, float *restrict dx, size_t n)
{
    float count = (float)steps;
    for (int k = 0; k < steps; k++)
        for (size_t j = 0; j < n; j++)
            dx[(size_t)k * apart + j] = dy[j] / count;
}

static void backward(const struct layer *l, const float *packed, const struct leaf *leaf, const float *in, const float *out, float *cache, float *dout,
                     float *din, float *grad)
{
    size_t width = (size_t)l->width, apart = (size_t)leaf->n * width, used = (size_t)l->steps * (size_t)window(l);
    (void)packed, (void)out, (void)cache, (void)grad;
    if (!din)
        return;
    if (leaf->active)
        memset(din, 0, used * apart * sizeof *din);
    memset(din + used * apart, 0, ((size_t)l->in_steps - used) * apart * sizeof *din);
    for (int t = 0; t < l->steps; t++)
        for (int i = 0, rows, steps; i < leaf_rows_out(leaf, l, t); i += rows) {
            rows = alike(l, leaf, t, i, &steps);
            size_t at = (size_t)t * (size_t)window(l) * apart + (size_t)i * width, n = (size_t)rows * width;
            const float *dy = dout + (size_t)t * apart + (size_t)i * width;
            if (l->average)
                average_backward(apart, steps, dy, din + at, n);
            else
                largest_backward(in + at, apart, steps, dy, din + at, n);
        }
}

const struct layer_kind ENGINE(layer_pooling) = {.name = "pooling", .shape = shape, .length = length, .forward = forward, .backward = backward};
