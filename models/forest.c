/* Trees are grown in blocks of FOREST_BLOCK, each by the rank that takes it; what a rank has grown all get.
 *
 * Longer than other files: growing, predicting and the file's bytes all reach into struct forest, which is nobody's but theirs; what could be told apart from it
 * stands in forest_params.c, forest_data.c, forest_sample.c, forest_oob.c and forest_permutation.c. */
#include "models/forest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/kernels.h"
#include "base/memory.h"
#include "models/forest_data.h"
#include "models/forest_oob.h"
#include "models/forest_params.h"
#include "models/forest_permutation.h"
#include "models/forest_sample.h"
#include "models/tree_walk.h"

struct forest {
    struct model model;
    int n_columns, n_classes, n_trees, wanted;
    struct tree_walk *trees; /* (n_trees) owned */
    struct buffer written;   /* bytes of the first n_written trees, where ranks have told each other of them */
    int n_written;
    double *importances;     /* (n_columns) sum over trees */
    struct forest_data data; /* while fitting, as these: */
    struct forest_sample sample;
    struct tree_params grown;
    struct tree_room room;
    bool oob_score;
    struct forest_counted counted;
};

/* --- making and freeing --- */

static struct forest *new_forest(const struct model_kind *kind, int n_columns, int n_classes, int wanted)
{
    struct forest *f = memory_new(sizeof *f);
    f->model.kind = kind;
    f->n_columns = n_columns;
    f->n_classes = n_classes;
    f->wanted = wanted;
    f->trees = memory_new((size_t)wanted * sizeof *f->trees);
    f->importances = memory_new((size_t)n_columns * sizeof *f->importances);
    return f;
}

void forest_free(struct model *model)
{
    struct forest *f = (struct forest *)model;
    if (!f)
        return;
    for (int i = 0; i < f->n_trees; i++)
        tree_walk_fini(&f->trees[i]);
    free(f->trees);
    buffer_fini(&f->written);
    free(f->importances);
    free(f->counted.right);
    slab_fini(&f->room.slab);
    forest_data_fini(&f->data);
    free(f);
}

enum status forest_fit_new(struct model **out, const struct model_spec *spec, bool random_thresholds, struct error *e)
{
    int columns = features_columns(spec->features);
    struct forest *f = new_forest(spec->kind, columns, spec->n_classes, (int)forest_whole(spec->params, spec->kind->name, "n_estimators", 0));
    *out = NULL;
    f->grown = forest_tree_params(spec->params, spec->kind->name, columns, spec->train->n);
    f->grown.random_thresholds = random_thresholds;
    f->sample = forest_sample_of(spec);
    f->oob_score = forest_scores_left_out(spec->params, spec->kind->name);
    enum status s = forest_data_init(&f->data, spec, (int)forest_whole(spec->params, spec->kind->name, "max_bins", 0), e);
    if (s == STATUS_OK)
        *out = &f->model;
    else
        forest_free(&f->model);
    return s;
}

/* --- growing --- */

static enum status grow_one(struct forest *f, int i, double *importances, struct tree *out, struct error *e)
{
    const struct forest_sample *sample = &f->sample;
    int32_t *times = memory_new((size_t)sample->n * sizeof *times);
    double *weight = sample->weight == FOREST_PLAIN ? NULL : memory_new((size_t)sample->n_classes * sizeof *weight);
    struct random r = forest_sample_draw(sample, i, times);
    if (weight)
        forest_sample_weigh(sample, times, weight);
    struct tree_request request = {&f->data.tree, &f->grown, times, weight, &r, importances, NULL, &f->room};
    enum status s = tree_grow(out, &request, e);
    free(times);
    free(weight);
    return s;
}

/* A tree; its importances (n_columns), zeros before, sum to 1 as scikit-learn normalizes them. */
static enum status grow(struct forest *f, int i, double *importances, struct tree_walk *out, struct error *e)
{
    struct tree t = {0};
    double sum = 0;
    enum status s = grow_one(f, i, importances, &t, e);
    if (s == STATUS_OK)
        s = tree_walk_of(out, &t, f->n_columns, e);
    for (int c = 0; c < f->n_columns; c++)
        sum += importances[c];
    for (int c = 0; c < f->n_columns; c++)
        importances[c] = sum > 0 ? importances[c] / sum : 0;
    tree_fini(&t);
    return s;
}

struct block { /* trees that are grown together, each by the rank that takes it */
    int start, n;        /* of the forest */
    double *importances; /* (n, n_columns) */
};

static double *importances_of(const struct forest *f, const struct block *b, int i)
{
    return b->importances + (size_t)i * (size_t)f->n_columns;
}

static enum status grow_own(struct forest *f, const struct block *b, struct gang *g, struct error *e)
{
    enum status s = STATUS_OK;
    for (int i; (i = gang_take(g, b->n)) >= 0;) {
        if (s == STATUS_OK)
            s = grow(f, b->start + i, importances_of(f, b, i), &f->trees[b->start + i], e);
        gang_look(g);
    }
    if (b->start + b->n == f->wanted)
        slab_fini(&f->room.slab);
    return s;
}

/* Is there the block's i-th tree? Before the others have told of theirs: is it this rank's? */
static bool is_grown(const struct forest *f, const struct block *b, int i)
{
    return f->trees[b->start + i].n_nodes > 0;
}

/* What the others are told of each tree: its number in the block, importances, bytes. */
static void write_own(const struct forest *f, const struct block *b, struct buffer *out)
{
    for (int i = 0; i < b->n; i++) {
        size_t start;
        if (!is_grown(f, b, i))
            continue;
        buffer_put_i32(out, i);
        for (int c = 0; c < f->n_columns; c++)
            buffer_put_f64(out, importances_of(f, b, i)[c]);
        buffer_open_bytes(out, &start);
        tree_walk_write(&f->trees[b->start + i], f->n_columns, f->n_classes, out);
        buffer_close_bytes(out, start);
    }
}

struct told { /* a tree's bytes */
    const char *bytes; /* NULL: not yet */
    size_t n;
};

/* What a rank has told of its trees. */
static bool take_told(const struct forest *f, const struct block *b, struct reader r, struct told *told)
{
    while (r.at != r.end) {
        int i = reader_i32(&r);
        if (r.failed || i < 0 || i >= b->n || told[i].bytes)
            return false;
        for (int c = 0; c < f->n_columns; c++)
            importances_of(f, b, i)[c] = reader_f64(&r);
        told[i].bytes = reader_bytes(&r, &told[i].n);
        if (r.failed)
            return false;
    }
    return true;
}

/* The trees of others; this rank's own are there. The file's bytes go on with all of them, if they are whole so far. */
static bool read_told(struct forest *f, const struct block *b, const struct told *told)
{
    for (int i = 0; i < b->n; i++) {
        struct error ignored;
        struct reader r = reader_of(told[i].bytes, told[i].n);
        if (!told[i].bytes)
            return false;
        if (!is_grown(f, b, i) && (tree_walk_read(&f->trees[b->start + i], &r, f->n_columns, f->n_classes, &ignored) != STATUS_OK || r.at != r.end))
            return false;
        if (f->n_written == b->start + i) {
            buffer_put(&f->written, told[i].bytes, told[i].n);
            f->n_written++;
        }
    }
    return true;
}

/* All of them belong to the forest now. */
static void take_block(struct forest *f, const struct block *b)
{
    for (int i = 0; i < b->n; i++)
        for (int c = 0; c < f->n_columns; c++)
            f->importances[c] += importances_of(f, b, i)[c];
    f->n_trees += b->n;
}

/* The step has failed, and with it the attempt: bytes written of these trees are no file's. */
static void drop_block(struct forest *f, const struct block *b)
{
    f->n_written = 0;
    buffer_clear(&f->written);
    for (int i = 0; i < b->n; i++)
        tree_walk_fini(&f->trees[b->start + i]);
}

/* Collective: every rank's bytes behind each other, in one piece that the caller frees; offset (g->size + 1): where each begins. */
static enum status gather(struct gang *g, const struct buffer *mine, struct buffer *out, size_t *offset, struct error *e)
{
    size_t *size = memory_new((size_t)g->size * sizeof *size);
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
    return s;
}

/* Collective: trees of all ranks, to all. */
static enum status share_block(struct forest *f, const struct block *b, struct gang *g, struct error *e)
{
    struct buffer mine = {0}, all = {0};
    struct told *told = memory_new((size_t)b->n * sizeof *told);
    size_t *offset = memory_new(((size_t)g->size + 1) * sizeof *offset);
    write_own(f, b, &mine);
    enum status s = gather(g, &mine, &all, offset, e);
    bool good = true;
    for (int r = 0; s == STATUS_OK && good && r < g->size; r++)
        good = take_told(f, b, reader_of(all.data + offset[r], offset[r + 1] - offset[r]), told);
    if (s == STATUS_OK && !(good && read_told(f, b, told)))
        s = error_set(e, STATUS_DATA, "a damaged forest");
    buffer_fini(&mine);
    buffer_fini(&all);
    free(told);
    free(offset);
    return s;
}

/* What a block that is grown comes to. Where rows are still to be told by trees that did not draw them, that is a step of its own, before which a checkpoint may be due. */
static struct model_progress progress_of(const struct forest *f, bool stop)
{
    bool done = f->n_trees == f->wanted && !f->oob_score;
    return (struct model_progress){.epoch = (f->n_trees + FOREST_BLOCK - 1) / FOREST_BLOCK, .epoch_ended = true, .done = done, .stopped = stop && !done};
}

/* Collective. The last step, of a forest that has all its trees. */
static enum status score_left_out(const struct forest *f, struct gang *g, struct model_progress *out, struct error *e)
{
    struct forest_oob oob = {&f->sample, &f->data.tree, f->trees, f->n_trees};
    *out = progress_of(f, false);
    out->done = true;
    TRY(forest_oob_accuracy(&oob, g, &out->oob_accuracy, e));
    out->has_oob = !isnan(out->oob_accuracy);
    return STATUS_OK;
}

/* Collective. */
static enum status make_block(struct forest *f, const struct block *b, struct gang *g, struct error *e)
{
    struct error ignored;
    bool bad;
    enum status s = grow_own(f, b, g, e), told = gang_any(g, s != STATUS_OK, &bad, s == STATUS_OK ? e : &ignored);
    if (s == STATUS_OK)
        s = told != STATUS_OK ? told : bad ? error_set(e, STATUS_MEMORY, "another rank of the gang had no memory to grow a tree") : STATUS_OK;
    return s == STATUS_OK && g->size > 1 ? share_block(f, b, g, e) : s;
}

enum status forest_fit_step(struct model *model, const struct model_spec *spec, struct gang *g, struct model_progress *progress, struct error *e)
{
    struct forest *f = (struct forest *)model;
    struct block b = {.start = f->n_trees, .n = f->wanted - f->n_trees < FOREST_BLOCK ? f->wanted - f->n_trees : FOREST_BLOCK};
    bool stop;
    TRY(forest_data_fill(&f->data, spec, g, &stop, e));
    if (stop) {
        *progress = (struct model_progress){.epoch = (b.start + FOREST_BLOCK - 1) / FOREST_BLOCK, .stopped = true};
        return STATUS_OK;
    }
    if (b.n == 0 && f->oob_score)
        return score_left_out(f, g, progress, e);
    b.importances = memory_new((size_t)b.n * (size_t)f->n_columns * sizeof *b.importances);
    enum status s = make_block(f, &b, g, e);
    if (s == STATUS_OK)
        s = gang_any(g, g->stop(g), &stop, e);
    if (s == STATUS_OK)
        take_block(f, &b);
    else
        drop_block(f, &b);
    free(b.importances);
    *progress = progress_of(f, stop);
    return s;
}

/* --- predicting --- */

KERNEL static void take_keys(const float *restrict x, int n, uint32_t *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = tree_walk_key(x[i]);
}

/* Means over trees of n sums. */
KERNEL static void take_means(const double *restrict sum, size_t n, int n_trees, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(sum[i] / n_trees);
}

enum { GATHERED = 16 }; /* rows */

/* out (n, n_columns + 1): keys, and what keeps a row in a leaf (models/tree_walk.h). values (GATHERED, n_columns): room. */
static void gather_keys(const struct features *x, const int32_t *rows, int n, int n_columns, float *values, uint32_t *out)
{
    for (int at = 0; at < n; at += GATHERED) {
        int m = n - at < GATHERED ? n - at : GATHERED;
        features_gather_raw(x, rows + at, m, values);
        for (int i = 0; i < m; i++, out += n_columns + 1) {
            take_keys(values + (size_t)i * (size_t)n_columns, n_columns, out);
            out[n_columns] = 0;
        }
    }
}

enum status forest_predict(const struct model *model, const struct features *x, const int32_t *rows, int n, struct gang *g, float *proba,
                           struct error *e)
{
    const struct forest *f = (const struct forest *)model;
    int first, last, k = f->n_classes;
    gang_rows(n, g->rank, g->size, &first, &last);
    int together = tree_walk_rows(f->trees, f->n_trees, f->n_columns, k, last - first);
    uint32_t *block = memory_resize(NULL, (size_t)together * ((size_t)f->n_columns + 1) * sizeof *block);
    float *values = memory_resize(NULL, GATHERED * (size_t)f->n_columns * sizeof *values);
    double *sum = memory_resize(NULL, (size_t)together * (size_t)k * sizeof *sum);
    for (int at = first; at < last; at += together) {
        int m = last - at < together ? last - at : together;
        gather_keys(x, rows + at, m, f->n_columns, values, block);
        memset(sum, 0, (size_t)m * (size_t)k * sizeof *sum);
        tree_walk_add_all(f->trees, f->n_trees, block, f->n_columns, m, sum, k);
        take_means(sum, (size_t)m * (size_t)k, f->n_trees, proba + (size_t)at * (size_t)k);
        gang_look(g);
    }
    free(block);
    free(values);
    free(sum);
    return gang_share_rows(g, proba, n, k, e);
}

enum status forest_permute(struct model *model, const struct model_spec *spec, const struct rows *rows, struct gang *g, const struct model_between *between,
                           struct buffer *out, struct error *e)
{
    struct forest *f = (struct forest *)model;
    struct forest_permutation p = {f->trees, f->n_trees, f->n_classes, .key = spec->key, .counted = &f->counted, .between = between};
    p.repeats = (int)forest_whole(spec->params, spec->kind->name, "permutation_repeats", 0);
    return forest_permutation(&p, spec->features, rows, g, out, e);
}

/* --- bytes: docs/forest-file.md --- */

static const char magic[8] = {'F', 'S', 'F', 'O', 'R', 'S', 'T', '2'}, first_magic[8] = {'F', 'S', 'F', 'O', 'R', 'S', 'T', '1'};

void forest_write(const struct model *model, struct buffer *out)
{
    const struct forest *f = (const struct forest *)model;
    buffer_put(out, magic, sizeof magic);
    buffer_put_i32(out, f->n_columns);
    buffer_put_i32(out, f->n_classes);
    buffer_put_i32(out, f->n_trees);
    for (int c = 0; c < f->n_columns; c++)
        buffer_put_f64(out, f->importances[c]);
    if (f->n_written > 0)
        buffer_put(out, f->written.data, f->written.size);
    for (int t = f->n_written; t < f->n_trees; t++)
        tree_walk_write(&f->trees[t], f->n_columns, f->n_classes, out);
}

/* The file; then, where permutations were stopped, how many rounds there are, and their counts (int32). */
void forest_state_write(const struct model *model, struct buffer *out)
{
    const struct forest *f = (const struct forest *)model;
    forest_write(model, out);
    if (f->counted.n == 0)
        return;
    buffer_put_i32(out, f->counted.n);
    for (int i = 0; i < f->counted.n; i++)
        buffer_put_i32(out, f->counted.right[i]);
}

/* Its head alone. Trees have normalized theirs; where some split nothing, the sum over trees is less than their number. */
enum status forest_importances(const void *bytes, size_t n, int columns, double *out, struct error *e)
{
    struct reader r = reader_of(bytes, n);
    const char *head = reader_take(&r, sizeof magic);
    int found = reader_i32(&r);
    double sum = 0;
    reader_i32(&r);
    reader_i32(&r);
    if (r.failed || (memcmp(head, magic, sizeof magic) != 0 && memcmp(head, first_magic, sizeof magic) != 0) || found != columns)
        return error_set(e, STATUS_DATA, "no forest file, or one that is not over %d columns", columns);
    for (int c = 0; c < columns; c++) {
        out[c] = reader_f64(&r);
        if (out[c] < 0 && out[c] > -1e-6) /* splits that take nothing away, rounded */
            out[c] = 0;
        if (!(out[c] >= 0) || !isfinite(out[c]))
            return error_set(e, STATUS_DATA, "a forest with an importance of %g", out[c]);
        sum += out[c];
    }
    for (int c = 0; c < columns && sum > 0; c++)
        out[c] /= sum;
    return r.failed ? error_set(e, STATUS_DATA, "a truncated forest file") : STATUS_OK;
}

/* A tree of a file of the first form. */
static enum status take_first(struct tree_walk *out, struct reader *r, int columns, int classes, struct error *e)
{
    struct tree t;
    TRY(tree_read(&t, r, columns, classes, e));
    enum status s = tree_walk_of(out, &t, columns, e);
    tree_fini(&t);
    return s;
}

static enum status take_forest(struct forest *f, struct reader *r, struct error *e)
{
    const char *head = reader_take(r, sizeof magic);
    int columns = reader_i32(r), classes = reader_i32(r), trees = reader_i32(r);
    if (r->failed || (memcmp(head, magic, sizeof magic) != 0 && memcmp(head, first_magic, sizeof magic) != 0))
        return error_set(e, STATUS_DATA, "no forest file, or a truncated one");
    if (columns != f->n_columns || classes != f->n_classes || trees < 0 || trees > f->wanted)
        return error_set(e, STATUS_DATA, "a forest of %d trees over %d columns and %d classes; %d, %d and %d were expected", trees, columns, classes,
                         f->wanted, f->n_columns, f->n_classes);
    for (int c = 0; c < columns; c++)
        f->importances[c] = reader_f64(r);
    while (f->n_trees < trees) {
        struct tree_walk *tree = &f->trees[f->n_trees];
        TRY(memcmp(head, magic, sizeof magic) == 0 ? tree_walk_read(tree, r, columns, classes, e) : take_first(tree, r, columns, classes, e));
        f->n_trees++;
    }
    return r->failed ? error_set(e, STATUS_DATA, "a truncated forest file") : STATUS_OK;
}

static enum status take_end(const struct reader *r, struct error *e)
{
    return r->failed || r->at != r->end ? error_set(e, STATUS_DATA, "a truncated forest file, or one with more bytes than a forest has") : STATUS_OK;
}

static void take_counted(struct forest *f, struct reader *r)
{
    int n = reader_i32(r);
    const unsigned char *counts = n > 0 && (size_t)n <= SIZE_MAX / 4 ? reader_take(r, (size_t)n * 4) : NULL;
    if (!counts)
        return;
    struct reader of = reader_of(counts, (size_t)n * 4);
    f->counted.right = memory_resize(f->counted.right, (size_t)n * sizeof *f->counted.right);
    f->counted.n = n;
    for (int i = 0; i < n; i++)
        f->counted.right[i] = reader_i32(&of);
}

enum status forest_state_read(struct model *model, const void *bytes, size_t n, struct error *e)
{
    struct forest *f = (struct forest *)model;
    struct reader r = reader_of(bytes, n);
    TRY(take_forest(f, &r, e));
    if (r.at != r.end)
        take_counted(f, &r);
    return take_end(&r, e);
}

enum status forest_read(struct model **out, const struct model_kind *kind, const struct params *p, const struct model_shape *shape,
                        const struct forest_file *bytes, struct error *e)
{
    struct forest *f = new_forest(kind, forest_columns(shape), shape->n_classes, (int)forest_whole(p, kind->name, "n_estimators", 0));
    *out = NULL;
    struct reader r = reader_of(bytes->data, bytes->n);
    enum status s = take_forest(f, &r, e);
    if (s == STATUS_OK)
        s = take_end(&r, e);
    if (s == STATUS_OK && f->n_trees == 0)
        s = error_set(e, STATUS_DATA, "a forest without trees");
    if (s == STATUS_OK)
        *out = &f->model;
    else
        forest_free(&f->model);
    return s;
}
