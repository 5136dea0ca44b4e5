/* The majority class: every row gets the frequencies of the training rows. What any model must beat. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "models/model.h"

struct majority {
    struct model model;
    int n_classes;
    float *share; /* (n_classes) owned */
};

extern const struct model_kind model_majority;

static struct majority *new_majority(int n_classes)
{
    struct majority *m = memory_new(sizeof *m);
    m->model.kind = &model_majority;
    m->n_classes = n_classes;
    m->share = memory_new((size_t)n_classes * sizeof *m->share);
    return m;
}

static enum status check(const struct params *p, const struct model_shape *shape, struct error *e)
{
    (void)p, (void)shape, (void)e;
    return STATUS_OK;
}

static struct model_bytes bytes(const struct params *p, const struct model_shape *shape)
{
    (void)p;
    return (struct model_bytes){.fit = (uint64_t)shape->n_classes * sizeof(float)};
}

static double flops(const struct params *p, const struct model_shape *shape)
{
    (void)p;
    return (double)shape->train_rows;
}

static enum status fit_new(struct model **out, const struct model_spec *spec, struct error *e)
{
    (void)e;
    *out = &new_majority(spec->n_classes)->model;
    return STATUS_OK;
}

static enum status fit_step(struct model *model, const struct model_spec *spec, struct gang *g, struct model_progress *progress, struct error *e)
{
    struct majority *m = (struct majority *)model;
    (void)g, (void)e;
    int64_t *count = memory_new((size_t)m->n_classes * sizeof *count);
    for (int i = 0; i < spec->train->n; i++)
        count[spec->train->y[i]]++;
    for (int c = 0; c < m->n_classes; c++)
        m->share[c] = (float)((double)count[c] / spec->train->n);
    free(count);
    *progress = (struct model_progress){.epoch = 1, .epoch_ended = true, .done = true};
    return STATUS_OK;
}

static void write_shares(const struct model *model, struct buffer *out)
{
    const struct majority *m = (const struct majority *)model;
    buffer_puts(out, "FSMAJOR1");
    buffer_put_i32(out, m->n_classes);
    buffer_put(out, m->share, (size_t)m->n_classes * sizeof *m->share);
}

static enum status take(struct majority *m, const void *data, size_t n, struct error *e)
{
    struct reader r = reader_of(data, n);
    const char *magic = reader_take(&r, 8);
    bool good = magic && memcmp(magic, "FSMAJOR1", 8) == 0 && reader_i32(&r) == m->n_classes;
    const void *share = good ? reader_take(&r, (size_t)m->n_classes * sizeof *m->share) : NULL;
    if (!share || r.at != r.end)
        return error_set(e, STATUS_DATA, "no model of the majority class for %d classes, or a damaged one", m->n_classes);
    memcpy(m->share, share, (size_t)m->n_classes * sizeof *m->share);
    return STATUS_OK;
}

static enum status state_read(struct model *m, const void *data, size_t n, struct error *e)
{
    return take((struct majority *)m, data, n, e);
}

static void free_majority(struct model *model)
{
    struct majority *m = (struct majority *)model;
    if (m)
        free(m->share);
    free(m);
}

/* Shares of rows, as a finished model has them. */
static bool are_shares(const float *share, int n)
{
    double sum = 0;
    bool good = true;
    for (int c = 0; c < n; c++) {
        good = good && share[c] >= 0; /* no NaN */
        sum += (double)share[c];
    }
    return good && fabs(sum - 1) < 1e-3;
}

static enum status read_majority(struct model **out, const struct params *p, const struct model_shape *shape, const void *data, size_t n,
                                 struct error *e)
{
    struct majority *m = new_majority(shape->n_classes);
    (void)p;
    *out = NULL;
    enum status s = take(m, data, n, e);
    if (s == STATUS_OK && !are_shares(m->share, m->n_classes))
        s = error_set(e, STATUS_DATA, "a model of the majority class whose shares do not sum to 1");
    if (s == STATUS_OK)
        *out = &m->model;
    else
        free_majority(&m->model);
    return s;
}

static enum status predict(const struct model *model, const struct features *x, const int32_t *rows, int n, struct gang *g, float *proba,
                           struct error *e)
{
    const struct majority *m = (const struct majority *)model;
    (void)x, (void)rows, (void)g, (void)e;
    for (int i = 0; i < n; i++)
        memcpy(proba + (size_t)i * (size_t)m->n_classes, m->share, (size_t)m->n_classes * sizeof *proba);
    return STATUS_OK;
}

static const struct param no_params[] = {{0}};

const struct model_kind model_majority = {
    .name = "majority",
    .help = "the most frequent class; a baseline that runs in every task",
    .params = no_params,
    .baseline = true,
    .blind = true,
    .extension = "majority",
    .check = check,
    .bytes = bytes,
    .flops = flops,
    .fit_new = fit_new,
    .fit_step = fit_step,
    .state_write = write_shares,
    .state_read = state_read,
    .predict = predict,
    .write = write_shares,
    .read = read_majority,
    .free = free_majority,
};
