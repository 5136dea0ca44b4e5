/* w log2 w as whole numbers: what entropy adds up, exact in any order.
 *
 * The weights that a class can have are those of 0, 1, 2 .. samples, so there are no more of them than samples: they stand in a table, in units of
 * 2^-scale bits, as small as lets a sum over all classes stay below 2^62. The logarithm is made of sums, products and quotients alone: the same on
 * every processor. */
#ifndef MODELS_TREE_ENTROPY_H
#define MODELS_TREE_ENTROPY_H

#include "base/memory.h"
#include "models/tree.h"

struct tree_logs {
    int64_t *table;   /* (samples + classes) each class's, one after another */
    int64_t *first;   /* (classes + 1) where a class's begin */
    double unit;      /* 2^-scale */
};

/* Takes room for up to `samples` samples from a slab. */
void tree_logs_cut(struct tree_logs *l, struct slab *slab, size_t samples, size_t n_classes);
/* times (n), y (n): how often each row was drawn, its class; unit (n_classes): weight of one drawn once; all weights together below 2^31. */
void tree_logs_fill(struct tree_logs *l, const struct tree_data *d, const int32_t *times, const int64_t *unit);

/* x log2 x for x >= 0, within 2 units in the last place; 0 of 0. */
double tree_x_log_x(double x);
/* Turns sums (n) of the table's numbers over both sides into what a split gains: out (n), less the sides' weights' own x log2 x. */
void tree_entropy_gains(const struct tree_logs *l, const int64_t *sums, const int64_t *left_weight, int64_t weight, int n, double *out);

#endif
