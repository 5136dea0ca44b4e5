/* k nearest neighbours by Euclidean distance over the scaled features; each of the k has one vote.
 *
 * Training rows lie in blocks of BLOCK, transposed, so that one loop measures BLOCK distances. Equal distances: the earlier
 * training row. The model's file carries the training rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "models/kernels.h"
#include "models/shard.h"

enum { BLOCK = 64, NEIGHBOURS_MAX = 256 };

struct knn {
    struct model model;
    int n, width, n_classes, k;
    float *x;   /* (ceil(n / BLOCK), width, BLOCK) owned */
    int32_t *y; /* (n) owned */
};

extern const struct model_kind model_knn;

static const struct param knn_params[] = {
    {"n_neighbors", PARAM_INT, 1, NEIGHBOURS_MAX, NULL, "1", "training rows that vote"},
    {0},
};

static size_t block_floats(const struct knn *m)
{
    return ((size_t)m->n + BLOCK - 1) / BLOCK * BLOCK * (size_t)m->width;
}

static enum status new_knn(struct knn **out, int n, int width, int n_classes, int k, struct error *e)
{
    struct knn *m = memory_new(sizeof *m);
    *m = (struct knn){.model.kind = &model_knn, .n = n, .width = width, .n_classes = n_classes, .k = k};
    m->x = calloc(block_floats(m) + 1, sizeof *m->x);
    m->y = calloc((size_t)n + 1, sizeof *m->y);
    *out = m;
    if (m->x && m->y)
        return STATUS_OK;
    m->model.kind->free(&m->model);
    *out = NULL;
    return error_set(e, STATUS_MEMORY, "knn: no memory for %d rows of %d numbers", n, width);
}

static void free_knn(struct model *model)
{
    struct knn *m = (struct knn *)model;
    if (!m)
        return;
    free(m->x);
    free(m->y);
    free(m);
}

static void put_row(struct knn *m, int i, const float *row)
{
    float *block = m->x + (size_t)(i / BLOCK) * BLOCK * (size_t)m->width;
    for (int j = 0; j < m->width; j++)
        block[j * BLOCK + i % BLOCK] = row[j];
}

static void get_row(const struct knn *m, int i, float *row)
{
    const float *block = m->x + (size_t)(i / BLOCK) * BLOCK * (size_t)m->width;
    for (int j = 0; j < m->width; j++)
        row[j] = block[j * BLOCK + i % BLOCK];
}

static enum status check(const struct params *p, const struct model_shape *shape, struct error *e)
{
    int64_t k = params_int(p, "knn.n_neighbors");
    if (shape->train_rows > 0 && k > shape->train_rows)
        return error_set(e, STATUS_CONFIG, "knn.n_neighbors = %lld, but there are %lld training rows", (long long)k, (long long)shape->train_rows);
    return STATUS_OK;
}

static struct model_bytes bytes(const struct params *p, const struct model_shape *shape)
{
    (void)p;
    uint64_t rows = (uint64_t)shape->train_rows * (uint64_t)(shape->steps * shape->n_channels + 1) * sizeof(float);
    return (struct model_bytes){.fit = rows, .file = rows};
}

static double flops(const struct params *p, const struct model_shape *shape)
{
    (void)p;
    return 1.5 * (double)shape->train_rows * (double)shape->train_rows * shape->steps * shape->n_channels;
}

static enum status fit_new(struct model **out, const struct model_spec *spec, struct error *e)
{
    struct knn *m;
    *out = NULL;
    TRY(new_knn(&m, spec->train->n, spec->features->steps * spec->features->n_channels, spec->n_classes,
                (int)params_int(spec->params, "knn.n_neighbors"), e));
    *out = &m->model;
    return STATUS_OK;
}

static enum status fit_step(struct model *model, const struct model_spec *spec, struct gang *g, struct model_progress *progress, struct error *e)
{
    struct knn *m = (struct knn *)model;
    float *rows = memory_new(BLOCK * (size_t)m->width * sizeof *rows);
    enum status s = STATUS_OK;
    for (int at = 0; s == STATUS_OK && at < m->n; at += BLOCK) {
        int n = m->n - at < BLOCK ? m->n - at : BLOCK;
        s = shard_rows(spec, g, at, n, rows, e);
        for (int i = 0; i < n; i++)
            put_row(m, at + i, rows + (size_t)i * (size_t)m->width);
    }
    free(rows);
    TRY(s);
    memcpy(m->y, spec->train->y, (size_t)m->n * sizeof *m->y);
    *progress = (struct model_progress){.epoch = 1, .epoch_ended = true, .done = true};
    return STATUS_OK;
}

static void write_rows(const struct model *model, struct buffer *out)
{
    const struct knn *m = (const struct knn *)model;
    const int32_t head[] = {m->n, m->width, m->n_classes, m->k};
    float *row = memory_new((size_t)m->width * sizeof *row);
    buffer_puts(out, "FSKNN__1");
    buffer_put(out, head, sizeof head);
    buffer_put(out, m->y, (size_t)m->n * sizeof *m->y);
    for (int i = 0; i < m->n; i++) {
        get_row(m, i, row);
        buffer_put(out, row, (size_t)m->width * sizeof *row);
    }
    free(row);
}

static enum status take(struct knn *m, struct reader *r, struct error *e)
{
    const int32_t *y = reader_take(r, (size_t)m->n * sizeof *y);
    bool good = y != NULL;
    for (int i = 0; good && i < m->n; i++) {
        memcpy(&m->y[i], (const char *)y + (size_t)i * sizeof *y, sizeof *y);
        good = m->y[i] >= 0 && m->y[i] < m->n_classes;
    }
    float *row = memory_new((size_t)m->width * sizeof *row);
    for (int i = 0; good && i < m->n; i++) {
        const void *x = reader_take(r, (size_t)m->width * sizeof *row);
        good = x != NULL;
        if (good) {
            memcpy(row, x, (size_t)m->width * sizeof *row);
            put_row(m, i, row);
        }
        for (int j = 0; good && j < m->width; j++)
            good = isfinite(row[j]);
    }
    free(row);
    return good && r->at == r->end ? STATUS_OK : error_set(e, STATUS_DATA, "a damaged model of nearest neighbours");
}

static enum status read_knn(struct model **out, const struct params *p, const struct model_shape *shape, const void *data, size_t size,
                            struct error *e)
{
    struct reader r = reader_of(data, size);
    const char *magic = reader_take(&r, 8);
    int n = reader_i32(&r), width = reader_i32(&r), n_classes = reader_i32(&r), k = reader_i32(&r);
    struct knn *m;
    (void)p;
    *out = NULL;
    if (r.failed || memcmp(magic, "FSKNN__1", 8) != 0 || n < 1 || width != shape->steps * shape->n_channels || n_classes != shape->n_classes ||
        k < 1 || k > NEIGHBOURS_MAX || (size_t)n > size / 4 / ((size_t)width + 1))
        return error_set(e, STATUS_DATA, "no model of nearest neighbours of this shape");
    TRY(new_knn(&m, n, width, n_classes, k, e));
    enum status s = take(m, &r, e);
    if (s == STATUS_OK)
        *out = &m->model;
    else
        free_knn(&m->model);
    return s;
}

static enum status state_read(struct model *model, const void *data, size_t size, struct error *e)
{
    struct knn *m = (struct knn *)model;
    struct reader r = reader_of(data, size);
    reader_take(&r, 24);
    return take(m, &r, e);
}

struct neighbour {
    float distance;
    int row;
};

/* Keeps the k nearest, sorted; later ones with the same distance stand behind. */
static void insert(struct neighbour *best, int *found, int k, float distance, int row)
{
    int at = *found < k ? (*found)++ : k - 1;
    while (at > 0 && best[at - 1].distance > distance) {
        best[at] = best[at - 1];
        at--;
    }
    best[at] = (struct neighbour){distance, row};
}

/* proba (n_classes) of one row x (width). */
static void vote(const struct knn *m, const float *x, float *proba)
{
    struct neighbour best[NEIGHBOURS_MAX];
    int k = m->k < m->n ? m->k : m->n, found = 0;
    float distance[BLOCK], limit = INFINITY;
    for (int first = 0; first < m->n; first += BLOCK) {
        const float *block = m->x + (size_t)(first / BLOCK) * BLOCK * (size_t)m->width;
        kernel_distances(block, x, m->width, distance);
        for (int i = 0; i < BLOCK && first + i < m->n; i++)
            if (distance[i] < limit) {
                insert(best, &found, k, distance[i], first + i);
                limit = found == k ? best[k - 1].distance : INFINITY;
            }
    }
    memset(proba, 0, (size_t)m->n_classes * sizeof *proba);
    for (int i = 0; i < found; i++)
        proba[m->y[best[i].row]] += 1.0f;
    for (int c = 0; c < m->n_classes; c++)
        proba[c] /= (float)found;
}

static enum status predict(const struct model *model, const struct features *x, const int32_t *rows, int n, struct gang *g, float *proba,
                           struct error *e)
{
    const struct knn *m = (const struct knn *)model;
    float *row = memory_new((size_t)m->width * sizeof *row);
    int first, last;
    gang_rows(n, g->rank, g->size, &first, &last);
    for (int i = first; i < last; i++) {
        features_gather(x, &rows[i], 1, row);
        vote(m, row, proba + (size_t)i * (size_t)m->n_classes);
        gang_look(g);
    }
    free(row);
    return gang_share_rows(g, proba, n, m->n_classes, e);
}

const struct model_kind model_knn = {
    .name = "knn",
    .help = "k nearest neighbours; a baseline that runs in every task with one neighbour",
    .params = knn_params,
    .baseline = true,
    .extension = "knn",
    .check = check,
    .bytes = bytes,
    .flops = flops,
    .fit_new = fit_new,
    .fit_step = fit_step,
    .state_write = write_rows,
    .state_read = state_read,
    .predict = predict,
    .write = write_rows,
    .read = read_knn,
    .free = free_knn,
};
