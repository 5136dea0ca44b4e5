/* Batch normalization (Ioffe and Szegedy 2015): weights gamma, beta (width); stats moving mean, moving variance. Cache: the normalized x. */
#include "models/engine/columns.h"
#include "models/engine.h"

static const float epsilon = 1e-3f;

static void shape(struct layer *l)
{
    l->steps = l->in_steps;
    l->width = l->in_width;
    l->n_weights = 2 * (size_t)l->width;
    l->cache = (size_t)l->steps * (size_t)l->width;
}

static void init(const struct layer *l, float *w, uint64_t key)
{
    (void)key;
    for (int j = 0; j < l->width; j++)
        w[j] = 1;
}

static double count(const struct layer *l, const struct leaf *leaf)
{
    double n = 0;
    for (int t = 0; t < l->steps; t++)
        n += leaf_rows_in(leaf, l, t);
    return n;
}

/* Blocks of rows that take part: *first is where block `number` begins, in rows; returns how many, -1 behind the last. */
static int block(const struct layer *l, const struct leaf *leaf, int number, size_t *first)
{
    if (!leaf->active) {
        size_t rows = (size_t)leaf->n * (size_t)l->steps;
        *first = (size_t)number * COLUMNS_ROWS;
        return *first >= rows ? -1 : rows - *first < COLUMNS_ROWS ? (int)(rows - *first) : COLUMNS_ROWS;
    }
    *first = (size_t)number * (size_t)leaf->n;
    return number == l->steps ? -1 : leaf_rows_in(leaf, l, number);
}

static void sum(const struct layer *l, const struct leaf *leaf, const float *x, const float *mean, float *out)
{
    size_t n = (size_t)l->width, first;
    memset(out, 0, n * sizeof *out);
    for (int b = 0, rows; (rows = block(l, leaf, b, &first)) >= 0; b++)
        for (size_t j = 0; j < n; j += LANES) {
            int columns = columns_of_strip(n, j);
            lanes s = lanes_load_n(out + j, columns), m = mean ? lanes_load_n(mean + j, columns) : lanes_set(0);
            for (int i = 0; i < rows; i++) {
                lanes v = lanes_load_n(x + (first + (size_t)i) * n + j, columns), d = lanes_sub(v, m);
                s = mean ? lanes_fma(d, d, s) : lanes_add(s, v);
            }
            lanes_store_n(out + j, s, columns);
        }
}

/* 1 / sqrt(variance + epsilon) */
INLINE lanes scale_of(const float *variance, int columns)
{
    float r[LANES] = {0};
    for (int j = 0; j < columns; j++)
        r[j] = 1.0f / sqrtf(variance[j] + epsilon);
    return lanes_load(r);
}

static void apply(const struct layer *l, const float *w, const struct leaf *leaf, const float *x, const float *mean, const float *variance, float *out,
                  float *cache)
{
    size_t n = (size_t)l->width, first;
    for (int b = 0, rows; (rows = block(l, leaf, b, &first)) >= 0; b++)
        for (size_t j = 0; j < n; j += LANES) {
            int columns = columns_of_strip(n, j);
            lanes m = lanes_load_n(mean + j, columns), scale = scale_of(variance + j, columns), gamma = lanes_load_n(w + j, columns),
                  beta = lanes_load_n(w + n + j, columns);
            for (int i = 0; i < rows; i++) {
                size_t at = (first + (size_t)i) * n + j;
                lanes z = lanes_mul(lanes_sub(lanes_load_n(x + at, columns), m), scale);
                lanes_store_n(cache + at, z, columns);
                lanes_store_n(out + at, lanes_fma(gamma, z, beta), columns);
            }
        }
}

static void backward_sum(const struct layer *l, const struct leaf *leaf, const float *dout, const float *cache, float *out)
{
    size_t n = (size_t)l->width, first;
    memset(out, 0, 2 * n * sizeof *out);
    for (int b = 0, rows; (rows = block(l, leaf, b, &first)) >= 0; b++)
        for (size_t j = 0; j < n; j += LANES) {
            int columns = columns_of_strip(n, j);
            lanes s = lanes_load_n(out + j, columns), z = lanes_load_n(out + n + j, columns);
            for (int i = 0; i < rows; i++) {
                size_t at = (first + (size_t)i) * n + j;
                lanes d = lanes_load_n(dout + at, columns);
                s = lanes_add(s, d);
                z = lanes_fma(d, lanes_load_n(cache + at, columns), z);
            }
            lanes_store_n(out + j, s, columns);
            lanes_store_n(out + n + j, z, columns);
        }
}

/* gamma / sqrt(variance + epsilon) * (dout - mean of dout - x^ * mean of dout x^) */
static void backward(const struct layer *l, const float *w, const struct leaf *leaf, const float *dout, const float *cache, const float *sums,
                     const float *variance, double total, float *din)
{
    size_t n = (size_t)l->width, first;
    lanes all = lanes_set((float)total), zero = lanes_set(0);
    for (int b = 0, rows; (rows = block(l, leaf, b, &first)) >= 0; b++)
        for (size_t j = 0; j < n; j += LANES) {
            int columns = columns_of_strip(n, j);
            lanes scale = lanes_mul(lanes_load_n(w + j, columns), scale_of(variance + j, columns));
            lanes mean = lanes_div(lanes_load_n(sums + j, columns), all);
            lanes along = lanes_sub(zero, lanes_div(lanes_load_n(sums + n + j, columns), all));
            for (int i = 0; i < rows; i++) {
                size_t at = (first + (size_t)i) * n + j;
                lanes d = lanes_fma(along, lanes_load_n(cache + at, columns), lanes_sub(lanes_load_n(dout + at, columns), mean));
                lanes_store_n(din + at, lanes_mul(scale, d), columns);
            }
        }
}

static int tensors(const struct layer *l, struct tensor out[TENSORS_MAX])
{
    out[0] = (struct tensor){"gamma", 0, {l->width}, 1};
    out[1] = (struct tensor){"beta", (size_t)l->width, {l->width}, 1};
    return 2;
}

const struct layer_kind ENGINE(layer_batch_norm) = {.name = "batch_norm", .shape = shape, .init = init, .tensors = tensors};
const struct batch_norm ENGINE(batch_norm) = {.count = count, .sum = sum, .apply = apply, .backward_sum = backward_sum, .backward = backward};
