/* A small node's columns gathered, sorted, swept and their best places picked (models/tree_lanes.h). With vectors shorter than those of
 * AVX2 other ways to the same numbers are faster. */
#include "models/tree_lanes.h"

#include <string.h>

#include "models/engine.h"
#include "models/engine/tree_records.h"

#if !defined(ENGINE_PLAIN)
/* Classes as keys have them (1 << TREE_LANES_CLASS_BITS), those that there are, and what they weigh by that. */
INLINE void name_classes(struct tree_lanes *o, const int64_t *weights, uint32_t *in_key)
{
    for (int c = 0; c < o->n_classes; c++) {
        in_key[c] = tree_class_in_key((uint32_t)c);
        o->whole[in_key[c]] = (uint8_t)weights[c];
    }
}
#endif

#if defined(ENGINE_AVX512)
void ENGINE(tree_lanes_label)(struct tree_lanes *o, const uint32_t *labels, const int64_t *weights)
{
    uint32_t in_key[2 * TREE_LANES] = {0};
    name_classes(o, weights, in_key);
    __m512i low = _mm512_loadu_si512(in_key), high = _mm512_loadu_si512(in_key + TREE_LANES);
    for (int i = 0; i < o->n; i += TREE_LANES) {
        __mmask16 there = lanes_mask(o->n - i < TREE_LANES ? o->n - i : TREE_LANES);
        __m512i label = _mm512_maskz_loadu_epi32(there, labels + i);
        whole times = (whole)label & 0xffff, class = (whole)_mm512_permutex2var_epi32(low, _mm512_srli_epi32(label, 16), high);
        _mm512_mask_storeu_epi32(o->labels + i, there, (__m512i)(times << TREE_LANES_CLASS_BITS | class));
    }
}

/* Records of so many vectors, two or four. */
INLINE void find_differing(const struct tree_codes *c, int n, int vectors, uint64_t *differ)
{
    __mmask32 there[4];
    __m512i own[4], others[4];
    for (int v = 0; v < vectors; v++) {
        there[v] = words_there(c->stride, v);
        own[v] = _mm512_maskz_loadu_epi16(there[v], c->records + (c->samples[0] >> 32) * c->stride + (size_t)v * WORDS);
        others[v] = _mm512_setzero_si512();
    }
    for (int i = 1; i < n; i++)
        for (int v = 0; v < vectors; v++) {
            __m512i x = _mm512_maskz_loadu_epi16(there[v], c->records + (c->samples[i] >> 32) * c->stride + (size_t)v * WORDS);
            others[v] = _mm512_or_si512(others[v], _mm512_xor_si512(own[v], x));
        }
    for (int v = 0; v < vectors; v += 2)
        differ[v / 2] = _mm512_test_epi16_mask(others[v], others[v]) | (uint64_t)_mm512_test_epi16_mask(others[v + 1], others[v + 1]) << WORDS;
}

void ENGINE(tree_lanes_differ)(const struct tree_codes *c, int n, uint64_t *differ)
{
    if (c->stride <= 2 * WORDS)
        find_differing(c, n, 2, differ);
    else
        find_differing(c, n, 4, differ);
}

/* vectors of a record: two or four. */
INLINE void fill_at_hand(struct tree_lanes *o, const struct tree_codes *c, int vectors, bool wide)
{
    const struct picker p = picker_of(c, vectors);
    for (int i = 0; i < o->n; i++)
        ((whole *)o->keys)[i] = picked(&p, c->records + (c->samples[i] >> 32) * c->stride, vectors, wide) << o->label_bits | o->labels[i];
}

static void fill_one_by_one(struct tree_lanes *o, const struct tree_codes *c)
{
    for (int i = 0; i < o->n; i++) {
        const uint16_t *record = c->records + (c->samples[i] >> 32) * c->stride;
        for (int k = 0; k < c->n_columns; k++)
            o->keys[i][k] = code_of(c, record, k) << o->label_bits | o->labels[i];
    }
}

void ENGINE(tree_lanes_fill)(struct tree_lanes *o, const struct tree_codes *c)
{
    if (c->stride <= AT_HAND && c->wide)
        fill_at_hand(o, c, 4, true);
    else if (c->stride <= 2 * WORDS)
        fill_at_hand(o, c, 2, false);
    else if (c->stride <= AT_HAND)
        fill_at_hand(o, c, 4, false);
    else
        fill_one_by_one(o, c);
}

#endif

#if defined(ENGINE_AVX2)
void ENGINE(tree_lanes_label)(struct tree_lanes *o, const uint32_t *labels, const int64_t *weights)
{
    uint32_t in_key[1 << TREE_LANES_CLASS_BITS];
    name_classes(o, weights, in_key);
    for (int i = 0; i < o->n; i++)
        o->labels[i] = (labels[i] & 0xffff) << TREE_LANES_CLASS_BITS | in_key[labels[i] >> 16];
}

enum { WORDS = 16 /* of a vector */ };

/* Records of so many vectors, the last of which begins where it ends with the record. */
INLINE void find_differing(const struct tree_codes *c, int n, int vectors, uint64_t *differ)
{
    const uint16_t *first = c->records + (c->samples[0] >> 32) * c->stride;
    size_t last = c->stride - WORDS;
    __m256i own[8], others[8];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) {
        own[v] = _mm256_loadu_si256((const __m256i *)(const void *)(first + (v < vectors - 1 ? (size_t)v * WORDS : last)));
        others[v] = _mm256_setzero_si256();
    }
    for (int i = 1; i < n; i++) {
        const uint16_t *record = c->records + (c->samples[i] >> 32) * c->stride;
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(record + (v < vectors - 1 ? (size_t)v * WORDS : last)));
            others[v] = _mm256_or_si256(others[v], _mm256_xor_si256(own[v], x));
        }
    }
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) {
        size_t from = v < vectors - 1 ? (size_t)v * WORDS : last;
        __m256i same = _mm256_cmpeq_epi16(others[v], _mm256_setzero_si256());
        uint64_t bits = (uint16_t)~_mm_movemask_epi8(_mm_packs_epi16(_mm256_castsi256_si128(same), _mm256_extracti128_si256(same, 1)));
        differ[from / 64] |= bits << from % 64;
        if (from % 64 > 64 - WORDS)
            differ[from / 64 + 1] |= bits >> (64 - from % 64);
    }
}

void ENGINE(tree_lanes_differ)(const struct tree_codes *c, int n, uint64_t *differ)
{
    switch ((c->stride + WORDS - 1) / WORDS) {
    case 1:
        find_differing(c, n, 1, differ);
        break;
    case 2:
        find_differing(c, n, 2, differ);
        break;
    case 3:
        find_differing(c, n, 3, differ);
        break;
    case 4:
        find_differing(c, n, 4, differ);
        break;
    case 5:
        find_differing(c, n, 5, differ);
        break;
    case 6:
        find_differing(c, n, 6, differ);
        break;
    case 7:
        find_differing(c, n, 7, differ);
        break;
    default:
        find_differing(c, n, 8, differ);
    }
}

/* Eight columns, some of which may be wide. */
INLINE void fill_vector(struct tree_lanes *o, const struct tree_codes *c, int v, bool wide)
{
    const struct picker p = picker_of(c, v);
    const size_t stride = c->stride;
    const uint16_t *records = c->records;
    const uint64_t *samples = c->samples;
    whole *keys = (whole *)o->keys + v;
    for (int n = o->n, label_bits = o->label_bits, k = 0; k < n; k++)
        keys[k * TREE_VECTORS] = picked(&p, records + (samples[k] >> 32) * stride, wide) << label_bits | o->labels[k];
}

void ENGINE(tree_lanes_fill)(struct tree_lanes *o, const struct tree_codes *c)
{
    for (int v = 0; v < vectors_of(c->n_columns); v++)
        if (c->wide >> v * WIDE & 0xff)
            fill_vector(o, c, v, true);
        else
            fill_vector(o, c, v, false);
}
#endif

#if !defined(ENGINE_PLAIN)
INLINE void exchange(whole *a, whole *b)
{
    whole x = *a, y = *b;
    *a = lesser(x, y);
    *b = greater(x, y);
}

/* The network of 19 exchanges (Knuth, 5.3.4). */
INLINE void sort_8(whole k[8])
{
    exchange(k + 0, k + 2), exchange(k + 1, k + 3), exchange(k + 4, k + 6), exchange(k + 5, k + 7);
    exchange(k + 0, k + 4), exchange(k + 1, k + 5), exchange(k + 2, k + 6), exchange(k + 3, k + 7);
    exchange(k + 0, k + 1), exchange(k + 2, k + 3), exchange(k + 4, k + 5), exchange(k + 6, k + 7);
    exchange(k + 2, k + 4), exchange(k + 3, k + 5);
    exchange(k + 1, k + 4), exchange(k + 3, k + 6);
    exchange(k + 1, k + 2), exchange(k + 3, k + 4), exchange(k + 5, k + 6);
}

/* Each of two halves of so many keys is in order, the second backwards (a bitonic sequence): all are then (Batcher 1968). */
INLINE void merge_8(whole k[8])
{
    exchange(k + 0, k + 4), exchange(k + 1, k + 5), exchange(k + 2, k + 6), exchange(k + 3, k + 7);
    exchange(k + 0, k + 2), exchange(k + 1, k + 3), exchange(k + 4, k + 6), exchange(k + 5, k + 7);
    exchange(k + 0, k + 1), exchange(k + 2, k + 3), exchange(k + 4, k + 5), exchange(k + 6, k + 7);
}

INLINE void sort_16(whole k[16])
{
    sort_8(k);
    sort_8(k + 8);
    for (int i = 0; i < 8; i++)
        exchange(k + i, k + 15 - i);
    merge_8(k);
    merge_8(k + 8);
}

/* Up to `room` keys of each lane, 8 or 16, stay in registers. */
INLINE void sort_few(whole *keys, int n, int room)
{
    whole k[16];
    for (int i = 0; i < room; i++)
        k[i] = i < n ? keys[i * TREE_VECTORS] : ~(whole){0};
    if (room == 16)
        sort_16(k);
    else
        sort_8(k);
    for (int i = 0; i < room; i++)
        keys[i * TREE_VECTORS] = k[i];
}

INLINE void merge_16(whole *keys)
{
    whole k[16];
    for (int i = 0; i < 16; i++)
        k[i] = keys[i * TREE_VECTORS];
    for (int i = 0; i < 8; i++)
        exchange(k + i, k + i + 8);
    merge_8(k);
    merge_8(k + 8);
    for (int i = 0; i < 16; i++)
        keys[i * TREE_VECTORS] = k[i];
}

/* Each lane of a vector: 16 keys at a time in registers, then runs of 16, 32, .. are merged two by two. Behind n there are keys that are never smaller up to
 * the next multiple of 16; those that would stand behind them need no exchange. */
INLINE void sort(whole *keys, int n)
{
    int blocks = (n + 15) / 16 * 16;
    if (n <= 8) {
        sort_few(keys, n, 8);
        return;
    }
    for (int at = 0; at < n; at += 16)
        sort_few(keys + at * TREE_VECTORS, n - at, 16);
    for (int run = 16; run < n; run *= 2) {
        for (int at = 0; at + run < n; at += 2 * run) {
            for (int i = 0; i < run; i++)
                if (at + 2 * run - 1 - i < blocks)
                    exchange(keys + (at + i) * TREE_VECTORS, keys + (at + 2 * run - 1 - i) * TREE_VECTORS);
            for (int half = run / 2; half >= 16; half /= 2)
                for (int from = at; from + half < blocks && from < at + 2 * run; from += 2 * half)
                    for (int i = from; i < from + half && i + half < blocks; i++)
                        exchange(keys + i * TREE_VECTORS, keys + (i + half) * TREE_VECTORS);
            for (int from = at; from < blocks && from < at + 2 * run; from += 16)
                merge_16(keys + from * TREE_VECTORS);
        }
    }
}

void ENGINE(tree_lanes_sort)(struct tree_lanes *o, int n_columns)
{
    for (int v = 0; v < vectors_of(n_columns); v++)
        sort((whole *)o->keys + v, o->n);
}

/* The v-th vector of lanes. words: so many hold what stands left of each class, four classes each. Left and right are kept in the lower and upper half of a
 * word, so that a class's weight w moves from right to left in one product: their squares change by w (2 left + w) and -w (2 right - w). heavy: squares may
 * need all 16 bits of a half, else 15. */
INLINE void sweep(struct tree_lanes *o, int v, uint32_t words, bool heavy)
{
    const whole *keys = (const whole *)o->keys + v;
    real *gains = (real *)o->gain + v;
    whole *all_squares = (whole *)o->squares_at + v, *all_weights = (whole *)o->weights_at + v;
    whole left[8], squares = {0}, weights = squares + o->weight;
    int label_bits = o->label_bits;
    uint32_t times_mask = (1u << (label_bits - TREE_LANES_CLASS_BITS)) - 1;
    const struct bytes of_class = bytes_of(o->whole);
    real most = {0}, weight = real_of(weights);
    squares += o->squares << 16;
    for (uint32_t j = 0; j < words; j++)
        left[j] = (whole){0};
    for (int i = 0, n = o->n, leaf = o->leaf; i + leaf < n; i++) {
        whole key = keys[i * TREE_VECTORS], word = key & 7, shift = key & 24, before = {0}, w = key >> TREE_LANES_CLASS_BITS & times_mask, put = w << shift;
        if (words == 1) {
            before = left[0];
            left[0] += put;
        }
        for (uint32_t j = 0; j < words && words > 1; j++)
            put_where(word, tree_word_in_key(j), put, &before, &left[j]);
        before = before >> shift & 255;
        whole moved = w - (w << 16), sides = before + ((look_up(&of_class, key, words <= 2) - before) << 16);
        squares = added(squares, products(moved, sides + sides + moved));
        weights -= moved;
        real a = real_of(weights >> 16), b = weight - a;
        real above;
        if (heavy)
            above = real_of(squares & 0xffff) * b + real_of(squares >> 16) * a;
        else
            above = real_of(multiplied(squares, weights));
        real gain = where_not_0((key ^ keys[(i + 1) * TREE_VECTORS]) >> label_bits, quotient(above, a * b));
        gains[i * TREE_VECTORS] = gain;
        all_squares[i * TREE_VECTORS] = squares;
        all_weights[i * TREE_VECTORS] = weights;
        if (i + 1 >= leaf)
            most = larger(most, gain);
    }
    *((real *)o->most + v) = most;
}

void ENGINE(tree_lanes_sweep)(struct tree_lanes *o, int n_columns)
{
    enum { LIGHT = 181 /* its square needs 15 bits */ };
    for (int v = 0; v < vectors_of(n_columns); v++)
        switch (o->weight > LIGHT ? 0 : (o->n_classes + 3) / 4) {
        case 0:
            sweep(o, v, 8, true);
            break;
        case 1:
            sweep(o, v, 1, false);
            break;
        case 2:
            sweep(o, v, 2, false);
            break;
        case 3:
            sweep(o, v, 3, false);
            break;
        case 4:
            sweep(o, v, 4, false);
            break;
        case 5:
            sweep(o, v, 5, false);
            break;
        case 6:
            sweep(o, v, 6, false);
            break;
        default:
            sweep(o, v, 8, false);
        }
}

static const float nearly = 1 - 0x1p-11F;

int ENGINE(tree_lanes_best)(struct tree_lanes *o, int n_columns, uint32_t *differ)
{
    const real *of_lanes = (const real *)o->most, *gains = (const real *)o->gain;
    real most = {0};
    int found = 0, vectors = vectors_of(n_columns);
    uint32_t there = (1u << n_columns) - 1;
    *differ = lanes_differ(o, n_columns);
    for (int v = 0; v < vectors; v++)
        most = larger(most, first_of(of_lanes[v], n_columns - v * WIDE));
    float floor = largest(most) * nearly;
    if (floor <= 0)
        return 0;
    for (int i = o->leaf - 1; i + o->leaf < o->n; i++)
        for (int v = 0; v < vectors; v++)
            for (unsigned near = at_least(gains[i * TREE_VECTORS + v], floor) << v * WIDE & there; near; near &= near - 1)
                o->best[found++] = (uint16_t)(i * TREE_LANES + __builtin_ctz(near));
    return found;
}
#endif
