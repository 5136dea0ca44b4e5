#include "models/forest_params.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/forest.h"
#include "models/forest_data.h"
#include "models/forest_oob.h"
#include "models/forest_permutation.h"

/* NULL where inactive. */
static const struct value *get(const struct params *p, const char *group, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", group, name);
    return params_get(p, full);
}

int64_t forest_whole(const struct params *p, const char *group, const char *name, int64_t none)
{
    const struct value *v = get(p, group, name);
    return v->kind == VALUE_INT ? v->integer : none;
}

static int features_per_node(const struct params *p, const char *group, int columns)
{
    const struct value *v = get(p, group, "max_features");
    double n = columns;
    if (v->kind == VALUE_TEXT)
        n = strcmp(v->text, "sqrt") == 0 ? sqrt(columns) : log2(columns);
    else if (v->kind == VALUE_INT)
        n = (double)v->integer;
    else if (v->kind == VALUE_REAL)
        n = v->real * columns;
    n = floor(n);
    return n < 1 ? 1 : n > columns ? columns : (int)n;
}

/* A count, or a share of the rows that train, where a part of a row is one more. */
static int rows_needed(const struct params *p, const char *group, const char *name, int rows, int least)
{
    const struct value *v = get(p, group, name);
    int n = (int)(v->kind == VALUE_INT ? (double)v->integer : ceil(v->real * rows));
    return n < least ? least : n;
}

struct tree_params forest_tree_params(const struct params *p, const char *group, int columns, int rows)
{
    const struct value *decrease = get(p, group, "min_impurity_decrease");
    return (struct tree_params){.criterion = strcmp(get(p, group, "criterion")->text, "entropy") == 0 ? TREE_ENTROPY : TREE_GINI,
                                .ties = strcmp(get(p, group, "ties")->text, "drawn") == 0 ? TREE_TIES_DRAWN : TREE_TIES_LOWEST,
                                .max_features = features_per_node(p, group, columns),
                                .max_depth = (int)forest_whole(p, group, "max_depth", -1),
                                .max_leaf_nodes = (int)forest_whole(p, group, "max_leaf_nodes", 0),
                                .min_samples_split = rows_needed(p, group, "min_samples_split", rows, 2),
                                .min_samples_leaf = rows_needed(p, group, "min_samples_leaf", rows, 1),
                                .min_impurity_decrease = decrease->real};
}

/* Samples drawn for a tree. */
static int draws_of(const struct params *p, const char *group, int rows)
{
    const struct value *most = get(p, group, "max_samples");
    if (most && most->kind == VALUE_INT)
        return most->integer < rows ? (int)most->integer : rows;
    if (most && most->kind == VALUE_REAL)
        return most->real * rows < 1 ? 1 : (int)(most->real * rows);
    return rows;
}

struct forest_sample forest_sample_of(const struct model_spec *spec)
{
    const char *group = spec->kind->name;
    const struct value *how = get(spec->params, group, "class_weight");
    int n = spec->train->n;
    struct forest_sample s = {.n = n, .n_classes = spec->n_classes, .y = spec->train->y, .key = spec->key};
    s.bootstrap = get(spec->params, group, "bootstrap")->truth;
    s.weight = how->kind != VALUE_TEXT ? FOREST_PLAIN : strcmp(how->text, "balanced") == 0 ? FOREST_BALANCED : FOREST_BALANCED_SUBSAMPLE;
    s.draws = draws_of(spec->params, group, n);
    return s;
}

bool forest_scores_left_out(const struct params *p, const char *group)
{
    const struct value *oob = get(p, group, "oob_score");
    return oob && oob->truth;
}

int forest_columns(const struct model_shape *shape)
{
    return shape->steps * shape->n_channels + shape->n_statistics;
}

/* A share, where it is one. */
static enum status check_share(const struct params *p, const char *group, const char *name, struct error *e)
{
    const struct value *v = get(p, group, name);
    if (v && v->kind == VALUE_REAL && (v->real <= 0 || v->real > 1))
        return error_set(e, STATUS_CONFIG, "%s.%s = %g: a share must be above 0 and up to 1", group, name, v->real);
    return STATUS_OK;
}

enum status forest_check(const struct params *p, const char *group, const struct model_shape *shape, struct error *e)
{
    const struct value *looked = get(p, group, "max_features"), *drawn = get(p, group, "max_samples");
    int columns = forest_columns(shape);
    const struct value *features = get(p, group, "features");
    TRY(check_share(p, group, "max_features", e));
    TRY(check_share(p, group, "max_samples", e));
    TRY(check_share(p, group, "min_samples_split", e));
    TRY(check_share(p, group, "min_samples_leaf", e));
    if (get(p, group, "min_samples_split")->kind == VALUE_INT && forest_whole(p, group, "min_samples_split", 0) < 2)
        return error_set(e, STATUS_CONFIG, "%s.min_samples_split = 1: a node that is split has at least 2 rows", group);
    if (get(p, group, "min_samples_leaf")->kind == VALUE_REAL && get(p, group, "min_samples_leaf")->real == 1)
        return error_set(e, STATUS_CONFIG, "%s.min_samples_leaf = 1.0 is a share, all rows; one row is 1", group);
    if (looked->kind == VALUE_INT && (looked->integer < 1 || looked->integer > columns))
        return error_set(e, STATUS_CONFIG, "%s.max_features = %lld, but there are %d columns", group, (long long)looked->integer, columns);
    if (drawn && drawn->kind == VALUE_INT && drawn->integer < 1)
        return error_set(e, STATUS_CONFIG, "%s.max_samples = %lld: a tree needs a row", group, (long long)drawn->integer);
    if (drawn && drawn->kind == VALUE_INT && shape->train_rows > 0 && drawn->integer > shape->train_rows)
        return error_set(e, STATUS_CONFIG, "%s.max_samples = %lld, but %lld rows train", group, (long long)drawn->integer, (long long)shape->train_rows);
    if (forest_whole(p, group, "max_bins", 0) == 1)
        return error_set(e, STATUS_CONFIG, "%s.max_bins = 1: a column that is to be split has at least 2 bins", group);
    if (features->n > 2 || (features->n == 2 && value_equal(&features->items[0], &features->items[1])))
        return error_set(e, STATUS_CONFIG, "%s.features: %s is named twice", group, features->items[0].text);
    if (shape->n_classes > 65535)
        return error_set(e, STATUS_CONFIG, "a forest takes up to 65535 classes");
    return STATUS_OK;
}

struct model_bytes forest_bytes(const struct params *p, const char *group, const struct model_shape *shape)
{
    uint64_t rows = (uint64_t)shape->train_rows, trees = (uint64_t)forest_whole(p, group, "n_estimators", 0);
    /* coding some columns (96 bytes a row), or growing a tree (up to 161); then trees, whose size depends on the data: a noisy one takes 6 bytes a row, one
     * of classes that are easily told apart far less; a gang's ranks have its bytes too, and at the end there are a file and a message of them */
    uint64_t fit = rows * 161 + trees * rows * 12;
    uint64_t leaves = (uint64_t)forest_whole(p, group, "max_leaf_nodes", 0), of_rows = rows / 2;
    fit += tree_best_bytes(leaves < of_rows ? leaves : of_rows, forest_columns(shape));
    if (forest_scores_left_out(p, group))
        fit += forest_oob_bytes(shape->train_rows, (int64_t)trees);
    if (forest_whole(p, group, "permutation_repeats", 0) > 0)
        fit += forest_permutation_bytes(shape->validation_rows, forest_columns(shape), shape->n_classes, (int)trees, (int64_t)(trees * rows * 2));
    return (struct model_bytes){.fit = fit};
}

uint64_t forest_node_bytes(const struct model_shape *shape)
{
    return forest_data_bytes(shape->train_rows, forest_columns(shape));
}

/* Trees of either kind look at the same codes. */
void forest_node_key(const struct params *p, const char *group, struct buffer *out)
{
    buffer_printf(out, "codes %d ", (int)forest_whole(p, group, "max_bins", 0));
    value_to_json(get(p, group, "features"), out);
}

/* A forest has no FLOP to speak of: these are what a network computes in the time that it takes. Where a rank does 75 GFLOP/s of a network, a row takes 1.6 ns
 * a column and 16 ns more on each level of a tree, of either kind (2 and 40 trees of 200,000 and 5,897 rows, 6 to 100 columns a node: 0.4 to 2.5 times that, but
 * for flat trees of many rows, whose time is in coding them); half as much again of entropy, */
double forest_flops(const struct params *p, const char *group, const struct model_shape *shape)
{
    const struct tree_params tree = forest_tree_params(p, group, forest_columns(shape), (int)shape->train_rows);
    double rows = draws_of(p, group, (int)shape->train_rows), levels = log2(rows / tree.min_samples_leaf + 2);
    if (tree.max_leaf_nodes > 0)
        levels = fmin(levels, log2(tree.max_leaf_nodes) + 2); /* the best leaf first: not all are as deep */
    if (tree.max_depth >= 0)
        levels = fmin(levels, tree.max_depth);
    return (tree.criterion == TREE_ENTROPY ? 180.0 : 120.0) * (double)forest_whole(p, group, "n_estimators", 0) * (tree.max_features + 10) * rows * levels;
}

/* and 2 ns to go down one of them. */
double forest_permute_flops(const struct params *p, const char *group, const struct model_shape *shape)
{
    int packets = shape->n_channels > 1 ? shape->steps : 0, repeats = (int)forest_whole(p, group, "permutation_repeats", 0);
    double rounds = (double)forest_permutation_rounds(forest_columns(shape), packets, repeats);
    return 150.0 * rounds * (double)shape->validation_rows * (double)forest_whole(p, group, "n_estimators", 0) * log2((double)shape->train_rows + 2);
}
