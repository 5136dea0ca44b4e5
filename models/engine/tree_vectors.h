/* What trees do side by side, WIDE numbers in a register: whole numbers of 32 bits (as two of 16 too) and floats. Lanes of trees (models/tree_lanes.h) are so
 * many vectors, TREE_VECTORS. Engines may differ in a float's last bits here, within the errors that are stated there. */
#ifndef MODELS_TREE_VECTORS_H
#define MODELS_TREE_VECTORS_H

#include "models/engine/lanes.h"
#include "models/tree_lanes.h"

#if !defined(ENGINE_PLAIN)
#if defined(ENGINE_AVX512)
enum { WIDE = 16 };
#else
enum { WIDE = 8 };
#endif
enum { TREE_VECTORS = TREE_LANES / WIDE };

typedef uint32_t whole __attribute__((vector_size(4 * WIDE), may_alias));
typedef int32_t truth __attribute__((vector_size(4 * WIDE), may_alias));
typedef float real __attribute__((vector_size(4 * WIDE), may_alias));

INLINE real real_of(whole x) { return __builtin_convertvector((truth)x, real); } /* x < 2^31 */

/* Vectors that hold so many lanes. */
INLINE int vectors_of(int n) { return TREE_VECTORS == 1 ? 1 : (n + WIDE - 1) / WIDE; }

/* Half as many lanes, of 64 bits. */
enum { HALF = WIDE / 2 };
typedef int64_t longs __attribute__((vector_size(8 * HALF), may_alias));
typedef double doubles __attribute__((vector_size(8 * HALF), may_alias));

#if defined(ENGINE_AVX512)

INLINE whole lesser(whole a, whole b) { return (whole)_mm512_min_epu32((__m512i)a, (__m512i)b); }
INLINE whole greater(whole a, whole b) { return (whole)_mm512_max_epu32((__m512i)a, (__m512i)b); }
INLINE real larger(real a, real b) { return (real)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE float largest(real x) { return _mm512_reduce_max_ps((__m512)x); }
INLINE real first_of(real x, int n) { return (real)_mm512_maskz_mov_ps(lanes_mask(n), (__m512)x); } /* the first n lanes; others 0 */
INLINE real where_not_0(whole a, real x) { return (real)_mm512_maskz_mov_ps(_mm512_test_epi32_mask((__m512i)a, (__m512i)a), (__m512)x); }
INLINE real where_both(whole a, whole b, whole c, real x) /* where a is not 0 and b is not c; else 0 */
{
    __mmask16 both = _mm512_test_epi32_mask((__m512i)a, (__m512i)a) & _mm512_cmpneq_epi32_mask((__m512i)b, (__m512i)c);
    return (real)_mm512_maskz_mov_ps(both, (__m512)x);
}
/* to + x where a <= b, both below 2^31; else to. */
INLINE whole added_where(whole a, whole b, whole to, whole x) { return (whole)_mm512_mask_add_epi32((__m512i)to, _mm512_cmple_epu32_mask((__m512i)a, (__m512i)b), (__m512i)to, (__m512i)x); }
INLINE whole added_up_to(real a, real b, whole to, whole x) { return (whole)_mm512_mask_add_epi32((__m512i)to, _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LE_OQ), (__m512i)to, (__m512i)x); }
/* Where `word` is j: its left is read into *before, and put is added. */
INLINE void put_where(whole word, uint32_t j, whole put, whole *before, whole *left)
{
    __mmask16 here = _mm512_cmpeq_epi32_mask((__m512i)word, _mm512_set1_epi32((int)j));
    *before = (whole)_mm512_mask_mov_epi32((__m512i)*before, here, (__m512i)*left);
    *left = (whole)_mm512_mask_add_epi32((__m512i)*left, here, (__m512i)*left, (__m512i)put);
}
INLINE unsigned at_least(real a, float b) { return _mm512_cmp_ps_mask((__m512)a, _mm512_set1_ps(b), _CMP_GE_OQ); } /* lane by lane, a bit each */
INLINE unsigned above_0(real a) { return _mm512_cmp_ps_mask((__m512)a, _mm512_setzero_ps(), _CMP_GT_OQ); }
/* a / b but for 2^-14 of it. */
INLINE real quotient(real a, real b) { return a * (real)_mm512_rcp14_ps((__m512)b); }
/* Of halves of 16 bits: products of both, added; products; sums. */
INLINE whole multiplied(whole a, whole b) { return (whole)_mm512_madd_epi16((__m512i)a, (__m512i)b); }
INLINE whole products(whole a, whole b) { return (whole)_mm512_mullo_epi16((__m512i)a, (__m512i)b); }
INLINE whole added(whole a, whole b) { return (whole)_mm512_add_epi16((__m512i)a, (__m512i)b); }
/* Of the lower (0) or upper (1) lanes; products of numbers below 2^32; the nearest doubles. */
INLINE longs half_of(whole x, int h) { return (longs)_mm512_cvtepu32_epi64(h ? _mm512_extracti64x4_epi64((__m512i)x, 1) : _mm512_castsi512_si256((__m512i)x)); }
INLINE longs product(longs a, longs b) { return (longs)_mm512_mul_epu32((__m512i)a, (__m512i)b); }
INLINE doubles doubles_of(longs x) { return (doubles)_mm512_cvtepi64_pd((__m512i)x); }
/* 32 numbers to look up by the lowest five bits. */
struct numbers {
    __m512i low, high;
};
INLINE struct numbers numbers_of(const uint32_t *x) { return (struct numbers){_mm512_loadu_si512(x), _mm512_loadu_si512(x + 16)}; }
INLINE whole number_of(const struct numbers *x, whole at) { return (whole)_mm512_permutex2var_epi32(x->low, (__m512i)at, x->high); }
struct bytes { /* 32 of them, to look up */
    __m512i low, high;
};
INLINE struct bytes bytes_of(const uint8_t *x)
{
    return (struct bytes){_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)x)), _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(x + 16)))};
}
/* The byte whose number the lowest five bits are; few: of which the lowest two are 0. */
INLINE whole look_up(const struct bytes *x, whole number, bool few)
{
    (void)few;
    return (whole)_mm512_permutex2var_epi32(x->low, (__m512i)number, x->high);
}
/* Sums of lanes 0 to each. */
INLINE whole running_sum(whole x)
{
    __m512i none = _mm512_setzero_si512(), v = (__m512i)x;
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, none, 15));
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, none, 14));
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, none, 12));
    return (whole)_mm512_add_epi32(v, _mm512_alignr_epi32(v, none, 8));
}

#else

INLINE whole lesser(whole a, whole b) { return (whole)_mm256_min_epu32((__m256i)a, (__m256i)b); }
INLINE whole greater(whole a, whole b) { return (whole)_mm256_max_epu32((__m256i)a, (__m256i)b); }
INLINE real larger(real a, real b) { return (real)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE float largest(real x)
{
    __m128 a = _mm_max_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}
INLINE real first_of(real x, int n) { return (real)_mm256_and_ps(_mm256_castsi256_ps(lanes_mask(n)), (__m256)x); }
INLINE real where_not_0(whole a, real x) { return (real)_mm256_andnot_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32((__m256i)a, _mm256_setzero_si256())), (__m256)x); }
INLINE real where_both(whole a, whole b, whole c, real x) { return where_not_0(a, where_not_0(b ^ c, x)); }
INLINE whole added_where(whole a, whole b, whole to, whole x) { return to + (whole)_mm256_andnot_si256(_mm256_cmpgt_epi32((__m256i)a, (__m256i)b), (__m256i)x); }
INLINE whole added_up_to(real a, real b, whole to, whole x) { return to + (whole)_mm256_and_si256(_mm256_castps_si256(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_LE_OQ)), (__m256i)x); }
INLINE void put_where(whole word, uint32_t j, whole put, whole *before, whole *left)
{
    __m256i here = _mm256_cmpeq_epi32((__m256i)word, _mm256_set1_epi32((int)j));
    *before |= (whole)_mm256_and_si256(here, (__m256i)*left);
    *left += (whole)_mm256_and_si256(here, (__m256i)put);
}
INLINE unsigned at_least(real a, float b) { return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps((__m256)a, _mm256_set1_ps(b), _CMP_GE_OQ)); }
INLINE unsigned above_0(real a) { return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps((__m256)a, _mm256_setzero_ps(), _CMP_GT_OQ)); }
INLINE real quotient(real a, real b) { return a / b; }
INLINE whole multiplied(whole a, whole b) { return (whole)_mm256_madd_epi16((__m256i)a, (__m256i)b); }
INLINE whole products(whole a, whole b) { return (whole)_mm256_mullo_epi16((__m256i)a, (__m256i)b); }
INLINE whole added(whole a, whole b) { return (whole)_mm256_add_epi16((__m256i)a, (__m256i)b); }
INLINE longs half_of(whole x, int h) { return (longs)_mm256_cvtepu32_epi64(h ? _mm256_extracti128_si256((__m256i)x, 1) : _mm256_castsi256_si128((__m256i)x)); }
INLINE longs product(longs a, longs b) { return (longs)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
INLINE doubles doubles_of(longs x) { return __builtin_convertvector(x, doubles); }
struct numbers {
    const uint32_t *all;
};
INLINE struct numbers numbers_of(const uint32_t *x) { return (struct numbers){x}; }
INLINE whole number_of(const struct numbers *x, whole at) { return (whole)_mm256_i32gather_epi32((const int *)(const void *)x->all, (__m256i)(at & 31), 4); }
struct bytes {
    __m256i low, high, few;
};
INLINE struct bytes bytes_of(const uint8_t *x)
{
    return (struct bytes){_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)x)),
                          _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(x + 16))),
                          _mm256_setr_epi32(x[0], x[4], x[8], x[12], x[16], x[20], x[24], x[28])};
}
INLINE whole look_up(const struct bytes *x, whole number, bool few)
{
    if (few)
        return (whole)_mm256_permutevar8x32_epi32(x->few, (__m256i)(number >> 2));
    __m256i at = (__m256i)((number & 15) | 0x80808000); /* bytes whose place has its highest bit set become 0 */
    __m256 low = _mm256_castsi256_ps(_mm256_shuffle_epi8(x->low, at)), high = _mm256_castsi256_ps(_mm256_shuffle_epi8(x->high, at));
    return (whole)_mm256_castps_si256(_mm256_blendv_ps(low, high, _mm256_castsi256_ps((__m256i)(number << 27))));
}
INLINE whole running_sum(whole x)
{
    __m256i v = (__m256i)x;
    v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
    v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8));
    return (whole)_mm256_add_epi32(v, _mm256_permute2x128_si256(_mm256_shuffle_epi32(v, 0xff), v, 0x08));
}

#endif

/* Lanes of sorted keys whose codes are not all the same, bit by bit. */
INLINE uint32_t lanes_differ(const struct tree_lanes *o, int n_columns)
{
    const whole *keys = (const whole *)o->keys, *last = keys + (o->n - 1) * TREE_VECTORS;
    uint32_t differ = 0;
    for (int v = 0; v < vectors_of(n_columns); v++)
        differ |= above_0(first_of(where_not_0((keys[v] ^ last[v]) >> o->label_bits, (real){0} + 1), n_columns - v * WIDE)) << v * WIDE;
    return differ;
}
#endif

#endif
