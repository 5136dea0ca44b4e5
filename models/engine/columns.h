/* Sums over the rows of a matrix, column by column: gradients of biases, statistics. Strips of 16 columns, a few at a time, over blocks of rows that stay in
 * the cache until all strips are through; every column is one chain in the order of rows. */
#ifndef MODELS_COLUMNS_H
#define MODELS_COLUMNS_H

#include "models/engine/lanes.h"

enum { COLUMNS_ROWS = 64, COLUMNS_STRIPS = 4 };

/* The strip that begins at column j has so many columns. */
INLINE int columns_of_strip(size_t n, size_t j)
{
    return n - j < LANES ? (int)(n - j) : LANES;
}

/* Up to `strips` strips from column j on; so many chains run side by side. */
INLINE void columns_add_strips(float *y, const float *x, size_t apart, size_t from, size_t end, size_t j, int strips, int last)
{
    lanes sum[COLUMNS_STRIPS];
    for (int s = 0; s < strips; s++)
        sum[s] = lanes_load_n(y + j + s * LANES, s == strips - 1 ? last : LANES);
    for (size_t i = from; i < end; i++)
        for (int s = 0; s < strips; s++)
            sum[s] = lanes_add(sum[s], lanes_load_n(x + i * apart + j + s * LANES, s == strips - 1 ? last : LANES));
    for (int s = 0; s < strips; s++)
        lanes_store_n(y + j + s * LANES, sum[s], s == strips - 1 ? last : LANES);
}

/* y (n) += the rows of x (rows, n), `apart` floats from each other, in order. */
static inline void columns_add(float *y, const float *x, size_t apart, size_t rows, size_t n)
{
    const size_t wide = COLUMNS_STRIPS * LANES;
    for (size_t from = 0; from < rows; from += COLUMNS_ROWS) {
        size_t end = rows - from < COLUMNS_ROWS ? rows : from + COLUMNS_ROWS, j = 0;
        for (; j + wide <= n; j += wide)
            columns_add_strips(y, x, apart, from, end, j, COLUMNS_STRIPS, LANES);
        for (; j < n; j += LANES)
            columns_add_strips(y, x, apart, from, end, j, 1, columns_of_strip(n, j));
    }
}

#endif
