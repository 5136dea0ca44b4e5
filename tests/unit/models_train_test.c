/* Training as a whole: the same bits on any number of ranks and however often it was stopped, early stopping, what diverges. */
#include "unit.h"

#include <math.h>
#include <stdio.h>

#include "models/metrics.h"
#include "models/model.h"
#include "models/network.h"
#include "rank_threads.h"
#include "toy_flows.h"
#include "toy_params.h"

extern const struct model_kind model_dnn, model_cnn_lstm;

static struct toy toy;
/* All that must not let bits slip: dropout, batch normalization, embedding, class weights; batches of three leaves and of one. */
static void begin(const char *channels)
{
    toy_init(&toy, channels);
    params = (struct params){0};
    params_complete(&params, "train", train_params);
    params_complete(&params, "dnn", model_dnn.params);
    params_complete(&params, "cnn_lstm", model_cnn_lstm.params);
    set("train.epochs", "4");
    set("train.batch_size", "70");
    set("train.learning_rate", "0.01");
    set("train.class_weight", "\"balanced\"");
    set("dnn.hidden_layer_sizes", "[24,16]");
    set("cnn_lstm.embedding", "4");
    set("cnn_lstm.filters", "[8]");
    set("cnn_lstm.units", "7");
    set("cnn_lstm.dense", "6");
    set("cnn_lstm.batch_norm", "true");
}

static void end(void)
{
    params_fini(&params);
    toy_fini(&toy);
}

static struct model_spec spec_of(const struct model_kind *kind)
{
    return (struct model_spec){.kind = kind,
                               .params = &params,
                               .features = &toy.x,
                               .train = &toy.rows,
                               .stop = &toy.rows,
                               .n_classes = TOY_CLASSES,
                               .metric = "accuracy",
                               .key = 99};
}

struct outcome {
    const struct model_kind *kind;
    struct buffer state, file;
    float proba[TOY_ROWS * TOY_CLASSES];
    int steps, stopped;
};

static void outcome_fini(struct outcome *o)
{
    buffer_fini(&o->state);
    buffer_fini(&o->file);
}

static void fit(struct gang *g, void *context)
{
    struct outcome *o = context;
    struct model_spec spec = spec_of(o->kind);
    struct model_progress p = {0};
    struct model *m;
    struct error e;
    if (o->kind->fit_new(&m, &spec, &e) != STATUS_OK)
        return;
    while (!p.done && !p.stopped && o->kind->fit_step(m, &spec, g, &p, &e) == STATUS_OK)
        o->steps++;
    o->stopped = p.stopped;
    o->kind->state_write(m, &o->state);
    o->kind->write(m, &o->file);
    o->kind->predict(m, &toy.x, toy.rows.row, TOY_ROWS, g, o->proba, &e);
    o->kind->free(m);
}

static bool equal(const struct buffer *a, const struct buffer *b)
{
    return a->size == b->size && a->size > 0 && memcmp(a->data, b->data, a->size) == 0;
}

static void same_on_any_number_of_ranks(const struct model_kind *kind)
{
    struct outcome one = {.kind = kind};
    void *alone[] = {&one};
    run_ranks(1, fit, alone);
    CU_ASSERT_EQUAL(one.steps, 4);
    for (int size = 2; size <= 5; size++) {
        struct outcome many[5] = {{0}};
        void *contexts[5];
        for (int r = 0; r < size; r++) {
            many[r].kind = kind;
            contexts[r] = &many[r];
        }
        run_ranks(size, fit, contexts);
        for (int r = 0; r < size; r++) {
            CU_ASSERT(equal(&many[r].state, &one.state));
            CU_ASSERT(equal(&many[r].file, &one.file));
            CU_ASSERT_EQUAL(memcmp(many[r].proba, one.proba, sizeof one.proba), 0);
            outcome_fini(&many[r]);
        }
    }
    outcome_fini(&one);
}

static void test_ranks(void)
{
    begin("[\"signed_size\",\"size\"]");
    same_on_any_number_of_ranks(&model_dnn);
    same_on_any_number_of_ranks(&model_cnn_lstm);
    set("cnn_lstm.cell", "\"gru\"");
    same_on_any_number_of_ranks(&model_cnn_lstm);
    end();
}

static bool stop_at_call(struct gang *g)
{
    int *left = g->stop_context;
    return --*left < 0;
}

/* Told to stop when it looks up for the call-th time, then on from the state in a model of its own. *stopped: did it come to that? */
static void disturbed(const struct model_kind *kind, int call, struct outcome *o, bool *stopped)
{
    struct model_spec spec = spec_of(kind);
    struct gang hasty = gang_alone(stop_at_call, &call), calm = gang_alone(NULL, NULL);
    struct model_progress p = {0};
    struct model *first, *second;
    struct buffer state = {0};
    struct error e;
    CU_ASSERT_EQUAL_FATAL(kind->fit_new(&first, &spec, &e), STATUS_OK);
    CU_ASSERT_EQUAL_FATAL(kind->fit_new(&second, &spec, &e), STATUS_OK);
    while (!p.done && !p.stopped)
        CU_ASSERT_EQUAL_FATAL(kind->fit_step(first, &spec, &hasty, &p, &e), STATUS_OK);
    *stopped = p.stopped;
    kind->state_write(first, &state);
    CU_ASSERT_EQUAL_FATAL(kind->state_read(second, state.data, state.size, &e), STATUS_OK);
    for (p.done = false; !p.done;)
        CU_ASSERT_EQUAL_FATAL(kind->fit_step(second, &spec, &calm, &p, &e), STATUS_OK);
    kind->state_write(second, &o->state);
    kind->write(second, &o->file);
    buffer_fini(&state);
    kind->free(first);
    kind->free(second);
}

static void same_after_stops(const struct model_kind *kind)
{
    struct outcome whole = {.kind = kind};
    struct gang alone = gang_alone(NULL, NULL);
    fit(&alone, &whole);
    int looks = gang_leaves(toy.rows.n), last = 4 * looks + 3 * looks; /* four epochs; it looks up at every leaf, also of the stop rows between them */
    for (int call = 0; call <= last; call++) {
        struct outcome o = {.kind = kind};
        bool stopped;
        disturbed(kind, call, &o, &stopped);
        CU_ASSERT_EQUAL(stopped, call < last); /* after the last batch nothing is left to stop */
        CU_ASSERT(equal(&o.state, &whole.state));
        CU_ASSERT(equal(&o.file, &whole.file));
        outcome_fini(&o);
    }
    outcome_fini(&whole);
}

static void test_stops(void)
{
    begin("[\"signed_size\"]");
    same_after_stops(&model_dnn);
    same_after_stops(&model_cnn_lstm);
    end();
}

/* All moments there can be, and the rate of a plateau that falls while it is watched. */
static void set_plateau(void)
{
    set("train.optimizer", "\"rmsprop\"");
    set("train.momentum", "0.9");
    set("train.centered", "true");
    set("train.weight_decay", "0.1");
    set("train.global_clipnorm", "0.5");
    set("train.schedule", "\"reduce_on_plateau\"");
    set("train.warmup_epochs", "1");
    set("train.plateau_patience", "1");
    set("train.plateau_min_delta", "0.9"); /* accuracy: no epoch but the first is that much better */
    params_complete(&params, "train", train_params);
}

static void test_stops_on_plateau(void)
{
    begin("[\"signed_size\"]");
    set_plateau();
    same_after_stops(&model_dnn);
    set("train.plateau_cooldown", "2");
    same_after_stops(&model_dnn);
    set("train.plateau_patience", "2");
    same_after_stops(&model_dnn);
    end();
}

static bool only_rank_0(struct gang *g)
{
    return g->rank == 0;
}

static void fit_hasty(struct gang *g, void *context)
{
    g->stop = only_rank_0;
    fit(g, context);
}

/* One leaf a batch goes to the last rank: the flag of the first must count all the same. */
static void test_stop_without_leaf(void)
{
    begin("[\"signed_size\"]");
    set("train.batch_size", "32");
    struct outcome o[3] = {{.kind = &model_dnn}, {.kind = &model_dnn}, {.kind = &model_dnn}};
    void *contexts[] = {&o[0], &o[1], &o[2]};
    run_ranks(3, fit_hasty, contexts);
    for (int r = 0; r < 3; r++) {
        CU_ASSERT(o[r].stopped);
        CU_ASSERT(equal(&o[r].state, &o[0].state));
    }
    for (int r = 0; r < 3; r++)
        outcome_fini(&o[r]);
    end();
}

/* A row's probabilities do not depend on where it stands and on what stands beside it. */
static void rows_stand_alone(const struct model_kind *kind)
{
    struct outcome o = {.kind = kind};
    struct gang alone = gang_alone(NULL, NULL);
    struct model_spec spec = spec_of(kind);
    struct model *m;
    struct error e;
    fit(&alone, &o);
    CU_ASSERT_EQUAL_FATAL(kind->fit_new(&m, &spec, &e), STATUS_OK);
    CU_ASSERT_EQUAL_FATAL(kind->state_read(m, o.state.data, o.state.size, &e), STATUS_OK);
    for (int n = 1; n <= TOY_ROWS; n = n * 2 + 1) {
        int32_t rows[TOY_ROWS];
        float p[TOY_ROWS * TOY_CLASSES];
        for (int i = 0; i < n; i++)
            rows[i] = (TOY_ROWS - 1 - i * 37 % TOY_ROWS);
        CU_ASSERT_EQUAL(kind->predict(m, &toy.x, rows, n, &alone, p, &e), STATUS_OK);
        for (int i = 0; i < n; i++)
            CU_ASSERT_EQUAL(
                memcmp(p + i * TOY_CLASSES, o.proba + rows[i] * TOY_CLASSES, TOY_CLASSES * sizeof *p), 0);
    }
    kind->free(m);
    outcome_fini(&o);
}

static void test_rows(void)
{
    begin("[\"signed_size\",\"size\"]");
    rows_stand_alone(&model_dnn);
    rows_stand_alone(&model_cnn_lstm);
    end();
}

/* Patience and the best epoch, told from what each step says alone; ties keep the earlier. */
static void test_early_stopping(void)
{
    begin("[\"signed_size\"]");
    set("train.epochs", "60");
    set("train.patience", "3");
    set("train.learning_rate", "0.03");
    struct model_spec spec = spec_of(&model_dnn);
    struct gang alone = gang_alone(NULL, NULL);
    struct model_progress p = {0};
    struct model *m;
    struct error e;
    float now[TOY_ROWS * TOY_CLASSES], values_of_best = -1;
    double found[METRIC_COUNT];
    int best = 0;
    CU_ASSERT_EQUAL_FATAL(model_dnn.fit_new(&m, &spec, &e), STATUS_OK);
    while (!p.done) {
        CU_ASSERT_EQUAL_FATAL(model_dnn.fit_step(m, &spec, &alone, &p, &e), STATUS_OK);
        if ((float)p.stop_metric > values_of_best) {
            values_of_best = (float)p.stop_metric;
            best = p.epoch;
        }
        CU_ASSERT_EQUAL(p.done, p.epoch - best == 3 || p.epoch == 60);
    }
    model_dnn.predict(m, &toy.x, toy.rows.row, TOY_ROWS, &alone, now, &e);
    metrics_of(now, toy.rows.y, TOY_ROWS, TOY_CLASSES, found, NULL, NULL);
    printf("best %d of %d ", best, p.epoch);
    CU_ASSERT(p.epoch < 60);
    CU_ASSERT_EQUAL((float)found[METRIC_ACCURACY], values_of_best);
    model_dnn.free(m);
    end();
}

/* Sizes that tell the class up to noise: learnt from 70 rows, asked of the other 30. */
static double accuracy_on_new_rows(const struct model_kind *kind)
{
    float *size = (float *)toy.flows.size, proba[TOY_ROWS * TOY_CLASSES];
    for (int i = 0; i < TOY_ROWS * TOY_STEPS; i++)
        size[i] = (float)((i / TOY_STEPS % TOY_CLASSES - 2) * 500 + i * 7919 % 301 - 150);
    struct rows train = toy.rows, rest = {TOY_ROWS - 70, toy.rows.row + 70, toy.rows.y + 70};
    train.n = 70;
    struct model_spec spec = spec_of(kind);
    spec.train = spec.stop = &train;
    struct gang alone = gang_alone(NULL, NULL);
    struct model_progress p = {0};
    struct model *m;
    struct error e;
    double found[METRIC_COUNT];
    CU_ASSERT_EQUAL_FATAL(kind->fit_new(&m, &spec, &e), STATUS_OK);
    while (!p.done)
        CU_ASSERT_EQUAL_FATAL(kind->fit_step(m, &spec, &alone, &p, &e), STATUS_OK);
    kind->predict(m, &toy.x, rest.row, rest.n, &alone, proba, &e);
    metrics_of(proba, rest.y, rest.n, TOY_CLASSES, found, NULL, NULL);
    kind->free(m);
    return found[METRIC_ACCURACY];
}

static void test_learns(void)
{
    begin("[\"signed_size\"]");
    set("train.epochs", "60");
    set("train.patience", "0");
    set("train.batch_size", "10"); /* 420 updates: after 60, moving variances are still half their start, 1 */
    set("cnn_lstm.embedding", "0");
    double dnn = accuracy_on_new_rows(&model_dnn), lstm = accuracy_on_new_rows(&model_cnn_lstm);
    set("cnn_lstm.cell", "\"gru\"");
    double gru = accuracy_on_new_rows(&model_cnn_lstm);
    printf("accuracy %.2f %.2f %.2f ", dnn, lstm, gru);
    CU_ASSERT(dnn > 0.9 && lstm > 0.9 && gru > 0.9);
    end();
}

/* Weights or probabilities that are no numbers end the trial, never pass for a result. */
static void test_diverged(void)
{
    begin("[\"signed_size\"]");
    set("train.optimizer", "\"sgd\"");
    set("train.learning_rate", "100.0");
    set("train.batch_size", "32");
    set("dnn.hidden_layer_sizes", "[256,128]");
    set("train.momentum", "0.9");
    set("train.epochs", "50");
    set("train.patience", "0");
    struct model_spec spec = spec_of(&model_dnn);
    struct gang alone = gang_alone(NULL, NULL);
    struct model_progress p = {0};
    struct model *m;
    struct error e = {0};
    enum status s = STATUS_OK;
    CU_ASSERT_EQUAL_FATAL(model_dnn.fit_new(&m, &spec, &e), STATUS_OK);
    while (s == STATUS_OK && !p.done)
        s = model_dnn.fit_step(m, &spec, &alone, &p, &e);
    CU_ASSERT_EQUAL(s, STATUS_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "learning_rate"));
    model_dnn.free(m);
    end();
}

/* The reported loss is the mean of weight * -log p, from the probabilities that prediction gives. */
static void test_weighted_loss(void)
{
    struct network net;
    struct run *r, *one;
    struct error e;
    struct gang alone = gang_alone(NULL, NULL);
    float stats[1], proba[TOY_ROWS * TOY_CLASSES], weight[TOY_CLASSES] = {0.5f, 2, 1, 0.25f, 3};
    int32_t samples[TOY_ROWS];
    double expected = 0;
    toy_init(&toy, "[\"signed_size\"]");
    network_init(&net, &(struct network_input){.steps = TOY_STEPS, .n_channels = 1, .clip = toy.x.clip, .flat = true});
    network_add(&net, (struct layer){.type = LAYER_DENSE, .width = TOY_CLASSES});
    float *w = memory_new(net.n_weights * sizeof *w),
          *total = memory_new((net.n_weights + EXTRA_COUNT) * sizeof *w);
    for (size_t i = 0; i < net.n_weights; i++)
        w[i] = toy_weight(i, 30); /* large: probabilities far below what a cut at 1e-7 would let through */
    for (int i = 0; i < TOY_ROWS; i++)
        samples[i] = i;
    struct batch b = {
        .features = &toy.x, .rows = &toy.rows, .samples = samples, .n = TOY_ROWS, .class_weight = weight};
    CU_ASSERT_EQUAL_FATAL(run_new(&r, &net, 4, true, &e), STATUS_OK);
    CU_ASSERT_EQUAL_FATAL(run_new(&one, &net, 1, false, &e), STATUS_OK);
    network_batch(&net, r, w, stats, &b, &alone, total, &e);
    network_predict(&net, one, w, stats, &toy.x, toy.rows.row, TOY_ROWS, &alone, proba, &e);
    double least = 1;
    for (int i = 0; i < TOY_ROWS; i++) {
        double p = (double)proba[i * TOY_CLASSES + toy.rows.y[i]];
        least = fmin(least, p);
        expected -= (double)weight[toy.rows.y[i]] * log(p);
    }
    CU_ASSERT(least < 1e-9 && least > 1e-30);
    CU_ASSERT_DOUBLE_EQUAL((double)total[net.n_weights + EXTRA_LOSS] / expected, 1, 1e-5);
    run_free(r);
    run_free(one);
    free(w);
    free(total);
    toy_fini(&toy);
}

static void refused(const struct model_kind *kind, const struct model_shape *shape, const char *word)
{
    struct error e = {0};
    CU_ASSERT_EQUAL(kind->check(&params, shape, &e), STATUS_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.message, word));
}

static void test_invalid_points(void)
{
    struct error e;
    struct model_shape shape = {.steps = 12,
                                .n_channels = 1,
                                .n_classes = 5,
                                .clip = 1500,
                                .has_signed_size = true,
                                .train_rows = 100};
    begin("[\"signed_size\"]");
    CU_ASSERT_EQUAL(model_cnn_lstm.check(&params, &shape, &e), STATUS_OK);
    shape.clip = 0;
    refused(&model_cnn_lstm, &shape, "clip");
    shape.clip = 1500;
    shape.has_signed_size = false;
    refused(&model_cnn_lstm, &shape, "signed_size");
    set("train.optimizer", "\"sgd\"");
    set("train.nesterov", "true");
    refused(&model_dnn, &shape, "train.momentum above 0");
    set("train.nesterov", "false");
    set("dnn.embedding", "8");
    refused(&model_dnn, &shape, "signed_size");
    shape.has_signed_size = true;
    set("cnn_lstm.kernel_size", "13");
    refused(&model_cnn_lstm, &shape, "no steps");
    set("cnn_lstm.kernel_size", "3");
    set("cnn_lstm.filters", "[8,8,8]"); /* 12 -> 5 -> 1 -> none */
    refused(&model_cnn_lstm, &shape, "convolution 3");
    end();
}

UNIT_MAIN({"same bits on 1 to 5 ranks", test_ranks}, {"same bits after a stop at any batch", test_stops},
          {"same bits after a stop, rate on a plateau", test_stops_on_plateau},
          {"a stop told to a rank without leaves", test_stop_without_leaf}, {"rows stand alone", test_rows},
          {"early stopping", test_early_stopping}, {"new rows are told apart", test_learns},
          {"divergence is an error", test_diverged}, {"weighted loss", test_weighted_loss},
          {"invalid points", test_invalid_points})
