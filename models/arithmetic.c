#include "models/arithmetic.h"

#include <math.h>
#include <string.h>

#include "base/fault.h"
#include "base/hash.h"
#include "base/random.h"
#include "models/engine.h"

enum { M = 7, N = 37, K = 29, ROWS = DISTANCES_ROWS, VALUES = 256 };

static void fill(float *x, int n, uint64_t stream)
{
    struct random r = random_of(0x61726974686d, stream); /* "arithm" */
    for (int i = 0; i < n; i++)
        x[i] = 8 * random_float(&r) - 4;
}

static void add_products(struct hash *h)
{
    float a[M * K], b[K * N], c[M * N], distances[ROWS];
    fill(a, M * K, 1);
    fill(b, K * N, 2);
    struct gemm g = {.m = M, .n = N, .k = K, .a = a, .a_row = K, .a_col = 1, .b = b, .b_row = N, .c = c, .c_row = N};
    engine_best()->gemm(&g);
    hash_add(h, c, sizeof c);
    engine_best()->distances->rows(b, K * N / ROWS, a, INFINITY, distances);
    hash_add(h, distances, sizeof distances);
}

static void add_kernels(struct hash *h)
{
    const struct engine *engine = engine_best();
    void (*const kernels[])(float *, size_t) = {engine->exp, engine->tanh, engine->sigmoid};
    float x[VALUES];
    for (int k = 0; k < 3; k++) {
        fill(x, VALUES, 3);
        kernels[k](x, VALUES);
        hash_add(h, x, sizeof x);
    }
}

/* libm, as far as results hang on it: loss, normal numbers, logarithms of times and depths. */
static void add_libm(struct hash *h)
{
    float x[VALUES];
    fill(x, VALUES, 4);
    for (int i = 0; i < VALUES; i++) {
        double v = fabs((double)x[i]) + 1e-3;
        double y[] = {log(v), log1p(v), log2(v), exp(v), sqrt(v), cos(v), pow(0.999, v)};
        float z[] = {logf((float)v), log1pf((float)v), expf((float)v), sqrtf((float)v), powf(0.999f, (float)v)};
        hash_add(h, y, sizeof y);
        hash_add(h, z, sizeof z);
    }
}

void arithmetic_of(char word[ARITHMETIC_WORD])
{
    char hex[HASH_HEX];
    struct hash *h = hash_new();
    hash_add(h, "order of sums 4", 15); /* another number whenever results change in their bits, though all below does not */
    add_products(h);
    add_kernels(h);
    add_libm(h);
    if (fault_at(FAULT_ARITHMETIC) == FAULT_ACTION_FAIL)
        hash_add(h, "another machine", 16);
    hash_end(h, hex);
    memcpy(word, hex, 16);
    word[16] = '\0';
}
