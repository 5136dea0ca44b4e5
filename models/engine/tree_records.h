/* Codes of some columns, up to TREE_LANES, picked out of a record. */
#ifndef MODELS_TREE_RECORDS_H
#define MODELS_TREE_RECORDS_H

#include "models/engine/tree_vectors.h"

#if defined(ENGINE_AVX512)
enum { WORDS = 32 /* of a vector */, AT_HAND = 4 * WORDS };

/* Which words of a record, up to AT_HAND, the v-th of its vectors holds. */
INLINE __mmask32 words_there(size_t stride, int v)
{
    int left = (int)stride - v * WORDS;
    return left >= WORDS ? ~(__mmask32)0 : left > 0 ? ((__mmask32)1 << left) - 1 : 0;
}

/* Codes at 16 places in so many vectors, two or four. */
INLINE whole pick(const __m512i x[4], __m512i at, int vectors)
{
    __m512i codes = _mm512_permutex2var_epi16(x[0], at, x[1]);
    if (vectors > 2)
        codes = _mm512_mask_mov_epi16(codes, _mm512_test_epi16_mask(at, _mm512_set1_epi16(2 * WORDS)), _mm512_permutex2var_epi16(x[2], at, x[3]));
    return (whole)_mm512_cvtepu16_epi32(_mm512_castsi512_si256(codes));
}

struct picker {
    __m512i at, behind;
    __mmask32 there[4];
    __mmask16 wide;
};

INLINE struct picker picker_of(const struct tree_codes *c, int vectors)
{
    struct picker p = {.at = _mm512_castsi256_si512(_mm512_cvtepi32_epi16(_mm512_maskz_loadu_epi32(lanes_mask(c->n_columns), c->at))), .wide = (__mmask16)c->wide};
    p.behind = _mm512_add_epi16(p.at, _mm512_set1_epi16(1));
    for (int v = 0; v < vectors; v++)
        p.there[v] = words_there(c->stride, v);
    return p;
}

/* A record of up to AT_HAND codes is loaded whole, into so many vectors, two or four, and its columns are picked out of them: no loads of single codes. */
INLINE whole picked(const struct picker *p, const uint16_t *record, int vectors, bool wide)
{
    __m512i x[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int v = 0; v < vectors; v++)
        x[v] = _mm512_maskz_loadu_epi16(p->there[v], record + (size_t)v * WORDS);
    whole codes = pick(x, p->at, vectors);
    if (wide)
        codes |= (whole)_mm512_maskz_mov_epi32(p->wide, (__m512i)(pick(x, p->behind, vectors) << 16));
    return codes;
}

INLINE uint32_t code_of(const struct tree_codes *c, const uint16_t *record, int column)
{
    uint32_t low = record[c->at[column]];
    return c->wide >> column & 1 ? (uint32_t)record[c->at[column] + 1] << 16 | low : low;
}
#endif

#if defined(ENGINE_AVX2)
INLINE __m256i pick(const uint16_t *r, const size_t at[8])
{
    __m128i codes = _mm_cvtsi32_si128(r[at[0]]);
    codes = _mm_insert_epi16(codes, r[at[1]], 1);
    codes = _mm_insert_epi16(codes, r[at[2]], 2);
    codes = _mm_insert_epi16(codes, r[at[3]], 3);
    codes = _mm_insert_epi16(codes, r[at[4]], 4);
    codes = _mm_insert_epi16(codes, r[at[5]], 5);
    codes = _mm_insert_epi16(codes, r[at[6]], 6);
    codes = _mm_insert_epi16(codes, r[at[7]], 7);
    return _mm256_cvtepu16_epi32(codes);
}

struct picker {
    size_t at[WIDE], behind[WIDE];
    __m256i upper;
};

/* Of the v-th eight columns. */
INLINE struct picker picker_of(const struct tree_codes *c, int v)
{
    struct picker p;
    uint32_t upper[WIDE];
    for (int k = 0; k < WIDE; k++) {
        bool so = c->wide >> (v * WIDE + k) & 1;
        p.at[k] = c->at[v * WIDE + k];
        p.behind[k] = p.at[k] + so;
        upper[k] = so ? UINT32_MAX << 16 : 0;
    }
    p.upper = _mm256_loadu_si256((const __m256i *)(const void *)upper);
    return p;
}

INLINE whole picked(const struct picker *p, const uint16_t *record, bool wide)
{
    __m256i codes = pick(record, p->at);
    return (whole)(wide ? _mm256_or_si256(codes, _mm256_and_si256(p->upper, _mm256_slli_epi32(pick(record, p->behind), 16))) : codes);
}
#endif

#endif
