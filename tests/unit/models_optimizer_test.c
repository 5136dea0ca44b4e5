/* Optimizers and schedules against PyTorch (tests/golden/optimizers.txt): losses of 50 batches of 20 rows, rates of their updates. What a point keeps of
 * the parameters of others, and what does not go together. */
#include "unit.h"

#include <math.h>
#include <stdio.h>

#include "models/network.h"
#include "models/optimizer.h"
#include "models/schedule.h"
#include "models/train.h"
#include "toy_flows.h"
#include "toy_params.h"

enum { BATCH = 20, EPOCHS = 10, EPOCH_STEPS = TOY_ROWS / BATCH, STEPS = EPOCHS * EPOCH_STEPS };

static bool golden(const char *name, const char *what, double out[STEPS], int expected)
{
    char line[4096];
    int n = 0;
    size_t m = strlen(name), k = strlen(what);
    FILE *f = fopen("tests/golden/optimizers.txt", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    while (n == 0 && fgets(line, sizeof line, f))
        if (strncmp(line, name, m) == 0 && strncmp(line + m, what, k) == 0 && line[m + k] == ' ')
            for (char *at = line + m + k, *end; n < STEPS; at = end) {
                out[n] = strtod(at, &end);
                if (end == at)
                    break;
                n++;
            }
    fclose(f);
    CU_ASSERT_FATAL(n == 0 || n == expected);
    return n > 0;
}

/* settings: "name=json name=json .." of train. */
static void settle(const char *settings)
{
    char text[512], *save = NULL;
    params_fini(&params);
    set("train.batch_size", "20");
    set("train.epochs", "10");
    set("train.learning_rate", "0.01");
    snprintf(text, sizeof text, "%s", settings);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char name[64], *equals = strchr(word, '=');
        snprintf(name, sizeof name, "train.%.*s", (int)(equals - word), word);
        set(name, equals + 1);
    }
    params_complete(&params, "train", train_params);
}

static void make_dnn(struct network *net, const struct toy *toy)
{
    network_init(net, &(struct network_input){.steps = TOY_STEPS, .n_channels = 1, .clip = toy->x.clip, .flat = true});
    network_add(net, (struct layer){.type = LAYER_DENSE, .width = 16});
    network_add(net, (struct layer){.type = LAYER_ACTIVATION, .activation = 'r'});
    network_add(net, (struct layer){.type = LAYER_DENSE, .width = 9});
    network_add(net, (struct layer){.type = LAYER_ACTIVATION, .activation = 'r'});
    network_add(net, (struct layer){.type = LAYER_DENSE, .width = TOY_CLASSES});
}

struct course { /* what is watched and what comes of it */
    const float *class_weight; /* or NULL */
    double watched[STEPS], losses[STEPS], rates[STEPS];
};

static void learn(struct course *c)
{
    struct toy toy;
    struct network net;
    struct run *r;
    struct error e;
    struct gang alone = gang_alone(NULL, NULL);
    struct optimizer o = optimizer_of(&params);
    struct schedule s = schedule_of(&params, TOY_ROWS);
    struct plateau plateau = plateau_start(&s);
    int32_t samples[TOY_ROWS];
    toy_init(&toy, "[\"signed_size\"]");
    make_dnn(&net, &toy);
    size_t n = net.n_weights;
    CU_ASSERT_EQUAL_FATAL(run_new(&r, &net, 1, true, &e), STATUS_OK);
    float *w = memory_new(n * sizeof *w), *total = memory_new((n + EXTRA_COUNT) * sizeof *w);
    float *moments = memory_new((size_t)optimizer_moments(&o) * n * sizeof *w);
    struct batch b = {.features = &toy.x, .rows = &toy.rows, .n = BATCH, .class_weight = c->class_weight,
                      .label_smoothing = (float)params_real(&params, "train.label_smoothing")};
    for (size_t i = 0; i < n; i++)
        w[i] = toy_weight(i, 0.4f);
    for (int i = 0; i < TOY_ROWS; i++)
        samples[i] = i;
    for (int k = 0; k < STEPS; k++) {
        b.samples = samples + k % EPOCH_STEPS * BATCH;
        network_batch(&net, r, w, NULL, &b, &alone, total, &e);
        c->losses[k] = (double)total[n + EXTRA_LOSS] / BATCH;
        c->rates[k] = schedule_rate(&s, &plateau, k);
        optimizer_step(&o, c->rates[k], k + 1, w, total, moments, n);
        if ((k + 1) % EPOCH_STEPS == 0)
            plateau_epoch(&s, &plateau, (k + 1) / EPOCH_STEPS, c->watched[k / EPOCH_STEPS]);
    }
    run_free(r);
    free(w);
    free(total);
    free(moments);
    toy_fini(&toy);
}

static double worst(const double *found, const double *expected)
{
    double most = 0;
    for (int i = 0; i < STEPS; i++)
        most = fmax(most, fabs(found[i] / expected[i] - 1));
    return most;
}

static void follows_weighted(const char *name, const char *settings, const float *class_weight)
{
    static struct course c;
    double losses[STEPS], rates[STEPS];
    struct error e;
    settle(settings);
    CU_ASSERT_EQUAL(train_params_check(&params, &e), STATUS_OK);
    c.class_weight = class_weight;
    CU_ASSERT_FATAL(golden("watched", "", c.watched, EPOCHS));
    CU_ASSERT_FATAL(golden(name, ".losses", losses, STEPS));
    learn(&c);
    printf("\n    %-18s losses %.1e", name, worst(c.losses, losses));
    CU_ASSERT(worst(c.losses, losses) <= 1e-4);
    if (golden(name, ".rates", rates, STEPS)) {
        printf("  rates %.1e", worst(c.rates, rates));
        CU_ASSERT(worst(c.rates, rates) <= 1e-9);
    }
    params_fini(&params);
}

static void follows(const char *name, const char *settings)
{
    follows_weighted(name, settings, NULL);
}

static void test_optimizers(void)
{
    follows("adam", "");
    follows("adamw", "optimizer=\"adamw\"");
    follows("adamw_decay", "optimizer=\"adamw\" weight_decay=0.5");
    follows("adam_decay", "weight_decay=0.5");
    follows("sgd", "optimizer=\"sgd\" learning_rate=0.1");
    follows("sgd_momentum", "optimizer=\"sgd\" learning_rate=0.1 momentum=0.9");
    follows("sgd_nesterov", "optimizer=\"sgd\" learning_rate=0.1 momentum=0.9 nesterov=true");
    follows("sgd_decay", "optimizer=\"sgd\" learning_rate=0.1 momentum=0.9 weight_decay=0.1");
}

static void test_rmsprop(void)
{
    follows("rmsprop", "optimizer=\"rmsprop\" learning_rate=0.002 epsilon=1e-30");
    follows("rmsprop_momentum", "optimizer=\"rmsprop\" learning_rate=0.002 epsilon=1e-30 momentum=0.8");
    follows("rmsprop_centered", "optimizer=\"rmsprop\" learning_rate=0.002 epsilon=1e-30 centered=true");
    follows("rmsprop_decay", "optimizer=\"rmsprop\" learning_rate=0.002 epsilon=1e-30 centered=true momentum=0.8 weight_decay=0.5");
    follows("rmsprop_epsilon", "optimizer=\"rmsprop\" learning_rate=0.002 epsilon=1e-4 centered=true momentum=0.8");
}

static void test_clipping(void)
{
    follows("clipvalue", "optimizer=\"sgd\" learning_rate=0.1 momentum=0.9 clipvalue=0.01");
    follows("global_clipnorm", "optimizer=\"sgd\" learning_rate=0.1 momentum=0.9 global_clipnorm=0.05");
}

static void test_schedules(void)
{
    follows("step", "schedule=\"step\" decay_epochs=3 decay_rate=0.5");
    follows("cosine", "schedule=\"cosine\" alpha=0.1");
    follows("one_cycle", "schedule=\"one_cycle\"");
    follows("one_cycle_short", "schedule=\"one_cycle\" pct_start=0.01 div_factor=4.0 final_div_factor=10.0");
    follows("warmup", "warmup_epochs=2");
    follows("warmup_cosine", "schedule=\"cosine\" warmup_epochs=3 warmup_start=0.25");
    follows("warmup_step", "schedule=\"step\" warmup_epochs=2 warmup_start=0.25 decay_epochs=2 decay_rate=0.5");
    follows("reduce_on_plateau", "schedule=\"reduce_on_plateau\" plateau_patience=2 plateau_factor=0.3 plateau_min_lr=2e-3");
}

/* Keras' meaning, which with weights is not PyTorch's: these multiply the whole loss of a row. */
static void test_label_smoothing(void)
{
    static const float weights[TOY_CLASSES] = {0.5f, 2, 1, 0.25f, 3};
    follows("label_smoothing", "label_smoothing=0.1");
    follows_weighted("label_smoothing_weighted", "label_smoothing=0.4", weights);
}

/* With a single update there is nothing to rise or fall over. */
static void test_one_update(void)
{
    const char *const kinds[] = {"schedule=\"step\" epochs=1", "schedule=\"cosine\" epochs=1", "schedule=\"one_cycle\" epochs=1",
                                 "schedule=\"one_cycle\" epochs=1 pct_start=1.0", "schedule=\"one_cycle\" epochs=1 pct_start=0.0"};
    for (int i = 0; i < 5; i++) {
        settle(kinds[i]);
        struct schedule s = schedule_of(&params, BATCH);
        double rate = schedule_rate(&s, NULL, 0);
        CU_ASSERT_EQUAL(s.total_steps, 1);
        CU_ASSERT(rate > 0 && rate <= 0.01);
        params_fini(&params);
    }
}

/* The norm of any length, by its definition; what is no number is not hidden. */
static void test_norm(void)
{
    struct optimizer o = {.kind = OPTIMIZER_SGD, .global_clipnorm = 2};
    for (size_t n = 1; n <= 40; n++) {
        float w[40] = {0}, g[40];
        double squares = 0, length = 0;
        for (size_t i = 0; i < n; i++) {
            g[i] = toy_weight(i, 5);
            squares += (double)g[i] * (double)g[i];
        }
        double expected = sqrt(squares) > 2 ? 2 : sqrt(squares);
        optimizer_step(&o, 1, 1, w, g, NULL, n);
        for (size_t i = 0; i < n; i++)
            length += (double)w[i] * (double)w[i];
        CU_ASSERT_DOUBLE_EQUAL(sqrt(length), expected, 1e-6);
    }
    float w[2] = {0}, g[2] = {1, NAN};
    optimizer_step(&o, 1, 1, w, g, NULL, 2);
    CU_ASSERT(isnan(w[1]));
    o = (struct optimizer){.kind = OPTIMIZER_SGD, .clipvalue = 2};
    float values[4] = {3, -3, 1, NAN}, moved[4] = {0};
    optimizer_step(&o, 1, 1, moved, values, NULL, 4);
    CU_ASSERT(moved[0] == -2 && moved[1] == 2 && moved[2] == -1 && isnan(moved[3]));
}

/* While gradients stay the same, Adam's means are the gradient and its square once their start at zero is corrected, so every step is the rate. */
static void test_adam_start(void)
{
    const struct optimizer adam = {.kind = OPTIMIZER_ADAM, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-30};
    float w = 0, moments[2] = {0};
    for (int step = 1; step <= 50; step++) {
        float g = 0.3f, before = w;
        optimizer_step(&adam, 0.01, step, &w, &g, moments, 1);
        CU_ASSERT_DOUBLE_EQUAL(before - w, 0.01, 1e-8 + 6e-8 * fabs((double)w));
    }
}

/* Keras' cooldown: waiting begins with the epoch in which it ends. Warm-up does not count. */
static void test_plateau(void)
{
    settle("schedule=\"reduce_on_plateau\" plateau_patience=2 plateau_cooldown=3 plateau_factor=0.5 warmup_epochs=2");
    struct schedule s = schedule_of(&params, TOY_ROWS);
    struct plateau p = plateau_start(&s);
    const double expected[] = {1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25};
    for (int epoch = 1; epoch <= 10; epoch++) {
        plateau_epoch(&s, &p, epoch, epoch == 1 ? 9 : 0.5); /* the first is of warm-up, the third the best */
        CU_ASSERT_DOUBLE_EQUAL(p.rate, 0.01 * expected[epoch - 1], 1e-12);
    }
    params_fini(&params);
}

static void holds(const char *settings, const char *name, bool expected)
{
    settle(settings);
    CU_ASSERT_EQUAL(params_get(&params, name) != NULL, expected);
    params_fini(&params);
}

/* What an optimizer or schedule has no use for is not in the point: so points that differ there alone are one. */
static void test_active(void)
{
    holds("", "train.rho", false);
    holds("rho=0.5", "train.rho", false);
    holds("optimizer=\"rmsprop\"", "train.rho", true);
    holds("optimizer=\"rmsprop\" beta_1=0.5", "train.beta_1", false);
    holds("optimizer=\"adamw\" momentum=0.5", "train.momentum", false);
    holds("", "train.momentum", true); /* as studies from before count it */
    holds("decay_rate=0.5", "train.decay_rate", false);
    holds("schedule=\"step\"", "train.decay_rate", true);
    holds("warmup_start=0.5", "train.warmup_start", false);
    holds("warmup_epochs=1", "train.warmup_start", true);
    holds("schedule=\"one_cycle\" warmup_epochs=1 warmup_start=0.5", "train.warmup_epochs", false);
    holds("schedule=\"one_cycle\" warmup_epochs=1 warmup_start=0.5", "train.warmup_start", false);
}

static void refused(const char *settings, const char *words)
{
    struct error e = {0};
    settle(settings);
    CU_ASSERT_EQUAL(train_params_check(&params, &e), STATUS_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.message, words));
    params_fini(&params);
}

static void test_refused(void)
{
    refused("clipvalue=1.0 global_clipnorm=1.0", "exclude each other");
    refused("optimizer=\"sgd\" nesterov=true", "nesterov needs train.momentum");
    refused("warmup_epochs=10", "leaves no epoch");
    refused("schedule=\"reduce_on_plateau\" plateau_min_lr=0.01", "below train.learning_rate");
}

UNIT_MAIN({"adam, adamw, sgd", test_optimizers}, {"rmsprop", test_rmsprop}, {"clipping", test_clipping}, {"schedules", test_schedules},
          {"label smoothing", test_label_smoothing}, {"schedules of one update", test_one_update},
          {"norms, and what is no number", test_norm}, {"adam begins at the rate", test_adam_start},
          {"reduce on plateau: cooldown, warm-up", test_plateau}, {"what a point holds", test_active}, {"bad combinations", test_refused})
