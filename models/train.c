#include "models/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "models/metrics.h"
#include "models/optimizer.h"
#include "models/safetensors.h"

const struct param train_params[] = {
    {"learning_rate", PARAM_REAL | PARAM_OPEN, 0, 100, NULL, "0.001", "size of a step"},
    {"batch_size", PARAM_INT, 1, 65536, NULL, "64", "rows a step is computed from"},
    {"epochs", PARAM_INT, 1, 100000, NULL, "20", "passes over the training rows, at most"},
    {"optimizer", PARAM_WORD, 0, 0, "adam|sgd", "\"adam\"", "how weights move"},
    {"momentum", PARAM_REAL, 0, 0.9999999, NULL, "0.0", "of sgd"},
    {"beta_1", PARAM_REAL, 0, 0.9999999, NULL, "0.9", "of adam: decay of the mean"},
    {"beta_2", PARAM_REAL, 0, 0.9999999, NULL, "0.999", "of adam: decay of the variance"},
    {"epsilon", PARAM_REAL | PARAM_OPEN, 0, 1, NULL, "1e-7", "of adam: beside the root of the corrected variance"},
    {"patience", PARAM_INT, 0, 100000, NULL, "5", "epochs without a better one before training ends, the best restored; 0: off"},
    {"monitor", PARAM_WORD | PARAM_NONE, 0, 0,
     "accuracy|balanced_accuracy|macro_precision|macro_recall|macro_f1|weighted_precision|weighted_recall|weighted_f1|log_loss|top3_accuracy|top5_"
     "accuracy",
     "\"none\"", "metric on the stop rows that patience watches; none: study.metric"},
    {"class_weight", PARAM_WORD | PARAM_NONE, 0, 0, "balanced", "\"none\"", "balanced: classes weigh alike"},
    {0},
};

struct trainer {
    struct model model;
    struct network net;
    struct run *run, *predict;
    struct slab slab;
    /* One piece each: what moves, what it was when the epoch began, the best. Weights, then moving statistics, then moments. */
    float *live, *start, *best, *total;
    size_t n_kept, n_live; /* floats of weights and statistics; with moments */
    int epoch, best_epoch; /* finished; of the best */
    int64_t step, start_step;
    double best_metric;
    bool done;
};

static float *stats_of(const struct trainer *t, float *from)
{
    return from + t->net.n_weights;
}

/* --- making --- */

static int token_channel_of(const struct features *x)
{
    return features_find(x, CHANNEL_SIGNED_SIZE);
}

static struct model_shape shape_of(const struct model_spec *spec)
{
    const struct features *x = spec->features;
    return (struct model_shape){.steps = x->steps, .n_channels = x->n_channels, .n_classes = spec->n_classes, .clip = x->clip,
                                .has_signed_size = token_channel_of(x) >= 0, .train_rows = spec->train->n};
}

static void cut(struct trainer *t, bool training)
{
    t->live = slab_take(&t->slab, t->n_live * sizeof(float));
    if (!training)
        return;
    t->start = slab_take(&t->slab, t->n_live * sizeof(float));
    t->best = slab_take(&t->slab, t->n_kept * sizeof(float));
    t->total = slab_take(&t->slab, (t->net.n_weights + EXTRA_COUNT) * sizeof(float));
}

static enum status allocate(struct trainer *t, bool training, struct error *e)
{
    t->n_kept = t->net.n_weights + t->net.n_stats;
    t->n_live = t->n_kept + (training ? 2 * t->net.n_weights : 0);
    cut(t, training);
    TRY(slab_new(&t->slab, "a network's weights", e));
    cut(t, training);
    return run_new(&t->predict, &t->net, 1, false, e);
}

static enum status make(struct trainer **out, const struct model_kind *kind, network_build *build, const struct params *p,
                        const struct model_shape *shape, int token_channel, bool training, struct error *e)
{
    struct trainer *t = memory_new(sizeof *t);
    *out = NULL;
    t->model.kind = kind;
    enum status s = build(&t->net, p, shape, token_channel, e);
    if (s == STATUS_OK)
        s = allocate(t, training, e);
    if (s == STATUS_OK)
        *out = t;
    else
        train_free(&t->model);
    return s;
}

enum status train_new(struct model **out, const struct model_kind *kind, network_build *build, const struct model_spec *spec, struct error *e)
{
    struct model_shape shape = shape_of(spec);
    struct trainer *t;
    *out = NULL;
    TRY(make(&t, kind, build, spec->params, &shape, token_channel_of(spec->features), true, e));
    enum status s = run_new(&t->run, &t->net, gang_leaves((int)params_int(spec->params, "train.batch_size")), true, e);
    if (s != STATUS_OK) {
        train_free(&t->model);
        return s;
    }
    network_start(&t->net, t->live, stats_of(t, t->live), random_key(spec->key, 0x696e6974)); /* "init" */
    *out = &t->model;
    return STATUS_OK;
}

void train_free(struct model *m)
{
    struct trainer *t = (struct trainer *)m;
    if (!t)
        return;
    run_free(t->run);
    run_free(t->predict);
    slab_fini(&t->slab);
    free(t);
}

enum status train_check(network_build *build, const struct params *p, const struct model_shape *shape, struct error *e)
{
    struct network *net = memory_new(sizeof *net);
    enum status s = build(net, p, shape, shape->has_signed_size ? 0 : -1, e);
    free(net);
    return s;
}

uint64_t train_bytes(network_build *build, const struct params *p, const struct model_shape *shape)
{
    struct network *net = memory_new(sizeof *net);
    uint64_t bytes = 0, leaves = (uint64_t)gang_leaves((int)params_int(p, "train.batch_size"));
    if (build(net, p, shape, shape->has_signed_size ? 0 : -1, NULL) == STATUS_OK)
        bytes = 4 * ((9 + leaves) * net->n_weights + (leaves + 1) * LEAF_ROWS * 2 * network_row_floats(net));
    free(net);
    return bytes;
}

double train_flops(network_build *build, const struct params *p, const struct model_shape *shape)
{
    struct network *net = memory_new(sizeof *net);
    double flops = 0;
    if (build(net, p, shape, shape->has_signed_size ? 0 : -1, NULL) == STATUS_OK)
        flops = 6 * network_products(net) * (double)shape->train_rows * (double)params_int(p, "train.epochs");
    free(net);
    return flops;
}

/* --- an epoch --- */

static float *class_weights(const struct model_spec *spec)
{
    if (!params_is(spec->params, "train.class_weight", "balanced"))
        return NULL;
    float *w = memory_new((size_t)spec->n_classes * sizeof *w);
    int present = 0;
    for (int i = 0; i < spec->train->n; i++)
        w[spec->train->y[i]] += 1;
    for (int c = 0; c < spec->n_classes; c++)
        present += w[c] > 0;
    for (int c = 0; c < spec->n_classes; c++)
        w[c] = w[c] > 0 ? (float)((double)spec->train->n / ((double)present * (double)w[c])) : 0;
    return w;
}

/* All batches; *stopped where any rank was told to. Sums of losses and hits over rows. */
static enum status batches(struct trainer *t, const struct model_spec *spec, struct gang *g, struct batch *b, const int32_t *order, double *loss,
                           double *hits, bool *stopped, struct error *e)
{
    struct optimizer o = optimizer_of(spec->params);
    int size = (int)params_int(spec->params, "train.batch_size"), n = spec->train->n;
    size_t w = t->net.n_weights;
    float *m = t->live + t->n_kept, *v = m + w;
    for (int at = 0; at < n && !*stopped; at += size) {
        b->samples = order + at;
        b->n = n - at < size ? n - at : size;
        TRY(network_batch(&t->net, t->run, t->live, stats_of(t, t->live), b, g, t->total, e));
        *stopped = t->total[w + EXTRA_STOP] > 0;
        *loss += (double)t->total[w + EXTRA_LOSS];
        *hits += (double)t->total[w + EXTRA_HITS];
        if (!*stopped)
            optimizer_step(&o, ++t->step, t->live, t->total, m, v, w);
    }
    return STATUS_OK;
}

static enum status epoch(struct trainer *t, const struct model_spec *spec, struct gang *g, double *loss, double *hits, bool *stopped,
                         struct error *e)
{
    int n = spec->train->n;
    uint64_t key = random_key(spec->key, (uint64_t)t->epoch + 1);
    struct random r = random_of(key, 0x6f72646572); /* "order" */
    struct batch b = {.features = spec->features, .rows = spec->train, .key = key};
    int32_t *order = memory_new((size_t)n * sizeof *order);
    for (int i = 0; i < n; i++)
        order[i] = i;
    random_shuffle(&r, order, (size_t)n);
    float *weight = class_weights(spec);
    b.class_weight = weight;
    enum status s = batches(t, spec, g, &b, order, loss, hits, stopped, e);
    free(weight);
    free(order);
    return s;
}

/* Loss and the watched metric on the stop rows. */
static enum status evaluate(struct trainer *t, const struct model_spec *spec, struct gang *g, struct model_progress *p, double *watched,
                            struct error *e)
{
    const char *monitor = params_text(spec->params, "train.monitor");
    int metric = metric_find(monitor && strcmp(monitor, "none") != 0 ? monitor : spec->metric);
    double values[METRIC_COUNT];
    float *proba = memory_new((size_t)spec->stop->n * (size_t)spec->n_classes * sizeof *proba);
    enum status s = train_predict(&t->model, spec->features, spec->stop->row, spec->stop->n, g, proba, e);
    if (s == STATUS_OK) {
        metrics_of(proba, spec->stop->y, spec->stop->n, spec->n_classes, values, NULL, NULL);
        p->has_stop = spec->stop->n > 0;
        p->stop_loss = values[METRIC_LOG_LOSS];
        p->stop_metric = values[metric_find(spec->metric)];
        *watched = values[metric] * metric_sign((enum metric)metric);
    }
    free(proba);
    return s;
}

/* Keeps the best epoch (ties: the earlier), ends training where patience is over, and then puts the best back. */
static void early_stopping(struct trainer *t, const struct model_spec *spec, double watched)
{
    int patience = (int)params_int(spec->params, "train.patience");
    t->done = t->epoch >= params_int(spec->params, "train.epochs");
    if (patience == 0)
        return;
    if (t->best_epoch == 0 || watched > t->best_metric) {
        t->best_epoch = t->epoch;
        t->best_metric = watched;
        memcpy(t->best, t->live, t->n_kept * sizeof *t->best);
    }
    t->done |= t->epoch - t->best_epoch >= patience;
    if (t->done)
        memcpy(t->live, t->best, t->n_kept * sizeof *t->live);
}

enum status train_step(struct model *m, const struct model_spec *spec, struct gang *g, struct model_progress *progress, struct error *e)
{
    struct trainer *t = (struct trainer *)m;
    double loss = 0, hits = 0, watched = 0;
    bool stopped = false;
    *progress = (struct model_progress){.epoch = t->epoch, .done = t->done};
    if (t->done) /* a state from the very end */
        return STATUS_OK;
    memcpy(t->start, t->live, t->n_live * sizeof *t->start);
    t->start_step = t->step;
    TRY(epoch(t, spec, g, &loss, &hits, &stopped, e));
    if (stopped) {
        memcpy(t->live, t->start, t->n_live * sizeof *t->live);
        t->step = t->start_step;
        progress->stopped = true;
        return STATUS_OK;
    }
    t->epoch++;
    *progress = (struct model_progress){.epoch = t->epoch, .epoch_ended = true, .has_loss = true};
    progress->train_loss = loss / spec->train->n;
    progress->train_accuracy = hits / spec->train->n;
    if (!isfinite(progress->train_loss))
        return error_set(e, STATUS_DATA, "the loss became %s in epoch %d: try a smaller train.learning_rate", isnan(progress->train_loss) ? "nan" : "infinite",
                         t->epoch);
    TRY(evaluate(t, spec, g, progress, &watched, e));
    early_stopping(t, spec, watched);
    progress->done = t->done;
    return STATUS_OK;
}

/* --- predicting --- */

enum status train_predict(const struct model *m, const struct features *x, const int32_t *rows, int n, struct gang *g, float *proba,
                          struct error *e)
{
    const struct trainer *t = (const struct trainer *)m;
    return network_predict(&t->net, t->predict, t->live, t->live + t->net.n_weights, x, rows, n, g, proba, e);
}

/* --- state and file --- */

void train_state_write(const struct model *m, struct buffer *out)
{
    const struct trainer *t = (const struct trainer *)m;
    buffer_put_i32(out, t->epoch);
    buffer_put_i32(out, t->best_epoch);
    buffer_put_i32(out, t->done);
    buffer_put_u64(out, (uint64_t)t->step);
    buffer_put_f64(out, t->best_metric);
    buffer_put_bytes(out, t->live, t->n_live * sizeof *t->live);
    buffer_put_bytes(out, t->best, t->n_kept * sizeof *t->best);
}

enum status train_state_read(struct model *m, const void *bytes, size_t n, struct error *e)
{
    struct trainer *t = (struct trainer *)m;
    struct reader r = reader_of(bytes, n);
    size_t n_live, n_best;
    t->epoch = reader_i32(&r);
    t->best_epoch = reader_i32(&r);
    t->done = reader_i32(&r);
    t->step = (int64_t)reader_u64(&r);
    t->best_metric = reader_f64(&r);
    const void *live = reader_bytes(&r, &n_live), *best = reader_bytes(&r, &n_best);
    if (r.failed || n_live != t->n_live * sizeof *t->live || n_best != t->n_kept * sizeof *t->best)
        return error_set(e, STATUS_DATA, "a checkpoint of another network, or a damaged one");
    memcpy(t->live, live, n_live);
    memcpy(t->best, best, n_best);
    return STATUS_OK;
}

void train_write(const struct model *m, struct buffer *out)
{
    const struct trainer *t = (const struct trainer *)m;
    safetensors_write(&t->net, t->live, t->live + t->net.n_weights, out);
}

enum status train_read(struct model **out, const struct model_kind *kind, network_build *build, const struct params *p,
                       const struct model_shape *shape, const void *bytes, size_t n, struct error *e)
{
    struct trainer *t;
    *out = NULL;
    TRY(make(&t, kind, build, p, shape, shape->token_channel, false, e));
    enum status s = safetensors_read(&t->net, bytes, n, t->live, stats_of(t, t->live), e);
    if (s == STATUS_OK)
        *out = &t->model;
    else
        train_free(&t->model);
    return s;
}
