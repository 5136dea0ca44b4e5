/* What the ranks of a gang add up: whose parts (models/gang.h) there are, and the additions that make them one sum. No MPI here.
 *
 * Whatever carries the parts to whoever adds, the additions are these, float by float: no way of carrying changes the bits. */
#ifndef MPI_REDUCTION_H
#define MPI_REDUCTION_H

#include "models/gang.h"

struct reduction {
    int n_leaves, size;
    int *offset;             /* (size + 1) rank r has parts offset[r] to offset[r + 1] */
    struct gang_join *joins; /* (offset[size] - 1) */
    float *room;             /* for sums in between */
    int capacity;            /* parts that there is memory for */
};

/* Makes r fit n_leaves dealt over size ranks; cheap where it does. r: zeros at first. Allocates where there were never so many parts. */
void reduction_fit(struct reduction *r, int n_leaves, int size);
void reduction_fini(struct reduction *r);
/* part (all parts) of n floats each; total (n) overlaps none of them. */
void reduction_add(const struct reduction *r, const float *const *part, float *total, size_t n);

#endif
