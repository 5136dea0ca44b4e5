/* Permutation importances (Breiman 2001): what accuracy on some rows loses when their values of a column are dealt out anew; of single columns, of blocks
 * (flows/features.h), and of packets, whose columns are dealt out together. Unlike MDI they are of rows that did not train, and do not favour columns of
 * many values; of columns that say the same, each alone may be worth nothing. */
#ifndef MODELS_FOREST_PERMUTATION_H
#define MODELS_FOREST_PERMUTATION_H

#include "models/model.h"
#include "models/tree_walk.h"

struct forest_counted { /* as long as it is not done: of the first n rounds, how many rows are labelled right */
    int32_t *right;    /* (n) owned */
    int n;
};

struct forest_permutation {
    const struct tree_walk *trees; /* (n_trees) */
    int n_trees, n_classes, repeats;
    uint64_t key;
    struct forest_counted *counted; /* goes on from there; the rounds so far are left there where it is told to stop, and when `between` is called */
    const struct model_between *between; /* or NULL */
};

/* Collective. Appends, the same on every rank and any number of them: a name ("signed_size[3]", "signed_size", "packet 3"), the mean over repeats and their
 * standard deviation, as model_kind.permute says; and its errors. */
enum status forest_permutation(const struct forest_permutation *p, const struct features *x, const struct rows *rows, struct gang *g, struct buffer *out,
                               struct error *e);
/* How many times the rows are labelled, for so many columns of so many packets (0 where each has one channel). */
int64_t forest_permutation_rounds(int columns, int packets, int repeats);
/* Bytes that it takes; nodes: of all trees. */
uint64_t forest_permutation_bytes(int64_t rows, int columns, int classes, int trees, int64_t nodes);

#endif
