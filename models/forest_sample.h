/* What rows a tree of a forest sees, and how much classes weigh there; a function of the tree's number. */
#ifndef MODELS_FOREST_SAMPLE_H
#define MODELS_FOREST_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

enum forest_weight { FOREST_PLAIN, FOREST_BALANCED, FOREST_BALANCED_SUBSAMPLE };

struct forest_sample {
    int n, n_classes;
    const int32_t *y; /* (n) */
    uint64_t key;     /* of the forest's random numbers */
    bool bootstrap;   /* false: every row, once */
    int draws;        /* rows drawn with replacement, at most n */
    enum forest_weight weight;
};

/* times (n): how often tree i draws each row. Returns its stream, from which it goes on. */
struct random forest_sample_draw(const struct forest_sample *s, int i, int32_t *times);
/* weight (n_classes), 1 where classes are not balanced; of classes without rows 0: scikit-learn's compute_class_weight over all rows or a tree's. */
void forest_sample_weigh(const struct forest_sample *s, const int32_t *times, double *weight);

#endif
