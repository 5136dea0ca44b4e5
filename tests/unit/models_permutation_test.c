/* Importances of forests: out of a file's head, and by permutation, counted again on flows whose packets were dealt out anew. */
#include "unit.h"

#include <math.h>
#include <stdio.h>

#include "base/random.h"
#include "models/model.h"
#include "toy_flows.h"
#include "toy_params.h"

static struct toy toy;

enum { REPEATS = 3, STREAM = 0x7065726d, KEY = 77 };

static struct model_spec spec_of(void)
{
    return (struct model_spec){.kind = model_find("random_forest"), .params = &params, .features = &toy.x, .train = &toy.rows, .stop = &toy.rows,
                               .n_classes = TOY_CLASSES, .metric = "accuracy", .key = KEY};
}

static struct model *grown(const char *channels, const char *repeats)
{
    struct gang g = gang_alone(NULL, NULL);
    struct model_progress p = {0};
    struct model *m;
    struct error e;
    toy_init(&toy, channels);
    params = (struct params){0};
    for (int k = 0; model_kinds[k]; k++)
        params_complete(&params, model_kinds[k]->name, model_kinds[k]->params);
    set("random_forest.n_estimators", "5");
    set("random_forest.max_depth", "4");
    set("random_forest.permutation_repeats", repeats);
    struct model_spec spec = spec_of();
    CU_ASSERT_EQUAL_FATAL(spec.kind->fit_new(&m, &spec, &e), STATUS_OK);
    while (!p.done)
        CU_ASSERT_EQUAL_FATAL(spec.kind->fit_step(m, &spec, &g, &p, &e), STATUS_OK);
    return m;
}

static void end(struct model *m)
{
    m->kind->free(m);
    params_fini(&params);
    toy_fini(&toy);
}

/* Rows labelled right where packet t (-1: none; TOY_STEPS: every one) of row i is that of row order[i]. */
static int right_of(const struct model *m, int t, const int32_t *order)
{
    enum { CELLS = TOY_ROWS * TOY_STEPS };
    static float size[CELLS], proba[TOY_ROWS * TOY_CLASSES];
    struct gang g = gang_alone(NULL, NULL);
    struct flows moved = toy.flows;
    struct features x = toy.x;
    struct error e;
    int right = 0;
    for (int i = 0; i < CELLS; i++)
        size[i] = toy.flows.size[t == i % TOY_STEPS || t == TOY_STEPS ? order[i / TOY_STEPS] * TOY_STEPS + i % TOY_STEPS : i];
    moved.size = size;
    x.flows = &moved;
    CU_ASSERT_EQUAL_FATAL(m->kind->predict(m, &x, toy.rows.row, TOY_ROWS, &g, proba, &e), STATUS_OK);
    for (int i = 0; i < TOY_ROWS; i++) {
        int best = 0;
        for (int k = 1; k < TOY_CLASSES; k++)
            best = proba[i * TOY_CLASSES + k] > proba[i * TOY_CLASSES + best] ? k : best;
        right += best == toy.rows.y[i];
    }
    return right;
}

/* Of the group whose columns are packet t, or all. */
static void count_again(const struct model *m, int group, int t, double *mean, double *sd)
{
    double lost[REPEATS], sum = 0, squares = 0;
    int32_t order[TOY_ROWS];
    int before = right_of(m, -1, NULL);
    for (int k = 0; k < REPEATS; k++) {
        struct random r = random_of(random_key(KEY, STREAM), (uint64_t)group << 32 | (uint64_t)k);
        for (int i = 0; i < TOY_ROWS; i++)
            order[i] = i;
        random_shuffle(&r, order, TOY_ROWS);
        lost[k] = before - right_of(m, t, order);
        sum += lost[k];
    }
    for (int k = 0; k < REPEATS; k++)
        squares += (lost[k] - sum / REPEATS) * (lost[k] - sum / REPEATS);
    *mean = sum / REPEATS / TOY_ROWS;
    *sd = sqrt(squares / REPEATS) / TOY_ROWS;
}

static void test_permutation(void)
{
    struct model *m = grown("[\"signed_size\"]", "3");
    struct model_spec spec = spec_of();
    struct gang g = gang_alone(NULL, NULL);
    struct buffer out = {0};
    struct error e;
    double most = 0, mean, sd;
    CU_ASSERT_EQUAL_FATAL(m->kind->permute(m, &spec, &toy.rows, &g, NULL, &out, &e), STATUS_OK);
    struct reader r = reader_of(out.data, out.size);
    for (int t = 0; t <= TOY_STEPS; t++) { /* every column, then the one block */
        char *name = reader_string(&r), expected[32];
        snprintf(expected, sizeof expected, t < TOY_STEPS ? "signed_size[%d]" : "signed_size", t + 1);
        count_again(m, t, t, &mean, &sd);
        CU_ASSERT_STRING_EQUAL(name, expected);
        CU_ASSERT_EQUAL(reader_f64(&r), mean);
        CU_ASSERT_EQUAL(reader_f64(&r), sd);
        most = mean > most ? mean : most;
        free(name);
    }
    CU_ASSERT(!r.failed && r.at == r.end);
    CU_ASSERT(most > 0.1);
    buffer_fini(&out);
    end(m);
}

static bool at_once(struct gang *g)
{
    (void)g;
    return true;
}

/* Told to stop after every few rounds, each time gone on with from what was written: the same in the end. */
static void test_stopped(void)
{
    struct model *m = grown("[\"signed_size\"]", "3");
    struct model_spec spec = spec_of();
    struct gang g = gang_alone(NULL, NULL);
    struct buffer whole = {0}, parts = {0};
    struct error e;
    int stops = 0;
    CU_ASSERT_EQUAL_FATAL(m->kind->permute(m, &spec, &toy.rows, &g, NULL, &whole, &e), STATUS_OK);
    g.stop = at_once;
    while (stops < 100 && m->kind->permute(m, &spec, &toy.rows, &g, NULL, &parts, &e) == STATUS_STOPPED) {
        struct buffer state = {0}, file = {0};
        m->kind->state_write(m, &state);
        m->kind->write(m, &file);
        CU_ASSERT(state.size > file.size);
        m->kind->free(m);
        CU_ASSERT_EQUAL_FATAL(spec.kind->fit_new(&m, &spec, &e), STATUS_OK);
        CU_ASSERT_EQUAL(m->kind->state_read(m, state.data, state.size - 1, &e), STATUS_DATA);
        m->kind->free(m);
        CU_ASSERT_EQUAL_FATAL(spec.kind->fit_new(&m, &spec, &e), STATUS_OK);
        CU_ASSERT_EQUAL_FATAL(m->kind->state_read(m, state.data, state.size, &e), STATUS_OK);
        buffer_fini(&state);
        buffer_fini(&file);
        stops++;
    }
    CU_ASSERT(stops > 5 && stops < 100);
    CU_ASSERT(parts.size == whole.size && memcmp(parts.data, whole.data, whole.size) == 0);
    buffer_fini(&whole);
    buffer_fini(&parts);
    end(m);
}

/* Not asked for; no rows; and packets of several channels are groups, too. */
static void test_groups(void)
{
    struct gang g = gang_alone(NULL, NULL);
    struct rows none = {0};
    struct error e;
    for (int asked = 0; asked < 2; asked++) {
        struct model *m = grown("[\"size\", \"direction\"]", asked ? "2" : "0");
        struct model_spec spec = spec_of();
        struct buffer out = {0};
        int groups = 0, zeros = 0;
        CU_ASSERT_EQUAL(m->kind->permute(m, &spec, &none, &g, NULL, &out, &e), STATUS_OK);
        CU_ASSERT_EQUAL(out.size, 0);
        CU_ASSERT_EQUAL(m->kind->permute(m, &spec, &toy.rows, &g, NULL, &out, &e), STATUS_OK);
        for (struct reader r = reader_of(out.data, out.size); r.at != r.end && !r.failed; groups++) {
            char *name = reader_string(&r);
            double mean = reader_f64(&r), sd = reader_f64(&r);
            zeros += mean == 0 && sd == 0;
            CU_ASSERT(groups != 25 || strcmp(name, "direction") == 0);
            CU_ASSERT(groups != 37 || strcmp(name, "packet 12") == 0);
            free(name);
        }
        CU_ASSERT_EQUAL(groups, asked ? 2 * TOY_STEPS + 2 + TOY_STEPS : 0);
        CU_ASSERT(zeros < groups || !asked);
        buffer_fini(&out);
        end(m);
    }
}

/* --- out of files --- */

static enum status read_head(const char *magic, int columns, double x, size_t n, double *out)
{
    struct buffer b = {0};
    struct error e;
    buffer_put(&b, magic, 8);
    buffer_put_i32(&b, 2);
    buffer_put_i32(&b, 3);
    buffer_put_i32(&b, 4);
    buffer_put_f64(&b, x);
    buffer_put_f64(&b, 1);
    enum status s = model_find("random_forest")->importances(b.data, n < b.size ? n : b.size, columns, out, &e);
    buffer_fini(&b);
    return s;
}

static void test_head(void)
{
    double out[3];
    CU_ASSERT_EQUAL(read_head("FSFORST2", 2, 3, 99, out), STATUS_OK);
    CU_ASSERT(out[0] == 0.75 && out[1] == 0.25);
    CU_ASSERT_EQUAL(read_head("FSFORST1", 2, 0, 99, out), STATUS_OK);
    CU_ASSERT(out[0] == 0 && out[1] == 1);
    CU_ASSERT_EQUAL(read_head("FSFORST2", 2, -4e-16, 99, out), STATUS_OK); /* rounded */
    CU_ASSERT(out[0] == 0 && out[1] == 1);
    CU_ASSERT_EQUAL(read_head("FSFORST2", 3, 3, 99, out), STATUS_DATA);
    CU_ASSERT_EQUAL(read_head("FSFORST3", 2, 3, 99, out), STATUS_DATA);
    CU_ASSERT_EQUAL(read_head("FSFORST2", 2, -1, 99, out), STATUS_DATA);
    CU_ASSERT_EQUAL(read_head("FSFORST2", 2, (double)NAN, 99, out), STATUS_DATA);
    CU_ASSERT_EQUAL(read_head("FSFORST2", 2, (double)INFINITY, 99, out), STATUS_DATA);
    for (size_t n = 0; n < 36; n++)
        CU_ASSERT_EQUAL(read_head("FSFORST2", 2, 3, n, out), STATUS_DATA);
}

UNIT_MAIN({"by permutation", test_permutation}, {"stopped and gone on", test_stopped}, {"groups", test_groups}, {"out of a file's head", test_head})
