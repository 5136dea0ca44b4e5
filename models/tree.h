/* One classification tree: exact CART (Breiman et al. 1984) or, with random thresholds, an extremely randomized tree (Geurts et al. 2006), as
 * scikit-learn grows them.
 *
 * Columns are codes: the place of each value among the column's sorted distinct values; thresholds are the midpoints of a node's neighbouring values
 * (rounded towards the smaller); where a code stands for several values, those of neighbouring codes. A node looks at columns drawn without replacement
 * until max_features were looked at and at least one of them was not constant; ties go to the lowest column, or to the one drawn first, then to the lowest
 * threshold. Nodes stand in preorder: a node's left child follows it. Leaves keep only the classes that they hold. Weights of classes are whole numbers, so
 * no sum hangs on its order. Pure: no gang, no globals.
 *
 * tree_grow.c makes nodes and moves samples, tree_best.c does so for the best leaf first, tree_split.c finds a node's best split (tree_random.c
 * where thresholds are random; tree_table.c and tree_count.c count, tree_sort.c sorts, tree_small.c does so side by side, tree_entropy.c has logarithms); tree_walk.h has
 * what a finished tree becomes. */
#ifndef MODELS_TREE_H
#define MODELS_TREE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"

struct tree_node {
    int32_t feature;  /* -1: a leaf */
    float threshold;  /* left where x <= threshold */
    int32_t right;    /* index of the right child; of a leaf: its first entry */
    int32_t n;        /* entries of a leaf */
};

struct tree {
    struct tree_node *nodes; /* (n_nodes) owned */
    int32_t *classes;        /* (n_entries) owned */
    float *shares;           /* (n_entries) of the leaf's weight */
    int n_nodes, n_entries, nodes_capacity, entries_capacity;
};

struct tree_column {
    uint32_t at;         /* of its code in a record; wide: low half, then high half */
    bool wide;
    uint32_t n_values;
    const float *values; /* (n_values) distinct ones, ascending; where a code stands for several, the least of them */
    const float *most;   /* (n_values) the largest that a code stands for: values again where each stands for one */
};

/* Training rows, read-only, each a record of codes side by side: a node looks at several columns of a row at once, and deep in a tree no two rows are
 * neighbours. Samples of a node stand by class, so records had better do so too; no tree hangs on it. */
struct tree_data {
    int n, n_columns, n_classes;
    const uint16_t *records; /* (n, stride) */
    size_t stride;
    const struct tree_column *columns; /* (n_columns) */
    const int32_t *y;                  /* (n) */
    const uint16_t *planes;            /* (n_columns, n) the codes once more, column by column, as places in a table of all codes of their column
                                        * (tree_table_place), for nodes of many rows; or NULL */
    const int32_t *order;              /* (n) the row of each record, or NULL: they stand as rows do */
};

static inline int tree_row(const struct tree_data *d, int record)
{
    return d->order ? d->order[record] : record;
}

/* A column's plane where a node of so many rows had better read that, else NULL. */
static inline const uint16_t *tree_plane(const struct tree_data *d, int column, int rows)
{
    enum { DENSE = 16 };
    return d->planes && (int64_t)rows * DENSE >= d->n ? d->planes + (size_t)column * (size_t)d->n : NULL;
}

static inline uint32_t tree_code(const uint16_t *record, const struct tree_column *c)
{
    return c->wide ? (uint32_t)record[c->at + 1] << 16 | record[c->at] : record[c->at];
}

enum tree_criterion { TREE_GINI, TREE_ENTROPY /* in bits */ };
enum tree_ties { TREE_TIES_LOWEST, TREE_TIES_DRAWN }; /* the column that is taken of those that are equally good */

struct tree_params {
    enum tree_criterion criterion;
    enum tree_ties ties;
    bool random_thresholds;                    /* a column is split anywhere between its smallest and largest value in the node, once */
    int max_features;                          /* columns looked at in a node */
    int max_depth;                             /* -1: no limit */
    int max_leaf_nodes;                        /* 0: no limit; else the leaf whose split gains most is split first */
    int min_samples_split, min_samples_leaf;   /* rows, however often each was drawn */
    double min_impurity_decrease;              /* weight * impurity that a split takes away, over the tree's weight */
};

struct engine;

/* Where a tree is grown: for so many rows drawn, and some more, so that the next tree mostly fits. {0} before the first; slab_fini frees it. */
struct tree_room {
    struct slab slab;
    int rows;
};

struct tree_request {
    const struct tree_data *data;
    const struct tree_params *params;
    const int32_t *times;       /* (n) how often a row was drawn, below 65536, all together at most n; 0 leaves it out */
    const double *class_weight; /* (n_classes), or NULL: all 1; taken to about one part in 2^31 of the whole */
    struct random *random;
    double *importances; /* (n_columns) MDI is added */
    const struct engine *engine; /* NULL: the fastest here; all give the same tree */
    struct tree_room *room;      /* kept from tree to tree, of the same data and parameters; or NULL */
};

/* STATUS_MEMORY. */
enum status tree_grow(struct tree *out, const struct tree_request *r, struct error *e);
/* Bytes that growing so many leaves takes, the best first: of nodes that are open. */
uint64_t tree_best_bytes(uint64_t leaves, int columns);
void tree_fini(struct tree *t);

/* A tree of the first form of forest files. STATUS_DATA where the bytes are none over so many columns and classes. */
enum status tree_read(struct tree *out, struct reader *r, int n_columns, int n_classes, struct error *e);

#endif
