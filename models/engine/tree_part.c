/* The samples of a node dealt to its children, several at a time: a table, or the processor, says how those that go left come to stand side by side. */
#include <stdbool.h>
#include <string.h>

#include "models/engine.h"
#include "models/engine/tree_vectors.h"

#if defined(ENGINE_AVX512)
enum { TOGETHER = 8 };

INLINE unsigned going(const uint32_t *codes, uint32_t left)
{
    return _mm256_cmple_epu32_mask(_mm256_loadu_si256((const __m256i *)(const void *)codes), _mm256_set1_epi32((int)left));
}

/* Of TOGETHER samples those of `mask`, then anything. */
INLINE void put(uint64_t *to, const uint64_t *from, unsigned mask)
{
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi64((__mmask8)mask, _mm512_loadu_si512(from)));
}
#elif defined(ENGINE_AVX2)
enum { TOGETHER = 4 };

INLINE unsigned going(const uint32_t *codes, uint32_t left)
{
    __m128i code = _mm_loadu_si128((const __m128i *)(const void *)codes), least = _mm_min_epu32(code, _mm_set1_epi32((int)left));
    return (unsigned)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(code, least)));
}

INLINE void put(uint64_t *to, const uint64_t *from, unsigned mask)
{
#define PAIR(i) 2 * (i), 2 * (i) + 1
    static const int32_t halves[16][8] = {
        {0},
        {PAIR(0)},
        {PAIR(1)},
        {PAIR(0), PAIR(1)},
        {PAIR(2)},
        {PAIR(0), PAIR(2)},
        {PAIR(1), PAIR(2)},
        {PAIR(0), PAIR(1), PAIR(2)},
        {PAIR(3)},
        {PAIR(0), PAIR(3)},
        {PAIR(1), PAIR(3)},
        {PAIR(0), PAIR(1), PAIR(3)},
        {PAIR(2), PAIR(3)},
        {PAIR(0), PAIR(2), PAIR(3)},
        {PAIR(1), PAIR(2), PAIR(3)},
        {PAIR(0), PAIR(1), PAIR(2), PAIR(3)},
    };
    __m256i samples = _mm256_loadu_si256((const __m256i *)(const void *)from), order = _mm256_loadu_si256((const __m256i *)(const void *)halves[mask]);
    _mm256_storeu_si256((__m256i *)(void *)to, _mm256_permutevar8x32_epi32(samples, order));
}
#endif

int ENGINE(tree_part)(uint64_t *samples, uint64_t *room, int n, const uint32_t *codes, uint32_t left)
{
    int i = 0, to = 0, others = 0;
#if !defined(ENGINE_PLAIN)
    for (; i + TOGETHER <= n; i += TOGETHER) { /* what is written beyond those that go is read already, or written again */
        unsigned go = going(codes + i, left);
        put(room + others, samples + i, ~go & ((1u << TOGETHER) - 1));
        put(samples + to, samples + i, go);
        to += __builtin_popcount(go);
        others += TOGETHER - __builtin_popcount(go);
    }
#endif
    for (; i < n; i++) {
        uint64_t sample = samples[i];
        bool goes = codes[i] <= left;
        samples[to] = sample;
        room[others] = sample;
        to += goes;
        others += !goes;
    }
    memcpy(samples + to, room, (size_t)others * sizeof *room);
    return to;
}
