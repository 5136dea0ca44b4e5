/* Forests around their trees: rows drawn, class weights, codes of columns with and without bins, and the out-of-bag score counted again. */
#include "unit.h"

#include <math.h>

#include "models/forest_data.h"
#include "models/forest_oob.h"
#include "models/forest.h"
#include "models/forest_params.h"
#include "toy_flows.h"
#include "toy_params.h"

static struct toy toy;

static void begin(void)
{
    toy_init(&toy, "[\"signed_size\"]");
    params = (struct params){0};
    for (int k = 0; model_kinds[k]; k++)
        params_complete(&params, model_kinds[k]->name, model_kinds[k]->params);
}

static void end(void)
{
    params_fini(&params);
    toy_fini(&toy);
}

static struct model_spec spec_of(const char *kind)
{
    return (struct model_spec){.kind = model_find(kind), .params = &params, .features = &toy.x, .train = &toy.rows, .stop = &toy.rows,
                               .n_classes = TOY_CLASSES, .metric = "accuracy", .key = 77};
}

/* --- samples --- */

static void test_draws(void)
{
    static const int32_t y[10] = {0};
    struct forest_sample s = {.n = 10, .n_classes = 1, .y = y, .key = 3, .bootstrap = true, .draws = 4};
    int32_t times[10], again[10];
    int sum = 0;
    forest_sample_draw(&s, 6, times);
    forest_sample_draw(&s, 6, again);
    for (int i = 0; i < 10; i++)
        sum += times[i];
    CU_ASSERT_EQUAL(sum, 4);
    CU_ASSERT_EQUAL(memcmp(times, again, sizeof times), 0);
    forest_sample_draw(&s, 7, again);
    CU_ASSERT_NOT_EQUAL(memcmp(times, again, sizeof times), 0);
    s.bootstrap = false;
    forest_sample_draw(&s, 6, times);
    for (int i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(times[i], 1);
}

/* Beside sklearn.utils.class_weight.compute_class_weight("balanced", ..): of y, and of y with every row as often as it was drawn. */
static void test_class_weights(void)
{
    static const int32_t y[6] = {0, 0, 0, 1, 3, 3}, times[6] = {2, 0, 1, 0, 1, 2};
    struct forest_sample s = {.n = 6, .n_classes = 4, .y = y, .weight = FOREST_BALANCED};
    double w[4];
    forest_sample_weigh(&s, times, w);
    CU_ASSERT(fabs(w[0] - 6 / (3 * 3.0)) < 1e-15 && fabs(w[1] - 6 / (3 * 1.0)) < 1e-15 && fabs(w[3] - 6 / (3 * 2.0)) < 1e-15);
    s.weight = FOREST_BALANCED_SUBSAMPLE;
    forest_sample_weigh(&s, times, w);
    CU_ASSERT(fabs(w[0] - 6 / (2 * 3.0)) < 1e-15 && fabs(w[3] - 6 / (2 * 3.0)) < 1e-15);
    s.weight = FOREST_PLAIN;
    forest_sample_weigh(&s, times, w);
    CU_ASSERT(w[0] == 1 && w[1] == 1 && w[3] == 1);
}

/* --- parameters --- */

static enum status check(const char *name, const char *json)
{
    struct model_shape shape = {.steps = TOY_STEPS, .n_channels = 1, .n_classes = TOY_CLASSES, .train_rows = TOY_ROWS};
    struct error e;
    begin();
    set(name, json);
    enum status s = model_find("random_forest")->check(&params, &shape, &e);
    end();
    return s;
}

static void test_check(void)
{
    CU_ASSERT_EQUAL(check("random_forest.max_samples", "100"), STATUS_OK);
    CU_ASSERT_EQUAL(check("random_forest.max_samples", "101"), STATUS_CONFIG);
    CU_ASSERT_EQUAL(check("random_forest.max_samples", "0"), STATUS_CONFIG);
    CU_ASSERT_EQUAL(check("random_forest.max_samples", "1.0"), STATUS_OK);
    CU_ASSERT_EQUAL(check("random_forest.max_samples", "1.5"), STATUS_CONFIG);
    CU_ASSERT_EQUAL(check("random_forest.max_features", "13"), STATUS_CONFIG);
    CU_ASSERT_EQUAL(check("random_forest.max_bins", "1"), STATUS_CONFIG);
    CU_ASSERT_EQUAL(check("random_forest.max_bins", "2"), STATUS_OK);
    CU_ASSERT_EQUAL(check("random_forest.min_samples_split", "1"), STATUS_CONFIG);
    CU_ASSERT_EQUAL(check("random_forest.min_samples_split", "1.0"), STATUS_OK);
    CU_ASSERT_EQUAL(check("random_forest.min_samples_split", "2.0"), STATUS_CONFIG);
    CU_ASSERT_EQUAL(check("random_forest.min_samples_leaf", "1"), STATUS_OK);
    CU_ASSERT_EQUAL(check("random_forest.min_samples_leaf", "1.0"), STATUS_CONFIG);
}

/* sklearn.tree's: max(2, ceil(share * rows)) to split a node, ceil(share * rows) to keep in a leaf. */
static void test_rows_needed(void)
{
    static const struct {
        const char *json;
        int split, leaf;
    } cases[] = {{"7", 7, 7}, {"0.011", 2, 2}, {"0.001", 2, 1}, {"0.25", 25, 25}, {"0.251", 26, 26}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin();
        set("random_forest.min_samples_split", cases[i].json);
        set("random_forest.min_samples_leaf", cases[i].json);
        struct tree_params p = forest_tree_params(&params, "random_forest", TOY_STEPS, 100);
        CU_ASSERT_EQUAL(p.min_samples_split, cases[i].split);
        CU_ASSERT_EQUAL(p.min_samples_leaf, cases[i].leaf);
        end();
    }
}

/* What makes trees smaller makes them cheaper, by the levels or the rows that are left; entropy costs more than Gini. */
static void test_flops(void)
{
    static const struct {
        const char *name, *json;
        double times;
    } cases[] = {{"n_estimators", "300", 3},       {"max_samples", "0.5", 0.45},      {"max_samples", "512", 0.45}, {"max_depth", "5", 0.5},
                 {"min_samples_leaf", "32", 0.5},  {"min_samples_leaf", "0.03125", 0.5}, {"max_leaf_nodes", "8", 0.5}, {"criterion", "\"entropy\"", 1.5},
                 {"max_depth", "500", 1},          {"max_leaf_nodes", "100000", 1},   {"class_weight", "\"balanced\"", 1}};
    const struct model_shape shape = {.steps = TOY_STEPS, .n_channels = 1, .n_classes = 3, .train_rows = 1024};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[64];
        begin();
        double before = forest_flops(&params, "random_forest", &shape);
        snprintf(name, sizeof name, "random_forest.%s", cases[i].name);
        set(name, cases[i].json);
        CU_ASSERT_DOUBLE_EQUAL(forest_flops(&params, "random_forest", &shape) / before, cases[i].times, 0.02);
        end();
    }
}

/* --- codes --- */

static struct forest_data codes_of(const struct model_spec *spec, int max_bins)
{
    struct gang g = gang_alone(NULL, NULL);
    struct forest_data d;
    struct error e;
    bool stopped;
    CU_ASSERT_EQUAL_FATAL(forest_data_init(&d, spec, max_bins, &e), STATUS_OK);
    CU_ASSERT_EQUAL_FATAL(forest_data_fill(&d, spec, &g, &stopped, &e), STATUS_OK);
    return d;
}

static void column_of(const struct features *x, const struct rows *rows, int column, float *out)
{
    features_gather_columns(x, rows->row, rows->n, column, 1, out, (size_t)rows->n);
}

/* Every code stands for the value at its row: that alone, or a run of values that others do not reach into. Rows of the fullest code of several values. */
static int check_codes(const struct forest_data *d, const struct model_spec *spec, int column)
{
    int n = spec->train->n, most = 0;
    const struct tree_column *c = &d->tree.columns[column];
    int *rows = memory_new((size_t)c->n_values * sizeof *rows), wrong = 0;
    float *x = memory_new((size_t)n * sizeof *x);
    column_of(spec->features, spec->train, column, x);
    for (int i = 0; i < n; i++) {
        uint32_t code = tree_code(d->tree.records + (size_t)i * d->tree.stride, c);
        CU_ASSERT_FATAL(code < c->n_values);
        float value = x[tree_row(&d->tree, i)];
        wrong += value < c->values[code] || value > c->most[code];
        rows[code]++;
    }
    for (uint32_t v = 0; v < c->n_values; v++) {
        wrong += rows[v] == 0 || c->most[v] < c->values[v] || (v > 0 && c->values[v] <= c->most[v - 1]);
        most = c->most[v] > c->values[v] && rows[v] > most ? rows[v] : most;
    }
    for (int i = 1; i < n; i++) {
        int before = tree_row(&d->tree, i - 1), row = tree_row(&d->tree, i);
        wrong += d->tree.y[before] > d->tree.y[row] || (d->tree.y[before] == d->tree.y[row] && before >= row);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    free(rows);
    free(x);
    return most;
}

static void test_bins(void)
{
    static const int bins[] = {0, 2, 3, 8, 60, 1000};
    begin();
    struct model_spec spec = spec_of("random_forest");
    for (int b = 0; b < 6; b++) {
        struct forest_data d = codes_of(&spec, bins[b]), exact = codes_of(&spec, 0);
        for (int c = 0; c < TOY_STEPS; c++) {
            uint32_t distinct = exact.tree.columns[c].n_values, most = bins[b] == 0 || (uint32_t)bins[b] >= distinct ? distinct : (uint32_t)bins[b];
            int fullest = check_codes(&d, &spec, c);
            CU_ASSERT(d.tree.columns[c].n_values <= most);
            CU_ASSERT(d.tree.columns[c].n_values == distinct || d.tree.columns[c].n_values >= (most < TOY_ROWS / 2 ? most : TOY_ROWS / 2) / 2);
            CU_ASSERT(most == distinct ? fullest == 0 : fullest <= 2 * TOY_ROWS / (int)most + 2);
        }
        forest_data_fini(&d);
        forest_data_fini(&exact);
    }
    end();
}

static void keys_of(int i, uint32_t *keys)
{
    float x[TOY_STEPS];
    features_gather_raw(&toy.x, &toy.rows.row[i], 1, x);
    for (int c = 0; c < TOY_STEPS; c++)
        keys[c] = tree_walk_key(x[c]);
    keys[TOY_STEPS] = 0;
}

/* Rows go down a tree by thresholds as they went by codes: its leaves hold what they say. */
static void test_trees_of_bins(void)
{
    begin();
    struct model_spec spec = spec_of("random_forest");
    struct forest_data d = codes_of(&spec, 6);
    for (int random = 0; random < 2; random++) {
        struct tree_params p = {.random_thresholds = random, .max_features = TOY_STEPS, .max_depth = -1, .min_samples_split = 2, .min_samples_leaf = 1};
        int32_t times[TOY_ROWS];
        uint32_t x[TOY_STEPS + 1];
        double sum[TOY_CLASSES], right = 0, expected = 0;
        struct random r = random_of(1, (uint64_t)random);
        struct tree t;
        struct tree_walk walk;
        struct error e;
        for (int i = 0; i < TOY_ROWS; i++)
            times[i] = 1;
        struct tree_request request = {&d.tree, &p, times, NULL, &r, NULL, NULL, NULL};
        CU_ASSERT_EQUAL_FATAL(tree_grow(&t, &request, &e), STATUS_OK);
        CU_ASSERT_EQUAL_FATAL(tree_walk_of(&walk, &t, TOY_STEPS, &e), STATUS_OK);
        for (int i = 0; i < TOY_ROWS; i++) {
            memset(sum, 0, sizeof sum);
            keys_of(i, x);
            tree_walk_add(&walk, x, TOY_STEPS, 1, sum, TOY_CLASSES);
            right += sum[toy.rows.y[i]];
        }
        for (int i = 0; i < t.n_nodes; i++) /* rows of a class are labelled right by its share of the leaf: all leaves pure, all rows right */
            expected += t.nodes[i].feature < 0 && t.nodes[i].n > 1;
        CU_ASSERT(t.n_nodes > 20 && expected == 0);
        CU_ASSERT_EQUAL(right, TOY_ROWS);
        tree_walk_fini(&walk);
        tree_fini(&t);
    }
    forest_data_fini(&d);
    end();
}

/* 70,000 inter-arrival times, all different: codes of more than 16 bits, and of bins again of fewer. As many payloads, not whole; fewer sizes and directions,
 * which are. */
static void test_wide(void)
{
    enum { ROWS = 70000 };
    struct flows_builder b;
    struct flows flows;
    struct features x;
    struct params data = {0};
    struct value list, no_clip = value_int(0);
    struct error e;
    struct rows rows = {ROWS, memory_new(ROWS * 4), memory_new(ROWS * 4)};
    flows_builder_init(&b, 1, 1u << CHANNEL_SIZE | 1u << CHANNEL_PAYLOAD | 1u << CHANNEL_IAT | 1u << CHANNEL_DIRECTION);
    for (int i = 0; i < ROWS; i++) {
        CU_ASSERT_EQUAL_FATAL(flows_builder_room(&b, &e), STATUS_OK);
        b.length[i] = 1;
        b.row[i] = rows.row[i] = i;
        b.size[i] = (float)(i % 20000 - 10000);
        b.direction[i] = (int8_t)(i % 3 - 1);
        b.payload[i] = (float)((uint64_t)i * 31 % 70001) * 0.5f;
        b.iat[i] = (float)((uint64_t)i * 48271 % 70001) * 1e-3f;
        label_set_add(&b.labels, i % 2 ? "a" : "b", 1, &b.label[i], &e);
        rows.y[i] = i % 2;
        b.n++;
    }
    CU_ASSERT_EQUAL_FATAL(flows_builder_finish(&b, NULL, &flows, &e), STATUS_OK);
    params_complete(&data, NULL, data_params);
    params_set(&data, "clip", &no_clip);
    value_from_json("[\"size\",\"iat\",\"payload\",\"direction\"]", &list, &e);
    CU_ASSERT_EQUAL_FATAL(features_fit(&x, &flows, &data, &list, 1, &rows, &e), STATUS_OK);
    struct model_spec spec = {.features = &x, .train = &rows, .n_classes = 2};
    struct forest_data exact = codes_of(&spec, 0), joined = codes_of(&spec, 255);
    static const uint32_t values[] = {10001, 66000, 70000, 3}; /* at least; logarithms of times may be equal */
    for (int c = 0; c < 4; c++) {
        const struct tree_column *column = &exact.tree.columns[c], *of_bins = &joined.tree.columns[c];
        CU_ASSERT(c == 1 ? column->n_values >= values[c] : column->n_values == values[c]);
        CU_ASSERT_EQUAL(column->wide, values[c] > 65536);
        CU_ASSERT_EQUAL(check_codes(&exact, &spec, c), 0);
        CU_ASSERT(!of_bins->wide);
        CU_ASSERT(of_bins->n_values <= 255 && (of_bins->n_values == 255 || values[c] < 255));
        CU_ASSERT(values[c] <= 255 || check_codes(&joined, &spec, c) <= ROWS / 255 + 8);
    }
    forest_data_fini(&exact);
    forest_data_fini(&joined);
    value_fini(&list);
    features_fini(&x);
    flows_fini(&flows);
    params_fini(&data);
    free(rows.row);
    free(rows.y);
}

/* --- out of bag --- */

/* The score of a forest's file, over rows as features have them. */
static double count_again(const struct buffer *file, const struct forest_sample *s, int n_trees)
{
    struct reader r = reader_of(file->data, file->size);
    double *sum = memory_new(TOY_ROWS * TOY_CLASSES * sizeof *sum);
    int32_t times[TOY_ROWS];
    uint32_t x[TOY_STEPS + 1];
    int labelled = 0, right = 0;
    struct error e;
    reader_take(&r, 8 + 12 + 8 * TOY_STEPS);
    for (int t = 0; t < n_trees; t++) {
        struct tree_walk tree;
        CU_ASSERT_EQUAL_FATAL(tree_walk_read(&tree, &r, TOY_STEPS, TOY_CLASSES, &e), STATUS_OK);
        forest_sample_draw(s, t, times);
        for (int i = 0; i < TOY_ROWS; i++) {
            keys_of(i, x);
            if (times[i] == 0)
                tree_walk_add(&tree, x, TOY_STEPS, 1, sum + i * TOY_CLASSES, TOY_CLASSES);
        }
        tree_walk_fini(&tree);
    }
    for (int i = 0; i < TOY_ROWS; i++) {
        int best = 0;
        for (int c = 1; c < TOY_CLASSES; c++)
            best = sum[i * TOY_CLASSES + c] > sum[i * TOY_CLASSES + best] ? c : best;
        labelled += sum[i * TOY_CLASSES + best] > 0;
        right += sum[i * TOY_CLASSES + best] > 0 && best == toy.rows.y[i];
    }
    free(sum);
    return (double)right / labelled;
}

static void test_oob(void)
{
    static const struct { const char *trees, *bins; int n; } forests[] = {{"1", "0", 1}, {"5", "0", 5}, {"40", "0", 40}, {"40", "4", 40}};
    begin();
    for (int f = 0; f < 4; f++) {
        struct gang g = gang_alone(NULL, NULL);
        struct model_progress p = {0};
        struct buffer file = {0};
        struct model *m;
        struct error e;
        struct model_spec spec = spec_of("random_forest");
        set("random_forest.n_estimators", forests[f].trees);
        set("random_forest.max_bins", forests[f].bins);
        set("random_forest.oob_score", "true");
        CU_ASSERT_EQUAL_FATAL(spec.kind->fit_new(&m, &spec, &e), STATUS_OK);
        while (!p.done) {
            CU_ASSERT(!p.has_oob);
            CU_ASSERT_EQUAL_FATAL(spec.kind->fit_step(m, &spec, &g, &p, &e), STATUS_OK);
        }
        spec.kind->write(m, &file);
        struct forest_sample s = {.n = TOY_ROWS, .n_classes = TOY_CLASSES, .y = toy.rows.y, .key = 77, .bootstrap = true, .draws = TOY_ROWS};
        CU_ASSERT(p.has_oob);
        CU_ASSERT_EQUAL(p.oob_accuracy, count_again(&file, &s, forests[f].n));
        buffer_fini(&file);
        spec.kind->free(m);
    }
    end();
}

/* A forest that goes on from a checkpoint comes to the same file and score: some of its trees were grown elsewhere. */
static void test_oob_goes_on(void)
{
    struct gang g = gang_alone(NULL, NULL);
    struct model_progress p[2] = {{0}};
    struct buffer file[2] = {{0}}, state = {0};
    struct model *m[2];
    struct error e;
    begin();
    struct model_spec spec = spec_of("random_forest");
    set("random_forest.n_estimators", "40");
    set("random_forest.oob_score", "true");
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(spec.kind->fit_new(&m[i], &spec, &e), STATUS_OK);
        if (i == 1)
            CU_ASSERT_EQUAL_FATAL(spec.kind->state_read(m[1], state.data, state.size, &e), STATUS_OK);
        while (!p[i].done) {
            CU_ASSERT_EQUAL_FATAL(spec.kind->fit_step(m[i], &spec, &g, &p[i], &e), STATUS_OK);
            if (i == 0 && p[0].epoch == 2)
                spec.kind->state_write(m[0], &state);
        }
        spec.kind->write(m[i], &file[i]);
    }
    CU_ASSERT(state.size > 0 && state.size < file[0].size && p[1].has_oob);
    CU_ASSERT_EQUAL(p[0].oob_accuracy, p[1].oob_accuracy);
    CU_ASSERT(file[0].size == file[1].size && memcmp(file[0].data, file[1].data, file[0].size) == 0);
    for (int i = 0; i < 2; i++) {
        buffer_fini(&file[i]);
        spec.kind->free(m[i]);
    }
    buffer_fini(&state);
    end();
}

/* More trees and rows than are kept drawn at a time: trees alternate between two leaves, so a row's label hangs on all of its draws. */
static void test_oob_of_many(void)
{
    enum { N = 3500, TREES = 10000 };
    struct tree_node leaf = {.feature = -1, .n = 1};
    int32_t class[2] = {0, 1}, *times = memory_new(N * sizeof *times), *y = memory_new(N * sizeof *y), *balance = memory_new(N * sizeof *balance);
    float one = 1, value = 0;
    uint16_t *records = memory_new(N * sizeof *records);
    struct tree_column column = {.n_values = 1, .values = &value, .most = &value};
    struct tree_data d = {N, 1, 2, records, 1, &column, y};
    struct tree_walk two[2], *trees = memory_new(TREES * sizeof *trees);
    struct forest_sample s = {.n = N, .n_classes = 2, .y = y, .key = 4, .bootstrap = true, .draws = N};
    struct forest_oob o = {&s, &d, trees, TREES};
    struct gang g = gang_alone(NULL, NULL);
    struct error e;
    double found;
    int right = 0;
    for (int t = 0; t < 2; t++) {
        struct tree tree = {.nodes = &leaf, .classes = &class[t], .shares = &one, .n_nodes = 1, .n_entries = 1};
        CU_ASSERT_EQUAL_FATAL(tree_walk_of(&two[t], &tree, 1, &e), STATUS_OK);
    }
    for (int t = 0; t < TREES; t++) {
        trees[t] = two[t % 2];
        forest_sample_draw(&s, t, times);
        for (int i = 0; i < N; i++)
            balance[i] += times[i] == 0 ? t % 2 ? 1 : -1 : 0;
    }
    for (int i = 0; i < N; i++)
        right += y[i] == (balance[i] > 0);
    CU_ASSERT_EQUAL(forest_oob_accuracy(&o, &g, &found, &e), STATUS_OK);
    CU_ASSERT_EQUAL(found, (double)right / N);
    CU_ASSERT(right > N / 3 && right < 2 * N / 3);
    free(times);
    free(y);
    free(balance);
    free(records);
    free(trees);
    tree_walk_fini(&two[0]);
    tree_walk_fini(&two[1]);
}

UNIT_MAIN({"rows drawn", test_draws}, {"class weights", test_class_weights}, {"what cannot be", test_check}, {"rows needed", test_rows_needed}, {"flops", test_flops},
          {"bins", test_bins},
          {"trees of bins", test_trees_of_bins}, {"70,000 values", test_wide}, {"out of bag", test_oob}, {"out of bag, gone on", test_oob_goes_on},
          {"out of bag, many trees", test_oob_of_many})
