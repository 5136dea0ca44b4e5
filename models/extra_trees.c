/* Extremely randomized trees (Geurts et al. 2006): trees on all rows; of the columns that a node looks at, each is split at a random threshold, and the
 * best of these splits is taken. */
#include "models/forest.h"

extern const struct model_kind model_extra_trees;

static const struct param params_of[] = {
    FOREST_PARAMS("false"),
    {0},
};

static enum status check(const struct params *p, const struct model_shape *shape, struct error *e)
{
    return forest_check(p, "extra_trees", shape, e);
}

static struct model_bytes bytes(const struct params *p, const struct model_shape *shape)
{
    return forest_bytes(p, "extra_trees", shape);
}

static void node_key(const struct params *p, struct buffer *out)
{
    forest_node_key(p, "extra_trees", out);
}

static double flops(const struct params *p, const struct model_shape *shape)
{
    return forest_flops(p, "extra_trees", shape);
}

static double permute_flops(const struct params *p, const struct model_shape *shape)
{
    return forest_permute_flops(p, "extra_trees", shape);
}

static enum status fit_new(struct model **out, const struct model_spec *spec, struct error *e)
{
    return forest_fit_new(out, spec, true, e);
}

static enum status read_bytes(struct model **out, const struct params *p, const struct model_shape *shape, const void *data, size_t n, struct error *e)
{
    return forest_read(out, &model_extra_trees, p, shape, &(struct forest_file){data, n}, e);
}

const struct model_kind model_extra_trees = {
    .name = "extra_trees",
    .help = "extremely randomized trees: random thresholds, all rows, averaged",
    .params = params_of,
    .grows = "n_estimators",
    .grows_by = FOREST_BLOCK,
    .extension = "forest",
    .check = check,
    .bytes = bytes,
    .node_bytes = forest_node_bytes,
    .node_key = node_key,
    .flops = flops,
    .permute_flops = permute_flops,
    .fit_new = fit_new,
    .fit_step = forest_fit_step,
    .state_write = forest_state_write,
    .state_read = forest_state_read,
    .predict = forest_predict,
    .write = forest_write,
    .read = read_bytes,
    .importances = forest_importances,
    .permute = forest_permute,
    .free = forest_free,
};
