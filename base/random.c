#include "base/random.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

/* splitmix64's finalizer (Steele et al. 2014): every input bit moves every output bit. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t random_key(uint64_t key, uint64_t name)
{
    return mix(mix(key + 0x9e3779b97f4a7c15u) ^ mix(name + 0xd1b54a32d192ed03u));
}

struct random random_of(uint64_t key, uint64_t stream)
{
    return (struct random){.key = key, .high = stream};
}

enum { ROUNDS = 10 };
static const uint32_t multiplier_a = 0xD2511F53, multiplier_c = 0xCD9E8D57, step_0 = 0x9E3779B9, step_1 = 0xBB67AE85;

/* Blocks from `first` on; out (n, 4). */
static void blocks_plain(const struct random *r, uint64_t first, int n, uint32_t *out)
{
    for (int i = 0; i < n; i++, out += 4) {
        uint64_t counter = first + (uint64_t)i;
        uint32_t a = (uint32_t)counter, b = (uint32_t)(counter >> 32), c = (uint32_t)r->high, d = (uint32_t)(r->high >> 32);
        uint32_t k0 = (uint32_t)r->key, k1 = (uint32_t)(r->key >> 32);
        for (int round = 0; round < ROUNDS; round++, k0 += step_0, k1 += step_1) {
            uint64_t p = (uint64_t)multiplier_a * a, q = (uint64_t)multiplier_c * c;
            a = (uint32_t)(q >> 32) ^ b ^ k0;
            b = (uint32_t)q;
            c = (uint32_t)(p >> 32) ^ d ^ k1;
            d = (uint32_t)p;
        }
        out[0] = a, out[1] = b, out[2] = c, out[3] = d;
    }
}

#if defined(__x86_64__) && defined(__GNUC__)
/* Four blocks a vector, of each word one in the lower half of 64 bits: what stands in the upper half is not looked at. */
struct four {
    __m256i a, b, c, d;
};

__attribute__((target("avx2"))) static inline struct four begin_four(const struct random *r, uint64_t first)
{
    __m256i counter = _mm256_add_epi64(_mm256_set1_epi64x((long long)first), _mm256_setr_epi64x(0, 1, 2, 3)), high = _mm256_set1_epi64x((long long)r->high);
    return (struct four){counter, _mm256_srli_epi64(counter, 32), high, _mm256_srli_epi64(high, 32)};
}

__attribute__((target("avx2"))) static inline void round_four(struct four *x, __m256i k0, __m256i k1)
{
    __m256i p = _mm256_mul_epu32(x->a, _mm256_set1_epi64x(multiplier_a)), q = _mm256_mul_epu32(x->c, _mm256_set1_epi64x(multiplier_c));
    x->a = _mm256_xor_si256(_mm256_srli_epi64(q, 32), _mm256_xor_si256(x->b, k0));
    x->c = _mm256_xor_si256(_mm256_srli_epi64(p, 32), _mm256_xor_si256(x->d, k1));
    x->b = q;
    x->d = p;
}

/* out (4, 4) */
__attribute__((target("avx2"))) static inline void end_four(const struct four *x, uint32_t *out)
{
    __m256i ab = _mm256_blend_epi32(x->a, _mm256_slli_epi64(x->b, 32), 0xaa), cd = _mm256_blend_epi32(x->c, _mm256_slli_epi64(x->d, 32), 0xaa);
    __m256i even = _mm256_unpacklo_epi64(ab, cd), odd = _mm256_unpackhi_epi64(ab, cd);
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256((__m256i *)(void *)(out + 8), _mm256_permute2x128_si256(even, odd, 0x31));
}

__attribute__((target("avx2"))) static void blocks_avx2(const struct random *r, uint64_t first, int n, uint32_t *out)
{
    for (int i = 0; i < n; i += 8, out += 32) { /* two vectors together: a round waits for the one before */
        struct four x = begin_four(r, first + (uint64_t)i), y = begin_four(r, first + (uint64_t)i + 4);
        __m256i k0 = _mm256_set1_epi64x((long long)r->key), k1 = _mm256_srli_epi64(k0, 32);
        for (int round = 0; round < ROUNDS; round++) {
            round_four(&x, k0, k1);
            round_four(&y, k0, k1);
            k0 = _mm256_add_epi32(k0, _mm256_set1_epi64x(step_0));
            k1 = _mm256_add_epi32(k1, _mm256_set1_epi64x(step_1));
        }
        end_four(&x, out);
        end_four(&y, out + 16);
    }
}

static void blocks(const struct random *r, uint64_t first, int n, uint32_t *out)
{
    (__builtin_cpu_supports("avx2") ? blocks_avx2 : blocks_plain)(r, first, n, out);
}
#else
#define blocks blocks_plain
#endif

void random_blocks(struct random *r)
{
    blocks(r, r->counter, RANDOM_BLOCKS, r->words);
    r->counter += RANDOM_BLOCKS;
    r->left = 4 * RANDOM_BLOCKS;
}

uint64_t random_u64(struct random *r)
{
    uint64_t high = random_u32(r);
    return high << 32 | random_u32(r);
}

float random_float(struct random *r)
{
    return (float)(random_u32(r) >> 8) * 0x1p-24f;
}

double random_double(struct random *r)
{
    return (double)(random_u64(r) >> 11) * 0x1p-53;
}

double random_normal(struct random *r)
{
    double u = 1.0 - random_double(r), v = random_double(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void random_shuffle(struct random *r, int32_t *x, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = random_below(r, (uint32_t)i);
        int32_t t = x[i - 1];
        x[i - 1] = x[j];
        x[j] = t;
    }
}
