#include "models/gemm.h"

#include <math.h>

/* This file alone is compiled with -ffp-contract=fast: a * b + c below is one fused operation wherever the target has it. */
typedef float v16 __attribute__((vector_size(64), aligned(4)));

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS v16 load(const float *p)
{
    return *(const v16 *)p;
}

ALWAYS void store(float *p, v16 x)
{
    *(v16 *)p = x;
}

/* rows (1 or 4) by 32 columns. */
ALWAYS void tile_32(const struct gemm *g, int i, int j, int rows)
{
    v16 c0[4], c1[4];
    for (int r = 0; r < rows; r++) {
        const float *c = g->c + (size_t)(i + r) * g->c_row + j;
        c0[r] = g->add ? load(c) : (v16){0};
        c1[r] = g->add ? load(c + 16) : (v16){0};
    }
    for (int p = 0; p < g->k; p++) {
        const float *b = g->b + (size_t)p * g->b_row + j, *a = g->a + (size_t)i * g->a_row + (size_t)p * g->a_col;
        v16 b0 = load(b), b1 = load(b + 16);
        for (int r = 0; r < rows; r++) {
            float x = a[(size_t)r * g->a_row];
            c0[r] += x * b0;
            c1[r] += x * b1;
        }
    }
    for (int r = 0; r < rows; r++) {
        float *c = g->c + (size_t)(i + r) * g->c_row + j;
        store(c, c0[r]);
        store(c + 16, c1[r]);
    }
}

ALWAYS void tile_16(const struct gemm *g, int i, int j, int rows)
{
    v16 c0[4];
    for (int r = 0; r < rows; r++)
        c0[r] = g->add ? load(g->c + (size_t)(i + r) * g->c_row + j) : (v16){0};
    for (int p = 0; p < g->k; p++) {
        const float *a = g->a + (size_t)i * g->a_row + (size_t)p * g->a_col;
        v16 b0 = load(g->b + (size_t)p * g->b_row + j);
        for (int r = 0; r < rows; r++)
            c0[r] += a[(size_t)r * g->a_row] * b0;
    }
    for (int r = 0; r < rows; r++)
        store(g->c + (size_t)(i + r) * g->c_row + j, c0[r]);
}

ALWAYS void element(const struct gemm *g, int i, int j)
{
    float c = g->add ? g->c[(size_t)i * g->c_row + j] : 0;
    const float *a = g->a + (size_t)i * g->a_row;
    for (int p = 0; p < g->k; p++)
        c = __builtin_fmaf(a[(size_t)p * g->a_col], g->b[(size_t)p * g->b_row + j], c);
    g->c[(size_t)i * g->c_row + j] = c;
}

ALWAYS void product(const struct gemm *g)
{
    int j = 0;
    for (; j + 32 <= g->n; j += 32) {
        int i = 0;
        for (; i + 4 <= g->m; i += 4)
            tile_32(g, i, j, 4);
        for (; i < g->m; i++)
            tile_32(g, i, j, 1);
    }
    for (; j + 16 <= g->n; j += 16) {
        int i = 0;
        for (; i + 4 <= g->m; i += 4)
            tile_16(g, i, j, 4);
        for (; i < g->m; i++)
            tile_16(g, i, j, 1);
    }
    for (; j < g->n; j++)
        for (int i = 0; i < g->m; i++)
            element(g, i, j);
}

#if defined(__x86_64__)
__attribute__((target("arch=x86-64-v4"))) static void product_v4(const struct gemm *g)
{
    product(g);
}

__attribute__((target("arch=x86-64-v3"))) static void product_v3(const struct gemm *g)
{
    product(g);
}

static void product_plain(const struct gemm *g)
{
    for (int i = 0; i < g->m; i++)
        for (int j = 0; j < g->n; j++)
            element(g, i, j);
}

void gemm(const struct gemm *g)
{
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq"))
        product_v4(g);
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        product_v3(g);
    else
        product_plain(g);
}
#else
void gemm(const struct gemm *g)
{
    for (int i = 0; i < g->m; i++)
        for (int j = 0; j < g->n; j++)
            element(g, i, j);
}
#endif

void gemm_transpose(const float *x, int m, int n, float *out)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            out[(size_t)j * (size_t)m + (size_t)i] = x[(size_t)i * (size_t)n + (size_t)j];
}
