/* Sixteen floats at a time, on any processor: one AVX-512 register, two of AVX2, or an array.
 *
 * The files of the engine (models/engine.h) are compiled once for each. Every operation below is rounded once, as IEEE 754 has it, in all three: sums
 * and products of lanes have the same bits everywhere. lanes_max and lanes_min give b where one of them is not a number. Loads and stores
 * need no alignment; those of n lanes (0..16) touch no other memory, and load zeros beside them. */
#ifndef MODELS_LANES_H
#define MODELS_LANES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 16 };
#if defined(ENGINE_PLAIN)
#define INLINE static inline
#else
#define INLINE static inline __attribute__((always_inline))
#endif

#if defined(ENGINE_AVX512)
#include <immintrin.h>

typedef __m512 lanes;
enum { TILE_VECTORS = 4 }; /* widest tile of a product: 4 rows of so many lanes stay in registers */

INLINE lanes lanes_set(float x) { return _mm512_set1_ps(x); }
INLINE lanes lanes_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void lanes_store(float *p, lanes x) { _mm512_storeu_ps(p, x); }
INLINE __mmask16 lanes_mask(int n) { return (__mmask16)((1u << n) - 1); }
INLINE lanes lanes_load_n(const float *p, int n) { return _mm512_maskz_loadu_ps(lanes_mask(n), p); }
INLINE void lanes_store_n(float *p, lanes x, int n) { _mm512_mask_storeu_ps(p, lanes_mask(n), x); }
INLINE lanes lanes_fma(lanes a, lanes b, lanes c) { return _mm512_fmadd_ps(a, b, c); }
INLINE lanes lanes_add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
INLINE lanes lanes_sub(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
INLINE lanes lanes_mul(lanes a, lanes b) { return _mm512_mul_ps(a, b); }
INLINE lanes lanes_div(lanes a, lanes b) { return _mm512_div_ps(a, b); }
INLINE lanes lanes_max(lanes a, lanes b) { return _mm512_max_ps(a, b); }
INLINE lanes lanes_min(lanes a, lanes b) { return _mm512_min_ps(a, b); }
/* x 2^k, k the whole number in the low bits of t = k + 1.5 * 2^23; x and the result normal. */
INLINE lanes lanes_scale(lanes x, lanes t)
{
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), _mm512_slli_epi32(_mm512_castps_si512(t), 23)));
}

/* x where 0 < y < 1, where a = b, where 0 < y; else 0. */
INLINE lanes lanes_within(lanes y, lanes x)
{
    __mmask16 above = _mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_GT_OQ);
    return _mm512_maskz_mov_ps(_mm512_mask_cmp_ps_mask(above, y, _mm512_set1_ps(1), _CMP_LT_OQ), x);
}
INLINE lanes lanes_equal(lanes a, lanes b, lanes x) { return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), x); }
INLINE lanes lanes_positive(lanes y, lanes x) { return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_GT_OQ), x); }
INLINE unsigned lanes_above(lanes a, lanes b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); } /* bit i: a > b in lane i */

#elif defined(ENGINE_AVX2)
#include <immintrin.h>

typedef struct {
    __m256 low, high;
} lanes;
enum { TILE_VECTORS = 1 };

#define LANES_BOTH(operation) (lanes){operation(a.low, b.low), operation(a.high, b.high)}
INLINE lanes lanes_set(float x) { return (lanes){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
INLINE lanes lanes_load(const float *p) { return (lanes){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
INLINE void lanes_store(float *p, lanes x)
{
    _mm256_storeu_ps(p, x.low);
    _mm256_storeu_ps(p + 8, x.high);
}
INLINE __m256i lanes_mask(int n) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }
INLINE lanes lanes_load_n(const float *p, int n) { return (lanes){_mm256_maskload_ps(p, lanes_mask(n)), _mm256_maskload_ps(p + 8, lanes_mask(n - 8))}; }
INLINE void lanes_store_n(float *p, lanes x, int n)
{
    _mm256_maskstore_ps(p, lanes_mask(n), x.low);
    _mm256_maskstore_ps(p + 8, lanes_mask(n - 8), x.high);
}
INLINE lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return (lanes){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
INLINE lanes lanes_add(lanes a, lanes b) { return LANES_BOTH(_mm256_add_ps); }
INLINE lanes lanes_sub(lanes a, lanes b) { return LANES_BOTH(_mm256_sub_ps); }
INLINE lanes lanes_mul(lanes a, lanes b) { return LANES_BOTH(_mm256_mul_ps); }
INLINE lanes lanes_div(lanes a, lanes b) { return LANES_BOTH(_mm256_div_ps); }
INLINE lanes lanes_max(lanes a, lanes b) { return LANES_BOTH(_mm256_max_ps); }
INLINE lanes lanes_min(lanes a, lanes b) { return LANES_BOTH(_mm256_min_ps); }
INLINE __m256 lanes_scale_half(__m256 x, __m256 t)
{
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), _mm256_slli_epi32(_mm256_castps_si256(t), 23)));
}
INLINE lanes lanes_scale(lanes a, lanes b) { return LANES_BOTH(lanes_scale_half); }
INLINE __m256 lanes_within_half(__m256 y, __m256 x)
{
    __m256 above = _mm256_cmp_ps(y, _mm256_setzero_ps(), _CMP_GT_OQ), below = _mm256_cmp_ps(y, _mm256_set1_ps(1), _CMP_LT_OQ);
    return _mm256_and_ps(x, _mm256_and_ps(above, below));
}
INLINE lanes lanes_within(lanes a, lanes b) { return LANES_BOTH(lanes_within_half); }
INLINE __m256 lanes_positive_half(__m256 y, __m256 x) { return _mm256_and_ps(x, _mm256_cmp_ps(y, _mm256_setzero_ps(), _CMP_GT_OQ)); }
INLINE lanes lanes_positive(lanes a, lanes b) { return LANES_BOTH(lanes_positive_half); }
INLINE lanes lanes_equal(lanes a, lanes b, lanes x)
{
    return (lanes){_mm256_and_ps(x.low, _mm256_cmp_ps(a.low, b.low, _CMP_EQ_OQ)), _mm256_and_ps(x.high, _mm256_cmp_ps(a.high, b.high, _CMP_EQ_OQ))};
}
INLINE unsigned lanes_above(lanes a, lanes b)
{
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a.low, b.low, _CMP_GT_OQ)) |
           (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a.high, b.high, _CMP_GT_OQ)) << 8;
}
#undef LANES_BOTH

#else

typedef struct {
    float x[LANES];
} lanes;
enum { TILE_VECTORS = 1 };

#define LANES_EACH(expression)      \
    lanes r;                        \
    for (int i = 0; i < LANES; i++) \
        r.x[i] = (expression);      \
    return r
INLINE lanes lanes_set(float x) { LANES_EACH(x); }
INLINE lanes lanes_load(const float *p) { LANES_EACH(p[i]); }
INLINE void lanes_store(float *p, lanes x) { memcpy(p, x.x, sizeof x.x); }
INLINE lanes lanes_load_n(const float *p, int n) { LANES_EACH(i < n ? p[i] : 0); }
INLINE void lanes_store_n(float *p, lanes x, int n) { memcpy(p, x.x, (size_t)n * sizeof *p); }
INLINE lanes lanes_fma(lanes a, lanes b, lanes c) { LANES_EACH(fmaf(a.x[i], b.x[i], c.x[i])); }
INLINE lanes lanes_add(lanes a, lanes b) { LANES_EACH(a.x[i] + b.x[i]); }
INLINE lanes lanes_sub(lanes a, lanes b) { LANES_EACH(a.x[i] - b.x[i]); }
INLINE lanes lanes_mul(lanes a, lanes b) { LANES_EACH(a.x[i] * b.x[i]); }
INLINE lanes lanes_div(lanes a, lanes b) { LANES_EACH(a.x[i] / b.x[i]); }
INLINE lanes lanes_max(lanes a, lanes b) { LANES_EACH(a.x[i] > b.x[i] ? a.x[i] : b.x[i]); }
INLINE lanes lanes_min(lanes a, lanes b) { LANES_EACH(a.x[i] < b.x[i] ? a.x[i] : b.x[i]); }
INLINE float lanes_scale_one(float x, float t)
{
    uint32_t bits, k;
    memcpy(&bits, &x, sizeof x);
    memcpy(&k, &t, sizeof t);
    bits += k << 23;
    memcpy(&x, &bits, sizeof x);
    return x;
}
INLINE lanes lanes_scale(lanes a, lanes b) { LANES_EACH(lanes_scale_one(a.x[i], b.x[i])); }
INLINE lanes lanes_within(lanes y, lanes x) { LANES_EACH(y.x[i] > 0 && y.x[i] < 1 ? x.x[i] : 0); }
INLINE lanes lanes_equal(lanes a, lanes b, lanes x) { LANES_EACH(a.x[i] == b.x[i] ? x.x[i] : 0); }
INLINE lanes lanes_positive(lanes y, lanes x) { LANES_EACH(y.x[i] > 0 ? x.x[i] : 0); }
INLINE unsigned lanes_above(lanes a, lanes b)
{
    unsigned bits = 0;
    for (int i = 0; i < LANES; i++)
        bits |= (unsigned)(a.x[i] > b.x[i]) << i;
    return bits;
}
#undef LANES_EACH

#endif

/* --- e^x, logistic and hyperbolic tangent; what processors make where there is no number stays so (of NaN with a payload e^x makes anything) --- */

/* e^x for x cut to [-87, 88]; at most 1.5 ulp. 2^k p(r), k the nearest whole number to x / ln 2, |r| <= ln 2 / 2. Coefficients: Cephes, expf (Moshier 1992). */
INLINE lanes lanes_exp(lanes x)
{
    x = lanes_max(lanes_set(-87.0f), lanes_min(lanes_set(88.0f), x));
    lanes magic = lanes_set(12582912.0f), t = lanes_fma(x, lanes_set(1.44269504088896341f), magic), k = lanes_sub(t, magic);
    lanes r = lanes_fma(k, lanes_set(2.12194440e-4f), lanes_fma(k, lanes_set(-0.693359375f), x));
    lanes p = lanes_fma(r, lanes_set(1.9875691500e-4f), lanes_set(1.3981999507e-3f));
    p = lanes_fma(p, r, lanes_set(8.3334519073e-3f));
    p = lanes_fma(p, r, lanes_set(4.1665795894e-2f));
    p = lanes_fma(p, r, lanes_set(1.6666665459e-1f));
    p = lanes_fma(p, r, lanes_set(5.0000001201e-1f));
    p = lanes_add(lanes_fma(p, lanes_mul(r, r), r), lanes_set(1.0f));
    return lanes_scale(p, t);
}

/* 1 / (1 + e^-x); at most 2.5 ulp for x >= -87. */
INLINE lanes lanes_sigmoid(lanes x)
{
    lanes one = lanes_set(1.0f);
    return lanes_div(one, lanes_add(one, lanes_exp(lanes_sub(lanes_set(0.0f), x))));
}

/* x P(x^2) / Q(x^2) for x cut to [-9.01, 9.01]; at most 5.5 ulp. Coefficients: least largest relative error (2.1e-8) by Lawson's weights, tests/golden/make_tanh.py. */
INLINE lanes lanes_tanh(lanes x)
{
    lanes one = lanes_set(1.0f);
    x = lanes_max(lanes_set(-9.01f), lanes_min(lanes_set(9.01f), x));
    lanes z = lanes_mul(x, x);
    lanes p = lanes_fma(z, lanes_set(1.3336847182188194e-08f), lanes_set(2.0596273316186853e-05f));
    lanes q = lanes_fma(z, lanes_set(7.769282319713966e-07f), lanes_set(3.2843631925061345e-04f));
    p = lanes_fma(p, z, lanes_set(3.494811011478305e-03f));
    q = lanes_fma(q, z, lanes_set(2.5874026119709015e-02f));
    p = lanes_fma(p, z, lanes_set(1.3380371034145355e-01f));
    q = lanes_fma(q, z, lanes_set(4.6713685989379883e-01f));
    p = lanes_fma(p, z, one);
    q = lanes_fma(q, z, one);
    return lanes_max(lanes_set(-1.0f), lanes_min(one, lanes_div(lanes_mul(x, p), q)));
}

#endif
