/* What LSTM and GRU have in common: the order of steps in one direction, rows with a state before a step, products over all steps.
 *
 * outputs (steps, n, units) keeps the state after every step. A reversed direction begins at the last real step of each row: with masking, rows join as
 * the steps go down, and what lies where a state before their first would be is zeroed. */
#ifndef MODELS_RECURRENCE_H
#define MODELS_RECURRENCE_H

#include "models/engine/columns.h"
#include "models/engine.h"
#include "models/engine/tile.h"

#if defined(ENGINE_AVX512)
enum { CELL_ROWS = 4 };
#else
enum { CELL_ROWS = 1 };
#endif

struct recurrence {
    const struct layer *l;
    const struct leaf *leaf;
    bool reversed;
    size_t in, units, rows; /* rows: the leaf's */
    float *outputs;
};

/* The i-th step of this direction. */
INLINE int recurrence_time(const struct recurrence *s, int i)
{
    return s->reversed ? s->l->in_steps - 1 - i : i;
}

/* The step whose state step t begins with; -1: none. */
INLINE int recurrence_before(const struct recurrence *s, int t)
{
    return s->reversed ? (t + 1 < s->l->in_steps ? t + 1 : -1) : t - 1;
}

/* Rows of step t that have a state before it. */
static inline int recurrence_rows_before(const struct recurrence *s, int t)
{
    int before = recurrence_before(s, t);
    return before < 0 ? 0 : leaf_rows_in(s->leaf, s->l, s->reversed ? before : t);
}

/* Zeros x (steps, n, units) where rows of step t would find a state before it, and have none. */
static inline void recurrence_clear(const struct recurrence *s, int t, float *x)
{
    int before = recurrence_before(s, t), from = recurrence_rows_before(s, t), to = leaf_rows_in(s->leaf, s->l, t);
    if (before >= 0 && from < to)
        memset(x + ((size_t)before * s->rows + (size_t)from) * s->units, 0, (size_t)(to - from) * s->units * sizeof *x);
}

/* The last step of row i in this direction. */
static inline int recurrence_last(const struct recurrence *s, int i)
{
    int t = s->l->in_steps - 1;
    if (s->reversed)
        return 0;
    while (t > 0 && leaf_rows_in(s->leaf, s->l, t) <= i)
        t--;
    return t;
}

/* out (n, width of the layer): every row's last output, at `column`. */
static inline void recurrence_out(const struct recurrence *s, float *out, size_t column)
{
    for (int i = 0; i < s->leaf->n; i++)
        memcpy(out + (size_t)i * (size_t)s->l->width + column, s->outputs + ((size_t)recurrence_last(s, i) * s->rows + (size_t)i) * s->units,
               s->units * sizeof *out);
}

/* Gradients of weights are added up over two steps at a time, while what they are made of is in the cache; with masking step by step. How many, from the
 * i-th on, when backward has come down to the i-th. */
static inline int recurrence_due(const struct recurrence *s, int i)
{
    if (s->leaf->active)
        return 1;
    return (s->l->in_steps - 1 - i) % 2 ? 2 : i == 0;
}

/* Gradients of gates are there for those two steps alone, the earlier one first: where step t's lie among (2, rows, ..). */
INLINE size_t recurrence_slot(const struct recurrence *s, int t)
{
    return (size_t)((s->reversed ? t : s->l->in_steps - t) & 1) * s->rows;
}

/* The lowest of `steps` steps from the i-th on. */
INLINE int recurrence_lowest(const struct recurrence *s, int i, int steps)
{
    return s->reversed ? s->l->in_steps - i - steps : i;
}

/* Rows of states at steps, as the A of a product: (width, rows) transposed. */
struct recurrence_states {
    const float *x; /* (T, rows, width) */
    size_t width;
    bool before; /* those of the step before are meant */
};

/* What they are over `steps` steps from the i-th on; *t: the lowest; returns how many rows, 0: none. */
static inline int recurrence_rows(const struct recurrence *s, int i, int steps, const struct recurrence_states *a, int *t, const float **first)
{
    bool lacks = a->before && i == 0; /* the first has none before it */
    *t = recurrence_lowest(s, i, steps) + (lacks && !s->reversed);
    *first = a->x + (size_t)(a->before ? *t + (s->reversed ? 1 : -1) : *t) * s->rows * a->width;
    if (s->leaf->active && !lacks)
        return a->before ? recurrence_rows_before(s, *t) : leaf_rows_in(s->leaf, s->l, *t);
    return (steps - lacks) * s->leaf->n;
}

/* c (width, n) += a^T dz over them; dz (2, rows, n), rows dz_row apart; c's rows c_row apart. */
static inline void recurrence_gradient(const struct recurrence *s, int i, int steps, const struct recurrence_states *a, const float *dz, size_t dz_row,
                                       size_t n, float *c, size_t c_row)
{
    const float *first;
    int t, rows = recurrence_rows(s, i, steps, a, &t, &first);
    if (rows > 0)
        ENGINE(gemm)(&(struct gemm){.m = (int)a->width, .n = (int)n, .k = rows, .a = first, .a_row = 1, .a_col = a->width,
                                    .b = dz + recurrence_slot(s, t) * dz_row, .b_row = dz_row, .c = c, .c_row = c_row, .add = true});
}

/* The same for two, the second one's c below the first one's. */
static inline void recurrence_gradients(const struct recurrence *s, int i, int steps, const struct recurrence_states a[2], const float *dz, size_t dz_row,
                                        size_t n, float *c, size_t c_row)
{
    const float *first, *second;
    int t, t_second, rows = recurrence_rows(s, i, steps, &a[0], &t, &first);
    if (recurrence_rows(s, i, steps, &a[1], &t_second, &second) != rows || t_second != t) {
        recurrence_gradient(s, i, steps, &a[0], dz, dz_row, n, c, c_row);
        recurrence_gradient(s, i, steps, &a[1], dz, dz_row, n, c + a[0].width * c_row, c_row);
    } else if (rows > 0) {
        ENGINE(gemm)(&(struct gemm){.m = (int)a[0].width, .n = (int)n, .k = rows, .a = first, .a_row = 1, .a_col = a[0].width,
                                    .b = dz + recurrence_slot(s, t) * dz_row, .b_row = dz_row, .c = c, .c_row = c_row, .add = true,
                                    .m_below = (int)a[1].width, .a_below = second, .a_below_row = 1, .a_below_col = a[1].width});
    }
}

/* y (n) += dz over them. */
static inline void recurrence_bias(const struct recurrence *s, int i, int steps, const float *dz, size_t dz_row, size_t n, float *y)
{
    int t = recurrence_lowest(s, i, steps);
    columns_add(y, dz + recurrence_slot(s, t) * dz_row, dz_row, s->leaf->active ? (size_t)leaf_rows_in(s->leaf, s->l, t) : (size_t)steps * s->rows, n);
}

/* Units of a block of 16 that begins at unit j. */
INLINE int recurrence_units(const struct recurrence *s, size_t j)
{
    return columns_of_strip(s->units, j);
}

INLINE lanes recurrence_gate(const struct layer *l, lanes x)
{
    if (!l->hard_sigmoid)
        return lanes_sigmoid(x);
    return lanes_max(lanes_set(0), lanes_min(lanes_set(1), lanes_fma(x, lanes_set(0.2f), lanes_set(0.5f))));
}

/* Derivative of a gate that gave y. */
INLINE lanes recurrence_gate_slope(const struct layer *l, lanes y)
{
    return l->hard_sigmoid ? lanes_within(y, lanes_set(0.2f)) : lanes_mul(y, lanes_sub(lanes_set(1), y));
}

/* 1 - y^2, the derivative of a tanh that gave y. */
INLINE lanes recurrence_tanh_slope(lanes y)
{
    return lanes_sub(lanes_set(1), lanes_mul(y, y));
}

#endif
