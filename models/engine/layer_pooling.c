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

INLINE lanes read(const float *x, size_t n)
{
    return n >= LANES ? lanes_load(x) : lanes_load_n(x, (int)n);
}

INLINE void write(float *x, lanes v, size_t n)
{
    if (n >= LANES)
        lanes_store(x, v);
    else
        lanes_store_n(x, v, (int)n);
}

/* The largest of x, or the sum of them: steps `apart` floats from each other, up to 16 units. */
INLINE lanes joined(const float *x, size_t apart, int steps, bool sum, size_t n)
{
    lanes y = read(x, n);
    for (int k = 1; k < steps; k++) {
        lanes other = read(x + (size_t)k * apart, n);
        y = sum ? lanes_add(y, other) : lanes_max(other, y);
    }
    return y;
}

/* y: n units of one output step. */
static void window_forward(const struct layer *l, const float *x, size_t apart, int steps, float *y, size_t n)
{
    lanes count = lanes_set((float)steps);
    for (size_t j = 0; j < n; j += LANES)
        write(y + j, l->average ? lanes_div(joined(x + j, apart, steps, true, n - j), count) : joined(x + j, apart, steps, false, n - j), n - j);
}

/* dx of the first of the largest gets dy, the others 0; or each gets its share. */
static void window_backward(const struct layer *l, const float *x, size_t apart, int steps, const float *dy, float *dx, size_t n)
{
    lanes count = lanes_set((float)steps);
    for (size_t j = 0; j < n; j += LANES) {
        lanes left = read(dy + j, n - j), top = l->average ? left : joined(x + j, apart, steps, false, n - j);
        for (int k = 0; k < steps; k++) {
            size_t at = (size_t)k * apart + j;
            lanes d = l->average ? lanes_div(left, count) : lanes_equal(read(x + at, n - j), top, left);
            write(dx + at, d, n - j);
            left = l->average ? left : lanes_sub(left, d);
        }
    }
}

static void forward(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, float *cache)
{
    size_t width = (size_t)l->width, apart = (size_t)leaf->n * width;
    (void)w, (void)packed, (void)cache;
    for (int t = 0; t < l->steps; t++)
        for (int i = 0, rows, steps; i < leaf_rows_out(leaf, l, t); i += rows) {
            rows = alike(l, leaf, t, i, &steps);
            const float *x = in + (size_t)t * (size_t)window(l) * apart + (size_t)i * width;
            window_forward(l, x, apart, steps, out + (size_t)t * apart + (size_t)i * width, (size_t)rows * width);
        }
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
            window_backward(l, in + at, apart, steps, dout + (size_t)t * apart + (size_t)i * width, din + at, n);
        }
}

const struct layer_kind ENGINE(layer_pooling) = {.name = "pooling", .shape = shape, .length = length, .forward = forward, .backward = backward};
