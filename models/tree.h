/* One classification tree: exact CART with Gini impurity (Breiman et al. 1984), as scikit-learn grows it.
 *
 * Columns are codes: the place of each value among the column's sorted distinct values; thresholds are the midpoints of neighbouring values
 * (rounded towards the smaller). A node looks at columns drawn without replacement until max_features were looked at and at least one of them was not
 * constant; ties go to the lowest column, then to the lowest threshold. Nodes stand in preorder: a node's left child follows it. Leaves keep
 * only the classes that they hold. Pure: no gang, no globals. */
#ifndef MODELS_TREE_H
#define MODELS_TREE_H

#include "base/buffer.h"
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

struct tree_data { /* training rows, read-only */
    int n, n_columns, n_classes;
    const uint32_t *codes; /* (n_columns, n) */
    const float *values;   /* distinct ones of every column, ascending */
    const size_t *first;   /* (n_columns + 1) where a column's begin in values */
    const int32_t *y;      /* (n) */
};

struct tree_params {
    int max_features;                          /* columns looked at in a node */
    int max_depth;                             /* -1: no limit */
    int min_samples_split, min_samples_leaf;   /* rows, however often each was drawn */
};

struct tree_request {
    const struct tree_data *data;
    const struct tree_params *params;
    const int32_t *times;       /* (n) how often a row was drawn; 0 leaves it out */
    const double *class_weight; /* (n_classes) */
    struct random *random;
    double *importances; /* (n_columns) MDI is added */
};

/* STATUS_MEMORY. */
enum status tree_grow(struct tree *out, const struct tree_request *r, struct error *e);
void tree_fini(struct tree *t);
/* Adds the leaf's shares of row x (n_columns) to sum (n_classes). */
void tree_add(const struct tree *t, const float *x, double *sum);

void tree_write(const struct tree *t, struct buffer *out);
/* STATUS_DATA where the bytes are no tree over so many columns and classes. */
enum status tree_read(struct tree *out, struct reader *r, int n_columns, int n_classes, struct error *e);

#endif
