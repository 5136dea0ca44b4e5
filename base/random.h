/* Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011).
 *
 * A stream is named by what it is for, never by when or where it is drawn: random_of(key, a, b) gives
 * the same numbers on any rank, in any order. Keys are made by mixing: random_key(random_key(seed, trial), epoch).
 * No global state. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum { RANDOM_BLOCKS = 16 }; /* made side by side: each is a long chain */

struct random {
    uint64_t key;
    uint64_t high;    /* names the stream under its key */
    uint64_t counter; /* blocks of four words made so far */
    uint32_t words[4 * RANDOM_BLOCKS]; /* of the blocks made last */
    int left;         /* of them */
};

/* A new key out of a key and a name. */
uint64_t random_key(uint64_t key, uint64_t name);
/* The stream of a key and a name. */
struct random random_of(uint64_t key, uint64_t stream);

/* Makes the next blocks: Philox. */
void random_blocks(struct random *r);

static inline uint32_t random_u32(struct random *r)
{
    if (r->left == 0)
        random_blocks(r);
    return r->words[4 * RANDOM_BLOCKS - (unsigned)r->left--];
}

uint64_t random_u64(struct random *r);
/* Uniform in [0,1), 24 bits. */
float random_float(struct random *r);
/* Uniform in [0,1), 53 bits. */
double random_double(struct random *r);
/* Uniform in [0,n), without bias (Lemire 2019); n > 0. */
static inline uint32_t random_below(struct random *r, uint32_t n)
{
    uint64_t product = (uint64_t)random_u32(r) * n;
    if ((uint32_t)product < n) {
        uint32_t threshold = -n % n;
        while ((uint32_t)product < threshold)
            product = (uint64_t)random_u32(r) * n;
    }
    return (uint32_t)(product >> 32);
}
/* Standard normal (Box and Muller 1958). */
double random_normal(struct random *r);
/* Puts n indices in random order (Fisher and Yates). */
void random_shuffle(struct random *r, int32_t *x, size_t n);

#endif
