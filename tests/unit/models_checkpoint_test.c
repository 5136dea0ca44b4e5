/* Training follows its schedule and its labels, and what a checkpoint must hold for that: the moments of its optimizer, the memory of its schedule, and no others. */
#include "unit.h"

#include <math.h>

#include "models/model.h"
#include "toy_flows.h"
#include "toy_params.h"

extern const struct model_kind model_dnn;

enum { HIDDEN = 16, WEIGHTS = (TOY_STEPS + 1) * HIDDEN + (HIDDEN + 1) * TOY_CLASSES };
enum { STATE_HEAD = 28, STATE_PLATEAU = 24 }; /* bytes: epochs and the best metric; of reduce_on_plateau */

static struct toy toy;

static void begin(void)
{
    toy_init(&toy, "[\"signed_size\"]");
    params = (struct params){0};
    set("train.epochs", "4");
    set("train.batch_size", "70");
    set("train.learning_rate", "0.01");
    set("train.patience", "0");
    set("dnn.hidden_layer_sizes", "[16]");
    params_complete(&params, "train", train_params);
    params_complete(&params, "dnn", model_dnn.params);
}

static void end(void)
{
    params_fini(&params);
    toy_fini(&toy);
}

/* Accuracy: no epoch but the first is that much better. */
static void set_plateau(void)
{
    set("train.schedule", "\"reduce_on_plateau\"");
    set("train.plateau_patience", "1");
    set("train.plateau_min_delta", "0.9");
    params_complete(&params, "train", train_params);
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

static bool equal(const struct buffer *a, const struct buffer *b)
{
    return a->size == b->size && a->size > 0 && memcmp(a->data, b->data, a->size) == 0;
}

static struct model *fitted(int epochs)
{
    struct model_spec spec = spec_of(&model_dnn);
    struct gang alone = gang_alone(NULL, NULL);
    struct model_progress p = {0};
    struct model *m;
    struct error e;
    CU_ASSERT_EQUAL_FATAL(model_dnn.fit_new(&m, &spec, &e), STATUS_OK);
    while (!p.done && p.epoch < epochs)
        CU_ASSERT_EQUAL_FATAL(model_dnn.fit_step(m, &spec, &alone, &p, &e), STATUS_OK);
    return m;
}

static struct buffer file_of(int epochs)
{
    struct buffer file = {0};
    struct model *m = fitted(epochs);
    model_dnn.write(m, &file);
    model_dnn.free(m);
    return file;
}

static bool same_files(struct buffer a, struct buffer b)
{
    bool same = equal(&a, &b);
    buffer_fini(&a);
    buffer_fini(&b);
    return same;
}

static bool same_weights(int epochs, int more_epochs)
{
    return same_files(file_of(epochs), file_of(more_epochs));
}

/* A rate that falls to next to nothing after two epochs: from then on weights stay. So training follows its schedule, and the plateau's own epochs. */
static void test_schedule_in_training(void)
{
    begin();
    set("train.schedule", "\"step\"");
    set("train.decay_epochs", "2");
    set("train.decay_rate", "1e-30");
    params_complete(&params, "train", train_params);
    CU_ASSERT(!same_weights(1, 2));
    CU_ASSERT(same_weights(2, 4));
    set_plateau();
    set("train.plateau_factor", "1e-30");
    CU_ASSERT(!same_weights(1, 2)); /* the second epoch is no better, the third feels it */
    CU_ASSERT(same_weights(2, 4));
    end();
}

static bool labels_matter(const char *smoothing)
{
    set("train.label_smoothing", smoothing);
    struct buffer as_they_are = file_of(2);
    for (int i = 0; i < TOY_ROWS; i++)
        toy.rows.y[i] = (toy.rows.y[i] + 1) % TOY_CLASSES;
    return !same_files(as_they_are, file_of(2));
}

/* Spread as a whole, labels say nothing. */
static void test_smoothing_in_training(void)
{
    begin();
    CU_ASSERT(labels_matter("0.5"));
    CU_ASSERT(!labels_matter("1.0"));
    end();
}

static enum status read_state(const void *bytes, size_t n, struct error *e)
{
    struct model_spec spec = spec_of(&model_dnn);
    struct model *m;
    CU_ASSERT_EQUAL_FATAL(model_dnn.fit_new(&m, &spec, e), STATUS_OK);
    enum status s = model_dnn.state_read(m, bytes, n, e);
    model_dnn.free(m);
    return s;
}

static struct buffer state_of(int epochs)
{
    struct buffer state = {0};
    struct model *m = fitted(epochs);
    model_dnn.state_write(m, &state);
    model_dnn.free(m);
    return state;
}

/* Checkpoints that lack what the optimizer or the schedule remembers, or have more of it, or nonsense, are refused in words. */
static void test_state_of_another(void)
{
    struct error e = {0};
    begin();
    struct buffer adam = state_of(2);
    set_plateau();
    struct buffer plateau = state_of(2), bent = {0};
    CU_ASSERT_EQUAL(read_state(adam.data, adam.size, &e), STATUS_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "checkpoint"));
    CU_ASSERT_EQUAL(read_state(plateau.data, plateau.size, &e), STATUS_OK);
    CU_ASSERT_EQUAL(read_state(plateau.data, plateau.size - STATE_PLATEAU, &e), STATUS_DATA); /* as it would be without a plateau */
    for (size_t cut = 1; cut <= 2 * STATE_PLATEAU; cut++)
        CU_ASSERT_EQUAL(read_state(plateau.data, plateau.size - cut, &e), STATUS_DATA);
    const double rates[] = {-1, 1e9, NAN};
    for (int i = 0; i < 3; i++) {
        buffer_put(&bent, plateau.data, plateau.size);
        memcpy((char *)bent.data + bent.size - STATE_PLATEAU, &rates[i], sizeof rates[i]);
        CU_ASSERT_EQUAL(read_state(bent.data, bent.size, &e), STATUS_DATA);
        buffer_fini(&bent);
    }
    set("train.schedule", "\"constant\"");
    CU_ASSERT_EQUAL(read_state(plateau.data, plateau.size, &e), STATUS_DATA);
    buffer_fini(&adam);
    buffer_fini(&plateau);
    end();
}

/* The state as sgd wrote it when it kept two moments, whatever it needed. */
static struct buffer as_old(const struct buffer *now, size_t live)
{
    static const float zeros[2 * WEIGHTS];
    struct buffer old = {0};
    const char *bytes = now->data;
    size_t old_live = 3 * WEIGHTS * sizeof(float), rest = STATE_HEAD + 8 + live;
    CU_ASSERT_EQUAL_FATAL(now->size, rest + 8 + WEIGHTS * sizeof(float));
    buffer_put(&old, bytes, STATE_HEAD);
    buffer_put_u64(&old, old_live);
    buffer_put(&old, bytes + STATE_HEAD + 8, live);
    buffer_put(&old, zeros, old_live - live);
    buffer_put(&old, bytes + rest, now->size - rest);
    return old;
}

/* Such a checkpoint goes on to the same bits. */
static void test_old_sgd(void)
{
    struct error e;
    struct model *m;
    begin();
    set("train.optimizer", "\"sgd\"");
    params_complete(&params, "train", train_params);
    for (size_t with = 0; with < 2; with++) {
        set("train.momentum", with ? "0.9" : "0.0");
        struct buffer now = state_of(2), old = as_old(&now, (1 + with) * WEIGHTS * sizeof(float)), again = {0};
        struct model_spec spec = spec_of(&model_dnn);
        CU_ASSERT_EQUAL_FATAL(model_dnn.fit_new(&m, &spec, &e), STATUS_OK);
        CU_ASSERT_EQUAL(model_dnn.state_read(m, old.data, old.size, &e), STATUS_OK);
        model_dnn.state_write(m, &again);
        CU_ASSERT(equal(&again, &now));
        model_dnn.free(m);
        buffer_fini(&now);
        buffer_fini(&old);
        buffer_fini(&again);
    }
    end();
}

UNIT_MAIN({"training follows its schedule", test_schedule_in_training}, {"training follows smoothed labels", test_smoothing_in_training},
          {"checkpoints of others", test_state_of_another},
          {"checkpoints of old sgd", test_old_sgd})
