/* Outputs, losses over 20 steps and batch normalization's statistics against PyTorch (tests/golden/torch.txt), on 1, 2 and 3 ranks, bit-equal among them.
 * All 100 rows a batch: three leaves and a short one; no dropout. */
#include "unit.h"

#include <math.h>
#include <stdio.h>

#include "models/network.h"
#include "models/optimizer.h"
#include "rank_threads.h"
#include "toy_flows.h"

enum { STEPS = 20, VALUES_MAX = 64 };
static struct toy toy;

static int golden(const char *name, double out[VALUES_MAX])
{
    char line[8192];
    int n = 0;
    size_t m = strlen(name);
    FILE *f = fopen("tests/golden/torch.txt", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, name, m) == 0 && line[m] == ' ')
            for (char *at = line + m, *end; n < VALUES_MAX; at = end) {
                double x = strtod(at, &end);
                if (end == at)
                    break;
                out[n++] = x;
            }
    fclose(f);
    CU_ASSERT_FATAL(n > 0);
    return n;
}

static void compare(const char *network, const char *what, const float *found, int n)
{
    char name[64];
    double expected[VALUES_MAX], worst = 0;
    snprintf(name, sizeof name, "%s.%s", network, what);
    CU_ASSERT_EQUAL_FATAL(golden(name, expected), n);
    for (int i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)found[i] - expected[i]) / fmax(fabs(expected[i]), 1e-3));
    printf("%s: %.1e ", name, worst);
    CU_ASSERT(worst <= 1e-4);
}

struct learner {
    const struct network *net;
    float proba[TOY_ROWS * TOY_CLASSES], losses[STEPS], stats[64];
    float *weights;
};

static void learn(struct gang *g, void *context)
{
    struct learner *l = context;
    const struct optimizer adam = {.kind = OPTIMIZER_ADAM, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7};
    size_t n = l->net->n_weights;
    struct run *r = NULL, *predict = NULL;
    struct error e;
    float *moments = memory_new(2 * n * sizeof *moments), *total = memory_new((n + EXTRA_COUNT) * sizeof *total);
    int32_t samples[TOY_ROWS];
    struct batch b = {.features = &toy.x, .rows = &toy.rows, .samples = samples, .n = TOY_ROWS, .key = 1};
    run_new(&r, l->net, 4, true, &e);
    run_new(&predict, l->net, 1, false, &e);
    l->weights = memory_new(n * sizeof *l->weights);
    for (size_t i = 0; i < n; i++)
        l->weights[i] = toy_weight(i, 0.4f);
    for (size_t j = 0; j < l->net->n_stats; j++)
        l->stats[j] = j < l->net->n_stats / 2 ? 0 : 1;
    for (int i = 0; i < TOY_ROWS; i++)
        samples[i] = i;
    network_predict(l->net, predict, l->weights, l->stats, &toy.x, toy.rows.row, TOY_ROWS, g, l->proba, &e);
    for (int s = 0; s < STEPS; s++) {
        network_batch(l->net, r, l->weights, l->stats, &b, g, total, &e);
        l->losses[s] = total[n + EXTRA_LOSS] / TOY_ROWS;
        optimizer_step(&adam, 0.01, s + 1, l->weights, total, moments, n);
    }
    run_free(r);
    run_free(predict);
    free(moments);
    free(total);
}

static void check(const char *name, const struct network *net)
{
    static struct learner one[1], two[2], three[3];
    void *a[] = {&one[0]}, *b[] = {&two[0], &two[1]}, *c[] = {&three[0], &three[1], &three[2]};
    struct learner *all[] = {&one[0], &two[0], &two[1], &three[0], &three[1], &three[2]};
    float proba[3 * TOY_CLASSES];
    for (int i = 0; i < 6; i++) {
        memset(all[i], 0, sizeof *all[i]);
        all[i]->net = net;
    }
    run_ranks(1, learn, a);
    run_ranks(2, learn, b);
    run_ranks(3, learn, c);
    const int rows[] = {0, 37, 99};
    for (int i = 0; i < 3; i++)
        memcpy(proba + i * TOY_CLASSES, one[0].proba + rows[i] * TOY_CLASSES, TOY_CLASSES * sizeof *proba);
    compare(name, "proba", proba, 3 * TOY_CLASSES);
    compare(name, "losses", one[0].losses, STEPS);
    if (net->n_stats)
        compare(name, "stats", one[0].stats, (int)net->n_stats);
    for (int i = 1; i < 6; i++) {
        CU_ASSERT_EQUAL(memcmp(all[i]->proba, one[0].proba, sizeof one[0].proba), 0);
        CU_ASSERT_EQUAL(memcmp(all[i]->losses, one[0].losses, sizeof one[0].losses), 0);
        CU_ASSERT_EQUAL(memcmp(all[i]->stats, one[0].stats, sizeof one[0].stats), 0);
        CU_ASSERT_EQUAL(memcmp(all[i]->weights, one[0].weights, net->n_weights * sizeof(float)), 0);
    }
    for (int i = 0; i < 6; i++)
        free(all[i]->weights);
}

static void test_dnn(void)
{
    struct network net;
    toy_init(&toy, "[\"signed_size\"]");
    network_init(&net, &(struct network_input){.steps = TOY_STEPS, .n_channels = 1, .clip = toy.x.clip, .flat = true});
    network_add(&net, (struct layer){.type = LAYER_DENSE, .width = 16});
    network_add(&net, (struct layer){.type = LAYER_ACTIVATION, .activation = 'r'});
    network_add(&net, (struct layer){.type = LAYER_DENSE, .width = 9});
    network_add(&net, (struct layer){.type = LAYER_ACTIVATION, .activation = 'r'});
    network_add(&net, (struct layer){.type = LAYER_DENSE, .width = TOY_CLASSES});
    check("dnn", &net);
    toy_fini(&toy);
}

static void recurrent(const char *name, struct layer cell)
{
    struct network net;
    toy_init(&toy, "[\"signed_size\"]");
    network_init(&net, &(struct network_input){.steps = TOY_STEPS, .n_channels = 1, .clip = toy.x.clip, .embedding = 4});
    network_add(&net, (struct layer){.type = LAYER_CONV1D, .width = 8, .kernel_size = 3});
    network_add(&net, (struct layer){.type = LAYER_ACTIVATION, .activation = 'r'});
    network_add(&net, (struct layer){.type = LAYER_BATCH_NORM});
    network_add(&net, (struct layer){.type = LAYER_POOLING, .pool_size = 2});
    network_add(&net, cell);
    network_add(&net, (struct layer){.type = LAYER_DENSE, .width = 7});
    network_add(&net, (struct layer){.type = LAYER_ACTIVATION, .activation = 'r'});
    network_add(&net, (struct layer){.type = LAYER_DENSE, .width = TOY_CLASSES});
    check(name, &net);
    toy_fini(&toy);
}

static void test_cnn_lstm(void) { recurrent("cnn_lstm", (struct layer){.type = LAYER_LSTM, .units = 6}); }
static void test_cnn_gru(void) { recurrent("cnn_gru", (struct layer){.type = LAYER_GRU, .units = 6, .reset_after = true}); }
static void test_cnn_gru_before(void) { recurrent("cnn_gru_before", (struct layer){.type = LAYER_GRU, .units = 6, .hard_sigmoid = true}); }

UNIT_MAIN({"dnn", test_dnn}, {"cnn_lstm", test_cnn_lstm}, {"cnn_gru, reset after", test_cnn_gru}, {"cnn_gru, reset before", test_cnn_gru_before})
