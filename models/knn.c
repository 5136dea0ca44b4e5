/* k nearest neighbours by Euclidean distance over the scaled features (models/nearest.h).
 *
 * Every training row is a neighbour and has a vote; of equal distances the earlier row comes first. But traffic repeats: of rows that are the same often only
 * some are among the k, and with k = 1 the class of the earliest would be all that is known of such a flow. With duplicates = "shared" they all share
 * the votes that are left for them: the mean over every order in which they could stand. The model's file carries the training rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "models/nearest.h"
#include "models/shard.h"

enum { NEIGHBOURS_MAX = 256, BLOCK = 64 };

struct knn {
    struct model model;
    int n, width, n_classes, k;
    bool shared;
    float *rows;          /* (n, width) until they are all there; owned, as all */
    struct nearest *near;
    int32_t *y;           /* (n) */
};

extern const struct model_kind model_knn;

static const struct param knn_params[] = {
    {"n_neighbors", PARAM_INT, 1, NEIGHBOURS_MAX, NULL, "1", "neighbours that vote"},
    {"duplicates", PARAM_WORD | PARAM_LATER, 0, 0, "ordered|shared", "\"ordered\"",
     "equal training rows of which not all are among the neighbours: the earlier ones vote, or all share these votes"},
    {0},
};

static void free_knn(struct model *model)
{
    struct knn *m = (struct knn *)model;
    if (!m)
        return;
    free(m->rows);
    nearest_free(m->near);
    free(m->y);
    free(m);
}

/* head: n, width, n_classes, k. */
static enum status new_knn(struct knn **out, const int32_t head[4], const struct params *p, struct error *e)
{
    struct knn *m = memory_new(sizeof *m);
    size_t n = (size_t)head[0], width = (size_t)head[1];
    *m = (struct knn){.model.kind = &model_knn, .n = head[0], .width = head[1], .n_classes = head[2], .k = head[3]};
    m->shared = params_get(p, "knn.duplicates") && params_is(p, "knn.duplicates", "shared"); /* bundles that are older do not have it */
    m->rows = calloc(n * width + 1, sizeof *m->rows);
    m->y = calloc(n + 1, sizeof *m->y);
    *out = NULL;
    enum status s = nearest_new(&m->near, m->n, m->width, e);
    if (s == STATUS_OK && (!m->rows || !m->y))
        s = error_set(e, STATUS_MEMORY, "knn: no memory for %d rows of %d numbers", m->n, m->width);
    if (s == STATUS_OK)
        *out = m;
    else
        free_knn(&m->model);
    return s;
}

/* The rows are all there. */
static void finish(struct knn *m)
{
    nearest_fill(m->near, m->rows);
    free(m->rows);
    m->rows = NULL;
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
    int64_t width = shape->steps * shape->n_channels;
    uint64_t rows = (uint64_t)shape->train_rows * (uint64_t)(width + 1) * sizeof(float);
    return (struct model_bytes){.fit = rows + nearest_bytes(shape->train_rows, width), .file = rows};
}

static double flops(const struct params *p, const struct model_shape *shape)
{
    (void)p;
    return 1.5 * (double)shape->train_rows * (double)shape->train_rows * shape->steps * shape->n_channels;
}

static enum status fit_new(struct model **out, const struct model_spec *spec, struct error *e)
{
    const int32_t head[] = {spec->train->n, spec->features->steps * spec->features->n_channels, spec->n_classes,
                            (int32_t)params_int(spec->params, "knn.n_neighbors")};
    struct knn *m;
    *out = NULL;
    TRY(new_knn(&m, head, spec->params, e));
    *out = &m->model;
    return STATUS_OK;
}

static enum status fit_step(struct model *model, const struct model_spec *spec, struct gang *g, struct model_progress *progress, struct error *e)
{
    struct knn *m = (struct knn *)model;
    for (int at = 0; at < m->n; at += BLOCK)
        TRY(shard_rows(spec, g, at, m->n - at < BLOCK ? m->n - at : BLOCK, m->rows + (size_t)at * (size_t)m->width, e));
    memcpy(m->y, spec->train->y, (size_t)m->n * sizeof *m->y);
    finish(m);
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
        if (m->rows)
            memcpy(row, m->rows + (size_t)i * (size_t)m->width, (size_t)m->width * sizeof *row);
        else
            nearest_row(m->near, i, row);
        buffer_put(out, row, (size_t)m->width * sizeof *row);
    }
    free(row);
}

static enum status take(struct knn *m, struct reader *r, struct error *e)
{
    size_t n = (size_t)m->n, floats = n * (size_t)m->width;
    const void *y = reader_take(r, n * sizeof *m->y), *x = reader_take(r, floats * sizeof *m->rows);
    bool good = y && x && r->at == r->end;
    if (good) {
        memcpy(m->y, y, n * sizeof *m->y);
        memcpy(m->rows, x, floats * sizeof *m->rows);
    }
    for (size_t i = 0; good && i < n; i++)
        good = m->y[i] >= 0 && m->y[i] < m->n_classes;
    for (size_t i = 0; good && i < floats; i++)
        good = isfinite(m->rows[i]);
    return good ? STATUS_OK : error_set(e, STATUS_DATA, "a damaged model of nearest neighbours");
}

static enum status read_knn(struct model **out, const struct params *p, const struct model_shape *shape, const void *data, size_t size,
                            struct error *e)
{
    struct reader r = reader_of(data, size);
    const char *magic = reader_take(&r, 8);
    int32_t head[4];
    for (int i = 0; i < 4; i++)
        head[i] = reader_i32(&r);
    struct knn *m;
    *out = NULL;
    if (r.failed || memcmp(magic, "FSKNN__1", 8) != 0 || head[0] < 1 || head[1] != shape->steps * shape->n_channels || head[2] != shape->n_classes ||
        head[3] < 1 || head[3] > NEIGHBOURS_MAX || (size_t)head[0] > size / 4 / ((size_t)head[1] + 1))
        return error_set(e, STATUS_DATA, "no model of nearest neighbours of this shape");
    TRY(new_knn(&m, head, p, e));
    enum status s = take(m, &r, e);
    if (s != STATUS_OK) {
        free_knn(&m->model);
        return s;
    }
    finish(m);
    *out = &m->model;
    return STATUS_OK;
}

/* There is one step, and it takes all rows anew. */
static enum status state_read(struct model *model, const void *data, size_t size, struct error *e)
{
    struct knn *m = (struct knn *)model;
    struct reader r = reader_of(data, size);
    reader_take(&r, 24);
    return take(m, &r, e);
}

/* Of neighbours at the same distance: their rows in order, at most `most`. votes (n_classes) += 1 for each. Returns how many. */
static int vote_of_tied(const struct knn *m, const uint64_t *tied, int n, int most, float *votes)
{
    int at[NEIGHBOURS_MAX] = {0}, given = 0;
    const int32_t *rows;
    for (; given < most; given++) {
        int next = -1, row = 0;
        for (int i = 0; i < n; i++)
            if (at[i] < nearest_members(m->near, tied[i], &rows) && (next < 0 || rows[at[i]] < row)) {
                next = i;
                row = rows[at[i]];
            }
        if (next < 0)
            break;
        at[next]++;
        votes[m->y[row]] += 1.0f;
    }
    return given;
}

static float vote_ordered(const struct knn *m, const uint64_t *best, int n, float *votes)
{
    int given = 0;
    for (int i = 0, end; i < n && given < m->k; i = end) {
        for (end = i + 1; end < n && nearest_distance(best[end]) == nearest_distance(best[i]);)
            end++;
        given += vote_of_tied(m, best + i, end - i, m->k - given, votes);
    }
    return (float)given;
}

static float vote_shared(const struct knn *m, const uint64_t *best, int n, float *votes)
{
    int given = 0;
    for (int i = 0; i < n && given < m->k; i++) {
        const int32_t *rows;
        int members = nearest_members(m->near, best[i], &rows), left = m->k - given;
        float vote = members <= left ? 1.0f : (float)left / (float)members;
        for (int r = 0; r < members; r++)
            votes[m->y[rows[r]]] += vote;
        given += members <= left ? members : left;
    }
    return (float)given;
}

/* proba (n, n_classes) of n <= NEAREST_QUERIES rows x (n, width); room (NEAREST_QUERIES, 2 k). */
static void vote(const struct knn *m, const float *x, int n, uint64_t *room, float *proba)
{
    int found = nearest_search(m->near, x, n, m->k, room);
    memset(proba, 0, (size_t)n * (size_t)m->n_classes * sizeof *proba);
    for (int i = 0; i < n; i++, proba += m->n_classes) {
        const uint64_t *best = room + (size_t)i * (size_t)found;
        float total = m->shared ? vote_shared(m, best, found, proba) : vote_ordered(m, best, found, proba);
        for (int c = 0; c < m->n_classes; c++)
            proba[c] /= total;
    }
}

static enum status predict(const struct model *model, const struct features *x, const int32_t *rows, int n, struct gang *g, float *proba,
                           struct error *e)
{
    const struct knn *m = (const struct knn *)model;
    float *some = memory_new(NEAREST_QUERIES * (size_t)m->width * sizeof *some);
    uint64_t *room = memory_new(NEAREST_QUERIES * 2 * (size_t)m->k * sizeof *room);
    int first, last;
    gang_rows(n, g->rank, g->size, &first, &last);
    for (int i = first; i < last; i += NEAREST_QUERIES) {
        int count = last - i < NEAREST_QUERIES ? last - i : NEAREST_QUERIES;
        features_gather(x, &rows[i], count, some);
        vote(m, some, count, room, proba + (size_t)i * (size_t)m->n_classes);
        gang_look(g);
    }
    free(some);
    free(room);
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
