/* Convolution over steps (convolution.h) of an embedding: a leaf has few different tokens, so a tap is multiplied with each of their vectors once, and a step
 * looks up what its tokens came to.
 *
 * In: vectors (n_tokens, in_width), as the input layer gives them. Strips of up to 64 filters, one after the other. Room: what the tokens of a strip
 * come to, (kernel_size, n_tokens, 64), backward the sums of its gradients over the places where a token stands, (n_tokens, 64).
 * Packed, strip by strip: each tap's W, then each tap's transpose. */
#include "models/engine/convolution.h"

enum { STRIP = 64, VECTORS = STRIP / LANES };

struct strip { /* filters [from, from + columns) */
    size_t from;
    int columns;
    size_t there, back, there_apart, back_apart; /* where packed taps begin, and how far they are from each other */
};

static struct strip strip_of(const struct layer *l, size_t from)
{
    size_t taps = (size_t)l->kernel_size;
    struct strip s = {.from = from, .columns = (size_t)l->width - from < STRIP ? (int)((size_t)l->width - from) : STRIP};
    s.there_apart = gemm_packed(l->in_width, s.columns);
    s.back_apart = gemm_packed(s.columns, l->in_width);
    s.there = taps * (gemm_packed(l->in_width, (int)from) + gemm_packed((int)from, l->in_width));
    s.back = s.there + taps * s.there_apart;
    return s;
}

static void shape(struct layer *l)
{
    conv_shape(l);
    l->room = (size_t)l->kernel_size * leaf_tokens_most(l) * STRIP;
}

static void pack(const struct layer *l, const float *w, float *packed)
{
    size_t n = (size_t)l->width;
    for (size_t from = 0; from < n; from += STRIP) {
        struct strip s = strip_of(l, from);
        for (size_t k = 0; k < (size_t)l->kernel_size; k++) {
            const float *tap = w + k * (size_t)l->in_width * n + from;
            ENGINE(gemm_pack)(tap, n, 1, l->in_width, s.columns, packed + s.there + k * s.there_apart);
            ENGINE(gemm_pack)(tap, 1, n, s.columns, l->in_width, packed + s.back + k * s.back_apart);
        }
    }
}

/* Rows whose step t sees a real step through tap k; *at: that step. */
static int rows_of(const struct layer *l, const struct leaf *leaf, int t, int k, int *at)
{
    *at = t * conv_strides(l) + k * conv_dilation(l) - conv_padding(l);
    if (*at < 0 || *at >= l->in_steps)
        return 0;
    int in = leaf_rows_in(leaf, l, *at), out = leaf_rows_out(leaf, l, t);
    return in < out ? in : out;
}

/* --- forward --- */

struct tap { /* what a step's rows see through it */
    const float *x;       /* (n_tokens, 64) what tokens come to */
    const int32_t *which; /* (rows) */
    int rows;
};

INLINE void rows_forward(const struct layer *l, const struct tap *tap, int taps, int rows, const lanes *bias, int vectors, int last, float *out)
{
    for (int i = 0; i < rows; i++, out += l->width) {
        lanes y[VECTORS];
        for (int v = 0; v < vectors; v++)
            y[v] = bias[v];
        for (int k = 0; k < taps; k++) {
            if (i >= tap[k].rows)
                continue;
            const float *x = tap[k].x + (size_t)tap[k].which[i] * STRIP;
            for (int v = 0; v < vectors; v++)
                y[v] = lanes_add(y[v], lanes_load(x + v * LANES));
        }
        for (int v = 0; v < vectors; v++) {
            lanes positive = l->activation == 'r' ? lanes_max(lanes_set(0), y[v]) : y[v];
            lanes_store_n(out + v * LANES, positive, v == vectors - 1 ? last : LANES);
        }
    }
}

static void strip_forward(const struct layer *l, const float *w, const float *packed, const struct strip *s, const struct leaf *leaf, const float *in, float *out)
{
    size_t all = (size_t)leaf->n_tokens * STRIP, n = (size_t)leaf->n;
    int vectors = (s->columns + LANES - 1) / LANES, last = s->columns - (vectors - 1) * LANES;
    lanes bias[VECTORS];
    for (int v = 0; v < vectors; v++)
        bias[v] = lanes_load_n(w + conv_bias(l) + s->from + (size_t)v * LANES, v == vectors - 1 ? last : LANES);
    for (int k = 0; k < l->kernel_size; k++)
        ENGINE(gemm)(&(struct gemm){.m = leaf->n_tokens, .n = s->columns, .k = l->in_width, .a = in, .a_row = (size_t)l->in_width, .a_col = 1,
                                    .b = packed + s->there + (size_t)k * s->there_apart, .c = leaf->room + (size_t)k * all, .c_row = STRIP});
    for (int t = 0; t < l->steps; t++) {
        struct tap tap[CONV_TOKENS_TAPS];
        for (int k = 0, at; k < l->kernel_size; k++) {
            int rows = rows_of(l, leaf, t, k, &at);
            tap[k] = (struct tap){leaf->room + (size_t)k * all, rows ? leaf->which + (size_t)at * n : NULL, rows};
        }
        float *y = out + (size_t)t * n * (size_t)l->width + s->from;
        if (vectors == VECTORS)
            rows_forward(l, tap, l->kernel_size, leaf_rows_out(leaf, l, t), bias, VECTORS, last, y);
        else
            rows_forward(l, tap, l->kernel_size, leaf_rows_out(leaf, l, t), bias, vectors, last, y);
    }
}

static void forward(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, float *cache)
{
    (void)cache;
    for (size_t from = 0; from < (size_t)l->width; from += STRIP) {
        struct strip s = strip_of(l, from);
        strip_forward(l, w, packed, &s, leaf, in, out);
    }
}

/* --- backward --- */

/* Gradients of some rows, to those of the tokens that stand there. */
INLINE void rows_backward(const float *dout, size_t width, const int32_t *which, int rows, int vectors, int last, float *sum)
{
    for (int i = 0; i < rows; i++, dout += width) {
        float *to = sum + (size_t)which[i] * STRIP;
        for (int v = 0; v < vectors; v++)
            lanes_store(to + v * LANES, lanes_add(lanes_load(to + v * LANES), lanes_load_n(dout + v * LANES, v == vectors - 1 ? last : LANES)));
    }
}

/* Of tap k, over the places where each token stands: leaf->room (n_tokens, 64). */
static void sum_gradients(const struct layer *l, const struct strip *s, const struct leaf *leaf, const float *dout, int k)
{
    int vectors = (s->columns + LANES - 1) / LANES, last = s->columns - (vectors - 1) * LANES;
    size_t n = (size_t)leaf->n, width = (size_t)l->width;
    memset(leaf->room, 0, (size_t)leaf->n_tokens * STRIP * sizeof *leaf->room);
    for (int t = 0, at; t < l->steps; t++) {
        int rows = rows_of(l, leaf, t, k, &at);
        const float *dy = dout + (size_t)t * n * width + s->from;
        const int32_t *which = leaf->which + (size_t)(rows ? at : 0) * n;
        if (s->columns == STRIP)
            rows_backward(dy, width, which, rows, VECTORS, LANES, leaf->room);
        else
            rows_backward(dy, width, which, rows, vectors, last, leaf->room);
    }
}

static void backward(const struct layer *l, const float *packed, const struct leaf *leaf, const float *in, const float *out, float *cache, float *dout,
                     float *din, float *grad)
{
    size_t n = (size_t)l->width, cin = (size_t)l->in_width;
    (void)cache;
    conv_backward_bias(l, leaf, out, dout, grad, 0, l->steps);
    for (size_t from = 0; from < n; from += STRIP) {
        struct strip s = strip_of(l, from);
        for (int k = 0; k < l->kernel_size; k++) {
            sum_gradients(l, &s, leaf, dout, k);
            ENGINE(gemm)(&(struct gemm){.m = l->in_width, .n = s.columns, .k = leaf->n_tokens, .a = in, .a_row = 1, .a_col = cin, .b = leaf->room,
                                        .b_row = STRIP, .c = grad + (size_t)k * cin * n + from, .c_row = n, .add = true});
            ENGINE(gemm)(&(struct gemm){.m = leaf->n_tokens, .n = l->in_width, .k = s.columns, .a = leaf->room, .a_row = STRIP, .a_col = 1,
                                        .b = packed + s.back + (size_t)k * s.back_apart, .c = din, .c_row = cin, .add = from > 0 || k > 0});
        }
    }
}

const struct layer_kind ENGINE(layer_conv1d_tokens) = {.name = "conv1d", .shape = shape, .length = conv_length, .init = conv_init, .pack = pack,
                                                       .forward = forward, .backward = backward, .tensors = conv_tensors};
