/* Growing, of which there are two orders: node by node from a stack (tree_grow.c), or the leaf whose split gains most first (tree_best.c). Both use this.
 *
 * A node is a run of samples, by class, then in the order of records; to split it is to move those that go left to its front. */
#ifndef MODELS_TREE_GROW_H
#define MODELS_TREE_GROW_H

#include "models/tree_split.h"

struct tree_between {
    int node;
    uint32_t left, right; /* codes */
};

struct tree_grower {
    const struct tree_request *r;
    struct tree *tree;
    struct tree_between *between; /* (n_between) what each inner node's threshold lies between: values are looked up when all are known, side by side */
    int n_between;
    struct tree_splitter splitter;
    tree_sample *samples, *room; /* (n) */
    double total;                /* weight of all samples */
    int words;                   /* of a set of columns */
};

struct tree_span { /* a node's samples, and how far from the root it stands */
    int first, last, depth;
};

/* The split of a node, or false: it stays a leaf. constant: as for tree_splitter_find. */
bool tree_grow_find(struct tree_grower *g, const struct tree_span *t, uint64_t *constant, struct tree_split *out);
/* Moves the samples that go left to the front, both sides in the order that they had; where the others begin. Counts the split for importances. */
int tree_grow_part(struct tree_grower *g, const struct tree_span *t, const struct tree_split *s);
/* The next node of the tree: a split, whose right child is to be set; or a leaf, of the samples that the splitter looked at last. Their index. */
int tree_grow_inner(struct tree_grower *g, const struct tree_split *s);
int tree_grow_leaf(struct tree_grower *g);

/* Grows the whole tree of samples [0, n), the best leaf first (tree_best.c). */
void tree_grow_best_first(struct tree_grower *g, int n);

#endif
