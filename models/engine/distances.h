/* Distances of a row to blocks of others (models/nearest.h), in float, each operation rounded by itself: the same bits from every engine. */
#ifndef MODELS_DISTANCES_H
#define MODELS_DISTANCES_H

#include <stdbool.h>
#include <stdint.h>

enum { DISTANCES_ROWS = 64, DISTANCES_BOXES = 16 };

struct distances {
    /* Bit i: row i of block (width, 64) is not farther than limit from x (width). out (64): the distances of those. A comparison with what is no number
     * says "not farther". */
    uint64_t (*rows)(const float *block, int width, const float *x, float limit, float *out);
    /* True only where all rows of a block are farther than limit: a faster look for blocks that are probably so, which may not see it where they hardly are. */
    bool (*none)(const float *block, int width, const float *x, float limit);
    /* Bit i: box i of group (width, 2, 16: lowest, highest) is not farther than limit. */
    unsigned (*boxes)(const float *group, int width, const float *x, float limit);
};

#endif
