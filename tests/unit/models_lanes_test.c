/* Every engine's e^x, logistic, hyperbolic tangent and product: the errors that models/engine/lanes.h states, against libm in long double; and equal bits. */
#include "unit.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/random.h"
#include "models/engine.h"

/* --- functions --- */

enum { STRIDE = 997, FLOATS = 4096 };

struct function {
    const char *name;
    size_t at; /* in struct engine */
    long double (*exact)(long double x);
    float first, last; /* where the bound holds */
    double ulp;
};

static long double logistic(long double x) { return 1 / (1 + expl(-x)); }

static const struct function functions[] = {
    {"exp", offsetof(struct engine, exp), expl, -87, 88, 1.5},
    {"sigmoid", offsetof(struct engine, sigmoid), logistic, -87, INFINITY, 2.5},
    {"tanh", offsetof(struct engine, tanh), tanhl, -INFINITY, INFINITY, 5.5},
};

static void apply(const struct engine *engine, const struct function *f, float *x, size_t n)
{
    (*(void (*const *)(float *, size_t))((const char *)engine + f->at))(x, n);
}

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static bool same(float a, float b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

/* Distance of y from the exact value, in floats' spacing there. */
static double ulps(float y, long double exact)
{
    int e = exact == 0 ? -126 : ilogbl(exact);
    return (double)(fabsl((long double)y - exact) / ldexpl(1, (e < -126 ? -126 : e) - 23));
}

/* Largest error of y = f(x) where the bound holds; elsewhere y must keep to the side where the exact value is. test_specials has what is no number. */
static void measure(const struct function *f, const float *x, const float *y, int n, double *worst, int *wrong)
{
    float low = (float)f->exact((long double)f->first), high = (float)f->exact((long double)f->last);
    for (int i = 0; i < n; i++)
        if (x[i] >= f->first && x[i] <= f->last) {
            double u = ulps(y[i], f->exact((long double)x[i]));
            *worst = u <= *worst ? *worst : u;
        } else if (x[i] < f->first) {
            *wrong += !(y[i] >= 0 && y[i] <= low * 1.001f);
        } else if (x[i] > f->last) {
            *wrong += !(y[i] >= high * 0.999f && isfinite(y[i]));
        }
}

/* Bit patterns from `bits` on, STRIDE apart: every engine that runs here against the first, that against libm. */
static void check_block(const struct function *f, uint32_t bits, double *worst, int *wrong)
{
    float x[FLOATS], y[FLOATS], other[FLOATS];
    for (int i = 0; i < FLOATS; i++)
        x[i] = of_bits(bits + (uint32_t)i * STRIDE);
    memcpy(y, x, sizeof x);
    apply(engine_best(), f, y, FLOATS);
    measure(f, x, y, FLOATS, worst, wrong);
    for (int e = 0; engines[e]; e++) {
        if (engines[e] == engine_best() || !engine_runs(engines[e]))
            continue;
        memcpy(other, x, sizeof x);
        apply(engines[e], f, other, FLOATS);
        for (int i = 0; i < FLOATS; i++)
            *wrong += !isnan(x[i]) && !same(y[i], other[i]);
    }
}

static void test_errors(void)
{
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
        double worst = 0;
        int wrong = 0;
        for (uint64_t bits = 0; bits < 1ull << 32; bits += (uint64_t)FLOATS * STRIDE)
            check_block(&functions[k], (uint32_t)bits, &worst, &wrong);
        printf("%s %.2f ulp ", functions[k].name, worst);
        CU_ASSERT(worst > 0.4 && worst <= functions[k].ulp);
        CU_ASSERT_EQUAL(wrong, 0);
    }
}

static bool close(float found, float expected)
{
    return same(found, expected) || fabsf(found / expected - 1) < 1e-6f;
}

/* At the last place of a vector of n; what stands behind is not touched. */
static void check_special(const struct engine *engine, const struct function *f, float x, float expected, size_t n)
{
    float v[40];
    for (size_t i = 0; i < 40; i++)
        v[i] = i == n - 1 ? x : 7;
    apply(engine, f, v, n);
    CU_ASSERT(close(v[n - 1], expected));
    for (size_t i = n; i < 40; i++)
        CU_ASSERT(v[i] == 7);
}

static void test_specials(void)
{
    const volatile float most = INFINITY, none = most - most; /* as a processor makes it */
    const struct {
        float x, expected[3]; /* as functions stand */
    } cases[] = {
        {0, {1, 0.5f, 0}},
        {-0.0f, {1, 0.5f, -0.0f}},
        {1e-42f, {1, 0.5f, 1e-42f}},
        {-1e-42f, {1, 0.5f, -1e-42f}},
        {1e-30f, {1, 0.5f, 1e-30f}},
        {none, {NAN, NAN, NAN}},
        {-none, {NAN, NAN, NAN}},
        {20, {expf(20), 1, 1}},
        {-20, {expf(-20), expf(-20), -1}},
        {INFINITY, {expf(88), 1, 1}},
        {-INFINITY, {expf(-87), expf(-88), -1}},
    };
    for (int e = 0; engines[e]; e++)
        for (size_t k = 0; engine_runs(engines[e]) && k < sizeof cases / sizeof *cases; k++)
            for (int f = 0; f < 3; f++)
                for (size_t n = 1; n <= 35; n++)
                    check_special(engines[e], &functions[f], cases[k].x, cases[k].expected[f], n);
}

/* --- products --- */

enum { MOST = 136, STEPS = 260, GAP = 3, ROOM = (STEPS + GAP) * (MOST + GEMM_GROUP) }; /* GAP: between rows, in which nothing may change */

struct shape {
    int m, n, k;
    bool transposed, packed, spread, add, bias, sum; /* spread: rows of B so far apart that they are read as they stand */
};

/* a (m,k) as the shape wants it: rows apart, or columns. */
static void lay_a(const struct shape *s, const float *a, float *out, struct gemm *g)
{
    g->a_row = s->transposed ? 1 : (size_t)s->k + GAP;
    g->a_col = s->transposed ? (size_t)s->m + GAP : 1;
    g->a = out;
    for (int i = 0; i < s->m; i++)
        for (int p = 0; p < s->k; p++)
            out[(size_t)i * g->a_row + (size_t)p * g->a_col] = a[i * s->k + p];
}

/* b (k,n) with rows apart, or packed as models/engine/gemm.h has it. */
static void lay_b(const struct shape *s, const float *b, float *out, struct gemm *g)
{
    const size_t apart = s->spread ? gemm_row((size_t)s->n) : (size_t)s->n + GAP;
    g->b_row = s->packed ? 0 : apart;
    g->b = out;
    for (int first = 0, width; first < s->n; first += width) {
        int left = (s->n - first + 15) / 16, groups = (left + 3) / 4;
        width = s->packed ? (left + groups - 1) / groups * 16 : s->n;
        for (int p = 0; p < s->k; p++, out += s->packed ? (size_t)width : apart)
            for (int j = 0; j < width; j++)
                out[j] = first + j < s->n ? b[p * s->n + first + j] : 0;
    }
}

/* c: what stood there, with gaps; becomes what should. The bias is b's first row. */
static void chain(const struct shape *s, const float *a, const float *b, float *c)
{
    for (int i = 0; i < s->m; i++)
        for (int j = 0; j < s->n; j++) {
            float before = c[i * (s->n + GAP) + j], sum = s->add ? before : s->bias ? b[j] : 0;
            for (int p = 0; p < s->k; p++)
                sum = fmaf(a[i * s->k + p], b[p * s->n + j], sum);
            c[i * (s->n + GAP) + j] = s->sum ? before + sum : sum;
        }
}

static void fill(float *x, size_t n, uint64_t stream)
{
    struct random r = random_of(0x67656d6d, stream);
    for (size_t i = 0; i < n; i++)
        x[i] = ldexpf(2 * random_float(&r) - 1, (int)(i % 7) - 3);
}

/* Is C the same bits as the chain's on every engine, and nothing beside it changed? */
static bool holds(const struct shape *s)
{
    static float a[MOST * STEPS], b[MOST * STEPS], before[ROOM], expected[ROOM], laid_a[ROOM], laid_b[ROOM], c[ROOM];
    struct gemm g = {.m = s->m, .n = s->n, .k = s->k, .c = c, .c_row = (size_t)s->n + GAP, .add = s->add, .bias = s->bias ? b : NULL, .sum = s->sum};
    bool good = true;
    fill(a, (size_t)s->m * (size_t)s->k, 1);
    fill(b, (size_t)s->k * (size_t)s->n, 2);
    fill(before, ROOM, 3);
    lay_a(s, a, laid_a, &g);
    lay_b(s, b, laid_b, &g);
    memcpy(expected, before, sizeof expected);
    chain(s, a, b, expected);
    for (int e = 0; engines[e]; e++)
        if (engine_runs(engines[e])) {
            memcpy(c, before, sizeof c);
            engines[e]->gemm(&g);
            good &= memcmp(c, expected, sizeof c) == 0;
        }
    return good;
}

static void test_products(void)
{
    const int m[] = {1, 2, 3, 5, 8, 15, 37}, n[] = {1, 15, 16, 17, 33, 48, 64, 70, 128, 136}, k[] = {0, 1, 3, 17, 64, 65, 129, 260};
    int wrong = 0;
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 10; j++)
            for (int p = 0; p < 8; p++)
                for (int v = 0; v < 24; v++) {
                    struct shape s = {m[i], n[j], k[p], .transposed = v & 1, .packed = v % 6 / 2 == 1 && k[p] > 0, .spread = v % 6 / 2 == 2,
                                      .add = v / 6 == 1, .sum = v / 6 == 2, .bias = v / 6 == 3 && k[p] > 0};
                    if ((s.sum && (k[p] == 0 || k[p] > GEMM_SUM)) || holds(&s))
                        continue;
                    printf("m %d n %d k %d%s%s%s%s%s%s ", s.m, s.n, s.k, s.transposed ? " transposed" : "", s.packed ? " packed" : "",
                           s.spread ? " spread" : "", s.add ? " add" : "", s.sum ? " sum" : "", s.bias ? " bias" : "");
                    wrong++;
                }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* A dense layer's weights (k,n) are packed as they are, then their transpose. */
static void test_packing(void)
{
    static float b[MOST * MOST], across[MOST * MOST], expected[2 * ROOM], packed[2 * ROOM];
    const int sizes[] = {1, 2, 15, 16, 17, 33, 64, 65, 70, 136};
    struct gemm ignored;
    int wrong = 0;
    fill(b, MOST * MOST, 4);
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < 10; j++) {
            struct shape there = {.k = sizes[i], .n = sizes[j], .packed = true}, back = {.k = sizes[j], .n = sizes[i], .packed = true};
            struct layer l = {.in_width = there.k, .width = there.n};
            for (int p = 0; p < there.k; p++)
                for (int c = 0; c < there.n; c++)
                    across[c * there.k + p] = b[p * there.n + c];
            lay_b(&there, b, expected, &ignored);
            lay_b(&back, across, expected + gemm_packed(there.k, there.n), &ignored);
            for (int e = 0; engines[e]; e++)
                if (engine_runs(engines[e])) {
                    engines[e]->layers[LAYER_DENSE]->pack(&l, b, packed);
                    wrong += memcmp(packed, expected, (gemm_packed(there.k, there.n) + gemm_packed(back.k, back.n)) * sizeof *packed) != 0;
                }
        }
    CU_ASSERT_EQUAL(wrong, 0);
}

UNIT_MAIN({"errors of exp, sigmoid, tanh; equal bits", test_errors}, {"infinities, zeros, what is no number", test_specials}, {"products", test_products}, {"packing", test_packing})
