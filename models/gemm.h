/* Matrix products whose bits do not depend on shapes, positions, or the kind of processor.
 *
 * Every element of C is one chain of fused multiply-adds over k in order, whatever the tile that computes it; so a row's result is the same
 * in any batch, and the same on any machine (processors without FMA compute it in software). Does not allocate. */
#ifndef MODELS_GEMM_H
#define MODELS_GEMM_H

#include <stdbool.h>
#include <stddef.h>

struct gemm {
    int m, n, k;
    const float *a;
    size_t a_row, a_col; /* element (i,p) of A lies at a[i * a_row + p * a_col]: A or its transpose, or windows that overlap */
    const float *b;      /* (k,n), rows b_row apart */
    size_t b_row;
    float *c; /* (m,n), rows c_row apart; must not overlap a and b */
    size_t c_row;
    bool add; /* C += A B; else C = A B */
};

void gemm(const struct gemm *g);
/* out (n,m) = x (m,n) transposed. */
void gemm_transpose(const float *x, int m, int n, float *out);

#endif
