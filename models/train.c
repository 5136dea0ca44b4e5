#include "models/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "models/metrics.h"
#include "models/optimizer.h"
#include "models/safetensors.h"
#include "models/schedule.h"
#include "models/shard.h"

struct trainer {
    struct model model;
    struct network net;
    struct slab slab; /* all that follows points into it */
    struct run *run;
    struct optimizer optimizer; /* these two: while training */
    struct schedule schedule;
    struct plateau plateau;
    /* One piece each: what moves, what it was when the epoch began, the best. Weights, then moving statistics, then moments. */
    float *live, *start, *best, *total;
    int32_t *order;        /* (training rows) of an epoch */
    struct shard_epoch at_hand; /* its rows */
    float *stop_proba;     /* (stop rows, n_classes) */
    struct class_counts *counts; /* (n_classes) for metrics of them */
    float *class_weight;   /* (n_classes), or NULL */
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
    return (struct model_shape){.steps = x->steps,
                                .n_channels = x->n_channels,
                                .n_classes = spec->n_classes,
                                .clip = x->clip,
                                .has_signed_size = token_channel_of(x) >= 0,
                                .token_channel = token_channel_of(x),
                                .train_rows = spec->train->n,
                                .stop_rows = spec->stop->n};
}

/* Leaves of the largest batch: a batch has no more rows than there are. */
static int batch_leaves(const struct params *p, int64_t rows)
{
    int64_t size = params_int(p, "train.batch_size");
    return gang_leaves((int)(rows > 0 && rows < size ? rows : size));
}

/* All memory of a trainer, and the only place that sizes it. p NULL: to predict alone. */
static void lay(struct trainer *t, const struct params *p, const struct model_shape *shape)
{
    struct slab *s = &t->slab;
    size_t classes = (size_t)shape->n_classes;
    t->live = slab_take(s, t->n_live * sizeof(float));
    t->run = run_cut(s, &t->net, p ? batch_leaves(p, shape->train_rows) : 1, p != NULL);
    if (!p)
        return;
    t->start = slab_take(s, t->n_live * sizeof(float));
    t->best = slab_take(s, t->n_kept * sizeof(float));
    t->total = slab_take(s, (t->net.n_weights + EXTRA_COUNT) * sizeof(float));
    t->order = slab_take(s, (size_t)shape->train_rows * sizeof(int32_t));
    t->stop_proba = slab_take(s, (size_t)shape->stop_rows * classes * sizeof(float));
    t->counts = slab_take(s, classes * sizeof *t->counts);
    if (params_is(p, "train.class_weight", "balanced"))
        t->class_weight = slab_take(s, classes * sizeof(float));
}

/* Of a network that is built. */
static void measure(struct trainer *t, const struct params *p, const struct model_shape *shape)
{
    t->n_kept = t->net.n_weights + t->net.n_stats;
    t->n_live = t->n_kept;
    if (p) {
        t->optimizer = optimizer_of(p);
        t->schedule = schedule_of(p, shape->train_rows);
        t->plateau = plateau_start(&t->schedule);
        t->n_live += (size_t)optimizer_moments(&t->optimizer) * t->net.n_weights;
    }
    lay(t, p, shape);
}

static enum status allocate(struct trainer *t, const struct params *p, const struct model_shape *shape, struct error *e)
{
    measure(t, p, shape);
    TRY(slab_new(&t->slab, "a network", e));
    lay(t, p, shape);
    return STATUS_OK;
}

static enum status make(struct trainer **out, const struct model_kind *kind, network_build *build, const struct params *p,
                        const struct model_shape *shape, bool training, struct error *e)
{
    struct trainer *t = memory_new(sizeof *t);
    *out = NULL;
    t->model.kind = kind;
    enum status s = build(&t->net, p, shape, shape->token_channel, e);
    if (s == STATUS_OK)
        s = allocate(t, training ? p : NULL, shape, e);
    if (s == STATUS_OK)
        *out = t;
    else
        train_free(&t->model);
    return s;
}

/* n / (classes present * rows of the class), as scikit-learn's "balanced". */
static void class_weights(const struct model_spec *spec, float *w)
{
    int present = 0;
    for (int i = 0; i < spec->train->n; i++)
        w[spec->train->y[i]] += 1;
    for (int c = 0; c < spec->n_classes; c++)
        present += w[c] > 0;
    for (int c = 0; c < spec->n_classes; c++)
        w[c] = w[c] > 0 ? (float)((double)spec->train->n / ((double)present * (double)w[c])) : 0;
}

enum status train_new(struct model **out, const struct model_kind *kind, network_build *build,
                      const struct model_spec *spec, struct error *e)
{
    struct model_shape shape = shape_of(spec);
    struct trainer *t;
    *out = NULL;
    TRY(make(&t, kind, build, spec->params, &shape, true, e));
    enum status s = shard_epoch_init(&t->at_hand, spec, (int)params_int(spec->params, "train.batch_size"), e);
    if (s != STATUS_OK) {
        train_free(&t->model);
        return s;
    }
    network_start(&t->net, t->live, stats_of(t, t->live), random_key(spec->key, 0x696e6974)); /* "init" */
    if (t->class_weight)
        class_weights(spec, t->class_weight);
    *out = &t->model;
    return STATUS_OK;
}

void train_free(struct model *m)
{
    struct trainer *t = (struct trainer *)m;
    if (!t)
        return;
    shard_epoch_fini(&t->at_hand);
    slab_fini(&t->slab);
    free(t);
}

enum status train_check(network_build *build, const struct params *p, const struct model_shape *shape,
                        struct error *e)
{
    TRY(train_params_check(p, e));
    struct network *net = memory_new(sizeof *net);
    enum status s = build(net, p, shape, shape->has_signed_size ? 0 : -1, e);
    free(net);
    return s;
}

struct model_bytes train_bytes(network_build *build, const struct params *p, const struct model_shape *shape)
{
    enum { HEADS = 16 << 10 }; /* of a state and a file, and of the trainer itself */
    struct trainer *t = memory_new(sizeof *t);
    struct model_bytes bytes = {0};
    if (build(&t->net, p, shape, shape->has_signed_size ? 0 : -1, NULL) == STATUS_OK) {
        measure(t, p, shape);
        bytes = (struct model_bytes){.fit = t->slab.used + sizeof *t,
                                     .state = (t->n_live + t->n_kept) * sizeof(float) + HEADS,
                                     .file = t->n_kept * sizeof(float) + HEADS,
                                     .sum = (t->net.n_weights + EXTRA_COUNT) * sizeof(float)};
    }
    free(t);
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

/* All batches; *stopped where any rank was told to. Sums of losses and hits over rows. */
static enum status batches(struct trainer *t, const struct model_spec *spec, struct gang *g, struct batch *b,
                           double *loss, double *hits, bool *stopped, struct error *e)
{
    int size = (int)params_int(spec->params, "train.batch_size"), n = spec->train->n;
    size_t w = t->net.n_weights;
    float *total = g->size == 1 ? run_total(t->run) : t->total;
    for (int at = 0; at < n && !*stopped; at += size) {
        b->samples = t->order + at;
        b->row = t->at_hand.row ? t->at_hand.row + at : NULL;
        b->n = n - at < size ? n - at : size;
        TRY(network_batch(&t->net, t->run, t->live, stats_of(t, t->live), b, g, total, e));
        *stopped = total[w + EXTRA_STOP] > 0;
        *loss += (double)total[w + EXTRA_LOSS];
        *hits += (double)total[w + EXTRA_HITS];
        if (*stopped)
            continue;
        double rate = schedule_rate(&t->schedule, &t->plateau, t->step);
        optimizer_step(&t->optimizer, rate, ++t->step, t->live, total, t->live + t->n_kept, w);
    }
    return STATUS_OK;
}

static enum status epoch(struct trainer *t, const struct model_spec *spec, struct gang *g, double *loss,
                         double *hits, bool *stopped, struct error *e)
{
    int n = spec->train->n;
    uint64_t key = random_key(spec->key, (uint64_t)t->epoch + 1);
    struct random r = random_of(key, 0x6f72646572); /* "order" */
    struct batch b = {
        .features = t->at_hand.features, .rows = spec->train, .key = key, .class_weight = t->class_weight,
        .label_smoothing = (float)params_real(spec->params, "train.label_smoothing")};
    for (int i = 0; i < n; i++)
        t->order[i] = i;
    random_shuffle(&r, t->order, (size_t)n);
    TRY(shard_epoch_gather(&t->at_hand, t->order, g, e));
    return batches(t, spec, g, &b, loss, hits, stopped, e);
}

static bool all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

/* Equal on every rank. */
static enum status diverged(const struct trainer *t, struct error *e)
{
    return error_set(e, STATUS_DATA, "the network diverged in epoch %d: try a smaller train.learning_rate",
                     t->epoch);
}

/* Loss and the watched metric on the stop rows. */
static enum status evaluate(struct trainer *t, const struct model_spec *spec, struct gang *g,
                            struct model_progress *p, double *watched, struct error *e)
{
    const char *monitor = params_text(spec->params, "train.monitor");
    int metric = metric_find(monitor && strcmp(monitor, "none") != 0 ? monitor : spec->metric);
    double values[METRIC_COUNT];
    TRY(train_predict(&t->model, spec->features, spec->stop->row, spec->stop->n, g, t->stop_proba, e));
    if (!all_finite(t->stop_proba, (size_t)spec->stop->n * (size_t)spec->n_classes))
        return diverged(t, e);
    metrics_in(t->counts, t->stop_proba, spec->stop->y, spec->stop->n, spec->n_classes, values);
    p->has_stop = spec->stop->n > 0;
    p->stop_loss = values[METRIC_LOG_LOSS];
    p->stop_metric = values[metric_find(spec->metric)];
    *watched = values[metric] * metric_sign((enum metric)metric);
    return STATUS_OK;
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

enum status train_step(struct model *m, const struct model_spec *spec, struct gang *g,
                       struct model_progress *progress, struct error *e)
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
    if (!isfinite(progress->train_loss) || !all_finite(t->live, t->n_kept))
        return diverged(t, e);
    TRY(evaluate(t, spec, g, progress, &watched, e));
    if (t->schedule.kind == SCHEDULE_PLATEAU)
        plateau_epoch(&t->schedule, &t->plateau, t->epoch, watched);
    early_stopping(t, spec, watched);
    progress->done = t->done;
    return STATUS_OK;
}

/* --- predicting --- */

enum status train_predict(const struct model *m, const struct features *x, const int32_t *rows, int n,
                          struct gang *g, float *proba, struct error *e)
{
    const struct trainer *t = (const struct trainer *)m;
    return network_predict(&t->net, t->run, t->live, t->live + t->net.n_weights, x, rows, n, g, proba, e);
}

/* --- state and file --- */

/* Of what a schedule remembers there is nothing in the state where it remembers nothing: so it was before there were schedules. */
static void plateau_write(const struct trainer *t, struct buffer *out)
{
    if (t->schedule.kind != SCHEDULE_PLATEAU)
        return;
    buffer_put_f64(out, t->plateau.rate);
    buffer_put_f64(out, t->plateau.best);
    buffer_put_i32(out, t->plateau.wait);
    buffer_put_i32(out, t->plateau.cooldown);
}

static bool plateau_read(struct trainer *t, struct reader *r)
{
    if (t->schedule.kind != SCHEDULE_PLATEAU)
        return true;
    struct plateau *p = &t->plateau;
    p->rate = reader_f64(r);
    p->best = reader_f64(r);
    p->wait = reader_i32(r);
    p->cooldown = reader_i32(r);
    return !r->failed && p->rate >= 0 && p->rate <= t->schedule.rate && !isnan(p->best) && p->wait >= 0 && p->cooldown >= 0;
}

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
    plateau_write(t, out);
}

/* sgd once kept two moments, whatever it needed: what is behind its own says nothing. */
static bool live_fits(const struct trainer *t, size_t bytes)
{
    size_t two_moments = (t->n_kept + 2 * t->net.n_weights) * sizeof *t->live;
    return bytes == t->n_live * sizeof *t->live || (t->optimizer.kind == OPTIMIZER_SGD && bytes == two_moments);
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
    bool sound = plateau_read(t, &r) && !r.failed && r.at == r.end && t->epoch >= 0 && t->step >= 0 && t->best_epoch >= 0 &&
                 t->best_epoch <= t->epoch;
    if (!sound || !live_fits(t, n_live) || n_best != t->n_kept * sizeof *t->best)
        return error_set(e, STATUS_DATA, "a checkpoint of another network, or a damaged one");
    memcpy(t->live, live, t->n_live * sizeof *t->live);
    memcpy(t->best, best, n_best);
    return STATUS_OK;
}

void train_write(const struct model *m, struct buffer *out)
{
    const struct trainer *t = (const struct trainer *)m;
    safetensors_write(&t->net, t->live, t->live + t->net.n_weights, out);
}

/* A file too small for the weights is refused before there is memory for them. */
static enum status check_size(network_build *build, const struct params *p, const struct model_shape *shape, size_t n, struct error *e)
{
    struct network *net = memory_new(sizeof *net);
    enum status s = build(net, p, shape, shape->token_channel, e);
    if (s == STATUS_OK && n / sizeof(float) < net->n_weights + net->n_stats)
        s = error_set(e, STATUS_DATA, "%zu bytes are too few for the model's %zu weights: truncated, or another model's", n,
                      net->n_weights + net->n_stats);
    free(net);
    return s;
}

enum status train_read(struct model **out, const struct model_kind *kind, network_build *build,
                       const struct params *p, const struct model_shape *shape, const void *bytes, size_t n,
                       struct error *e)
{
    struct trainer *t;
    *out = NULL;
    TRY(check_size(build, p, shape, n, e));
    TRY(make(&t, kind, build, p, shape, false, e));
    enum status s = safetensors_read(&t->net, bytes, n, t->live, stats_of(t, t->live), e);
    if (s == STATUS_OK)
        *out = &t->model;
    else
        train_free(&t->model);
    return s;
}
