#include <assert.h>

#include "models/engine.h"
#include "models/engine/tile.h"

/* Steps of k at a time: a group of B of so many, 32 KB, stays in the nearest cache, or in it for the most part. */
enum { BLOCK = 128 };

struct block { /* of a product: a group of columns of C from the j-th on, steps of k from the p-th on */
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
    const float *begin = s->add ? out : g->bias ? g->bias + s->j : NULL; /* of the chains */
    for (int r = 0; r < rows; r++, begin += s->add ? g->c_row : 0)
        for (int v = 0; v < vectors; v++)
            c[r * vectors + v] = begin ? read(begin + v * LANES, v == vectors - 1 ? last : LANES) : lanes_set(0);
    tile_multiply(c, rows, vectors, g->a + (size_t)i * g->a_row + (size_t)s->p * g->a_col, g->a_row, g->a_col, s->b, s->b_row, s->k);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            float *at = out + (size_t)r * g->c_row + v * LANES;
            int columns = v == vectors - 1 ? last : LANES;
            write(at, g->sum ? lanes_add(read(at, columns), c[r * vectors + v]) : c[r * vectors + v], columns);
        }
}

INLINE void tiles(const struct gemm *g, const struct block *s, int vectors)
{
    int i = 0;
    for (; 2 * vectors <= TILE_VECTORS && i + 2 * TILE_ROWS <= g->m; i += 2 * TILE_ROWS) /* few columns: as many sums side by side of more rows */
        tile(g, s, i, 2 * TILE_ROWS, vectors);
    for (; i + TILE_ROWS <= g->m; i += TILE_ROWS)
        tile(g, s, i, TILE_ROWS, vectors);
    if (g->m - i == 3)
        tile(g, s, i, 3, vectors);
    else if (g->m - i == 2)
        tile(g, s, i, 2, vectors);
    else if (g->m - i == 1)
        tile(g, s, i, 1, vectors);
}

/* Columns of the group that begins at column j, with zeros beside them to whole vectors: those that are left are dealt evenly. */
static int group_width(int n, int j)
{
    int left = (n - j + LANES - 1) / LANES, groups = (left * LANES + GEMM_GROUP - 1) / GEMM_GROUP;
    return (left + groups - 1) / groups * LANES;
}

/* All rows of C for one group of columns. */
static void group(const struct gemm *g, struct block s)
{
    int vectors = group_width(g->n, s.j) / LANES;
#if defined(ENGINE_AVX512)
    if (vectors == 4)
        tiles(g, &s, 4);
    else if (vectors == 3)
        tiles(g, &s, 3);
    else if (vectors == 2)
        tiles(g, &s, 2);
    else
        tiles(g, &s, 1);
#else
    for (; vectors > 0; vectors--, s.b += LANES, s.j += LANES)
        tiles(g, &s, 1);
#endif
}

static void packed(const struct gemm *g)
{
    int blocks = (g->k + BLOCK - 1) / BLOCK, steps = blocks ? (g->k + blocks - 1) / blocks : 1; /* alike */
    for (int p = 0; p < g->k; p += steps)
        for (int j = 0, width; j < g->n; j += width) {
            width = group_width(g->n, j);
            group(g, (struct block){.b = g->b + (size_t)j * (size_t)g->k + (size_t)p * (size_t)width,
                                    .b_row = (size_t)width,
                                    .j = j,
                                    .p = p,
                                    .k = g->k - p < steps ? g->k - p : steps,
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

/* Rows of x become columns: four times, rows i and i + 8 are put together like cards. */
static void transpose(float x[LANES][LANES])
{
    typedef float cards __attribute__((vector_size(4 * LANES)));
    cards a[LANES], b[LANES];
    memcpy(a, x, sizeof a);
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < LANES / 2; i++) {
            b[2 * i] = __builtin_shufflevector(a[i], a[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        for (int i = 0; i < LANES / 2; i++) {
            a[2 * i] = __builtin_shufflevector(b[i], b[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            a[2 * i + 1] = __builtin_shufflevector(b[i], b[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
    }
    memcpy(x, a, sizeof a);
}

/* The same where rows of B are columns in memory: element (p, j) lies at b[p + j * b_col]. Squares of 16 by 16. */
static void pack_columns(const float *b, size_t b_col, int k, int columns, float *out, size_t width)
{
    for (int j = 0; j < columns; j += LANES)
        for (int p = 0; p < k; p += LANES) {
            int rows = k - p < LANES ? k - p : LANES;
            float square[LANES][LANES];
            for (int c = 0; c < LANES; c++)
                lanes_store(square[c], j + c < columns ? lanes_load_n(b + p + (size_t)(j + c) * b_col, rows) : lanes_set(0));
            transpose(square);
            for (int r = 0; r < rows; r++)
                lanes_store(out + (size_t)(p + r) * width + j, lanes_load(square[r]));
        }
}

void ENGINE(gemm)(const struct gemm *g)
{
    float room[BLOCK * GEMM_GROUP];
    struct gemm below = *g;
    assert(!g->sum || (!g->add && g->k > 0 && g->k <= GEMM_SUM));
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
        for (int j = 0, width; j < g->n; j += width) {
            width = group_width(g->n, j);
            int columns = g->n - j < width ? g->n - j : width, k = g->k - p < BLOCK ? g->k - p : BLOCK;
            struct block s = {.b = g->b + (size_t)p * g->b_row + j, .b_row = g->b_row, .j = j, .p = p, .k = k, .add = g->add || p > 0};
            if (columns < width || !(gemm_is_spread(g->b_row) || g->b_row == (size_t)width)) {
                pack_rows(s.b, g->b_row, k, columns, room, (size_t)width);
                s.b = room;
                s.b_row = (size_t)width;
            }
            group(g, s);
            if (g->m_below > 0)
                group(&below, s);
        }
    assert(g->k > 0 || !g->bias);
    if (g->k == 0 && !g->add)
        for (int i = 0; i < g->m; i++)
            memset(g->c + (size_t)i * g->c_row, 0, (size_t)g->n * sizeof *g->c);
}

void ENGINE(gemm_pack)(const float *b, size_t b_row, size_t b_col, int k, int n, float *out)
{
    for (int j = 0, width; j < n; j += width) {
        width = group_width(n, j);
        int columns = n - j < width ? n - j : width;
        if (b_col == 1)
            pack_rows(b + j, b_row, k, columns, out, (size_t)width);
        else
            pack_columns(b + (size_t)j * b_col, b_col, k, columns, out, (size_t)width);
        out += (size_t)k * (size_t)width;
    }
}
