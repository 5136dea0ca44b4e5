/* A node's samples counted by class; a small node's columns gathered, sorted, swept and their best places picked; a larger one's codes given places in a table,
 * and its counts summed up (models/tree_lanes.h). AVX-512 alone: with shorter vectors other ways to the same numbers are faster. */
#include "models/tree_lanes.h"

#include <string.h>

#include "models/engine.h"
#include "models/engine/lanes.h"

#if defined(ENGINE_AVX512)
typedef uint32_t whole __attribute__((vector_size(4 * TREE_LANES), may_alias));
typedef int32_t truth __attribute__((vector_size(4 * TREE_LANES), may_alias));
typedef float real __attribute__((vector_size(4 * TREE_LANES), may_alias));

INLINE whole lesser(whole a, whole b) { return (whole)_mm512_min_epu32((__m512i)a, (__m512i)b); }
INLINE whole greater(whole a, whole b) { return (whole)_mm512_max_epu32((__m512i)a, (__m512i)b); }
INLINE real where_not_0(whole a, real x) { return (real)_mm512_maskz_mov_ps(_mm512_test_epi32_mask((__m512i)a, (__m512i)a), (__m512)x); }
INLINE real larger(real a, real b) { return (real)_mm512_max_ps((__m512)a, (__m512)b); }
/* a / b but for 2^-14 of it. */
INLINE real quotient(real a, real b) { return a * (real)_mm512_rcp14_ps((__m512)b); }
/* Sums of lanes 0 to each. */
INLINE whole running_sum(whole x)
{
    __m512i none = _mm512_setzero_si512(), v = (__m512i)x;
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, none, 15));
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, none, 14));
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, none, 12));
    return (whole)_mm512_add_epi32(v, _mm512_alignr_epi32(v, none, 8));
}
INLINE real real_of(whole x) { return __builtin_convertvector((truth)x, real); }

int ENGINE(tree_count)(const struct tree_counts *o, int n)
{
    int found = 0;
    uint32_t before = 0; /* times so far */
    const __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i last = _mm512_set1_epi32(-1);
    whole all_times = {0};
    for (int i = 0; i < n; i += TREE_LANES) {
        __mmask16 there = lanes_mask(n - i < TREE_LANES ? n - i : TREE_LANES);
        __m256i low = _mm512_cvtepi64_epi32(_mm512_maskz_loadu_epi64((__mmask8)there, o->samples + i));
        __m256i high = _mm512_cvtepi64_epi32(_mm512_maskz_loadu_epi64((__mmask8)(there >> 8), o->samples + i + 8));
        __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1), class = _mm512_srli_epi32(both, 16);
        whole times = (whole)both & 0xffff, sums = running_sum(times) + before, number;
        __mmask16 begins = _mm512_mask_cmpneq_epi32_mask(there, class, _mm512_alignr_epi32(class, last, 15));
        number = running_sum((whole)_mm512_maskz_set1_epi32(begins, 1)) + (uint32_t)(found - 1);
        _mm512_mask_storeu_epi32(o->labels + i, there, (__m512i)(number << 16 | times));
        _mm512_storeu_si512(o->classes + found, _mm512_maskz_compress_epi32(begins, class));
        _mm512_storeu_si512(o->drawn + found, _mm512_maskz_compress_epi32(begins, (__m512i)(sums - times)));
        _mm512_storeu_si512(o->first + found, _mm512_maskz_compress_epi32(begins, _mm512_add_epi32(places, _mm512_set1_epi32(i))));
        found += __builtin_popcount(begins);
        before = sums[TREE_LANES - 1];
        last = class;
        all_times |= times;
    }
    o->drawn[found] = before;
    *o->all_times = (uint32_t)_mm512_reduce_or_epi32((__m512i)all_times);
    return found;
}

void ENGINE(tree_lanes_label)(struct tree_lanes *o, const uint32_t *labels, const int64_t *weights)
{
    uint32_t of_class[2 * TREE_LANES] = {0};
    for (int c = 0; c < o->n_classes; c++)
        of_class[c] = (uint32_t)weights[c] << TREE_LANES_CLASS_BITS | (uint32_t)c;
    __m512i low = _mm512_loadu_si512(of_class), high = _mm512_loadu_si512(of_class + TREE_LANES);
    for (int i = 0; i < o->n; i += TREE_LANES) {
        __mmask16 there = lanes_mask(o->n - i < TREE_LANES ? o->n - i : TREE_LANES);
        __m512i label = _mm512_maskz_loadu_epi32(there, labels + i);
        whole times = (whole)label & 0xffff, class = (whole)_mm512_permutex2var_epi32(low, _mm512_srli_epi32(label, 16), high);
        _mm512_mask_storeu_epi32(o->labels + i, there, (__m512i)(times << TREE_LANES_TIMES_AT | class));
    }
}

enum { WORDS = 32 /* of a vector */, AT_HAND = 4 * WORDS };

/* A record of up to 128 codes is loaded whole, and its columns are picked out of four vectors: no loads of single codes. */
INLINE void fill_at_hand(struct tree_lanes *o, const struct tree_codes *c, int vectors)
{
    __m512i at = _mm512_castsi256_si512(_mm512_cvtepi32_epi16(_mm512_maskz_loadu_epi32(lanes_mask(c->n_columns), c->at)));
    __mmask32 upper = _mm512_test_epi16_mask(at, _mm512_set1_epi16(2 * WORDS)), there[4];
    for (int v = 0; v < vectors; v++) {
        int left = (int)c->stride - v * WORDS;
        there[v] = left >= WORDS ? ~(__mmask32)0 : left > 0 ? ((__mmask32)1 << left) - 1 : 0;
    }
    for (int i = 0; i < o->n; i++) {
        const uint16_t *record = c->records + (c->samples[i] >> 32) * c->stride;
        __m512i x[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
        for (int v = 0; v < vectors; v++)
            x[v] = _mm512_maskz_loadu_epi16(there[v], record + (size_t)v * WORDS);
        __m512i codes = _mm512_permutex2var_epi16(x[0], at, x[1]);
        if (vectors > 2)
            codes = _mm512_mask_mov_epi16(codes, upper, _mm512_permutex2var_epi16(x[2], at, x[3]));
        whole wide = (whole)_mm512_cvtepu16_epi32(_mm512_castsi512_si256(codes));
        ((whole *)o->keys)[i] = wide << o->label_bits | o->labels[i];
    }
}

void ENGINE(tree_lanes_fill)(struct tree_lanes *o, const struct tree_codes *c)
{
    if (c->stride <= 2 * WORDS) {
        fill_at_hand(o, c, 2);
        return;
    }
    if (c->stride <= AT_HAND) {
        fill_at_hand(o, c, 4);
        return;
    }
    for (int i = 0; i < o->n; i++) {
        const uint16_t *record = c->records + (c->samples[i] >> 32) * c->stride;
        for (int k = 0; k < c->n_columns; k++)
            o->keys[i][k] = (uint32_t)record[c->at[k]] << o->label_bits | o->labels[i];
    }
}

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
        k[i] = i < n ? keys[i] : ~(whole){0};
    if (room == 16)
        sort_16(k);
    else
        sort_8(k);
    for (int i = 0; i < room; i++)
        keys[i] = k[i];
}

INLINE void merge_16(whole *keys)
{
    whole k[16];
    for (int i = 0; i < 16; i++)
        k[i] = keys[i];
    for (int i = 0; i < 8; i++)
        exchange(k + i, k + i + 8);
    merge_8(k);
    merge_8(k + 8);
    for (int i = 0; i < 16; i++)
        keys[i] = k[i];
}

/* Each lane: 16 keys at a time in registers, then runs of 16, 32, .. are merged two by two. Behind n there are keys that are never smaller up to the next
 * multiple of 16; those that would stand behind them need no exchange. */
void ENGINE(tree_lanes_sort)(struct tree_lanes *o)
{
    whole *keys = (whole *)o->keys;
    int n = o->n, blocks = (n + 15) / 16 * 16;
    if (n <= 8) {
        sort_few(keys, n, 8);
        return;
    }
    for (int at = 0; at < n; at += 16)
        sort_few(keys + at, n - at, 16);
    for (int run = 16; run < n; run *= 2) {
        for (int at = 0; at + run < n; at += 2 * run) {
            for (int i = 0; i < run; i++)
                if (at + 2 * run - 1 - i < blocks)
                    exchange(keys + at + i, keys + at + 2 * run - 1 - i);
            for (int half = run / 2; half >= 16; half /= 2)
                for (int from = at; from + half < blocks && from < at + 2 * run; from += 2 * half)
                    for (int i = from; i < from + half && i + half < blocks; i++)
                        exchange(keys + i, keys + i + half);
            for (int from = at; from < blocks && from < at + 2 * run; from += 16)
                merge_16(keys + from);
        }
    }
}

/* words: so many hold what stands left of each class, four classes each. */
INLINE void sweep(struct tree_lanes *o, uint32_t words)
{
    const whole *keys = (const whole *)o->keys;
    whole left[8], left_squares = {0}, right_squares = left_squares + o->squares, left_weight = {0};
    int label_bits = o->label_bits;
    uint32_t times_mask = (1u << (label_bits - TREE_LANES_TIMES_AT)) - 1;
    real most = {0};
    for (uint32_t j = 0; j < words; j++)
        left[j] = (whole){0};
    for (int i = 0; i + 1 < o->n; i++) {
        whole key = keys[i], word = key >> 2 & 7, shift = (key & 3) << 3, before = {0}, w = key >> TREE_LANES_TIMES_AT & times_mask, put = w << shift;
        whole all = key >> TREE_LANES_CLASS_BITS & ((1u << TREE_LANES_WHOLE_BITS) - 1);
        for (uint32_t j = 0; j < words; j++) {
            __mmask16 here = words == 1 ? 0xffff : _mm512_cmpeq_epi32_mask((__m512i)word, _mm512_set1_epi32((int)j));
            before = (whole)_mm512_mask_mov_epi32((__m512i)before, here, (__m512i)left[j]);
            left[j] = (whole)_mm512_mask_add_epi32((__m512i)left[j], here, (__m512i)left[j], (__m512i)put);
        }
        before = before >> shift & 255;
        left_squares += w * (before + before + w);
        all -= before;
        right_squares -= w * (all + all - w);
        left_weight += w;
        real a = real_of(left_weight), b = real_of(o->weight - left_weight);
        real gain = where_not_0((key ^ keys[i + 1]) >> label_bits, quotient(real_of(left_squares) * b + real_of(right_squares) * a, a * b));
        ((real *)o->gain)[i] = gain;
        ((whole *)o->sides)[i] = left_squares | right_squares << 16;
        ((whole *)o->weights)[i] = left_weight;
        most = larger(most, gain);
    }
    *(real *)o->most = most;
}

void ENGINE(tree_lanes_sweep)(struct tree_lanes *o)
{
    switch ((o->n_classes + 3) / 4) {
    case 1:
        sweep(o, 1);
        break;
    case 2:
        sweep(o, 2);
        break;
    case 3:
        sweep(o, 3);
        break;
    case 4:
        sweep(o, 4);
        break;
    case 5:
        sweep(o, 5);
        break;
    case 6:
        sweep(o, 6);
        break;
    default:
        sweep(o, 8);
    }
}

static const float nearly = 1 - 0x1p-11F;

int ENGINE(tree_lanes_best)(struct tree_lanes *o, int n_columns, uint32_t *differ)
{
    __mmask16 lanes_there = lanes_mask(n_columns);
    __m512 of_lanes = _mm512_maskz_loadu_ps(lanes_there, o->most);
    __m512 floor = _mm512_set1_ps(_mm512_reduce_max_ps(of_lanes) * nearly);
    int found = 0;
    *differ = _mm512_cmp_ps_mask(of_lanes, _mm512_setzero_ps(), _CMP_GT_OQ);
    if (!*differ)
        return 0;
    for (int i = 0; i + 1 < o->n; i++)
        for (unsigned near = _mm512_mask_cmp_ps_mask(lanes_there, _mm512_load_ps(o->gain[i]), floor, _CMP_GE_OQ); near; near &= near - 1)
            o->best[found++] = (uint16_t)(i * TREE_LANES + __builtin_ctz(near));
    return found;
}

/* What places gain; 0 where one side is empty, or no sample has the code. */
INLINE real table_gain(const struct tree_table *t, whole squares, whole across, whole weight, whole before)
{
    whole right_squares = t->all_squares - 2 * across + squares, right = t->all - weight;
    __mmask16 there = _mm512_test_epi32_mask((__m512i)right, (__m512i)right) & _mm512_cmpneq_epi32_mask((__m512i)weight, (__m512i)before);
    real a = (real)_mm512_cvtepu32_ps((__m512i)weight), b = (real)_mm512_cvtepu32_ps((__m512i)right);
    real above = (real)_mm512_cvtepu32_ps((__m512i)squares) * b + (real)_mm512_cvtepu32_ps((__m512i)right_squares) * a;
    return (real)_mm512_maskz_div_ps(there, (__m512)above, (__m512)(a * b));
}

INLINE __mmask16 marks_at(const uint8_t *marks, int n)
{
    __m128i there = _mm_maskz_loadu_epi8(lanes_mask(n < TREE_LANES ? n : TREE_LANES), marks);
    return _mm_test_epi8_mask(there, there);
}

int ENGINE(tree_table_places)(uint8_t *marks, int n_values, uint16_t *places, int32_t *codes)
{
    const __m512i each = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int n = marks ? 0 : n_values, found = 0;
    for (int at = 0; at < n_values && marks; at += TREE_LANES)
        n += __builtin_popcount(marks_at(marks + at, n_values - at));
    int rows = (n + TREE_LANES - 1) / TREE_LANES;
    for (int at = 0; at < n_values; at += TREE_LANES) {
        __mmask16 there = marks ? marks_at(marks + at, n_values - at) : 0xffff;
        __m512i i = _mm512_maskz_expand_epi32(there, _mm512_add_epi32(each, _mm512_set1_epi32(found)));
        __m512i lane = _mm512_cvttps_epi32(_mm512_div_ps(_mm512_cvtepi32_ps(i), _mm512_set1_ps((float)rows)));
        __m512i row = _mm512_sub_epi32(i, _mm512_mullo_epi32(lane, _mm512_set1_epi32(rows)));
        __m512i place = _mm512_add_epi32(_mm512_mullo_epi32(row, _mm512_set1_epi32(TREE_LANES)), lane);
        _mm256_storeu_si256((__m256i *)(places + at), _mm512_cvtepi32_epi16(place));
        if (marks) {
            _mm512_storeu_si512(codes + found, _mm512_maskz_compress_epi32(there, _mm512_add_epi32(each, _mm512_set1_epi32(at))));
            _mm_mask_storeu_epi8(marks + at, there, _mm_setzero_si128());
        }
        found += __builtin_popcount(there);
    }
    return n;
}

INLINE whole multiplied(whole a, whole b) { return (whole)_mm512_madd_epi16((__m512i)a, (__m512i)b); }
INLINE whole added(whole a, whole b) { return (whole)_mm512_add_epi16((__m512i)a, (__m512i)b); }

/* Of each pair of classes, what stands left of each lane's first code. */
INLINE void begin_lanes(const struct tree_table *t, whole *left)
{
    const whole *counts = (const whole *)t->counts;
    int apart = t->apart / TREE_LANES;
    for (int p = 0; p < t->n_pairs; p++, counts += apart) {
        whole sum = {0};
        for (int row = 0; row < t->rows; row++)
            sum = added(sum, counts[row]);
        left[p] = running_sum(sum) - sum; /* neither half overflows */
    }
}

float ENGINE(tree_table_sum)(const struct tree_table *t)
{
    const struct tree_table o = *t;
    const whole ones = {0}, each = ones + 0x10001;
    whole *left = (whole *)o.left, before = {0};
    int apart = o.apart / TREE_LANES;
    real most = {0};
    begin_lanes(t, left);
    for (int p = 0; p < o.n_pairs; p++)
        before += multiplied(left[p], each);
    for (int row = 0; row < o.rows; row++) {
        whole squares = {0}, across = {0}, weight = {0};
        whole *counts = (whole *)o.counts + row;
        for (int p = 0; p < o.n_pairs; p++, counts += apart) {
            whole sum = added(left[p], *counts);
            *counts = (whole){0};
            left[p] = sum;
            squares += multiplied(sum, sum);
            across += multiplied(sum, ones + o.whole[p]);
            weight = added(weight, sum);
        }
        weight = multiplied(weight, each);
        real gain = table_gain(t, squares, across, weight, before);
        ((whole *)o.squares)[row] = squares;
        ((whole *)o.across)[row] = across;
        ((whole *)o.weight)[row] = weight;
        ((real *)o.gain)[row] = gain;
        most = larger(most, gain);
        before = weight;
    }
    return _mm512_reduce_max_ps((__m512)most);
}

int ENGINE(tree_table_near)(const struct tree_table *t, float floor, int32_t *places)
{
    int found = 0;
    __m512 least = _mm512_set1_ps(floor);
    for (int at = 0; at < t->rows * TREE_LANES; at += TREE_LANES)
        for (unsigned near = _mm512_cmp_ps_mask(_mm512_load_ps(t->gain + at), least, _CMP_GE_OQ); near; near &= near - 1)
            places[found++] = at + __builtin_ctz(near);
    return found;
}
#endif
