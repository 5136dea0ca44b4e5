/* The heart of every product: a tile of C, ROWS by VECTORS times 16, kept in registers while it runs over k.
 *
 * rows and vectors are constants where this is inlined, and the loops over them unroll. */
#ifndef MODELS_TILE_H
#define MODELS_TILE_H

#include "models/engine/lanes.h"

enum { TILE_ROWS = 4 };

/* c[r * vectors + v] += sum over p of a[r * a_row + p * a_col] * b[p * b_row + 16 v ..], in order; vectors <= 4. */
INLINE void tile_multiply(lanes *c, int rows, int vectors, const float *a, size_t a_row, size_t a_col, const float *b,
                          size_t b_row, int k)
{
    for (int p = 0; p < k; p++, a += a_col, b += b_row) {
        lanes row[4];
        for (int v = 0; v < vectors; v++)
            row[v] = lanes_load(b + v * LANES);
        for (int r = 0; r < rows; r++) {
            lanes x = lanes_set(a[(size_t)r * a_row]);
            for (int v = 0; v < vectors; v++)
                c[r * vectors + v] = lanes_fma(x, row[v], c[r * vectors + v]);
        }
    }
}

#endif
