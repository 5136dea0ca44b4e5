/* Gradients of every layer against central differences, through a whole batch of four leaves. */
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
    const float h = 4e-3f;
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
                printf("layer %d %s weight %zu: by differences %g, by backward %g\n", l, net->layers[l].kind->name, k, slope, (double)total[i]);
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

static void start(struct network *net, int embedding)
{
    network_init(net, TOY_STEPS, toy.x.n_channels, features_find(&toy.x, CHANNEL_SIGNED_SIZE), toy.x.clip, embedding);
}

static void end(struct network *net)
{
    network_add(net, (struct layer){.kind = &layer_dense, .width = TOY_CLASSES});
    check_gradients(net);
}

static void with(struct layer l, int embedding)
{
    struct network net;
    toy_init(&toy, "[\"signed_size\",\"size\"]");
    start(&net, embedding);
    CU_ASSERT(network_add(&net, l));
    end(&net);
    toy_fini(&toy);
}

static void test_embedding(void) { with((struct layer){.kind = &layer_activation, .activation = 't'}, 3); }
static void test_dense_sigmoid(void)
{
    struct network net;
    toy_init(&toy, "[\"signed_size\"]");
    start(&net, 0);
    network_add(&net, (struct layer){.kind = &layer_dense, .width = 7});
    network_add(&net, (struct layer){.kind = &layer_activation, .activation = 's'});
    end(&net);
    toy_fini(&toy);
}
static void test_conv(void) { with((struct layer){.kind = &layer_conv1d, .width = 5, .kernel_size = 3}, 2); }
static void test_conv_pool(void)
{
    struct network net;
    toy_init(&toy, "[\"signed_size\"]");
    start(&net, 0);
    network_add(&net, (struct layer){.kind = &layer_conv1d, .width = 5, .kernel_size = 3});
    network_add(&net, (struct layer){.kind = &layer_activation, .activation = 't'});
    network_add(&net, (struct layer){.kind = &layer_max_pooling, .pool_size = 2});
    end(&net);
    toy_fini(&toy);
}
static void test_batch_norm(void)
{
    struct network net;
    toy_init(&toy, "[\"signed_size\"]");
    start(&net, 0);
    network_add(&net, (struct layer){.kind = &layer_conv1d, .width = 4, .kernel_size = 2});
    network_add(&net, (struct layer){.kind = &layer_batch_norm});
    network_add(&net, (struct layer){.kind = &layer_activation, .activation = 't'});
    end(&net);
    toy_fini(&toy);
}
static void test_dropout(void) { with((struct layer){.kind = &layer_dropout, .rate = 0.4f}, 2); }
static void test_lstm(void) { with((struct layer){.kind = &layer_lstm, .width = 6}, 2); }
static void test_gru_reset_after(void) { with((struct layer){.kind = &layer_gru, .width = 6, .reset_after = true}, 2); }
static void test_gru_reset_before(void) { with((struct layer){.kind = &layer_gru, .width = 6}, 2); }
static void test_gru_hard_sigmoid(void) { with((struct layer){.kind = &layer_gru, .width = 6, .hard_sigmoid = true}, 0); }

UNIT_MAIN({"embedding", test_embedding}, {"dense, sigmoid", test_dense_sigmoid}, {"conv1d", test_conv}, {"conv1d, tanh, max pooling", test_conv_pool},
          {"batch normalization", test_batch_norm}, {"dropout", test_dropout}, {"lstm", test_lstm}, {"gru, reset after", test_gru_reset_after},
          {"gru, reset before", test_gru_reset_before}, {"gru, hard sigmoid", test_gru_hard_sigmoid})
