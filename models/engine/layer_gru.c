/* GRU (Cho et al. 2014), gates in Keras' order z, r, h: kernel (in, 3u), recurrent kernel (u, 3u), bias (3u), and with reset_after a second bias (3u)
 * for the recurrent side; bidirectional: all of that once more for the steps from last to first.
 *
 *   reset_after:  h~ = tanh(x Wh + bh + r * (h Uh + bh'))       (also what cuDNN and PyTorch compute)
 *   else:         h~ = tanh(x Wh + bh + (r * h) Uh)
 *   h' = z * h + (1 - z) * h~
 *
 * Packed, for each direction: for every block of 16 units a panel of 48 columns - z, r, h of the same units - with both biases (2, 48), kernel (in, 48) and
 * recurrent kernel (u, 48); then transposes: of the kernel, of the recurrent kernel's z and r, of its h.
 *
 * Cache of a leaf, for each direction: gates (T,n,3u) after their activation; inner (T,n,u): h Uh + bh' or r * h; outputs (T,n,u); gradients of gates and of
 * inner at two steps (2,n,3u), (2,n,u), rows dz_row and dinner_row apart; dh, room (n,u). */
#include "models/engine/recurrence.h"

enum { PANEL = 3 * LANES };

struct gru {
    struct recurrence s;
    const float *panels, *kernel_t, *gates_t, *candidate_t;
    const float *x; /* (T, n, in) */
    float *gates, *inner, *dz, *dinner, *dh, *room;
    size_t dz_row, dinner_row;
};

static size_t panels_floats(const struct layer *l)
{
    return (size_t)((l->units + LANES - 1) / LANES) * (size_t)(2 + l->in_width + l->units) * PANEL;
}

static size_t side_packed(const struct layer *l)
{
    return panels_floats(l) + gemm_packed(3 * l->units, l->in_width) + gemm_packed(2 * l->units, l->units) + gemm_packed(l->units, l->units);
}

static size_t side_weights(const struct layer *l)
{
    return ((size_t)l->in_width + (size_t)l->units + (l->reset_after ? 2 : 1)) * 3 * (size_t)l->units;
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
    l->cache = both * ((size_t)l->in_steps * 5 * u + 2 * gemm_row(3 * u) + 2 * gemm_row(u) + 2 * u);
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
        layer_glorot(w, in * 3 * u, l->in_width, 3 * l->units, key);
        layer_orthogonal(w + in * 3 * u, l->units, 3 * l->units, key + 1);
    }
}

/* Rows of 3u columns, of which a panel takes 16 of each gate. */
static void pack_rows(const struct layer *l, const float *w, size_t rows, size_t block, float *out)
{
    size_t u = (size_t)l->units, j = block * LANES;
    int units = columns_of_strip(u, j);
    for (size_t p = 0; p < rows; p++)
        for (size_t gate = 0; gate < 3; gate++)
            lanes_store(out + p * PANEL + gate * LANES, lanes_load_n(w + p * 3 * u + gate * u + j, units));
}

static void pack(const struct layer *l, const float *w, float *packed)
{
    size_t u = (size_t)l->units, in = (size_t)l->in_width, blocks = (u + LANES - 1) / LANES;
    for (int side = 0; side < sides(l); side++, w += side_weights(l), packed += side_packed(l)) {
        for (size_t b = 0; b < blocks; b++) {
            float *panel = packed + b * (2 + in + u) * PANEL;
            memset(panel, 0, 2 * PANEL * sizeof *panel);
            pack_rows(l, w + (in + u) * 3 * u, l->reset_after ? 2 : 1, b, panel);
            pack_rows(l, w, in + u, b, panel + 2 * PANEL);
        }
        const float *recurrent = w + in * 3 * u;
        float *out = packed + panels_floats(l);
        ENGINE(gemm_pack)(w, 1, 3 * u, 3 * l->units, l->in_width, out);
        out += gemm_packed(3 * l->units, l->in_width);
        ENGINE(gemm_pack)(recurrent, 1, 3 * u, 2 * l->units, l->units, out);
        ENGINE(gemm_pack)(recurrent + 2 * u, 1, 3 * u, l->units, l->units, out + gemm_packed(2 * l->units, l->units));
    }
}

static struct gru gru_of(const struct layer *l, const struct leaf *leaf, int side, const float *packed, const float *x, float *cache)
{
    size_t u = (size_t)l->units, n = (size_t)leaf->n, all = n * (size_t)l->in_steps * u;
    struct gru c = {.s = {.l = l, .leaf = leaf, .reversed = side == 1, .in = (size_t)l->in_width, .units = u, .rows = n}, .x = x};
    c.panels = packed + (size_t)side * side_packed(l);
    c.kernel_t = c.panels + panels_floats(l);
    c.gates_t = c.kernel_t + gemm_packed(3 * l->units, l->in_width);
    c.candidate_t = c.gates_t + gemm_packed(2 * l->units, l->units);
    c.gates = cache + (size_t)side * (5 * all + n * (2 * gemm_row(3 * u) + 2 * gemm_row(u) + 2 * u));
    c.inner = c.gates + 3 * all;
    c.s.outputs = c.inner + all;
    c.dz = c.s.outputs + all;
    c.dz_row = gemm_row(3 * u);
    c.dinner_row = gemm_row(u);
    c.dinner = c.dz + 2 * n * c.dz_row;
    c.dh = c.dinner + 2 * n * c.dinner_row;
    c.room = c.dh + n * u;
    return c;
}

/* --- forward --- */

struct place { /* a block of units of one row at one step, and what stands there before it */
    size_t at, j;
    int units;
    const float *before; /* outputs of the step before, this block; NULL: none */
    float *gates;
};

INLINE struct place place_of(const struct gru *c, int t, int before, size_t row, size_t j)
{
    size_t u = c->s.units, at = ((size_t)t * c->s.rows + row) * u + j;
    return (struct place){at, j, recurrence_units(&c->s, j), before < 0 ? NULL : c->s.outputs + ((size_t)before * c->s.rows + row) * u + j,
                          c->gates + 3 * (at - j) + j};
}

INLINE void output(const struct gru *c, const struct place *p, lanes z, lanes h)
{
    lanes y = lanes_mul(lanes_sub(lanes_set(1), z), h);
    if (p->before)
        y = lanes_fma(z, lanes_load_n(p->before, p->units), y);
    lanes_store_n(p->gates + 2 * c->s.units, h, p->units);
    lanes_store_n(c->s.outputs + p->at, y, p->units);
}

/* a: sums of z, r, and with reset_after h Uh + bh'; x: the input's side of h. Without reset_after h waits for r * h of all units: candidates. */
INLINE void states(const struct gru *c, const struct place *p, const lanes a[3], lanes x)
{
    lanes z = recurrence_gate(c->s.l, a[0]), r = recurrence_gate(c->s.l, a[1]);
    lanes_store_n(p->gates, z, p->units);
    lanes_store_n(p->gates + c->s.units, r, p->units);
    if (c->s.l->reset_after) {
        lanes_store_n(c->inner + p->at, a[2], p->units);
        output(c, p, z, lanes_tanh(lanes_fma(r, a[2], x)));
        return;
    }
    lanes_store_n(p->gates + 2 * c->s.units, x, p->units);
    lanes_store_n(c->inner + p->at, p->before ? lanes_mul(r, lanes_load_n(p->before, p->units)) : lanes_set(0), p->units);
}

INLINE void tile(const struct gru *c, const float *panel, int t, int before, size_t row, size_t j, int rows)
{
    lanes a[CELL_ROWS * 3], x[CELL_ROWS];
    size_t u = c->s.units, in = c->s.in;
    for (int r = 0; r < rows * 3; r++)
        a[r] = lanes_load(panel + r % 3 * LANES);
    tile_multiply(a, rows, 3, c->x + ((size_t)t * c->s.rows + row) * in, in, 1, panel + 2 * PANEL, PANEL, (int)in);
    for (int r = 0; r < rows; r++) {
        x[r] = a[r * 3 + 2];
        for (int gate = 0; gate < 2; gate++)
            a[r * 3 + gate] = lanes_add(a[r * 3 + gate], lanes_load(panel + PANEL + gate * LANES));
        a[r * 3 + 2] = lanes_load(panel + PANEL + 2 * LANES);
    }
    if (before >= 0)
        tile_multiply(a, rows, 3, c->s.outputs + ((size_t)before * c->s.rows + row) * u, u, 1, panel + (2 + in) * PANEL, PANEL, (int)u);
    for (int r = 0; r < rows; r++) {
        struct place p = place_of(c, t, before, row + (size_t)r, j);
        states(c, &p, a + r * 3, x[r]);
    }
}

/* Without reset_after: h~ out of what is in its gate and (r * h) Uh. */
static void candidates(const struct gru *c, int t, int before, int rows)
{
    size_t u = c->s.units;
    for (size_t j = 0; j < u; j += LANES) {
        const float *panel = c->panels + (j / LANES * (2 + c->s.in + u) + 2 + c->s.in) * PANEL + 2 * LANES;
        for (int i = 0; i < rows; i++) {
            struct place p = place_of(c, t, before, (size_t)i, j);
            lanes h = lanes_load_n(p.gates + 2 * u, p.units);
            if (before >= 0)
                tile_multiply(&h, 1, 1, c->inner + p.at - j, u, 1, panel, PANEL, (int)u);
            output(c, &p, lanes_load_n(p.gates, p.units), lanes_tanh(h));
        }
    }
}

static void step_forward(const struct gru *c, int t)
{
    int before = recurrence_before(&c->s, t), rows = leaf_rows_in(c->s.leaf, c->s.l, t);
    recurrence_clear(&c->s, t, c->s.outputs);
    for (size_t j = 0; j < c->s.units; j += LANES) {
        const float *panel = c->panels + j / LANES * (2 + c->s.in + c->s.units) * PANEL;
        int i = 0;
        for (; i + CELL_ROWS <= rows; i += CELL_ROWS)
            tile(c, panel, t, before, (size_t)i, j, CELL_ROWS);
        for (; i < rows; i++)
            tile(c, panel, t, before, (size_t)i, j, 1);
    }
    if (!c->s.l->reset_after)
        candidates(c, t, before, rows);
}

static void forward(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, float *cache)
{
    (void)w;
    for (int side = 0; side < sides(l); side++) {
        struct gru c = gru_of(l, leaf, side, packed, in, cache);
        for (int i = 0; i < l->in_steps; i++)
            step_forward(&c, recurrence_time(&c.s, i));
        recurrence_out(&c.s, out, (size_t)side * c.s.units);
    }
}

/* --- backward --- */

/* Gradients of the gates of one row and block, and of inner with reset_after; dh becomes what reaches the step before through z. */
INLINE void gradients(const struct gru *c, int t, int before, size_t row, size_t j)
{
    struct place p = place_of(c, t, before, row, j);
    size_t u = c->s.units, slot = recurrence_slot(&c->s, t) + row;
    float *dz = c->dz + slot * c->dz_row + j;
    lanes z = lanes_load_n(p.gates, p.units), r = lanes_load_n(p.gates + u, p.units), h = lanes_load_n(p.gates + 2 * u, p.units),
          dh = lanes_load_n(c->dh + row * u + j, p.units), one = lanes_set(1),
          last = p.before ? lanes_load_n(p.before, p.units) : lanes_set(0);
    lanes dx = lanes_mul(lanes_mul(dh, lanes_sub(one, z)), recurrence_tanh_slope(h));
    lanes_store_n(dz, lanes_mul(lanes_mul(dh, lanes_sub(last, h)), recurrence_gate_slope(c->s.l, z)), p.units);
    lanes_store_n(dz + 2 * u, dx, p.units);
    lanes_store_n(c->dh + row * u + j, lanes_mul(dh, z), p.units);
    if (c->s.l->reset_after) {
        lanes inner = lanes_load_n(c->inner + p.at, p.units);
        lanes_store_n(dz + u, lanes_mul(lanes_mul(dx, inner), recurrence_gate_slope(c->s.l, r)), p.units);
        lanes_store_n(c->dinner + slot * c->dinner_row + j, lanes_mul(dx, r), p.units);
    }
}

/* Without reset_after: room (n,u) = d(r * h); gives dr, and dh its share. */
INLINE void reset_gradients(const struct gru *c, int t, int before, size_t row, size_t j)
{
    struct place p = place_of(c, t, before, row, j);
    size_t u = c->s.units;
    lanes r = lanes_load_n(p.gates + u, p.units), d = lanes_load_n(c->room + row * u + j, p.units), dh = lanes_load_n(c->dh + row * u + j, p.units),
          last = p.before ? lanes_load_n(p.before, p.units) : lanes_set(0);
    lanes_store_n(c->dz + (recurrence_slot(&c->s, t) + row) * c->dz_row + u + j, lanes_mul(lanes_mul(d, last), recurrence_gate_slope(c->s.l, r)), p.units);
    lanes_store_n(c->dh + row * u + j, lanes_fma(d, r, dh), p.units);
}

/* What dh gets through the recurrent kernel. */
static void recurrent_backward(const struct gru *c, int t)
{
    size_t u = c->s.units, slot = recurrence_slot(&c->s, t);
    struct gemm g = {.m = recurrence_rows_before(&c->s, t), .n = (int)u, .k = 2 * (int)u, .a = c->dz + slot * c->dz_row, .a_row = c->dz_row, .a_col = 1,
                     .b = c->gates_t, .c = c->dh, .c_row = u, .add = true};
    ENGINE(gemm)(&g);
    if (!c->s.l->reset_after)
        return;
    g.k = (int)u;
    g.a = c->dinner + slot * c->dinner_row;
    g.a_row = c->dinner_row;
    g.b = c->candidate_t;
    ENGINE(gemm)(&g);
}

/* What forward left of a row at a step is far away by now, and so is the input: asks for them ahead. */
INLINE void fetch(const struct gru *c, int t, int before, size_t row)
{
    size_t u = c->s.units, at = (size_t)t * c->s.rows + row;
    for (size_t j = 0; j < 3 * u; j += LANES)
        __builtin_prefetch(c->gates + 3 * at * u + j);
    for (size_t j = 0; j < u; j += LANES) {
        __builtin_prefetch(c->inner + at * u + j);
        if (before >= 0)
            __builtin_prefetch(c->s.outputs + ((size_t)before * c->s.rows + row) * u + j);
    }
    for (size_t j = 0; j < c->s.in; j += LANES)
        __builtin_prefetch(c->x + at * c->s.in + j);
}

static void step_backward(const struct gru *c, int t, float *din, bool add)
{
    int before = recurrence_before(&c->s, t), rows = leaf_rows_in(c->s.leaf, c->s.l, t);
    size_t u = c->s.units, slot = recurrence_slot(&c->s, t);
    for (int i = 0; i < rows; i++) {
        fetch(c, t, before, (size_t)i + 2);
        for (size_t j = 0; j < u; j += LANES)
            gradients(c, t, before, (size_t)i, j);
    }
    if (!c->s.l->reset_after) {
        ENGINE(gemm)(&(struct gemm){.m = rows, .n = (int)u, .k = (int)u, .a = c->dz + slot * c->dz_row + 2 * u, .a_row = c->dz_row, .a_col = 1,
                                    .b = c->candidate_t, .c = c->room, .c_row = u});
        for (int i = 0; i < rows; i++)
            for (size_t j = 0; j < u; j += LANES)
                reset_gradients(c, t, before, (size_t)i, j);
    }
    recurrent_backward(c, t);
    if (din)
        ENGINE(gemm)(&(struct gemm){.m = rows, .n = (int)c->s.in, .k = 3 * (int)u, .a = c->dz + slot * c->dz_row, .a_row = c->dz_row, .a_col = 1,
                                    .b = c->kernel_t, .c = din + (size_t)t * c->s.rows * c->s.in, .c_row = c->s.in, .add = add});
}

/* grad: of this direction's weights; steps from the i-th on. */
static void weight_gradients(const struct gru *c, int i, int steps, float *grad)
{
    size_t u = c->s.units;
    float *recurrent = grad + c->s.in * 3 * u, *bias = recurrent + u * 3 * u;
    const struct recurrence_states x = {c->x, c->s.in, false}, h = {c->s.outputs, u, true}, rh = {c->inner, u, false};
    recurrence_gradient(&c->s, i, steps, &x, c->dz, c->dz_row, 3 * u, grad, 3 * u);
    recurrence_gradient(&c->s, i, steps, &h, c->dz, c->dz_row, 2 * u, recurrent, 3 * u);
    recurrence_bias(&c->s, i, steps, c->dz, c->dz_row, 3 * u, bias);
    if (c->s.l->reset_after) {
        recurrence_gradient(&c->s, i, steps, &h, c->dinner, c->dinner_row, u, recurrent + 2 * u, 3 * u);
        recurrence_bias(&c->s, i, steps, c->dz, c->dz_row, 2 * u, bias + 3 * u);
        recurrence_bias(&c->s, i, steps, c->dinner, c->dinner_row, u, bias + 5 * u);
    } else {
        recurrence_gradient(&c->s, i, steps, &rh, c->dz + 2 * u, c->dz_row, u, recurrent + 2 * u, 3 * u);
    }
}

static void backward(const struct layer *l, const float *packed, const struct leaf *leaf, const float *in, const float *out, float *cache, float *dout,
                     float *din, float *grad)
{
    (void)out;
    for (int side = 0; side < sides(l); side++, grad += side_weights(l)) {
        struct gru c = gru_of(l, leaf, side, packed, in, cache);
        size_t u = c.s.units, n = c.s.rows;
        for (size_t i = 0; i < n; i++)
            memcpy(c.dh + i * u, dout + i * (size_t)l->width + (size_t)side * u, u * sizeof *dout);
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
        out[3 * side] = (struct tensor){names[side][0], at, {l->in_width, 3 * l->units}, 2};
        out[3 * side + 1] = (struct tensor){names[side][1], at + k * 3 * u, {l->units, 3 * l->units}, 2};
        out[3 * side + 2] = l->reset_after ? (struct tensor){names[side][2], at + (k + u) * 3 * u, {2, 3 * l->units}, 2}
                                           : (struct tensor){names[side][2], at + (k + u) * 3 * u, {3 * l->units}, 1};
    }
    return 3 * sides(l);
}

const struct layer_kind ENGINE(layer_gru) = {.name = "gru", .shape = shape, .length = length, .init = init, .pack = pack,
                                             .forward = forward, .backward = backward, .tensors = tensors};
