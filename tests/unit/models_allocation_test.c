/* An epoch allocates nothing after the first: every kind of layer, alone, in gangs with leaves for all or not, and with rows that are dealt. */
#include "unit.h"

#include "allocations.h"
#include "models/model.h"
#include "rank_threads.h"
#include "toy_flows.h"
#include "toy_params.h"

extern const struct model_kind model_dnn, model_cnn_lstm;

enum { RANKS = 3, EPOCHS = 4 };

static struct toy toy;

static void begin(void)
{
    toy_init(&toy, "[\"signed_size\",\"size\"]");
    params = (struct params){0};
    params_complete(&params, "train", train_params);
    params_complete(&params, "dnn", model_dnn.params);
    params_complete(&params, "cnn_lstm", model_cnn_lstm.params);
    set("train.epochs", "4");
    set("train.batch_size", "70"); /* three leaves, then one */
    set("train.class_weight", "\"balanced\"");
    set("dnn.hidden_layer_sizes", "[24,16]");
    set("dnn.dropout", "0.2");
    set("dnn.embedding", "4");
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

struct fit {
    const struct model_kind *kind;
    bool dealt;
    int epochs;
    long taken[EPOCHS]; /* by this rank up to the end of each */
    enum status status;
};

static struct model_spec spec_of(const struct fit *f, const struct gang *g)
{
    return (struct model_spec){.kind = f->kind, .params = &params, .features = &toy.x, .train = &toy.rows, .stop = &toy.rows, .n_classes = TOY_CLASSES,
                               .metric = "macro_f1", .key = 5, .shard = f->dealt ? g->rank : 0, .n_shards = f->dealt ? g->size : 0};
}

static void fit(struct gang *g, void *context)
{
    struct fit *f = context;
    struct model_spec spec = spec_of(f, g);
    struct model_progress p = {0};
    struct model *m;
    struct error e;
    f->status = f->kind->fit_new(&m, &spec, &e);
    while (f->status == STATUS_OK && !p.done) {
        f->status = f->kind->fit_step(m, &spec, g, &p, &e);
        f->taken[f->epochs++ % EPOCHS] = allocations;
    }
    f->kind->free(m);
}

static void count(const struct model_kind *kind, int ranks, bool dealt)
{
    struct fit fits[RANKS] = {{0}};
    void *contexts[RANKS];
    for (int r = 0; r < ranks; r++) {
        fits[r] = (struct fit){.kind = kind, .dealt = dealt};
        contexts[r] = &fits[r];
    }
    run_ranks(ranks, fit, contexts);
    for (int r = 0; r < ranks; r++) {
        CU_ASSERT_EQUAL(fits[r].status, STATUS_OK);
        CU_ASSERT_EQUAL(fits[r].epochs, EPOCHS);
        CU_ASSERT(fits[r].taken[0] > 0);
        CU_ASSERT_EQUAL(fits[r].taken[EPOCHS - 1] - fits[r].taken[0], 0);
    }
}

static void count_all(const struct model_kind *kind)
{
    for (int ranks = 1; ranks <= RANKS; ranks++) {
        count(kind, ranks, false);
        count(kind, ranks, true);
    }
}

static void test_dnn(void)
{
    begin();
    count_all(&model_dnn);
    set("train.optimizer", "\"sgd\"");
    set("train.schedule", "\"reduce_on_plateau\"");
    count_all(&model_dnn);
    end();
}

static void test_cnn_lstm(void)
{
    static const char *const cells[] = {"\"lstm\"", "\"gru\""};
    begin();
    for (int i = 0; i < 2; i++) {
        set("cnn_lstm.cell", cells[i]);
        count_all(&model_cnn_lstm);
        set("cnn_lstm.batch_norm", "false");
        count_all(&model_cnn_lstm);
        set("cnn_lstm.bidirectional", "true");
        set("cnn_lstm.masking", "true");
        set("cnn_lstm.batch_norm", "true");
        count_all(&model_cnn_lstm);
        set("cnn_lstm.bidirectional", "false");
        set("cnn_lstm.masking", "false");
    }
    end();
}

/* The counting itself. */
static void test_counting(void)
{
    long before = allocations;
    free(memory_resize(memory_new(5), 5000));
    free(memory_text("a"));
    CU_ASSERT_EQUAL(allocations - before, 3);
}

UNIT_MAIN({"what is counted", test_counting}, {"dnn", test_dnn}, {"cnn_lstm", test_cnn_lstm})
