/* Matrix products whose bits do not depend on shapes, positions, or the kind of processor.
 *
 * Every element of A B is one chain of fused multiply-adds over k in order, from zero, bias or C's, whatever the tile that computes it; so a row's result is the same
 * in any batch, and the same on any machine (processors without FMA compute it in software).
 *
 * A tile is 4 rows by up to 64 columns, or 8 rows by up to 32. B is read in groups of 16, 32, 48 or 64 columns, as alike as may be, each (k, columns)
 * without gaps, the last one with zeros beside its columns: weights are packed so once a batch (gemm_pack), anything else a block at a time while multiplying,
 * unless its rows can be read as they stand. */
#ifndef MODELS_GEMM_H
#define MODELS_GEMM_H

#include <stdbool.h>
#include <stddef.h>

enum { GEMM_GROUP = 64, GEMM_SUM = 64 };

struct gemm {
    int m, n, k;
    const float *a;
    size_t a_row, a_col; /* element (i,p) of A lies at a[i * a_row + p * a_col]: A or its transpose */
    const float *b;      /* (k,n), rows b_row apart (best: gemm_row); b_row 0: packed */
    size_t b_row;
    float *c; /* (m,n), rows c_row apart; must not overlap a and b */
    size_t c_row;
    bool add; /* C += A B; else C = A B */
    const float *bias; /* (n), without add: C = bias + A B, in every row; NULL: none */
    bool sum; /* without add: C += A B too, but the chains begin with zeros and what they come to is added in the end; k from 1 to GEMM_SUM */
    int m_below; /* with B that is not packed: so many rows more, of another A; they stand below the others in C */
    const float *a_below;
    size_t a_below_row, a_below_col;
};

/* Floats of B (k,n) packed. */
static inline size_t gemm_packed(int k, int n)
{
    return (size_t)k * (size_t)((n + 15) / 16 * 16);
}

/* Can rows so many floats apart be read as they stand? They are whole cache lines, and do not all compete for the same places in the cache. */
static inline bool gemm_is_spread(size_t row)
{
    return row % 16 == 0 && row % 128 != 0;
}

/* The least distance of n or more floats of which that is so. */
static inline size_t gemm_row(size_t n)
{
    size_t row = (n + 15) / 16 * 16;
    return gemm_is_spread(row) ? row : row + 16;
}

#endif
