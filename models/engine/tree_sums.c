/* A node's samples counted by class; codes of a column given places in a table, and the table's counts summed up (models/tree_lanes.h). */
#include "models/engine.h"
#include "models/engine/tree_vectors.h"

#if defined(ENGINE_AVX512)
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

#elif defined(ENGINE_AVX2)
/* Of each byte its bits that are set, ascending, a byte each. */
#define BIT(set, i) ((set) >> (i) & 1 ? (uint64_t)(i) << 8 * __builtin_popcount((set) & ((1 << (i)) - 1)) : 0)
#define BITS(set) (BIT(set, 0) | BIT(set, 1) | BIT(set, 2) | BIT(set, 3) | BIT(set, 4) | BIT(set, 5) | BIT(set, 6) | BIT(set, 7))
#define BITS_4(set) BITS(set), BITS((set) + 1), BITS((set) + 2), BITS((set) + 3)
#define BITS_16(set) BITS_4(set), BITS_4((set) + 4), BITS_4((set) + 8), BITS_4((set) + 12)
#define BITS_64(set) BITS_16(set), BITS_16((set) + 16), BITS_16((set) + 32), BITS_16((set) + 48)
static const uint64_t bits_of[256] = {BITS_64(0), BITS_64(64), BITS_64(128), BITS_64(192)};

/* Lists the codes that are marked, eight at a time and without a branch: which they are cannot be foreseen. */
static int list_marks(uint8_t *marks, int n_values, int32_t *codes)
{
    int found = 0;
    for (int at = 0; at < n_values; at += TREE_MARKS) {
        __m256i *there = (__m256i *)(void *)(marks + at);
        unsigned set = ~(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_loadu_si256(there), _mm256_setzero_si256()));
        if (!set)
            continue;
        for (int eight = at; eight < at + TREE_MARKS; eight += 8, set >>= 8) {
            __m256i which = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bits_of[set & 255]));
            _mm256_storeu_si256((__m256i *)(void *)(codes + found), _mm256_add_epi32(which, _mm256_set1_epi32(eight)));
            found += __builtin_popcount(set & 255);
        }
        _mm256_storeu_si256(there, _mm256_setzero_si256());
    }
    return found;
}

/* Places of so many codes: runs of them, one a lane. What is written behind a run the next one replaces; behind the last there is room. */
static void place_runs(int n, uint16_t *places)
{
    const __m256i each = _mm256_setr_epi16(0, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240);
    int rows = (n + TREE_LANES - 1) / TREE_LANES;
    for (int lane = 0; lane < TREE_LANES; lane++)
        for (int row = 0; row < rows; row += TREE_LANES)
            _mm256_storeu_si256((__m256i *)(void *)(places + lane * rows + row), _mm256_add_epi16(each, _mm256_set1_epi16((int16_t)(row * TREE_LANES + lane))));
}

int ENGINE(tree_table_places)(uint8_t *marks, int n_values, uint16_t *places, int32_t *codes)
{
    uint16_t run[TREE_TABLE_VALUES + TREE_TABLE_ROOM];
    if (!marks) {
        place_runs(n_values, places);
        return n_values;
    }
    int n = list_marks(marks, n_values, codes);
    place_runs(n, run);
    for (int i = 0; i < n; i++)
        places[codes[i]] = run[i];
    return n;
}
#endif

#if !defined(ENGINE_AVX512)
#if defined(ENGINE_AVX2)
/* The lower halves of eight samples. */
INLINE whole lower(const uint64_t *samples)
{
    const float *x = (const float *)(const void *)samples;
    __m256 halves = _mm256_shuffle_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8), _MM_SHUFFLE(2, 0, 2, 0));
    return (whole)_mm256_permute4x64_epi64(_mm256_castps_si256(halves), _MM_SHUFFLE(3, 1, 2, 0));
}

#endif

int ENGINE(tree_count)(const struct tree_counts *o, int n)
{
    uint32_t last = UINT32_MAX, drawn = 0, all_times = 0; /* so far */
    int found = 0, i = 0;
#if defined(ENGINE_AVX2)
    const __m256i before_each = _mm256_setr_epi32(7, 0, 1, 2, 3, 4, 5, 6);
    whole all = {0};
    for (; i + WIDE <= n; i += WIDE) {
        whole both = lower(o->samples + i), times = both & 0xffff, class = both >> 16, sums = running_sum(times) + drawn;
        __m256i before = _mm256_permutevar8x32_epi32((__m256i)class, before_each);
        __m256i same = _mm256_cmpeq_epi32((__m256i)class, _mm256_blend_epi32(before, _mm256_set1_epi32((int)last), 1));
        unsigned begins = ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(same)) & 255;
        __m256i which = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bits_of[begins]));
        whole number = running_sum((whole)same + 1) + (uint32_t)(found - 1);
        _mm256_storeu_si256((__m256i *)(void *)(o->labels + i), (__m256i)(number << 16 | times));
        _mm256_storeu_si256((__m256i *)(void *)(o->classes + found), _mm256_permutevar8x32_epi32((__m256i)class, which));
        _mm256_storeu_si256((__m256i *)(void *)(o->drawn + found), _mm256_permutevar8x32_epi32((__m256i)(sums - times), which));
        _mm256_storeu_si256((__m256i *)(void *)(o->first + found), _mm256_add_epi32(which, _mm256_set1_epi32(i)));
        found += __builtin_popcount(begins);
        drawn = sums[WIDE - 1];
        last = class[WIDE - 1];
        all |= times;
    }
    for (int v = 0; v < WIDE; v++)
        all_times |= all[v];
#endif
    for (; i < n; i++) { /* without a branch: where a class begins cannot be foreseen. What is written where none does the next one replaces */
        uint32_t class = (uint32_t)o->samples[i] >> 16, times = (uint32_t)o->samples[i] & 0xffff;
        o->classes[found] = class;
        o->first[found] = i;
        o->drawn[found] = drawn;
        found += class != last;
        o->labels[i] = (uint32_t)(found - 1) << 16 | times;
        last = class;
        drawn += times;
        all_times |= times;
    }
    o->drawn[found] = drawn;
    *o->all_times = all_times;
    return found;
}
#endif

#if !defined(ENGINE_PLAIN)
/* What places gain; 0 where one side is empty, or no sample has the code. */
INLINE real table_gain(const struct tree_table *t, whole squares, whole across, whole weight, whole before)
{
    whole right_squares = t->all_squares - 2 * across + squares, right = t->all - weight;
    real a = real_of(weight), b = real_of(right);
    return where_both(right, weight, before, (real_of(squares) * b + real_of(right_squares) * a) / (a * b));
}

/* Of each pair of classes, what stands left of each lane's first code. */
INLINE void begin_lanes(const struct tree_table *t, whole *left)
{
    const whole *counts = (const whole *)t->counts;
    int apart = t->apart / WIDE;
    for (int p = 0; p < t->n_pairs; p++, counts += apart) {
        whole sum[TREE_VECTORS], before = {0};
        for (int v = 0; v < TREE_VECTORS; v++)
            sum[v] = (whole){0};
        for (int row = 0; row < t->rows; row++)
            for (int v = 0; v < TREE_VECTORS; v++)
                sum[v] = added(sum[v], counts[row * TREE_VECTORS + v]);
        for (int v = 0; v < TREE_VECTORS; v++) {
            whole all = running_sum(sum[v]) + before; /* neither half overflows */
            left[p * TREE_VECTORS + v] = all - sum[v];
            before = (whole){0} + all[WIDE - 1];
        }
    }
}

float ENGINE(tree_table_sum)(const struct tree_table *t)
{
    const struct tree_table o = *t;
    const whole none = {0}, each = none + 0x10001;
    whole *left = (whole *)o.left, before[TREE_VECTORS];
    int apart = o.apart / WIDE;
    real most = {0};
    begin_lanes(t, left);
    for (int v = 0; v < TREE_VECTORS; v++)
        before[v] = none;
    for (int p = 0; p < o.n_pairs; p++)
        for (int v = 0; v < TREE_VECTORS; v++)
            before[v] += multiplied(left[p * TREE_VECTORS + v], each);
    for (int row = 0; row < o.rows; row++) {
        whole squares[TREE_VECTORS], across[TREE_VECTORS], weight[TREE_VECTORS];
        whole *counts = (whole *)o.counts + row * TREE_VECTORS;
        for (int v = 0; v < TREE_VECTORS; v++)
            squares[v] = across[v] = weight[v] = none;
        for (int p = 0; p < o.n_pairs; p++, counts += apart)
            for (int v = 0; v < TREE_VECTORS; v++) {
                whole sum = added(left[p * TREE_VECTORS + v], counts[v]);
                counts[v] = none;
                left[p * TREE_VECTORS + v] = sum;
                squares[v] += multiplied(sum, sum);
                across[v] += multiplied(sum, none + o.whole[p]);
                weight[v] = added(weight[v], sum);
            }
        for (int v = 0; v < TREE_VECTORS; v++) {
            int at = row * TREE_VECTORS + v;
            whole w = multiplied(weight[v], each);
            real gain = table_gain(t, squares[v], across[v], w, before[v]);
            ((whole *)o.squares)[at] = squares[v];
            ((whole *)o.across)[at] = across[v];
            ((whole *)o.weight)[at] = w;
            ((real *)o.gain)[at] = gain;
            most = larger(most, gain);
            before[v] = w;
        }
    }
    return largest(most);
}

int ENGINE(tree_table_near)(const struct tree_table *t, float floor, int32_t *places)
{
    int found = 0;
    for (int at = 0; at < t->rows * TREE_LANES; at += WIDE)
        for (unsigned near = at_least(*(const real *)(t->gain + at), floor); near; near &= near - 1)
            places[found++] = at + __builtin_ctz(near);
    return found;
}
#endif
