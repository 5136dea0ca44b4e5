#include "models/engine/distances.h"

#include "models/engine.h"
#include "models/engine/lanes.h"

/* Rows measured at a time: as many sums as registers hold with what they are made of. */
#if defined(ENGINE_PLAIN)
enum { VECTORS = 1 };
#else
enum { VECTORS = 4 };
#endif
enum { COLUMNS = 8, ALL = (1 << LANES) - 1 }; /* columns between two looks whether any row is still near enough */

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

const struct distances ENGINE(distances) = {.rows = rows, .boxes = boxes};
