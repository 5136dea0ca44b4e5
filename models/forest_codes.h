/* A column of training rows as codes: the place of each value among the column's sorted distinct ones, or the bin that it is in. Pure. */
#ifndef MODELS_FOREST_CODES_H
#define MODELS_FOREST_CODES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"

enum { FOREST_CODES_TABLE = 1 << 16 };

/* For columns of n rows, one after another. */
struct forest_codes {
    int n, max_bins;    /* 0: none; else columns with more distinct values have at most so many codes, each for a run of neighbouring values */
    uint32_t *codes;    /* (n) of the last column */
    /* room */
    struct forest_cell *cells; /* (2, n) */
    uint32_t *table;    /* (FOREST_CODES_TABLE) */
    uint32_t *rows;     /* (n) of each distinct value; this and the next two only for bins */
    uint32_t *bin_of;   /* (n) likewise */
    float *most;        /* (n) of each bin */
};

/* When n and max_bins are set. Takes its room from a slab (base/memory.h: measured first, then cut). */
void forest_codes_cut(struct forest_codes *o, struct slab *s);
/* Codes of x (n; no NaN), into o->codes. values (n + 1): the distinct ones, ascending, or, where they are joined, the least of each bin and, behind these, the
 * largest of each. Returns how many codes there are. */
uint32_t forest_codes_make(const struct forest_codes *o, const float *x, float *values, bool *joined);

#endif
