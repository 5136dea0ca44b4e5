#include "models/engine/distances.h"

#include <float.h>

#include "models/engine.h"
#include "models/engine/lanes.h"

/* Rows measured at a time: as many sums as registers hold with what they are made of. */
#if defined(ENGINE_PLAIN)
enum { VECTORS = 1 };
#else
enum { VECTORS = 4 };
#endif
enum { COLUMNS = 8, ALL = (1 << LANES) - 1, WIDEST = 1 << 16 }; /* columns between two looks whether any row is still near enough */

/* Bits of those that are not above limit. */
INLINE uint64_t near(const lanes *sum, lanes limit)
{
    uint64_t bits = 0;
    for (int v = 0; v < VECTORS; v++)
        bits |= (uint64_t)(ALL & ~lanes_above(sum[v], limit)) << (v * LANES);
    return bits;
}

INLINE void add_columns(lanes *sum, const float *block, int from, int to, const float *x)
{
    for (int j = from; j < to; j++) {
        lanes at = lanes_set(x[j]);
        for (int v = 0; v < VECTORS; v++) {
            lanes d = lanes_sub(lanes_load(block + j * DISTANCES_ROWS + v * LANES), at);
            sum[v] = lanes_add(sum[v], lanes_mul(d, d));
        }
    }
}

INLINE uint64_t some_rows(const float *block, int width, const float *x, lanes limit, float *out)
{
    lanes sum[VECTORS];
    uint64_t bits = 0;
    for (int v = 0; v < VECTORS; v++)
        sum[v] = lanes_set(0);
    for (int j = 0; j < width; j += COLUMNS) {
        add_columns(sum, block, j, width - j < COLUMNS ? width : j + COLUMNS, x);
        bits = near(sum, limit);
        if (!bits)
            return 0;
    }
    for (int v = 0; v < VECTORS; v++)
        lanes_store(out + v * LANES, sum[v]);
    return bits;
}

static uint64_t rows(const float *block, int width, const float *x, float limit, float *out)
{
    uint64_t bits = 0;
    for (int at = 0; at < DISTANCES_ROWS; at += VECTORS * LANES)
        bits |= some_rows(block + at, width, x, lanes_set(limit), out + at) << at;
    return bits;
}

#if defined(ENGINE_PLAIN)
/* Without instructions for it, fusing takes longer than it saves. */
static bool none(const float *block, int width, const float *x, float limit)
{
    (void)block, (void)width, (void)x, (void)limit;
    return false;
}
#else
/* Sums of fused products, which take two operations a column instead of three. They and those of `rows` are both within a factor of (1 + 2^-24)^(+-width) of the same
 * sum (and products that vanish come to less than FLT_MIN), so what is above limit by twice that is farther by either. */
static bool none(const float *block, int width, const float *x, float limit)
{
    lanes sum[VECTORS], most = lanes_set(limit * (1 + (float)(3 * width + 10) * 0x1p-24F) + FLT_MIN);
    if (width > WIDEST)
        return false;
    for (int v = 0; v < VECTORS; v++)
        sum[v] = lanes_set(0);
    for (int j = 0; j < width; j += COLUMNS) {
        for (int c = j; c < width && c < j + COLUMNS; c++) {
            lanes at = lanes_set(x[c]);
            for (int v = 0; v < VECTORS; v++) {
                lanes d = lanes_sub(lanes_load(block + c * DISTANCES_ROWS + v * LANES), at);
                sum[v] = lanes_fma(d, d, sum[v]);
            }
        }
        if (!near(sum, most))
            return true;
    }
    return false;
}
#endif

static unsigned boxes(const float *group, int width, const float *x, float limit)
{
    lanes sum = lanes_set(0), zero = lanes_set(0), most = lanes_set(limit);
    unsigned above = 0;
    for (int j = 0; j < width && above != ALL;) {
        for (int end = width - j < COLUMNS ? width : j + COLUMNS; j < end; j++, group += 2 * DISTANCES_BOXES) {
            lanes at = lanes_set(x[j]);
            lanes d = lanes_max(lanes_max(lanes_sub(lanes_load(group), at), lanes_sub(at, lanes_load(group + DISTANCES_BOXES))), zero);
            sum = lanes_add(sum, lanes_mul(d, d));
        }
        above = lanes_above(sum, most);
    }
    return ALL & ~above;
}

const struct distances ENGINE(distances) = {.rows = rows, .none = none, .boxes = boxes};
