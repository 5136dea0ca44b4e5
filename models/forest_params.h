/* What a forest's parameters say, checked before anything is made (forest_check in models/forest.h, which is here too, as are the sizes that follow from them).
 * group: the name of the kind. */
#ifndef MODELS_FOREST_PARAMS_H
#define MODELS_FOREST_PARAMS_H

#include "models/forest_sample.h"
#include "models/model.h"
#include "models/tree.h"

/* A whole number; none: what the word "none" means. */
int64_t forest_whole(const struct params *p, const char *group, const char *name, int64_t none);
/* But for random_thresholds, which is the kind's. columns, rows: that there are, to train. */
struct tree_params forest_tree_params(const struct params *p, const char *group, int columns, int rows);
struct forest_sample forest_sample_of(const struct model_spec *spec);
bool forest_scores_left_out(const struct params *p, const char *group); /* oob_score, where there are such rows */
int forest_columns(const struct model_shape *shape);

#endif
