/* Forests: trees on samples of the rows, the mean of their leaves' shares. What random_forest.c and extra_trees.c share: they differ in their parameters'
 * defaults and in where a column is split.
 *
 * Tree i draws from a stream of its own, so it is the same on any rank and in any larger forest; a finished forest is a state that a larger one goes on
 * from (struct model_kind's grows). group: the name of the kind, that of its parameters. */
#ifndef MODELS_FOREST_H
#define MODELS_FOREST_H

#include "models/model.h"

enum { FOREST_BLOCK = 16 }; /* trees a step */

/* Their parameters; those that came after the first studies keep the identities of these (PARAM_LATER). */
#define FOREST_PARAMS(bootstrap_fallback)                                                                                                            \
    {"n_estimators", PARAM_INT | PARAM_UNKEYED, 1, 100000, NULL, "100", "trees"},                                                                    \
    {"criterion", PARAM_WORD | PARAM_LATER, 0, 0, "gini|entropy", "\"gini\"", "what a split makes less of"},                                        \
    {"max_features", PARAM_INT | PARAM_REAL | PARAM_WORD | PARAM_NONE, 0, 1e6, "sqrt|log2", "\"sqrt\"",                                            \
     "columns that a node looks at: a number (1: one), a share up to 1.0 (all), sqrt, log2, or none for all"},                                      \
    {"ties", PARAM_WORD | PARAM_LATER, 0, 0, "lowest|drawn", "\"lowest\"",                                                                            \
     "of columns that split a node equally well: the lowest (earliest packet) is taken, or the one drawn first, as by scikit-learn"},               \
    {"max_depth", PARAM_INT | PARAM_NONE, 1, 1000000, NULL, "\"none\"", "longest way from the root; none: no limit"},                              \
    {"max_leaf_nodes", PARAM_INT | PARAM_NONE | PARAM_LATER, 2, 1e9, NULL, "\"none\"",                                                             \
     "leaves of a tree at most: the one whose split gains most is split first; none: no limit"},                                                     \
    {"max_bins", PARAM_INT | PARAM_LATER, 0, 65535, NULL, "0",                                                                                       \
     "values of a column that are told apart, more are joined into so many bins with about as many rows each; 0: all, exact"},                       \
    {"min_samples_split", PARAM_INT | PARAM_REAL | PARAM_OPEN, 0, 1e9, NULL, "2", "rows that a node needs to be split: a number, or a share up to 1.0"}, \
    {"min_samples_leaf", PARAM_INT | PARAM_REAL | PARAM_OPEN, 0, 1e9, NULL, "1", "rows that a leaf keeps at least: a number, or a share below 1.0"},   \
    {"min_impurity_decrease", PARAM_REAL | PARAM_LATER, 0, 1e9, NULL, "0.0",                                                                         \
     "impurity that a split must take away, times the share of the tree's weight that it splits"},                                                  \
    {"bootstrap", PARAM_BOOL, 0, 0, NULL, bootstrap_fallback, "a tree sees rows drawn with replacement; false: all rows"},                           \
    {"max_samples", PARAM_INT | PARAM_REAL | PARAM_NONE | PARAM_LATER, 0, 1e9, NULL, "\"none\"",                                                   \
     "rows drawn for a tree: a number, a share up to 1.0, or none for as many as there are", "bootstrap=true"},                                      \
    {"oob_score", PARAM_BOOL | PARAM_LATER | PARAM_UNKEYED | PARAM_REPORT, 0, 0, NULL, "false",                                                      \
     "accuracy of trees on rows that they did not draw, in show (only with bootstrap)", "bootstrap=true"},                                           \
    {"permutation_repeats", PARAM_INT | PARAM_LATER | PARAM_UNKEYED | PARAM_REPORT, 0, 1000, NULL, "0",                                              \
     "times that validation rows' values of each column are dealt out anew, for importances in show; 0: not"},                                     \
    {"class_weight", PARAM_WORD | PARAM_NONE, 0, 0, "balanced|balanced_subsample", "\"none\"",                                                     \
     "balanced: classes weigh alike; over all rows or a tree's"},                                                                                    \
    {"features", PARAM_WORD | PARAM_LIST | PARAM_LONE, 0, 0, "sequence|statistics", "[\"sequence\"]",                                                \
     "what trees see: the packets' channels, or statistics of all that the flows have (42: docs/forests.md), or ( [sequence, statistics] ), both"}

struct forest_file {
    const void *data;
    size_t n;
};

/* These are the functions of a struct model_kind (models/model.h), told which kind. */
enum status forest_check(const struct params *p, const char *group, const struct model_shape *shape, struct error *e);
struct model_bytes forest_bytes(const struct params *p, const char *group, const struct model_shape *shape);
uint64_t forest_node_bytes(const struct model_shape *shape);
void forest_node_key(const struct params *p, const char *group, struct buffer *out);
double forest_flops(const struct params *p, const char *group, const struct model_shape *shape);
double forest_permute_flops(const struct params *p, const char *group, const struct model_shape *shape);
enum status forest_fit_new(struct model **out, const struct model_spec *spec, bool random_thresholds, struct error *e);
enum status forest_fit_step(struct model *m, const struct model_spec *spec, struct gang *g, struct model_progress *progress, struct error *e);
enum status forest_state_read(struct model *m, const void *bytes, size_t n, struct error *e);
enum status forest_predict(const struct model *m, const struct features *x, const int32_t *rows, int n, struct gang *g, float *proba, struct error *e);
void forest_write(const struct model *m, struct buffer *out);
void forest_state_write(const struct model *m, struct buffer *out);
enum status forest_read(struct model **out, const struct model_kind *kind, const struct params *p, const struct model_shape *shape,
                        const struct forest_file *bytes, struct error *e);
enum status forest_permute(struct model *m, const struct model_spec *spec, const struct rows *rows, struct gang *g, const struct model_between *between,
                           struct buffer *out, struct error *e);
enum status forest_importances(const void *bytes, size_t n, int columns, double *out, struct error *e);
void forest_free(struct model *m);

#endif
