/* LSTM (Hochreiter and Schmidhuber 1997), gates in Keras' order i, f, g, o: kernel (in, 4u), recurrent kernel (u, 4u), bias (4u); bidirectional: all of
 * that once more for the steps from last to first, whose last output stands behind the other's.
 *
 * Packed, for each direction: for every block of 16 units a panel of 64 columns - i, f, g, o of the same units - with bias (1, 64), kernel (in, 64) and
 * recurrent kernel (u, 64), so that a tile's registers hold all gates of 4 rows by 16 units, which become states while the next tile is multiplied; then
 * the transposes of both kernels.
 *
 * Cache of a leaf, for each direction: gates (T,n,4u) after their activation; cells, their tanh, outputs (T,n,u); gradients of gates at two steps (2,n,4u),
 * rows dz_row apart; dh, dc (n,u). */
#include "models/engine/recurrence.h"

enum { PANEL = 4 * LANES };

struct lstm {
    struct recurrence s;
    const float *panels, *kernel_t, *recurrent_t;
    const float *x; /* (T, n, in) */
    float *gates, *cells, *tanhs, *dz, *dh, *dc;
    size_t dz_row;
};

static size_t panels_floats(const struct layer *l)
{
    return (size_t)((l->units + LANES - 1) / LANES) * (size_t)(1 + l->in_width + l->units) * PANEL;
}

static size_t side_packed(const struct layer *l)
{
    return panels_floats(l) + gemm_packed(4 * l->units, l->in_width) + gemm_packed(4 * l->units, l->units);
}

static size_t side_weights(const struct layer *l)
{
    return ((size_t)l->in_width + (size_t)l->units + 1) * 4 * (size_t)l->units;
}

static int sides(const struct layer *l)
{
    return l->bidirectional ? 2 : 1;
}

static void shape(struct layer *l)
{
    size_t u = (size_t)l->units, both = (size_t)sides(l);
    l->steps = 1;
    l->width = sides(l) * l->units;
    l->n_weights = both * side_weights(l);
    l->n_packed = both * side_packed(l);
    l->cache = both * ((size_t)l->in_steps * 7 * u + 2 * gemm_row(4 * u) + 2 * u);
}

static int length(const struct layer *l, int in)
{
    (void)l, (void)in;
    return 1;
}

static void init(const struct layer *l, float *w, uint64_t key)
{
    size_t u = (size_t)l->units, in = (size_t)l->in_width;
    for (int side = 0; side < sides(l); side++, w += side_weights(l), key += 2) {
        layer_glorot(w, in * 4 * u, l->in_width, 4 * l->units, key);
        layer_orthogonal(w + in * 4 * u, l->units, 4 * l->units, key + 1);
        for (size_t j = 0; j < u; j++) /* the forget gate begins open */
            w[(in + u) * 4 * u + u + j] = 1;
    }
}

/* Rows of 4u columns, of which a panel takes 16 of each gate. */
static void pack_rows(const struct layer *l, const float *w, size_t rows, size_t block, float *out)
{
    size_t u = (size_t)l->units, j = block * LANES;
    int units = columns_of_strip(u, j);
    for (size_t p = 0; p < rows; p++)
        for (size_t gate = 0; gate < 4; gate++)
            lanes_store(out + p * PANEL + gate * LANES, lanes_load_n(w + p * 4 * u + gate * u + j, units));
}

static void pack(const struct layer *l, const float *w, float *packed)
{
    size_t u = (size_t)l->units, in = (size_t)l->in_width, blocks = (u + LANES - 1) / LANES;
    for (int side = 0; side < sides(l); side++, w += side_weights(l), packed += side_packed(l)) {
        for (size_t b = 0; b < blocks; b++) {
            float *panel = packed + b * (1 + in + u) * PANEL;
            pack_rows(l, w + (in + u) * 4 * u, 1, b, panel);
            pack_rows(l, w, in + u, b, panel + PANEL);
        }
        float *kernel_t = packed + panels_floats(l);
        ENGINE(gemm_pack)(w, 1, 4 * u, 4 * l->units, l->in_width, kernel_t);
        ENGINE(gemm_pack)(w + in * 4 * u, 1, 4 * u, 4 * l->units, l->units, kernel_t + gemm_packed(4 * l->units, l->in_width));
    }
}

static struct lstm lstm_of(const struct layer *l, const struct leaf *leaf, int side, const float *packed, const float *x, float *cache)
{
    size_t u = (size_t)l->units, n = (size_t)leaf->n, all = n * (size_t)l->in_steps * u;
    struct lstm c = {.s = {.l = l, .leaf = leaf, .reversed = side == 1, .in = (size_t)l->in_width, .units = u, .rows = n}, .x = x};
    c.panels = packed + (size_t)side * side_packed(l);
    c.kernel_t = c.panels + panels_floats(l);
    c.recurrent_t = c.kernel_t + gemm_packed(4 * l->units, l->in_width);
    c.gates = cache + (size_t)side * (7 * all + n * (2 * gemm_row(4 * u) + 2 * u));
    c.cells = c.gates + 4 * all;
    c.tanhs = c.cells + all;
    c.s.outputs = c.tanhs + all;
    c.dz = c.s.outputs + all;
    c.dz_row = gemm_row(4 * u);
    c.dh = c.dz + 2 * n * c.dz_row;
    c.dc = c.dh + n * u;
    return c;
}

/* --- forward --- */

/* Gates z of one row and block become states; j: the block's first unit. */
INLINE void states(const struct lstm *c, const lanes z[4], int t, int before, size_t row, size_t j)
{
    size_t u = c->s.units, at = ((size_t)t * c->s.rows + row) * u + j;
    int units = recurrence_units(&c->s, j);
    lanes i = recurrence_gate(c->s.l, z[0]), f = recurrence_gate(c->s.l, z[1]), g = lanes_tanh(z[2]), o = recurrence_gate(c->s.l, z[3]);
    lanes cell = lanes_mul(i, g);
    if (before >= 0)
        cell = lanes_fma(f, lanes_load_n(c->cells + ((size_t)before * c->s.rows + row) * u + j, units), cell);
    lanes th = lanes_tanh(cell);
    float *gates = c->gates + 4 * (at - j) + j;
    lanes_store_n(gates, i, units);
    lanes_store_n(gates + u, f, units);
    lanes_store_n(gates + 2 * u, g, units);
    lanes_store_n(gates + 3 * u, o, units);
    lanes_store_n(c->cells + at, cell, units);
    lanes_store_n(c->tanhs + at, th, units);
    lanes_store_n(c->s.outputs + at, lanes_mul(o, th), units);
}

struct tile { /* rows of a step and a block of units, whose gates z wait to become states */
    lanes z[CELL_ROWS * 4];
    int t, before, rows;
    size_t row, j;
};

INLINE void waiting_row(const struct lstm *c, const struct tile *w, int r)
{
    if (r < CELL_ROWS && r < w->rows)
        states(c, w->z + r * 4, w->t, w->before, w->row + (size_t)r, w->j);
}

/* z += a panel, one half and then the other. States are long chains, products many short ones: two rows that wait become states beside them. */
INLINE void multiply(const struct lstm *c, lanes *z, int rows, const float *a, size_t width, const float *panel, const struct tile *w, int r)
{
    int half = (int)width / 2;
    tile_multiply(z, rows, 4, a, width, 1, panel, PANEL, half);
    waiting_row(c, w, r);
    tile_multiply(z, rows, 4, a + half, width, 1, panel + half * PANEL, PANEL, (int)width - half);
    waiting_row(c, w, r + 1);
}

/* w: the tile before; becomes this one. */
INLINE void tile(const struct lstm *c, const float *panel, int t, int before, size_t row, size_t j, int rows, struct tile *w)
{
    lanes z[CELL_ROWS * 4];
    size_t u = c->s.units, in = c->s.in;
    for (int r = 0; r < rows * 4; r++)
        z[r] = lanes_load(panel + r % 4 * LANES);
    multiply(c, z, rows, c->x + ((size_t)t * c->s.rows + row) * in, in, panel + PANEL, w, 0);
    if (before >= 0)
        multiply(c, z, rows, c->s.outputs + ((size_t)before * c->s.rows + row) * u, u, panel + (1 + in) * PANEL, w, 2);
    else
        for (int r = 2; r < CELL_ROWS; r++)
            waiting_row(c, w, r);
    for (int r = 0; r < rows * 4; r++)
        w->z[r] = z[r];
    w->t = t;
    w->before = before;
    w->rows = rows;
    w->row = row;
    w->j = j;
}

static void step_forward(const struct lstm *c, int t)
{
    int before = recurrence_before(&c->s, t), rows = leaf_rows_in(c->s.leaf, c->s.l, t);
    struct tile w = {.rows = 0};
    recurrence_clear(&c->s, t, c->cells);
    recurrence_clear(&c->s, t, c->s.outputs);
    for (size_t j = 0; j < c->s.units; j += LANES) {
        const float *panel = c->panels + j / LANES * (1 + c->s.in + c->s.units) * PANEL;
        int i = 0;
        for (; i + CELL_ROWS <= rows; i += CELL_ROWS)
            tile(c, panel, t, before, (size_t)i, j, CELL_ROWS, &w);
        for (; i < rows; i++)
            tile(c, panel, t, before, (size_t)i, j, 1, &w);
    }
    for (int r = 0; r < CELL_ROWS; r++)
        waiting_row(c, &w, r);
}

static void forward(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, float *cache)
{
    (void)w;
    for (int side = 0; side < sides(l); side++) {
        struct lstm c = lstm_of(l, leaf, side, packed, in, cache);
        for (int i = 0; i < l->in_steps; i++)
            step_forward(&c, recurrence_time(&c.s, i));
        recurrence_out(&c.s, out, (size_t)side * c.s.units);
    }
}

/* --- backward --- */

/* Gradients of the gates of one row and block; dc becomes that of the cell before. */
INLINE void gradients(const struct lstm *c, int t, int before, size_t row, size_t j)
{
    size_t u = c->s.units, at = ((size_t)t * c->s.rows + row) * u + j;
    int units = recurrence_units(&c->s, j);
    const float *gates = c->gates + 4 * (at - j) + j;
    float *dz = c->dz + (recurrence_slot(&c->s, t) + row) * c->dz_row + j, *dc = c->dc + row * u + j;
    lanes i = lanes_load_n(gates, units), f = lanes_load_n(gates + u, units), g = lanes_load_n(gates + 2 * u, units),
          o = lanes_load_n(gates + 3 * u, units), th = lanes_load_n(c->tanhs + at, units), dh = lanes_load_n(c->dh + row * u + j, units);
    lanes cell = before >= 0 ? lanes_load_n(c->cells + ((size_t)before * c->s.rows + row) * u + j, units) : lanes_set(0);
    lanes d = lanes_fma(lanes_mul(dh, o), recurrence_tanh_slope(th), lanes_load_n(dc, units));
    lanes_store_n(dc, lanes_mul(d, f), units);
    lanes_store_n(dz, lanes_mul(lanes_mul(d, g), recurrence_gate_slope(c->s.l, i)), units);
    lanes_store_n(dz + u, lanes_mul(lanes_mul(d, cell), recurrence_gate_slope(c->s.l, f)), units);
    lanes_store_n(dz + 2 * u, lanes_mul(lanes_mul(d, i), recurrence_tanh_slope(g)), units);
    lanes_store_n(dz + 3 * u, lanes_mul(lanes_mul(dh, th), recurrence_gate_slope(c->s.l, o)), units);
}

/* What forward left of a row at a step is far away by now: asks for it ahead. */
INLINE void fetch(const struct lstm *c, int t, int before, size_t row)
{
    size_t u = c->s.units, at = ((size_t)t * c->s.rows + row) * u;
    for (size_t j = 0; j < 4 * u; j += LANES)
        __builtin_prefetch(c->gates + 4 * at + j);
    for (size_t j = 0; j < u; j += LANES) {
        __builtin_prefetch(c->tanhs + at + j);
        if (before >= 0)
            __builtin_prefetch(c->cells + ((size_t)before * c->s.rows + row) * u + j);
    }
}

static void step_backward(const struct lstm *c, int t, float *din, bool add)
{
    int before = recurrence_before(&c->s, t), rows = leaf_rows_in(c->s.leaf, c->s.l, t);
    size_t u = c->s.units, first = (size_t)t * c->s.rows;
    for (int i = 0; i < rows; i++) {
        fetch(c, t, before, (size_t)i + 2);
        for (size_t j = 0; j < u; j += LANES)
            gradients(c, t, before, (size_t)i, j);
    }
    struct gemm g = {.m = recurrence_rows_before(&c->s, t), .n = (int)u, .k = 4 * (int)u, .a = c->dz + recurrence_slot(&c->s, t) * c->dz_row, .a_row = c->dz_row, .a_col = 1,
                     .b = c->recurrent_t, .c = c->dh, .c_row = u};
    ENGINE(gemm)(&g);
    if (!din)
        return;
    g.m = rows;
    g.n = (int)c->s.in;
    g.b = c->kernel_t;
    g.c = din + first * c->s.in;
    g.c_row = c->s.in;
    g.add = add;
    ENGINE(gemm)(&g);
}

/* grad: of this direction's weights; steps from the i-th on. */
static void weight_gradients(const struct lstm *c, int i, int steps, float *grad)
{
    size_t u = c->s.units, in = c->s.in;
    const struct recurrence_states inputs[2] = {{c->x, in, false}, {c->s.outputs, u, true}};
    recurrence_gradients(&c->s, i, steps, inputs, c->dz, c->dz_row, 4 * u, grad, 4 * u);
    recurrence_bias(&c->s, i, steps, c->dz, c->dz_row, 4 * u, grad + (in + u) * 4 * u);
}

static void backward(const struct layer *l, const float *packed, const struct leaf *leaf, const float *in, const float *out, float *cache, float *dout,
                     float *din, float *grad)
{
    (void)out;
    for (int side = 0; side < sides(l); side++, grad += side_weights(l)) {
        struct lstm c = lstm_of(l, leaf, side, packed, in, cache);
        size_t u = c.s.units, n = c.s.rows;
        for (size_t i = 0; i < n; i++)
            memcpy(c.dh + i * u, dout + i * (size_t)l->width + (size_t)side * u, u * sizeof *dout);
        memset(c.dc, 0, n * u * sizeof *c.dc);
        for (int i = l->in_steps - 1; i >= 0; i--) {
            step_backward(&c, recurrence_time(&c.s, i), din, side > 0);
            if (recurrence_due(&c.s, i))
                weight_gradients(&c, i, recurrence_due(&c.s, i), grad);
        }
    }
}

static int tensors(const struct layer *l, struct tensor out[TENSORS_MAX])
{
    static const char *const names[2][3] = {{"kernel", "recurrent_kernel", "bias"}, {"backward_kernel", "backward_recurrent_kernel", "backward_bias"}};
    size_t u = (size_t)l->units, k = (size_t)l->in_width;
    for (int side = 0; side < sides(l); side++) {
        size_t at = (size_t)side * side_weights(l);
        out[3 * side] = (struct tensor){names[side][0], at, {l->in_width, 4 * l->units}, 2};
        out[3 * side + 1] = (struct tensor){names[side][1], at + k * 4 * u, {l->units, 4 * l->units}, 2};
        out[3 * side + 2] = (struct tensor){names[side][2], at + (k + u) * 4 * u, {4 * l->units}, 1};
    }
    return 3 * sides(l);
}

const struct layer_kind ENGINE(layer_lstm) = {.name = "lstm", .shape = shape, .length = length, .init = init, .pack = pack,
                                              .forward = forward, .backward = backward, .tensors = tensors};
