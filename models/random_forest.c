/* Random forest (Breiman 2001): trees on bootstrap samples, the mean of their leaves' shares.
 *
 * Trees are grown in blocks of BLOCK, a run of each block a rank; what a rank has grown all get. Tree i draws from a stream of its own, so it
 * is the same on any rank and in any larger forest. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "models/forest_data.h"
#include "models/model.h"

enum { BLOCK = 16 };
enum { TOGETHER = 256 }; /* rows that go down a tree while its nodes are in the cache */

struct forest {
    struct model model;
    int n_columns, n_classes, n_trees, wanted;
    struct tree *trees;      /* (n_trees) owned */
    double *importances;     /* (n_columns) sum over trees */
    struct forest_data data; /* while fitting */
};

extern const struct model_kind model_random_forest;

static const struct param forest_params[] = {
    {"n_estimators", PARAM_INT | PARAM_UNKEYED, 1, 100000, NULL, "100", "trees"},
    {"max_features", PARAM_INT | PARAM_REAL | PARAM_WORD | PARAM_NONE, 0, 1e6, "sqrt|log2", "\"sqrt\"",
     "columns that a node looks at: a number, a share below 1, sqrt, log2, or none for all"},
    {"max_depth", PARAM_INT | PARAM_NONE, 1, 1000000, NULL, "\"none\"", "longest way from the root; none: no limit"},
    {"min_samples_split", PARAM_INT, 2, 1e9, NULL, "2", "rows that a node needs to be split"},
    {"min_samples_leaf", PARAM_INT, 1, 1e9, NULL, "1", "rows that a leaf keeps at least"},
    {"bootstrap", PARAM_BOOL, 0, 0, NULL, "true", "a tree sees as many rows as there are, drawn with replacement; false: all rows"},
    {"class_weight", PARAM_WORD | PARAM_NONE, 0, 0, "balanced|balanced_subsample", "\"none\"", "balanced: classes weigh alike; over all rows or a tree's"},
    {"features", PARAM_WORD | PARAM_LIST | PARAM_LONE, 0, 0, "sequence", "[\"sequence\"]", "what trees see: the packets' channels"},
    {0},
};

static int features_per_node(const struct params *p, int columns)
{
    const struct value *v = params_get(p, "random_forest.max_features");
    double n = columns;
    if (v->kind == VALUE_TEXT)
        n = strcmp(v->text, "sqrt") == 0 ? sqrt(columns) : log2(columns);
    else if (v->kind == VALUE_INT)
        n = (double)v->integer;
    else if (v->kind == VALUE_REAL)
        n = v->real <= 1 ? v->real * columns : v->real;
    n = floor(n);
    return n < 1 ? 1 : n > columns ? columns : (int)n;
}

static enum status check(const struct params *p, const struct model_shape *shape, struct error *e)
{
    const struct value *v = params_get(p, "random_forest.max_features");
    int columns = shape->steps * shape->n_channels;
    if (v->kind == VALUE_INT && (v->integer < 1 || v->integer > columns))
        return error_set(e, STATUS_CONFIG, "random_forest.max_features = %lld, but there are %d columns", (long long)v->integer, columns);
    if (v->kind == VALUE_REAL && (v->real <= 0 || v->real > 1))
        return error_set(e, STATUS_CONFIG, "random_forest.max_features = %g: a share must be above 0 and up to 1", v->real);
    if (shape->n_classes > 65535)
        return error_set(e, STATUS_CONFIG, "a random forest takes up to 65535 classes");
    return STATUS_OK;
}

static struct model_bytes forest_bytes(const struct params *p, const struct model_shape *shape)
{
    uint64_t rows = (uint64_t)shape->train_rows;
    /* sorting a column and growing a tree; then trees, whose size depends on the data: a noisy one takes 10 bytes a row, one of classes that are
     * easily told apart far less, and at the end there are a file and a message of them */
    return (struct model_bytes){.fit = rows * (24 + 80) + (uint64_t)params_int(p, "random_forest.n_estimators") * rows * 14};
}

static uint64_t node_bytes(const struct model_shape *shape)
{
    return forest_data_bytes(shape->train_rows, shape->steps * shape->n_channels);
}

static double forest_flops(const struct params *p, const struct model_shape *shape)
{
    int columns = shape->steps * shape->n_channels;
    double rows = (double)shape->train_rows;
    return 60.0 * (double)params_int(p, "random_forest.n_estimators") * features_per_node(p, columns) * rows * log2(rows + 2);
}

static struct forest *new_forest(int n_columns, int n_classes, int wanted)
{
    struct forest *f = memory_new(sizeof *f);
    f->model.kind = &model_random_forest;
    f->n_columns = n_columns;
    f->n_classes = n_classes;
    f->wanted = wanted;
    f->trees = memory_new((size_t)wanted * sizeof *f->trees);
    f->importances = memory_new((size_t)n_columns * sizeof *f->importances);
    return f;
}

static void free_forest(struct model *model)
{
    struct forest *f = (struct forest *)model;
    if (!f)
        return;
    for (int i = 0; i < f->n_trees; i++)
        tree_fini(&f->trees[i]);
    free(f->trees);
    free(f->importances);
    forest_data_fini(&f->data);
    free(f);
}

static enum status fit_new(struct model **out, const struct model_spec *spec, struct error *e)
{
    struct forest *f = new_forest(spec->features->steps * spec->features->n_channels, spec->n_classes,
                                  (int)params_int(spec->params, "random_forest.n_estimators"));
    *out = NULL;
    enum status s = forest_data_init(&f->data, spec, e);
    if (s == STATUS_OK)
        *out = &f->model;
    else
        free_forest(&f->model);
    return s;
}

/* --- growing --- */

static void draw_rows(const struct model_spec *spec, struct random *r, int n, int32_t *times)
{
    bool bootstrap = params_bool(spec->params, "random_forest.bootstrap");
    for (int i = 0; i < n; i++)
        times[i] = !bootstrap;
    for (int i = 0; i < n && bootstrap; i++)
        times[random_below(r, (uint32_t)n)]++;
}

/* n / (n_classes * count): scikit-learn's compute_class_weight; classes without rows do not count. */
static void weigh_classes(const struct model_spec *spec, const struct tree_data *d, const int32_t *times, double *weight)
{
    const char *how = params_text(spec->params, "random_forest.class_weight");
    int present = 0;
    int64_t total = 0;
    for (int c = 0; c < d->n_classes; c++)
        weight[c] = 0;
    for (int i = 0; i < d->n; i++) {
        int times_i = how && strcmp(how, "balanced_subsample") == 0 ? times[i] : 1;
        weight[d->y[i]] += times_i;
        total += times_i;
    }
    for (int c = 0; c < d->n_classes; c++)
        present += weight[c] > 0;
    for (int c = 0; c < d->n_classes; c++)
        weight[c] = how && weight[c] > 0 ? (double)total / (present * weight[c]) : 1;
}

static enum status grow_one(struct forest *f, const struct model_spec *spec, int i, double *importances, struct tree *out, struct error *e)
{
    const struct tree_data *d = &f->data.tree;
    const struct value *depth = params_get(spec->params, "random_forest.max_depth");
    struct tree_params p = {.max_features = features_per_node(spec->params, f->n_columns),
                            .max_depth = depth->kind == VALUE_INT ? (int)depth->integer : -1,
                            .min_samples_split = (int)params_int(spec->params, "random_forest.min_samples_split"),
                            .min_samples_leaf = (int)params_int(spec->params, "random_forest.min_samples_leaf")};
    struct random r = random_of(spec->key, (uint64_t)i);
    int32_t *times = memory_new((size_t)d->n * sizeof *times);
    double *weight = memory_new((size_t)d->n_classes * sizeof *weight);
    draw_rows(spec, &r, d->n, times);
    weigh_classes(spec, d, times, weight);
    struct tree_request request = {d, &p, times, params_text(spec->params, "random_forest.class_weight") ? weight : NULL, &r, importances};
    enum status s = tree_grow(out, &request, e);
    free(times);
    free(weight);
    return s;
}

/* A tree and its importances, which sum to 1 over columns as scikit-learn normalizes them. */
static enum status grow_and_write(struct forest *f, const struct model_spec *spec, int i, struct buffer *out, struct error *e)
{
    struct tree t;
    double *importances = memory_new((size_t)f->n_columns * sizeof *importances), sum = 0;
    enum status s = grow_one(f, spec, i, importances, &t, e);
    for (int c = 0; c < f->n_columns; c++)
        sum += importances[c];
    if (s == STATUS_OK) {
        tree_write(&t, out);
        for (int c = 0; c < f->n_columns; c++)
            buffer_put_f64(out, sum > 0 ? importances[c] / sum : 0);
        tree_fini(&t);
    }
    free(importances);
    return s;
}

/* Appends trees out of bytes that grow_and_write made. */
static enum status take_trees(struct forest *f, struct reader *r, int n, struct error *e)
{
    for (int i = 0; i < n; i++) {
        TRY(tree_read(&f->trees[f->n_trees], r, f->n_columns, f->n_classes, e));
        f->n_trees++;
        for (int c = 0; c < f->n_columns; c++)
            f->importances[c] += reader_f64(r);
    }
    return r->failed ? error_set(e, STATUS_DATA, "a damaged forest") : STATUS_OK;
}

/* Collective: every rank's bytes behind each other, in one piece that the caller frees. */
static enum status gather(struct gang *g, const struct buffer *mine, struct buffer *out, struct error *e)
{
    size_t *size = memory_new((size_t)g->size * sizeof *size), *offset = memory_new(((size_t)g->size + 1) * sizeof *offset);
    for (int r = 0; r <= g->size; r++)
        offset[r] = (size_t)r * sizeof *size;
    size[g->rank] = mine->size;
    enum status s = g->share(g, size, offset, e);
    for (int r = 0; r < g->size; r++)
        offset[r + 1] = offset[r] + size[r];
    if (s == STATUS_OK && offset[g->size] > 0) {
        buffer_grow(out, offset[g->size]);
        if (mine->size)
            memcpy(out->data + offset[g->rank], mine->data, mine->size);
        s = g->share(g, out->data, offset, e);
    }
    free(size);
    free(offset);
    return s;
}

static enum status fit_step(struct model *model, const struct model_spec *spec, struct gang *g, struct model_progress *progress, struct error *e)
{
    struct forest *f = (struct forest *)model;
    int n = f->wanted - f->n_trees < BLOCK ? f->wanted - f->n_trees : BLOCK, start = f->n_trees;
    struct buffer mine = {0}, all = {0};
    bool bad, stop;
    enum status s = STATUS_OK;
    TRY(forest_data_fill(&f->data, spec, g, &stop, e));
    if (stop) {
        *progress = (struct model_progress){.epoch = (start + BLOCK - 1) / BLOCK, .stopped = true};
        return STATUS_OK;
    }
    for (int i = gang_first(n, g->rank, g->size); s == STATUS_OK && i < gang_first(n, g->rank + 1, g->size); i++) {
        s = grow_and_write(f, spec, start + i, &mine, e);
        gang_look(g);
    }
    struct error ignored;
    enum status told = gang_any(g, s != STATUS_OK, &bad, s == STATUS_OK ? e : &ignored);
    if (s == STATUS_OK)
        s = told != STATUS_OK ? told : bad ? error_set(e, STATUS_MEMORY, "another rank of the gang had no memory to grow a tree") : STATUS_OK;
    if (s == STATUS_OK)
        s = gather(g, &mine, &all, e);
    struct reader r = reader_of(all.data, all.size);
    if (s == STATUS_OK)
        s = take_trees(f, &r, n, e);
    if (s == STATUS_OK)
        s = gang_any(g, g->stop(g), &stop, e);
    buffer_fini(&mine);
    buffer_fini(&all);
    TRY(s);
    bool done = f->n_trees == f->wanted;
    *progress = (struct model_progress){.epoch = (f->n_trees + BLOCK - 1) / BLOCK, .epoch_ended = true, .done = done, .stopped = stop && !done};
    return STATUS_OK;
}

/* --- predicting --- */

static enum status predict(const struct model *model, const struct features *x, const int32_t *rows, int n, struct gang *g, float *proba,
                           struct error *e)
{
    const struct forest *f = (const struct forest *)model;
    int first, last, k = f->n_classes;
    float *block = memory_new((size_t)TOGETHER * (size_t)f->n_columns * sizeof *block);
    double *sum = memory_new((size_t)TOGETHER * (size_t)k * sizeof *sum);
    gang_rows(n, g->rank, g->size, &first, &last);
    for (int at = first; at < last; at += TOGETHER) {
        int m = last - at < TOGETHER ? last - at : TOGETHER;
        features_gather_raw(x, rows + at, m, block);
        memset(sum, 0, (size_t)m * (size_t)k * sizeof *sum);
        for (int t = 0; t < f->n_trees; t++)
            tree_add(&f->trees[t], block, f->n_columns, m, sum, k);
        for (size_t i = 0; i < (size_t)m * (size_t)k; i++)
            proba[(size_t)at * (size_t)k + i] = (float)(sum[i] / f->n_trees);
        gang_look(g);
    }
    free(block);
    free(sum);
    return gang_share_rows(g, proba, n, k, e);
}

static void importances(const struct model *model, double *out)
{
    const struct forest *f = (const struct forest *)model;
    for (int c = 0; c < f->n_columns; c++)
        out[c] = f->importances[c] / (f->n_trees ? f->n_trees : 1);
}

/* --- bytes: docs/forest-file.md --- */

static const char magic[8] = {'F', 'S', 'F', 'O', 'R', 'S', 'T', '1'};

static void write_forest(const struct model *model, struct buffer *out)
{
    const struct forest *f = (const struct forest *)model;
    buffer_put(out, magic, sizeof magic);
    buffer_put_i32(out, f->n_columns);
    buffer_put_i32(out, f->n_classes);
    buffer_put_i32(out, f->n_trees);
    for (int c = 0; c < f->n_columns; c++)
        buffer_put_f64(out, f->importances[c]);
    for (int t = 0; t < f->n_trees; t++)
        tree_write(&f->trees[t], out);
}

static enum status take_forest(struct forest *f, const void *bytes, size_t n, struct error *e)
{
    struct reader r = reader_of(bytes, n);
    const char *head = reader_take(&r, sizeof magic);
    int columns = reader_i32(&r), classes = reader_i32(&r), trees = reader_i32(&r);
    if (r.failed || memcmp(head, magic, sizeof magic) != 0)
        return error_set(e, STATUS_DATA, "no forest file, or a truncated one");
    if (columns != f->n_columns || classes != f->n_classes || trees < 0 || trees > f->wanted)
        return error_set(e, STATUS_DATA, "a forest of %d trees over %d columns and %d classes; %d, %d and %d were expected", trees, columns, classes,
                         f->wanted, f->n_columns, f->n_classes);
    for (int c = 0; c < columns; c++)
        f->importances[c] = reader_f64(&r);
    while (f->n_trees < trees) {
        TRY(tree_read(&f->trees[f->n_trees], &r, columns, classes, e));
        f->n_trees++;
    }
    return r.failed || r.at != r.end ? error_set(e, STATUS_DATA, "a truncated forest file, or one with more bytes than a forest has") : STATUS_OK;
}

static enum status state_read(struct model *model, const void *bytes, size_t n, struct error *e)
{
    return take_forest((struct forest *)model, bytes, n, e);
}

static enum status read_forest(struct model **out, const struct params *p, const struct model_shape *shape, const void *bytes, size_t n,
                               struct error *e)
{
    struct forest *f = new_forest(shape->steps * shape->n_channels, shape->n_classes, (int)params_int(p, "random_forest.n_estimators"));
    *out = NULL;
    enum status s = take_forest(f, bytes, n, e);
    if (s == STATUS_OK && f->n_trees == 0)
        s = error_set(e, STATUS_DATA, "a forest without trees");
    if (s == STATUS_OK)
        *out = &f->model;
    else
        free_forest(&f->model);
    return s;
}

const struct model_kind model_random_forest = {
    .name = "random_forest",
    .help = "exact CART trees on bootstrap samples, averaged",
    .params = forest_params,
    .extension = "forest",
    .check = check,
    .bytes = forest_bytes,
    .node_bytes = node_bytes,
    .flops = forest_flops,
    .fit_new = fit_new,
    .fit_step = fit_step,
    .state_write = write_forest,
    .state_read = state_read,
    .predict = predict,
    .write = write_forest,
    .read = read_forest,
    .importances = importances,
    .free = free_forest,
};
