/* What columns of a node have left of one place each (struct tree_sides). Samples stand by class, so what a class has left is a sum over neighbours: a
 * comparison and an addition a sample, for all columns at once. */
#include "models/engine.h"
#include "models/engine/tree_records.h"

#if !defined(ENGINE_PLAIN)
INLINE void fetch(const struct tree_codes *c, int i, int n)
{
    if (i + TREE_AHEAD < n)
        tree_fetch(c->records + (c->samples[i + TREE_AHEAD] >> 32) * c->stride, c->stride);
}

INLINE void keep_range(struct tree_sides *o, int v, whole least, whole most)
{
    ((whole *)o->least)[v] = least;
    ((whole *)o->most)[v] = most;
}
#endif

#if defined(ENGINE_AVX512)
INLINE void fill_at_hand(struct tree_sides *o, const struct tree_codes *c, int n, int vectors, bool wide)
{
    const struct picker p = picker_of(c, vectors);
    whole least = ~(whole){0}, most = {0};
    for (int i = 0; i < n; i++) {
        fetch(c, i, n);
        whole codes = picked(&p, c->records + (c->samples[i] >> 32) * c->stride, vectors, wide);
        ((whole *)o->codes)[i] = codes;
        least = lesser(least, codes);
        most = greater(most, codes);
    }
    keep_range(o, 0, least, most);
}

static void fill_one_by_one(struct tree_sides *o, const struct tree_codes *c, int n)
{
    whole least = ~(whole){0}, most = {0};
    for (int i = 0; i < n; i++) {
        const uint16_t *record = c->records + (c->samples[i] >> 32) * c->stride;
        whole codes = {0};
        fetch(c, i, n);
        for (int k = 0; k < c->n_columns; k++)
            codes[k] = code_of(c, record, k);
        ((whole *)o->codes)[i] = codes;
        least = lesser(least, codes);
        most = greater(most, codes);
    }
    keep_range(o, 0, least, most);
}

void ENGINE(tree_sides_fill)(struct tree_sides *o, const struct tree_codes *c, int n)
{
    if (c->stride <= AT_HAND && c->wide)
        fill_at_hand(o, c, n, 4, true);
    else if (c->stride <= 2 * WORDS)
        fill_at_hand(o, c, n, 2, false);
    else if (c->stride <= AT_HAND)
        fill_at_hand(o, c, n, 4, false);
    else
        fill_one_by_one(o, c, n);
}
#endif

#if defined(ENGINE_AVX2)
INLINE void fill(struct tree_sides *o, const struct tree_codes *c, int n, int vectors, bool wide)
{
    struct picker p[TREE_VECTORS];
    whole least[TREE_VECTORS], most[TREE_VECTORS];
    for (int v = 0; v < vectors; v++) {
        p[v] = picker_of(c, v);
        least[v] = ~(whole){0};
        most[v] = (whole){0};
    }
    for (int i = 0; i < n; i++) {
        const uint16_t *record = c->records + (c->samples[i] >> 32) * c->stride;
        fetch(c, i, n);
        for (int v = 0; v < vectors; v++) {
            whole codes = picked(&p[v], record, wide);
            ((whole *)o->codes)[i * TREE_VECTORS + v] = codes;
            least[v] = lesser(least[v], codes);
            most[v] = greater(most[v], codes);
        }
    }
    for (int v = 0; v < vectors; v++)
        keep_range(o, v, least[v], most[v]);
}

void ENGINE(tree_sides_fill)(struct tree_sides *o, const struct tree_codes *c, int n)
{
    if (vectors_of(c->n_columns) == 1)
        c->wide ? fill(o, c, n, 1, true) : fill(o, c, n, 1, false);
    else
        c->wide ? fill(o, c, n, 2, true) : fill(o, c, n, 2, false);
}
#endif

#if !defined(ENGINE_PLAIN)
INLINE whole times_of(const struct tree_side_classes *s, int i)
{
    return (whole){0} + (s->labels[i] & 0xffff);
}

/* What the v-th vector of lanes has left of one class; adds how many samples to *rows, if it is not NULL. */
INLINE whole left_of(const struct tree_sides *o, const struct tree_side_classes *s, int class, int v, bool by_value, whole *rows)
{
    const whole *codes = (const whole *)o->codes + v, last = ((const whole *)o->last)[v], one = (whole){0} + 1;
    const real *values = (const real *)o->values + v, threshold = ((const real *)o->threshold)[v];
    whole left = {0};
    for (int i = s->first[class]; i < s->first[class + 1]; i++) {
        left = by_value ? added_up_to(values[i * TREE_VECTORS], threshold, left, times_of(s, i)) : added_where(codes[i * TREE_VECTORS], last, left, times_of(s, i));
        if (rows)
            *rows = by_value ? added_up_to(values[i * TREE_VECTORS], threshold, *rows, one) : added_where(codes[i * TREE_VECTORS], last, *rows, one);
    }
    return left;
}

INLINE void widen(int64_t *out, int v, whole x)
{
    for (int k = 0; k < WIDE; k++)
        out[v * WIDE + k] = x[k];
}

INLINE void count_light(struct tree_sides *o, const struct tree_side_classes *s, int v, bool by_value)
{
    whole squares = {0}, across = {0}, weight = {0};
    for (int c = 0; c < s->n_classes; c++) {
        whole left = left_of(o, s, c, v, by_value, NULL);
        squares += left * left;
        across += left * (uint32_t)s->weights[c];
        weight += left;
    }
    widen(o->squares, v, squares);
    widen(o->across, v, across);
    widen(o->weight, v, weight);
}

INLINE void count_any(struct tree_sides *o, const struct tree_side_classes *s, int v, bool by_value)
{
    whole rows = {0};
    for (int c = 0; c < s->n_classes; c++)
        ((whole *)o->left[c])[v] = left_of(o, s, c, v, by_value, &rows);
    ((whole *)o->rows)[v] = rows;
}

void ENGINE(tree_sides_count)(struct tree_sides *o, const struct tree_side_classes *s, int n_columns)
{
    for (int v = 0; v < vectors_of(n_columns); v++)
        if (s->light)
            s->by_value ? count_light(o, s, v, true) : count_light(o, s, v, false);
        else
            s->by_value ? count_any(o, s, v, true) : count_any(o, s, v, false);
}
#endif
