/* What is kept of the rows of models/nearest.h, as filling (nearest_fill.c) and searching (nearest.c) see it. */
#ifndef MODELS_NEAREST_BLOCKS_H
#define MODELS_NEAREST_BLOCKS_H

#include "models/engine/distances.h"
#include "models/nearest.h"

struct nearest_cut { /* between two blocks: what is less in this column went to those before it */
    int32_t column;
    float value;
};

struct nearest {
    int n, width, distinct;
    float *x;               /* blocks (ceil(distinct / 64), width, 64), zeros behind the last row; owned, as all */
    float *box;             /* groups (ceil(blocks / 16), width, 2, 16) */
    struct nearest_cut *cut;        /* (blocks) before a block; 0 has none */
    int32_t *place;         /* (n) where a row is kept */
    int32_t *member;        /* (n) rows, those that are the same beside each other, in order */
    int32_t *first, *last;  /* (distinct) where a place's members begin and end */
    struct nearest_filling *filling;
};

struct nearest_sortable { /* rows that are the same */
    float value;   /* in the column that they are sorted by */
    int32_t first; /* of them among the members */
};

struct nearest_filling { /* what filling takes besides */
    struct nearest_sortable *distinct; /* (n) */
    double *sums;              /* (2, width) */
    const float *rows;
    int width;
};

static inline int nearest_blocks_of(int rows)
{
    return (rows + DISTANCES_ROWS - 1) / DISTANCES_ROWS;
}

static inline size_t nearest_block_floats(const struct nearest *s)
{
    return (size_t)s->width * DISTANCES_ROWS;
}

static inline size_t nearest_group_floats(const struct nearest *s)
{
    return (size_t)s->width * 2 * DISTANCES_BOXES;
}

static inline int nearest_groups_of(int rows)
{
    return (nearest_blocks_of(rows) + DISTANCES_BOXES - 1) / DISTANCES_BOXES;
}

/* The first column of a place; the next ones are DISTANCES_ROWS apart. */
static inline float *nearest_kept(const struct nearest *s, int place)
{
    return s->x + (size_t)(place / DISTANCES_ROWS) * nearest_block_floats(s) + place % DISTANCES_ROWS;
}

#endif
