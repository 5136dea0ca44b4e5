/* Every layer, through a whole batch of four leaves: gradients against central differences; the same bits from every engine that this processor runs;
 * with masking, nothing of what stands behind a row's end. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/network.h"
#include "toy_flows.h"

static struct toy toy;

static double loss_of(const struct network *net, struct run *r, const float *w, float *total)
{
    int32_t samples[TOY_ROWS];
    float stats[256] = {0};
    struct gang alone = gang_alone(NULL, NULL);
    struct batch b = {.features = &toy.x, .rows = &toy.rows, .samples = samples, .n = TOY_ROWS, .key = 5};
    struct error e;
    for (int i = 0; i < TOY_ROWS; i++)
        samples[i] = i;
    CU_ASSERT_EQUAL(network_batch(net, r, w, stats, &b, &alone, total, &e), STATUS_OK);
    return (double)total[net->n_weights + EXTRA_LOSS] / TOY_ROWS;
}

/* Every weight of small layers, some of larger ones. */
static void check_gradients(const struct network *net)
{
    const float h = 1e-3f;
    struct run *r;
    struct error e;
    float *w = memory_new(net->n_weights * sizeof *w), *total = memory_new((net->n_weights + EXTRA_COUNT) * sizeof *w);
    float *ignored = memory_new((net->n_weights + EXTRA_COUNT) * sizeof *w);
    CU_ASSERT_EQUAL_FATAL(run_new(&r, net, 4, true, &e), STATUS_OK);
    for (size_t i = 0; i < net->n_weights; i++)
        w[i] = toy_weight(i, 0.4f);
    double here = loss_of(net, r, w, total);
    int wrong = 0, checked = 0;
    double largest = 0;
    for (int l = 0; l < net->n_layers; l++) {
        size_t n = net->layers[l].n_weights, stride = n > 60 ? n / 60 : 1;
        for (size_t k = 0; k < n; k += stride, checked++) {
            size_t i = net->layers[l].weights + k;
            float kept = w[i];
            w[i] = kept + h;
            double up = loss_of(net, r, w, ignored);
            w[i] = kept - h;
            double down = loss_of(net, r, w, ignored), slope = (up - down) / (2.0 * (double)h), right = (up - here) / (double)h;
            w[i] = kept;
            largest = fmax(largest, fabs(slope));
            /* where a maximum changes hands within h, the slope lies between those of the two sides */
            double bend = fabs(right - slope), room = bend > 0.02 * fabs(slope) ? bend : 0;
            if (fabs(slope - (double)total[i]) > 4e-4 + 0.02 * fabs(slope) + room) {
                printf("layer %d %s weight %zu: by differences %g, by backward %g\n", l, network_kind(net, l)->name, k, slope, (double)total[i]);
                wrong++;
            }
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(checked > 0 && largest > 1e-3);
    run_free(r);
    free(w);
    free(total);
    free(ignored);
}

/* Gradients, loss and predictions of one engine; padding is added to the vector of token 0. */
static void compute(struct network net, const struct engine *engine, float padding, float *total, float *proba)
{
    struct run *r = NULL;
    struct error e;
    struct gang alone = gang_alone(NULL, NULL);
    float *w = memory_new(net.n_weights * sizeof *w), stats[256];
    net.engine = engine;
    for (size_t i = 0; i < net.n_weights; i++)
        w[i] = toy_weight(i, 0.4f) + (i < (size_t)net.layers[0].embedding ? padding : 0);
    for (size_t i = 0; i < net.n_stats; i++)
        stats[i] = 1;
    CU_ASSERT_EQUAL_FATAL(run_new(&r, &net, 4, true, &e), STATUS_OK);
    loss_of(&net, r, w, total);
    CU_ASSERT_EQUAL(network_predict(&net, r, w, stats, &toy.x, toy.rows.row, TOY_ROWS, &alone, proba, &e), STATUS_OK);
    run_free(r);
    free(w);
}

static void check_engines(const struct network *net)
{
    size_t n = (net->n_weights + EXTRA_COUNT) * sizeof(float);
    float *total = memory_new(n), *other = memory_new(n), proba[TOY_ROWS * TOY_CLASSES], other_proba[TOY_ROWS * TOY_CLASSES];
    int i = 0;
    while (engines[i + 1])
        i++;
    compute(*net, engines[i], 0, total, proba); /* plain C */
    for (i--; i >= 0; i--)
        if (engine_runs(engines[i])) {
            compute(*net, engines[i], 0, other, other_proba);
            CU_ASSERT_EQUAL(memcmp(total, other, n), 0);
            CU_ASSERT_EQUAL(memcmp(proba, other_proba, sizeof proba), 0);
        } else {
            printf("(no %s here) ", engines[i]->name);
        }
    free(total);
    free(other);
}

/* The vector of the token that stands for padding may be anything, and has no gradient. */
static void check_padding(const struct network *net)
{
    size_t n = (net->n_weights + EXTRA_COUNT) * sizeof(float);
    float *total = memory_new(n), *other = memory_new(n), proba[TOY_ROWS * TOY_CLASSES], other_proba[TOY_ROWS * TOY_CLASSES];
    compute(*net, net->engine, 0, total, proba);
    compute(*net, net->engine, 5, other, other_proba);
    CU_ASSERT_EQUAL(memcmp(total, other, n), 0);
    CU_ASSERT_EQUAL(memcmp(proba, other_proba, sizeof proba), 0);
    for (int j = 0; j < net->layers[0].embedding; j++)
        CU_ASSERT_EQUAL(total[j], 0);
    free(total);
    free(other);
}

/* A network of these layers, flattened at the end where steps are left; every check of it. */
static void check_one(const struct layer *layers, int n, const char *channels, int embedding, bool masking)
{
    struct network net;
    toy_init(&toy, channels);
    if (masking)
        for (int i = 0; i < TOY_ROWS; i++)
            ((int32_t *)toy.flows.length)[i] = i == 13 && embedding == 0 ? 0 : 1 + i * 7 % TOY_STEPS;
    network_init(&net, &(struct network_input){.steps = TOY_STEPS, .n_channels = toy.x.n_channels, .token_channel = features_find(&toy.x, CHANNEL_SIGNED_SIZE),
                                               .clip = toy.x.clip, .embedding = embedding, .masking = masking});
    for (int i = 0; i < n; i++)
        CU_ASSERT_FATAL(network_add(&net, layers[i]));
    if (net.layers[net.n_layers - 1].steps > 1)
        CU_ASSERT_FATAL(network_add(&net, (struct layer){.type = LAYER_FLATTEN}));
    CU_ASSERT_FATAL(network_add(&net, (struct layer){.type = LAYER_DENSE, .width = TOY_CLASSES}));
    check_gradients(&net);
    check_engines(&net);
    if (masking && embedding)
        check_padding(&net);
    toy_fini(&toy);
}

#define CHECK_OF(channels, embedding, ...)                                                         \
    do {                                                                                           \
        const struct layer layers[] = {__VA_ARGS__};                                               \
        check_one(layers, (int)(sizeof layers / sizeof *layers), channels, embedding, false);      \
        check_one(layers, (int)(sizeof layers / sizeof *layers), channels, embedding, true);       \
    } while (0)
#define CHECK(embedding, ...) CHECK_OF("[\"signed_size\",\"size\"]", embedding, __VA_ARGS__)
#define CONV(...) {.type = LAYER_CONV1D, .width = 5, .kernel_size = 3, __VA_ARGS__}
#define TANH {.type = LAYER_ACTIVATION, .activation = 't'}

static void test_embedding(void) { CHECK(3, TANH); }
static void test_dense(void)
{
    CHECK(0, {.type = LAYER_FLATTEN}, {.type = LAYER_DENSE, .width = 7}, {.type = LAYER_ACTIVATION, .activation = 's'});
    CHECK(0, {.type = LAYER_FLATTEN}, {.type = LAYER_DENSE, .width = 77}, {.type = LAYER_ACTIVATION, .activation = 'r'});
}
static void test_conv(void)
{
    CHECK(2, CONV(), TANH);
    CHECK(0, CONV(.activation = 'r'));
    CHECK(2, CONV(.same = true), TANH);
    CHECK(2, CONV(.dilation_rate = 2), TANH);
    CHECK(2, CONV(.strides = 2), TANH, CONV(.same = true, .strides = 3));
    CHECK(2, CONV(.same = true, .strides = 2, .dilation_rate = 3), TANH);
}
static void test_conv_tokens(void) /* of an embedding alone */
{
    CHECK_OF("[\"signed_size\"]", 3, CONV(), TANH);
    CHECK_OF("[\"signed_size\"]", 2, CONV(.same = true, .activation = 'r'), CONV(), TANH);
    CHECK_OF("[\"signed_size\"]", 2, {.type = LAYER_CONV1D, .width = 69, .kernel_size = 2, .dilation_rate = 2}, TANH);
    CHECK_OF("[\"signed_size\"]", 2, CONV(.same = true, .strides = 2), TANH);
    CHECK_OF("[\"signed_size\"]", 2, CONV(.strides = 3), TANH); /* too few steps are left for it to be worth it */
}
static void test_pooling(void)
{
    CHECK(0, CONV(), TANH, {.type = LAYER_POOLING, .pool_size = 2});
    CHECK(0, CONV(), TANH, {.type = LAYER_POOLING, .pool_size = 3, .average = true});
    CHECK(2, CONV(), TANH, {.type = LAYER_POOLING});
    CHECK(2, CONV(), TANH, {.type = LAYER_POOLING, .average = true});
}
static void test_batch_norm(void) { CHECK(0, CONV(), {.type = LAYER_BATCH_NORM}, TANH); }
static void test_dropout(void) { CHECK(2, {.type = LAYER_DROPOUT, .rate = 0.4f}); }
static void test_lstm(void)
{
    CHECK(2, {.type = LAYER_LSTM, .units = 6});
    CHECK(0, {.type = LAYER_LSTM, .units = 18, .bidirectional = true});
}
static void test_gru(void)
{
    CHECK(2, {.type = LAYER_GRU, .units = 6, .reset_after = true});
    CHECK(2, {.type = LAYER_GRU, .units = 6});
    CHECK(0, {.type = LAYER_GRU, .units = 6, .hard_sigmoid = true});
    CHECK(0, {.type = LAYER_GRU, .units = 18, .reset_after = true, .bidirectional = true});
    CHECK(0, {.type = LAYER_GRU, .units = 5, .bidirectional = true});
}

UNIT_MAIN({"embedding", test_embedding}, {"dense", test_dense}, {"conv1d", test_conv}, {"conv1d of an embedding alone", test_conv_tokens}, {"pooling", test_pooling},
          {"batch normalization", test_batch_norm}, {"dropout", test_dropout}, {"lstm", test_lstm}, {"gru", test_gru})
