/* Training rows as trees want them: every column's values replaced by their place among its sorted distinct ones. */
#ifndef MODELS_FOREST_DATA_H
#define MODELS_FOREST_DATA_H

#include "flows/features.h"
#include "models/tree.h"

struct forest_data {
    struct tree_data tree; /* points into the following */
    uint32_t *codes;
    float *values;
    size_t *first;
};

/* From raw (unscaled) features. rows must outlive it. STATUS_MEMORY. */
enum status forest_data_init(struct forest_data *d, const struct features *x, const struct rows *rows, int n_classes, struct error *e);
void forest_data_fini(struct forest_data *d);

#endif
