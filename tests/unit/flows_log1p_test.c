/* Logarithms of times beside the C library's: not one bit may differ. */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "flows/log1p.h"

enum { N = 1000, ROUNDS = 2000 };

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static int wrong(const float *x, const float *found, int n)
{
    int n_wrong = 0;
    for (int i = 0; i < n; i++) {
        float expected = x[i] > 0 ? (float)log1p((double)x[i] * 1e6) : 0;
        n_wrong += memcmp(&expected, &found[i], sizeof expected) != 0;
    }
    return n_wrong;
}

/* Whole microseconds, as captures have them; nanoseconds; any float at all. */
static float draw(struct random *r, int kind)
{
    if (kind == 0)
        return (float)random_below(r, 100000000) * 1e-6f;
    if (kind == 1)
        return (float)(random_double(r) * 1e-5);
    float x = float_of(random_u32(r));
    return isfinite(x) ? x : 0;
}

static void test_library(void)
{
    static float x[N], out[N];
    struct random r = random_of(7, 0);
    int n_wrong = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int n = 1 + (int)random_below(&r, N);
        for (int i = 0; i < n; i++)
            x[i] = draw(&r, round % 3);
        log1p_micro(x, n, out);
        n_wrong += wrong(x, out, n);
    }
    CU_ASSERT_EQUAL(n_wrong, 0);
}

static void test_in_place(void)
{
    float x[N], same[N];
    struct random r = random_of(8, 0);
    for (int i = 0; i < N; i++)
        same[i] = x[i] = draw(&r, i % 3);
    log1p_micro(same, N, same);
    CU_ASSERT_EQUAL(wrong(x, same, N), 0);
}

static void test_edges(void)
{
    const float x[] = {0, -0.0f, -1, -1e30f, 0x1p-149f, 0x1p-126f, 1e-12f, 0.99e-9f, 1e-9f, 1.01e-9f, 1, 3600, 1e30f, 0x1.fffffep127f};
    float out[sizeof x / sizeof *x];
    log1p_micro(x, (int)(sizeof x / sizeof *x), out);
    CU_ASSERT_EQUAL(wrong(x, out, (int)(sizeof x / sizeof *x)), 0);
}

UNIT_MAIN({"beside the library's", test_library}, {"in place", test_in_place}, {"edges", test_edges})
