/* Sums over the rows of a matrix, column by column: gradients of biases, statistics. A strip of 16 columns at a time, over blocks of rows that stay in
 * the cache until all strips are through; every column is one chain in the order of rows. */
#ifndef MODELS_COLUMNS_H
#define MODELS_COLUMNS_H

#include "models/engine/lanes.h"

enum { COLUMNS_ROWS = 64 };

/* The strip that begins at column j has so many columns. */
INLINE int columns_of_strip(size_t n, size_t j)
{
    return n - j < LANES ? (int)(n - j) : LANES;
}

/* y (n) += the rows of x (rows, n), `apart` floats from each other, in order. */
static inline void columns_add(float *y, const float *x, size_t apart, size_t rows, size_t n)
{
    for (size_t from = 0; from < rows; from += COLUMNS_ROWS) {
        size_t end = rows - from < COLUMNS_ROWS ? rows : from + COLUMNS_ROWS;
        for (size_t j = 0; j < n; j += LANES) {
            int columns = columns_of_strip(n, j);
            lanes sum = lanes_load_n(y + j, columns);
            for (size_t i = from; i < end; i++)
                sum = lanes_add(sum, lanes_load_n(x + i * apart + j, columns));
            lanes_store_n(y + j, sum, columns);
        }
    }
}

#endif
