/* A finished tree, to be asked: eight bytes a node, two children side by side, so that a step down is an addition and no branch.
 *
 *     next = child + (threshold < x[column])
 *
 * A node is one word: column, child and, inverted, threshold, from the highest bits to the lowest. Values and thresholds are keys, whole numbers in the
 * order of the floats that they stand for, so when a value is added to the word, the carry out of the threshold is that comparison and ends in the child.
 * Leaves go on pointing at themselves, so that rows may take steps too many: a leaf's column is one behind the last, where every row holds 0, which is
 * above no threshold. That leaves its threshold free: it says which class the leaf holds, or where its shares begin. Rows go down some steps at a time,
 * several side by side, then those that have come to a leaf are left out: which way a row goes cannot be guessed, and most of a step is waiting for memory.
 *
 * Where 32 bits are too few for column and child (more than 2^25 nodes over 100 columns) a node is two words, the column alone in the second.
 *
 * Made of what tree_grow made or of a file's bytes (docs/forest-file.md). Pure, no globals. */
#ifndef MODELS_TREE_WALK_H
#define MODELS_TREE_WALK_H

#include <string.h>

#include "models/tree.h"

struct tree_share {
    int32_t label; /* ascending in a leaf; of its last one: ~ of it */
    float share;   /* of the leaf's weight */
};

struct tree_walk {
    uint64_t *nodes;           /* (n_nodes, or twice as many where wide) the root first; owned. Of a leaf: child is itself, column n_columns, threshold
                                * an int32: its class or, below 0, ~ of its first share */
    struct tree_share *shares; /* (n_shares) of leaves with several classes; owned */
    int n_nodes, n_shares;
    unsigned bits; /* of a column */
    bool wide;
};

/* The key of a number: a < b exactly where their keys are. Above 0; -0 and 0 have the same. */
static inline uint32_t tree_walk_key(float x)
{
    uint32_t bits;
    x += 0.0F;
    memcpy(&bits, &x, sizeof bits);
    return bits ^ ((uint32_t)-(int32_t)(bits >> 31) | 0x80000000U);
}

/* STATUS_DATA where its nodes are no tree in preorder (those of tree_grow are). */
enum status tree_walk_of(struct tree_walk *out, const struct tree *t, int n_columns, struct error *e);
void tree_walk_fini(struct tree_walk *w);

/* used[c] becomes true of every column c that a node looks at. */
void tree_walk_mark(const struct tree_walk *w, bool *used);

/* Adds the shares of each row's leaf to sum (n, n_classes). x (n, n_columns + 1): keys, the last of each row is 0. Does not allocate. */
void tree_walk_add(const struct tree_walk *w, const uint32_t *x, int n_columns, int n, double *sum, int n_classes);
/* Those of all trees, one after another: the nodes of the next, where they are far and rows come to most, are fetched meanwhile, and after the last those of
 * the first, for the rows to come. */
void tree_walk_add_all(const struct tree_walk *trees, int n_trees, const uint32_t *x, int n_columns, int n, double *sum, int n_classes);

/* Rows some of whose columns change: of trees that do not ask for these on a row's way, its leaf stays what it was. */
struct tree_walk_before {
    uint32_t *leaf; /* (n_trees, n) of rows before: the node where they stand */
    bool *touched;  /* of the nodes of all trees, one after another: does the way there ask for a column that changes? */
    int n;
};
/* Of rows [first, first + n), as they are before. x: as of tree_walk_add. */
void tree_walk_stand(const struct tree_walk *trees, int n_trees, const struct tree_walk_before *before, int first, const uint32_t *x, int n_columns, int n);
/* changed (n_columns + 1): which; not the last, of leaves. */
void tree_walk_touch(const struct tree_walk *trees, int n_trees, const struct tree_walk_before *before, const bool *changed);
/* As tree_walk_add_all of x, n rows with what changed; row (n): which they are of those before. */
void tree_walk_add_changed(const struct tree_walk *trees, int n_trees, const struct tree_walk_before *before, const int32_t *row, const uint32_t *x,
                           int n_columns, int n, double *sum, int n_classes);

/* How many of n rows to give tree_walk_add_all at a time: up to TREE_WALK_ROWS. */
enum { TREE_WALK_ROWS = 8192 };
int tree_walk_rows(const struct tree_walk *trees, int n_trees, int n_columns, int n_classes, int n);
/* Of all their nodes. */
size_t tree_walk_bytes(const struct tree_walk *trees, int n_trees);
size_t tree_walk_nodes(const struct tree_walk *trees, int n_trees);

void tree_walk_write(const struct tree_walk *w, int n_columns, int n_classes, struct buffer *out);
/* STATUS_DATA where the bytes are no tree over so many columns and classes. */
enum status tree_walk_read(struct tree_walk *out, struct reader *r, int n_columns, int n_classes, struct error *e);

#endif
