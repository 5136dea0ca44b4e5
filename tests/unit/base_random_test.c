/* Philox4x32-10 against the known answers of Random123 (Salmon et al. 2011, kat_vectors), and what is made of it. */
#include "unit.h"

#include "base/random.h"

static void test_known_answers(void)
{
    struct random r = random_of(0, 0);
    const uint32_t zeros[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(random_u32(&r), zeros[i]);
    const uint32_t ones[] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    r = random_of(UINT64_MAX, UINT64_MAX);
    r.counter = UINT64_MAX;
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(random_u32(&r), ones[i]);
}

static void test_below(void)
{
    struct random r = random_of(random_key(1, 2), 3);
    int counts[7] = {0};
    for (int i = 0; i < 70000; i++)
        counts[random_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        CU_ASSERT(counts[i] > 9500 && counts[i] < 10500);
}

static void test_streams_differ(void)
{
    struct random a = random_of(1, 1), b = random_of(1, 2), c = random_of(1, 1);
    uint64_t x = random_u64(&a);
    CU_ASSERT_NOT_EQUAL(x, random_u64(&b));
    CU_ASSERT_EQUAL(x, random_u64(&c));
    CU_ASSERT_NOT_EQUAL(random_key(1, 2), random_key(2, 1));
}

static void test_normal(void)
{
    struct random r = random_of(5, 5);
    double sum = 0, squares = 0;
    for (int i = 0; i < 100000; i++) {
        double x = random_normal(&r);
        sum += x;
        squares += x * x;
    }
    CU_ASSERT(sum / 1e5 > -0.01 && sum / 1e5 < 0.01);
    CU_ASSERT(squares / 1e5 > 0.98 && squares / 1e5 < 1.02);
}

UNIT_MAIN({"known answers", test_known_answers}, {"below n, without bias", test_below}, {"streams differ", test_streams_differ},
          {"normal numbers", test_normal})
