/* Training rows dealt over a gang: every model comes to the bits that it comes to where each rank has all rows; one set of codes a node. */
#include "unit.h"

#include <stdatomic.h>

#include "flows/piece.h"
#include "models/forest_data.h"
#include "models/shard.h"
#include "rank_threads.h"
#include "toy_flows.h"
#include "toy_params.h"

static struct toy toy;
static void begin(const char *channels)
{
    toy_init(&toy, channels);
    params = (struct params){0};
    params_complete(&params, "train", train_params);
    for (int k = 0; model_kinds[k]; k++)
        params_complete(&params, model_kinds[k]->name, model_kinds[k]->params);
    set("train.epochs", "3");
    set("train.batch_size", "70");
    set("train.class_weight", "\"balanced\"");
    set("dnn.hidden_layer_sizes", "[16]");
    set("cnn_lstm.embedding", "4");
    set("cnn_lstm.filters", "[8]");
    set("cnn_lstm.units", "7");
    set("cnn_lstm.dense", "6");
    set("cnn_lstm.batch_norm", "true");
    set("random_forest.n_estimators", "20");
    set("knn.n_neighbors", "3");
}

static void end(void)
{
    params_fini(&params);
    toy_fini(&toy);
}

struct member { /* a rank: what it holds, what it comes to */
    const struct model_kind *kind;
    bool dealt;
    int n; /* rows: those of the toy, again and again */
    struct model_node node;
    struct piece piece;
    struct rows train, stop;
    struct features x;
    struct buffer file;
    float proba[TOY_ROWS * TOY_CLASSES];
    double oob_accuracy;
    int wrong; /* counted on its own thread */
};

/* Held rows of [first, last) go into the piece from *at on; the others are nowhere. */
static void hold(struct member *m, struct rows *rows, int first, int last, int *at)
{
    char bytes[256];
    struct error e;
    *rows = (struct rows){m->n, memory_new((size_t)m->n * 4), toy.rows.y};
    CU_ASSERT_FATAL(piece_row_bytes(TOY_STEPS, toy.flows.channels) <= sizeof bytes);
    for (int i = 0; i < m->n; i++) {
        int32_t row = i % TOY_ROWS;
        rows->row[i] = -1;
        if (i < first || i >= last)
            continue;
        piece_pack(&toy.flows, TOY_STEPS, toy.flows.channels, &row, 1, bytes);
        CU_ASSERT_EQUAL(piece_unpack(&m->piece, *at, 1, bytes, &e), STATUS_OK);
        rows->row[i] = (*at)++;
    }
}

static void deal(struct member *m, int rank, int size)
{
    struct error e;
    int first, last, at = 0;
    m->x = toy.x;
    CU_ASSERT_EQUAL_FATAL(piece_new(&m->piece, 2 * m->n, TOY_STEPS, toy.flows.channels, &e), STATUS_OK);
    hold(m, &m->train, gang_first(m->n, rank, size), gang_first(m->n, rank + 1, size), &at);
    gang_rows(m->n, rank, size, &first, &last);
    hold(m, &m->stop, first, last, &at);
    m->x.flows = &m->piece.flows;
}

static void fit(struct gang *g, void *context)
{
    struct member *m = context;
    struct model_spec spec = {.kind = m->kind, .params = &params, .features = m->dealt ? &m->x : &toy.x, .train = m->dealt ? &m->train : &toy.rows,
                              .stop = m->dealt ? &m->stop : &toy.rows, .n_classes = TOY_CLASSES, .metric = "accuracy", .key = 99,
                              .shard = m->dealt ? g->rank : 0, .n_shards = m->dealt ? g->size : 1, .node = m->node};
    struct model_progress p = {0};
    struct model *model;
    struct error e;
    m->wrong += m->kind->fit_new(&model, &spec, &e) != STATUS_OK;
    while (!m->wrong && !p.done)
        m->wrong += m->kind->fit_step(model, &spec, g, &p, &e) != STATUS_OK;
    m->oob_accuracy = p.oob_accuracy;
    m->kind->write(model, &m->file);
    m->wrong += m->kind->predict(model, spec.features, spec.stop->row, TOY_ROWS, g, m->proba, &e) != STATUS_OK;
    m->kind->free(model);
}

static void member_fini(struct member *m)
{
    buffer_fini(&m->file);
    piece_fini(&m->piece);
    free(m->train.row);
    free(m->stop.row);
}

/* size ranks beside one alone; dealt: each has its rows, else all; node NULL: each makes its own codes. */
static void same_bits_of(const struct model_kind *kind, bool dealt, int size, void *node, uint64_t version)
{
    struct member one = {.kind = kind}, many[5] = {{0}};
    struct gang alone = gang_alone(NULL, NULL);
    void *contexts[5];
    fit(&alone, &one);
    for (int r = 0; r < size; r++) {
        many[r] = (struct member){.kind = kind, .dealt = dealt, .n = TOY_ROWS, .node = {node, version, r == 0}};
        if (dealt)
            deal(&many[r], r, size);
        contexts[r] = &many[r];
    }
    run_ranks(size, fit, contexts);
    for (int r = 0; r < size; r++) {
        CU_ASSERT_EQUAL(many[r].wrong, 0);
        CU_ASSERT(many[r].file.size == one.file.size && memcmp(many[r].file.data, one.file.data, one.file.size) == 0);
        CU_ASSERT_EQUAL(memcmp(many[r].proba, one.proba, sizeof one.proba), 0);
        CU_ASSERT_EQUAL(many[r].oob_accuracy, one.oob_accuracy);
        member_fini(&many[r]);
    }
    member_fini(&one);
}

static void same_bits(const struct model_kind *kind, int size, void *node, uint64_t version)
{
    same_bits_of(kind, true, size, node, version);
}

static void test_models(void)
{
    begin("[\"signed_size\",\"size\"]");
    for (int k = 0; model_kinds[k]; k++)
        for (int size = 1; size <= 5; size++)
            same_bits(model_kinds[k], size, NULL, 0);
    set("train.batch_size", "33"); /* a batch has two leaves: ranks without one hold rows and give them */
    for (int size = 2; size <= 5; size++)
        same_bits(model_find("dnn"), size, NULL, 0);
    end();
}

/* What trees can be told, all at once. */
static void set_options(const char *kind)
{
    static const char *const options[][2] = {{"criterion", "\"entropy\""}, {"ties", "\"drawn\""}, {"max_bins", "9"}, {"max_leaf_nodes", "14"}, {"min_impurity_decrease", "0.001"},
                                             {"bootstrap", "true"}, {"max_samples", "0.8"}, {"oob_score", "true"}, {"class_weight", "\"balanced_subsample\""}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char *name = memory_format("%s.%s", kind, options[i][0]);
        set(name, options[i][1]);
        free(name);
    }
}

static void test_forest_options(void)
{
    static const char *const kinds[] = {"random_forest", "extra_trees"};
    begin("[\"signed_size\",\"size\"]");
    void *node = aligned_alloc(SLAB_ALIGNMENT, (forest_data_bytes(TOY_ROWS, 2 * TOY_STEPS) + SLAB_ALIGNMENT - 1) / SLAB_ALIGNMENT * SLAB_ALIGNMENT);
    memset(node, 0, sizeof(uint64_t));
    for (int k = 0; k < 2; k++) {
        set_options(kinds[k]);
        for (int size = 1; size <= 5; size++) {
            same_bits(model_find(kinds[k]), size, NULL, 0);
            same_bits(model_find(kinds[k]), size, node, (uint64_t)(5 * k + size));
        }
    }
    free(node);
    end();
}

static void test_node_codes(void)
{
    begin("[\"signed_size\",\"size\"]");
    void *node = memory_new(forest_data_bytes(TOY_ROWS, 2 * TOY_STEPS) + SLAB_ALIGNMENT);
    _Atomic uint64_t *word = (void *)(((uintptr_t)node + SLAB_ALIGNMENT - 1) / SLAB_ALIGNMENT * SLAB_ALIGNMENT);
    for (int size = 1; size <= 5; size++) {
        same_bits(model_find("random_forest"), size, word, (uint64_t)size);
        CU_ASSERT_EQUAL(atomic_load(word), 3 * (uint64_t)size + 2);
    }
    for (int size = 1; size <= 5; size++) { /* whoever is there takes columns */
        same_bits_of(model_find("random_forest"), false, size, word, 5 + (uint64_t)size);
        CU_ASSERT_EQUAL(atomic_load(word), 3 * (5 + (uint64_t)size) + 2);
    }
    memset((char *)word + 2 * SLAB_ALIGNMENT, 0x55, 8); /* a set of this version stands: nobody makes it again */
    uint64_t mark;
    atomic_store(word, 3 * 19 + 2);
    struct member m = {.kind = model_find("random_forest"), .node = {word, 19, true}};
    struct model_spec spec = {.kind = m.kind, .params = &params, .features = &toy.x, .train = &toy.rows, .n_classes = TOY_CLASSES, .node = m.node};
    struct gang alone = gang_alone(NULL, NULL);
    struct forest_data d;
    struct error e;
    bool stopped;
    CU_ASSERT_EQUAL_FATAL(forest_data_init(&d, &spec, 0, &e), STATUS_OK);
    CU_ASSERT_EQUAL(forest_data_fill(&d, &spec, &alone, &stopped, &e), STATUS_OK);
    CU_ASSERT(!stopped);
    memcpy(&mark, (char *)word + 2 * SLAB_ALIGNMENT, sizeof mark);
    CU_ASSERT_EQUAL(mark, 0x5555555555555555u);
    forest_data_fini(&d);
    free(node);
    end();
}

static int asked;

static bool after_some(struct gang *g)
{
    (void)g;
    return ++asked > 5;
}

/* Another gang makes the set and does not come to its end: a stop is heard, and nobody touches a set that is not open, or takes columns when told to stop. */
static void stop_while_waiting(int asked_before, uint64_t word)
{
    begin("[\"size\"]");
    size_t bytes = forest_data_bytes(TOY_ROWS, TOY_STEPS);
    void *node = aligned_alloc(SLAB_ALIGNMENT, bytes), *before = malloc(bytes);
    memset(node, 0, bytes);
    atomic_store((_Atomic uint64_t *)node, word);
    memcpy(before, node, bytes);
    asked = asked_before;
    struct model_spec spec = {.params = &params, .features = &toy.x, .train = &toy.rows, .n_classes = TOY_CLASSES, .key = 1, .node = {node, 4, true}};
    struct gang g = gang_alone(after_some, NULL);
    struct model_progress p;
    struct model *m;
    struct error e;
    spec.kind = model_find("random_forest");
    CU_ASSERT_EQUAL_FATAL(spec.kind->fit_new(&m, &spec, &e), STATUS_OK);
    CU_ASSERT_EQUAL(spec.kind->fit_step(m, &spec, &g, &p, &e), STATUS_OK);
    CU_ASSERT(p.stopped && !p.done && !p.epoch_ended);
    CU_ASSERT_EQUAL(memcmp(node, before, bytes), 0);
    spec.kind->free(m);
    free(node);
    free(before);
    end();
}

static void test_stop_while_waiting(void)
{
    stop_while_waiting(0, 3 * 4);
    stop_while_waiting(5, 3 * 4 + 1);
}

/* A rank gets the rows of its leaves and no others, each the one that it stands for. */
static void rows_arrive(struct gang *g, void *context)
{
    struct member *m = context;
    struct model_spec spec = {.features = &m->x, .train = &m->train, .shard = g->rank, .n_shards = g->size};
    struct shard_epoch s;
    struct error e;
    int32_t *order = malloc((size_t)m->n * sizeof *order);
    m->wrong += shard_epoch_init(&s, &spec, 40, &e) != STATUS_OK;
    for (int epoch = 0; epoch < 2; epoch++) {
        for (int i = 0; i < m->n; i++)
            order[i] = (i * 37 + epoch * 11) % m->n;
        m->wrong += shard_epoch_gather(&s, order, g, &e) != STATUS_OK;
        for (int i = 0; i < m->n; i++) {
            int first, last, at = i - i % 40, n = m->n - at < 40 ? m->n - at : 40;
            gang_rows(n, g->rank, g->size, &first, &last);
            bool mine = i - at >= first && i - at < last;
            m->wrong += (s.row[i] >= 0) != mine;
            m->wrong += mine && s.features->flows->size[s.row[i] * TOY_STEPS + 5] != (float)toy_size(order[i] % TOY_ROWS, 5);
        }
    }
    free(order);
    shard_epoch_fini(&s);
}

static void exchange(int n)
{
    for (int size = 2; size <= 5; size++) {
        struct member many[5] = {{0}};
        void *contexts[5];
        for (int r = 0; r < size; r++) {
            many[r].n = n;
            deal(&many[r], r, size);
            contexts[r] = &many[r];
        }
        run_ranks(size, rows_arrive, contexts);
        for (int r = 0; r < size; r++) {
            CU_ASSERT_EQUAL(many[r].wrong, 0);
            member_fini(&many[r]);
        }
    }
}

static void test_exchange(void)
{
    begin("[\"signed_size\"]");
    exchange(TOY_ROWS);
    exchange(9001); /* more than goes in one pass */
    end();
}

UNIT_MAIN({"dealt rows give the same bits", test_models}, {"forests with every option", test_forest_options}, {"one set of codes a node", test_node_codes},
          {"a stop while another makes the set", test_stop_while_waiting}, {"rows of an epoch arrive", test_exchange})
