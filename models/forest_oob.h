/* Out-of-bag score (Breiman 1996): every row is labelled by the trees that did not draw it, and the share of rows labelled right is the accuracy to
 * expect of rows like the training rows. It says nothing of rows that come later, or from elsewhere. */
#ifndef MODELS_FOREST_OOB_H
#define MODELS_FOREST_OOB_H

#include "models/forest_sample.h"
#include "models/gang.h"
#include "models/tree_walk.h"


struct forest_oob {
    const struct forest_sample *sample;
    const struct tree_data *data; /* features come out of its codes, wherever the rows are */
    const struct tree_walk *trees; /* (n_trees) */
    int n_trees;
};

/* Collective: of the rows that some tree did not draw, the share that such trees label right together; NaN where there is no such row. The same on any
 * number of ranks: each takes some rows, and counts. */
enum status forest_oob_accuracy(const struct forest_oob *o, struct gang *g, double *out, struct error *e);

/* Bytes that it takes, at most: of so many rows. */
uint64_t forest_oob_bytes(int64_t rows, int64_t trees);

#endif
