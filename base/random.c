#include "base/random.h"

#include <math.h>
#include <string.h>

#include "base/kernels.h"

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

KERNEL void random_blocks(struct random *r)
{
    uint32_t a[RANDOM_BLOCKS], b[RANDOM_BLOCKS], c[RANDOM_BLOCKS], d[RANDOM_BLOCKS], k0 = (uint32_t)r->key, k1 = (uint32_t)(r->key >> 32);
    for (int i = 0; i < RANDOM_BLOCKS; i++) {
        uint64_t counter = r->counter + (uint64_t)i;
        a[i] = (uint32_t)counter;
        b[i] = (uint32_t)(counter >> 32);
        c[i] = (uint32_t)r->high;
        d[i] = (uint32_t)(r->high >> 32);
    }
    for (int round = 0; round < 10; round++) {
#pragma GCC unroll 1
        for (int i = 0; i < RANDOM_BLOCKS; i++) { /* vectors are made of loops that stand */
            uint64_t p = (uint64_t)0xD2511F53u * a[i], q = (uint64_t)0xCD9E8D57u * c[i];
            a[i] = (uint32_t)(q >> 32) ^ b[i] ^ k0;
            b[i] = (uint32_t)q;
            c[i] = (uint32_t)(p >> 32) ^ d[i] ^ k1;
            d[i] = (uint32_t)p;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(r->words[0], a, sizeof a);
    memcpy(r->words[1], b, sizeof b);
    memcpy(r->words[2], c, sizeof c);
    memcpy(r->words[3], d, sizeof d);
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
