/* Philox4x32-10 against the known answers of Random123 (Salmon et al. 2011, kat_vectors), and what is made of it. */
#include "unit.h"

#include <string.h>

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

/* Philox as it is written down, a block at a time. */
static void philox(uint64_t key, uint64_t high, uint64_t counter, uint32_t out[4])
{
    uint32_t k[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    out[0] = (uint32_t)counter, out[1] = (uint32_t)(counter >> 32), out[2] = (uint32_t)high, out[3] = (uint32_t)(high >> 32);
    for (int round = 0; round < 10; round++, k[0] += 0x9E3779B9, k[1] += 0xBB67AE85) {
        uint64_t p = 0xD2511F53ULL * out[0], q = 0xCD9E8D57ULL * out[2];
        uint32_t next[4] = {(uint32_t)(q >> 32) ^ out[1] ^ k[0], (uint32_t)q, (uint32_t)(p >> 32) ^ out[3] ^ k[1], (uint32_t)p};
        memcpy(out, next, sizeof next);
    }
}

/* Blocks are made side by side: each is what it is alone, also where the counter passes 2^32. */
static void test_blocks(void)
{
    struct random r = random_of(random_key(3, 4), 0x123456789abcdefULL);
    r.counter = 0xffffffe5;
    for (uint64_t block = 0; block < 5 * RANDOM_BLOCKS; block++) {
        uint32_t expected[4];
        philox(r.key, r.high, 0xffffffe5 + block, expected);
        for (int i = 0; i < 4; i++)
            CU_ASSERT_EQUAL(random_u32(&r), expected[i]);
    }
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

UNIT_MAIN({"known answers", test_known_answers}, {"blocks side by side", test_blocks}, {"below n, without bias", test_below}, {"streams differ", test_streams_differ},
          {"normal numbers", test_normal})
