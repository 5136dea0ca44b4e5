/* Training runs against PyTorch (tests/golden/make_torch.py): losses of 50 batches, probabilities and batch normalization's statistics behind them, for every
 * layer in its forms; the same bits on 1, 2 and 3 ranks. A batch has 70 rows: two leaves and a short one. Networks with `masking` run twice: as they are, and
 * masked on rows of different lengths. */
#include "unit.h"

#include <math.h>
#include <stdio.h>

#include "models/network.h"
#include "models/optimizer.h"
#include "rank_threads.h"
#include "toy_flows.h"

enum { BATCHES = 50, BATCH = 70, LAYERS_MAX = 8, STATS_MAX = 64, VALUES_MAX = 64, ROWS_SHOWN = 3 };

struct example {
    const char *name;
    struct layer layers[LAYERS_MAX]; /* a dense one of the classes follows */
    int embedding;                   /* 0: all channels as numbers */
    bool flat, masking, class_weight, alone; /* alone: signed sizes are the only channel */
    float scale; /* of starting weights; 0: .4 */
};

#define DENSE(units) {.type = LAYER_DENSE, .width = units}
#define CONV(filters, size, ...) {.type = LAYER_CONV1D, .width = filters, .kernel_size = size, __VA_ARGS__}
#define POOL(...) {.type = LAYER_POOLING, __VA_ARGS__}
#define LSTM(n, ...) {.type = LAYER_LSTM, .units = n, __VA_ARGS__}
#define GRU(n, ...) {.type = LAYER_GRU, .units = n, __VA_ARGS__}
#define RELU {.type = LAYER_ACTIVATION, .activation = 'r'}
#define TANH {.type = LAYER_ACTIVATION, .activation = 't'}
#define SIGMOID {.type = LAYER_ACTIVATION, .activation = 's'}
#define NORM {.type = LAYER_BATCH_NORM}
#define FLATTEN {.type = LAYER_FLATTEN}
#define STEPS(...) {__VA_ARGS__}, .embedding = 3, .masking = true

static const struct example dense_ones[] = {
    {"dense", {DENSE(16), RELU, DENSE(9), TANH, DENSE(7), SIGMOID}, .flat = true, .scale = 1.2f},
    {"dense_embedding", {DENSE(20), RELU}, .flat = true, .embedding = 3},
    {"class_weight", {DENSE(16), TANH}, .flat = true, .class_weight = true},
    {"embedding", STEPS(FLATTEN)},
    {NULL},
};
static const struct example convolutions[] = {
    {"valid", STEPS(CONV(7, 3), TANH)},
    {"same", STEPS(CONV(7, 4, .same = true), TANH)},
    {"dilated", STEPS(CONV(7, 3, .dilation_rate = 2), TANH, CONV(5, 2, .same = true, .dilation_rate = 3), TANH)},
    {"strided", STEPS(CONV(7, 3, .strides = 2), TANH)},
    {"same_strided", STEPS(CONV(7, 3, .same = true, .strides = 2), TANH)},
    {"same_strided_even", STEPS(CONV(7, 4, .same = true, .strides = 2), TANH, CONV(5, 5, .same = true, .strides = 3), TANH)},
    {"relu", STEPS(CONV(9, 3, .activation = 'r'), CONV(5, 3), RELU)},
    {NULL},
};
static const struct example token_convolutions[] = {
    {"tokens", STEPS(CONV(7, 3, .activation = 'r')), .alone = true},
    {"tokens_same", STEPS(CONV(9, 4, .same = true, .activation = 'r'), CONV(5, 3), TANH), .alone = true},
    {"tokens_strided", STEPS(CONV(7, 3, .same = true, .strides = 2), TANH), .alone = true},
    {"tokens_dilated", STEPS(CONV(70, 3, .dilation_rate = 2), TANH), .alone = true},
    {NULL},
};
static const struct example poolings[] = {
    {"max", STEPS(CONV(7, 3), TANH, POOL(.pool_size = 2))},
    {"average", STEPS(CONV(7, 3), TANH, POOL(.pool_size = 3, .average = true))},
    {"global_max", STEPS(CONV(7, 3), TANH, POOL())},
    {"global_average", STEPS(CONV(7, 3), TANH, POOL(.average = true))},
    {NULL},
};
static const struct example norms[] = {
    {"batch_norm", STEPS(CONV(7, 3), NORM, TANH, CONV(5, 3), TANH, NORM)},
    {NULL},
};
static const struct example lstms[] = {
    {"lstm", STEPS(LSTM(6)), .scale = 1.2f},
    {"lstm_both", STEPS(LSTM(18, .bidirectional = true))},
    {"lstm_hard", STEPS(LSTM(6, .hard_sigmoid = true)), .scale = 1.2f},
    {NULL},
};
static const struct example grus[] = {
    {"gru", STEPS(GRU(6, .reset_after = true))},
    {"gru_both", STEPS(GRU(18, .reset_after = true, .bidirectional = true))},
    {"gru_hard", STEPS(GRU(6, .reset_after = true, .hard_sigmoid = true)), .scale = 1.2f},
    {"gru_before", STEPS(GRU(6))},
    {"gru_before_both", STEPS(GRU(18, .bidirectional = true))},
    {"gru_before_hard", STEPS(GRU(6, .hard_sigmoid = true)), .scale = 1.2f},
    {NULL},
};
static const struct example whole_ones[] = {
    {"cnn_lstm", STEPS(CONV(8, 3, .activation = 'r'), NORM, POOL(.pool_size = 2), LSTM(6, .bidirectional = true), DENSE(7), RELU), .class_weight = true},
    {"cnn_gru", {CONV(8, 3, .same = true, .activation = 'r'), NORM, POOL(.pool_size = 2, .average = true), GRU(6, .reset_after = true), DENSE(7), TANH},
     .masking = true},
    {NULL},
};

/* --- the expected --- */

/* Values of "NETWORK.WHAT" in the file; returns how many. */
static int golden(const char *network, const char *what, double out[VALUES_MAX])
{
    char line[2048], name[64];
    int n = 0, m = snprintf(name, sizeof name, "%s.%s ", network, what);
    FILE *f = fopen("tests/golden/torch.txt", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, name, (size_t)m) == 0)
            for (char *at = line + m, *end; n < VALUES_MAX; at = end) {
                double x = strtod(at, &end);
                if (end == at)
                    break;
                out[n++] = x;
            }
    fclose(f);
    return n;
}

/* Relative; of numbers below `least` in parts of that. */
static void compare(const char *network, const char *what, const float *found, int n, double least)
{
    double expected[VALUES_MAX], worst = 0;
    CU_ASSERT_EQUAL_FATAL(golden(network, what, expected), n);
    for (int i = 0; i < n; i++) {
        double d = fabs((double)found[i] - expected[i]) / fmax(fabs(expected[i]), least);
        worst = d <= worst ? worst : d; /* what is no number is the worst */
    }
    printf("  %s %.0e", what, worst);
    CU_ASSERT(worst <= 1e-4);
}

/* --- a run --- */

static struct toy toy;

struct learner {
    const struct network *net;
    const struct example *example;
    float proba[TOY_ROWS * TOY_CLASSES], losses[BATCHES], stats[STATS_MAX];
    float *weights;
};

static void train(struct gang *g, struct learner *l, struct run *r, float *total, float *moments)
{
    static const float class_weight[TOY_CLASSES] = {0.5f, 2, 1, 0.25f, 1.5f};
    const struct optimizer adam = {.kind = OPTIMIZER_ADAM, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-3};
    size_t n = l->net->n_weights;
    int32_t samples[BATCH];
    struct batch b = {.features = &toy.x, .rows = &toy.rows, .samples = samples, .n = BATCH, .class_weight = l->example->class_weight ? class_weight : NULL};
    struct error e;
    for (int k = 0; k < BATCHES; k++) {
        for (int i = 0; i < BATCH; i++)
            samples[i] = (30 * k + i) % TOY_ROWS;
        network_batch(l->net, r, l->weights, l->stats, &b, g, total, &e);
        l->losses[k] = total[n + EXTRA_LOSS] / BATCH;
        optimizer_step(&adam, 0.008, k + 1, l->weights, total, moments, n);
    }
}

static void learn(struct gang *g, void *context)
{
    struct learner *l = context;
    const struct network *net = l->net;
    size_t n = net->n_weights;
    struct run *r = NULL, *predict = NULL;
    struct error e;
    float *moments = memory_new(2 * n * sizeof *moments), *total = memory_new((n + EXTRA_COUNT) * sizeof *total), scale = l->example->scale;
    run_new(&r, net, gang_leaves(BATCH), true, &e);
    run_new(&predict, net, 1, false, &e);
    l->weights = memory_new(n * sizeof *l->weights);
    network_start(net, l->weights, l->stats, 0);
    for (size_t i = 0; i < n; i++)
        l->weights[i] = toy_weight(i, scale > 0 ? scale : 0.4f);
    train(g, l, r, total, moments);
    network_predict(net, predict, l->weights, l->stats, &toy.x, toy.rows.row, TOY_ROWS, g, l->proba, &e);
    run_free(r);
    run_free(predict);
    free(moments);
    free(total);
}

/* On 1, 2 and 3 ranks. */
static void check(const char *name, const struct example *example, const struct network *net)
{
    static struct learner one[1], two[2], three[3];
    void *a[] = {&one[0]}, *b[] = {&two[0], &two[1]}, *c[] = {&three[0], &three[1], &three[2]};
    struct learner *all[] = {&one[0], &two[0], &two[1], &three[0], &three[1], &three[2]};
    const int shown[ROWS_SHOWN] = {0, 37, 99};
    float proba[ROWS_SHOWN * TOY_CLASSES];
    for (int i = 0; i < 6; i++)
        *all[i] = (struct learner){.net = net, .example = example};
    run_ranks(1, learn, a);
    run_ranks(2, learn, b);
    run_ranks(3, learn, c);
    for (int i = 0; i < ROWS_SHOWN; i++)
        memcpy(proba + i * TOY_CLASSES, one[0].proba + shown[i] * TOY_CLASSES, TOY_CLASSES * sizeof *proba);
    printf("\n    %-24s", name);
    compare(name, "losses", one[0].losses, BATCHES, 0);
    compare(name, "proba", proba, ROWS_SHOWN * TOY_CLASSES, 1e-2);
    if (net->n_stats)
        compare(name, "stats", one[0].stats, (int)net->n_stats, 1e-2);
    for (int i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(memcmp(all[i]->proba, one[0].proba, sizeof one[0].proba), 0);
        CU_ASSERT_EQUAL(memcmp(all[i]->losses, one[0].losses, sizeof one[0].losses), 0);
        CU_ASSERT_EQUAL(memcmp(all[i]->stats, one[0].stats, sizeof one[0].stats), 0);
        CU_ASSERT_EQUAL(memcmp(all[i]->weights, all[5]->weights, net->n_weights * sizeof(float)), 0);
    }
    for (int i = 0; i < 6; i++)
        free(all[i]->weights);
}

static void follow(const struct example *example, bool masking)
{
    struct network net;
    char name[64];
    toy_init(&toy, example->alone ? "[\"signed_size\"]" : "[\"signed_size\",\"size\"]");
    for (int i = 0; i < TOY_ROWS && masking; i++)
        ((int32_t *)toy.flows.length)[i] = 1 + i * 7 % TOY_STEPS;
    network_init(&net, &(struct network_input){.steps = TOY_STEPS, .n_channels = toy.x.n_channels, .clip = toy.x.clip, .embedding = example->embedding, .flat = example->flat,
                                               .masking = masking});
    for (int i = 0; i < LAYERS_MAX && example->layers[i].type != LAYER_INPUT; i++)
        CU_ASSERT_FATAL(network_add(&net, example->layers[i]));
    if (net.layers[net.n_layers - 1].steps > 1)
        CU_ASSERT_FATAL(network_add(&net, (struct layer)FLATTEN));
    CU_ASSERT_FATAL(network_add(&net, (struct layer)DENSE(TOY_CLASSES)));
    CU_ASSERT_EQUAL(net.layers[0].by_token, example->alone);
    snprintf(name, sizeof name, "%s%s", example->name, masking ? ".masked" : "");
    check(name, example, &net);
    toy_fini(&toy);
}

static void follow_all(const struct example *examples)
{
    for (const struct example *x = examples; x->name; x++)
        for (int masking = 0; masking <= x->masking; masking++)
            follow(x, masking);
}

static void test_dense(void) { follow_all(dense_ones); }
static void test_convolutions(void) { follow_all(convolutions); }
static void test_token_convolutions(void) { follow_all(token_convolutions); }
static void test_poolings(void) { follow_all(poolings); }
static void test_norms(void) { follow_all(norms); }
static void test_lstms(void) { follow_all(lstms); }
static void test_grus(void) { follow_all(grus); }
static void test_whole(void) { follow_all(whole_ones); }

UNIT_MAIN({"embedding, dense, activations, class weights", test_dense}, {"convolutions", test_convolutions},
          {"convolutions of an embedding alone", test_token_convolutions}, {"pooling", test_poolings},
          {"batch normalization", test_norms}, {"lstm", test_lstms}, {"gru", test_grus}, {"whole networks", test_whole})
