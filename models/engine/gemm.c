#include "models/engine.h"
#include "models/engine/tile.h"

enum { BLOCK = 64 }; /* steps of k at a time: a group of B of so many (16 KB) stays in the first cache */

struct block { /* of a product: columns [j, j + vectors * 16) of C, steps of k from p on */
    const float *b;
    size_t b_row;
    int j, p, k;
    bool add;
};

/* The last vector of a row of C may stand over its end. */
INLINE lanes read(const float *c, int columns)
{
    return columns >= LANES ? lanes_load(c) : lanes_load_n(c, columns);
}

INLINE void write(float *c, lanes x, int columns)
{
    if (columns >= LANES)
        lanes_store(c, x);
    else
        lanes_store_n(c, x, columns);
}

INLINE void tile(const struct gemm *g, const struct block *s, int i, int rows, int vectors)
{
    lanes c[TILE_ROWS * TILE_VECTORS];
    float *out = g->c + (size_t)i * g->c_row + s->j;
    int last = g->n - s->j - (vectors - 1) * LANES;
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            c[r * vectors + v] = s->add ? read(out + (size_t)r * g->c_row + v * LANES, v == vectors - 1 ? last : LANES) : lanes_set(0);
    tile_multiply(c, rows, vectors, g->a + (size_t)i * g->a_row + (size_t)s->p * g->a_col, g->a_row, g->a_col, s->b, s->b_row, s->k);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            write(out + (size_t)r * g->c_row + v * LANES, c[r * vectors + v], v == vectors - 1 ? last : LANES);
}

INLINE void tiles(const struct gemm *g, const struct block *s, int vectors)
{
    int i = 0;
    for (; i + TILE_ROWS <= g->m; i += TILE_ROWS)
        tile(g, s, i, TILE_ROWS, vectors);
    for (; i < g->m; i++)
        tile(g, s, i, 1, vectors);
}

/* All rows of C for one group of columns. */
static void group(const struct gemm *g, struct block s)
{
    int left = (g->n - s.j + LANES - 1) / LANES;
    left = left < GEMM_GROUP / LANES ? left : GEMM_GROUP / LANES;
#if defined(ENGINE_AVX512)
    if (left == 4)
        tiles(g, &s, 4);
    else if (left == 3)
        tiles(g, &s, 3);
    else if (left == 2)
        tiles(g, &s, 2);
    else
        tiles(g, &s, 1);
#else
    for (; left > 0; left--, s.b += LANES, s.j += LANES)
        tiles(g, &s, 1);
#endif
}

/* Width of the group that begins at column j. */
static size_t group_width(int n, int j)
{
    int left = (n - j + LANES - 1) / LANES * LANES;
    return (size_t)(left < GEMM_GROUP ? left : GEMM_GROUP);
}

static void packed(const struct gemm *g)
{
    for (int p = 0; p < g->k; p += BLOCK)
        for (int j = 0; j < g->n; j += GEMM_GROUP) {
            size_t width = group_width(g->n, j);
            group(g, (struct block){.b = g->b + (size_t)j * (size_t)g->k + (size_t)p * width,
                                    .b_row = width,
                                    .j = j,
                                    .p = p,
                                    .k = g->k - p < BLOCK ? g->k - p : BLOCK,
                                    .add = g->add || p > 0});
        }
}

static void pack_rows(const float *b, size_t b_row, int k, int columns, float *out, size_t width)
{
    for (int p = 0; p < k; p++, b += b_row, out += width) {
        int v = 0;
        for (; v + LANES <= columns; v += LANES)
            lanes_store(out + v, lanes_load(b + v));
        if (v < columns)
            lanes_store(out + v, lanes_load_n(b + v, columns - v));
    }
}

/* The same where rows of B are columns in memory: a few rows of `out` at a time, which stay in the cache. */
static void pack_columns(const float *b, size_t b_row, size_t b_col, int k, int columns, float *out, size_t width)
{
    memset(out, 0, (size_t)k * width * sizeof *out);
    for (int from = 0; from < k; from += LANES) {
        int end = k - from < LANES ? k : from + LANES;
        for (size_t c = 0; c < (size_t)columns; c++)
            for (size_t p = (size_t)from; p < (size_t)end; p++)
                out[p * width + c] = b[p * b_row + c * b_col];
    }
}

void ENGINE(gemm)(const struct gemm *g)
{
    float room[BLOCK * GEMM_GROUP];
    struct gemm below = *g;
    below.m = g->m_below;
    below.a = g->a_below;
    below.a_row = g->a_below_row;
    below.a_col = g->a_below_col;
    below.c = g->c + (size_t)g->m * g->c_row;
    if (g->b_row == 0) {
        packed(g);
        return;
    }
    for (int p = 0; p < g->k; p += BLOCK)
        for (int j = 0; j < g->n; j += GEMM_GROUP) {
            size_t width = group_width(g->n, j);
            int columns = g->n - j < GEMM_GROUP ? g->n - j : GEMM_GROUP, k = g->k - p < BLOCK ? g->k - p : BLOCK;
            pack_rows(g->b + (size_t)p * g->b_row + j, g->b_row, k, columns, room, width);
            struct block s = {.b = room, .b_row = width, .j = j, .p = p, .k = k, .add = g->add || p > 0};
            group(g, s);
            if (g->m_below > 0)
                group(&below, s);
        }
    if (g->k == 0 && !g->add)
        for (int i = 0; i < g->m; i++)
            memset(g->c + (size_t)i * g->c_row, 0, (size_t)g->n * sizeof *g->c);
}

void ENGINE(gemm_pack)(const float *b, size_t b_row, size_t b_col, int k, int n, float *out)
{
    for (int j = 0; j < n; j += GEMM_GROUP) {
        size_t width = group_width(n, j);
        int columns = n - j < GEMM_GROUP ? n - j : GEMM_GROUP;
        if (b_col == 1) {
            pack_rows(b + j, b_row, k, columns, out, width);
        } else {
            pack_columns(b + (size_t)j * b_col, b_row, b_col, k, columns, out, width);
        }
        out += (size_t)k * width;
    }
}
