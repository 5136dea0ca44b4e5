/* The nearest among many rows beside a look at every one; distances of every engine, to the bit; and the votes of k neighbours, by their definition. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "models/engine.h"
#include "models/model.h"
#include "models/nearest.h"
#include "rank_threads.h"
#include "toy_flows.h"
#include "toy_params.h"

static float distance(const float *b, const float *x, int width)
{
    float sum = 0;
    for (int j = 0; j < width; j++) {
        float d = b[j] - x[j];
        sum += d * d;
    }
    return sum;
}

/* Numbers that rows share, so that rows and distances are often equal; and such as overflow or underflow. */
static const float few[] = {-1, -0.0F, 0, 0.25F, 1, 1.0000001F}, extreme[] = {-3e38F, -1e-25F, -0.0F, 0, 1e-25F, 2e-25F, 1e19F, 3e38F};
enum { NORMAL, FEW, EXTREME, MANY_COLUMNS_ALIKE, KINDS };

static float number(int kind, int column, struct random *r)
{
    if (kind == FEW || (kind == MANY_COLUMNS_ALIKE && column > 2))
        return kind == FEW ? few[random_below(r, sizeof few / sizeof *few)] : 0.5F;
    return kind == EXTREME ? extreme[random_below(r, sizeof extreme / sizeof *extreme)] : 2 * random_float(r) - 1;
}

static float *numbers(int kind, int n, int width, struct random *r)
{
    float *x = memory_new(((size_t)n * (size_t)width + 1) * sizeof *x);
    for (int i = 0; i < n * width; i++)
        x[i] = number(kind, i % width, r);
    return x;
}

/* --- engines --- */

/* block (width, 64) and group (width, 2, 16) against x: what the definition says, of any engine. */
static void check_engine(const struct engine *engine, int kind, int width, struct random *r)
{
    float *block = numbers(kind, 64, width, r), *x = numbers(kind, 1, width, r), *row = memory_new((size_t)width * sizeof *row), out[64], plain[64], least = INFINITY;
    for (int i = 0; i < 64; i++) {
        for (int j = 0; j < width; j++)
            row[j] = block[j * 64 + i];
        plain[i] = distance(row, x, width);
    }
    const float limits[] = {INFINITY, plain[3], plain[40], 0, 1e-30F};
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
        uint64_t near = engine->distances->rows(block, width, x, limits[l], out);
        for (int i = 0; i < 64; i++) {
            CU_ASSERT_EQUAL(near >> i & 1, !(plain[i] > limits[l]));
            CU_ASSERT(!(near >> i & 1) || memcmp(&out[i], &plain[i], sizeof *out) == 0);
        }
        CU_ASSERT(!near || !engine->distances->none(block, width, x, limits[l]));
    }
    for (int i = 0; i < 64; i++) /* at the limit and just above it there is no telling; well above there is */
        least = plain[i] < least ? plain[i] : least;
    CU_ASSERT(!engine->distances->none(block, width, x, least));
    bool plainly = engines[1] == NULL || !strcmp(engine->name, "plain") || !(least > 1e-30F && least < 1e30F);
    CU_ASSERT(plainly || engine->distances->none(block, width, x, least * 0.999F));
    free(block);
    free(x);
    free(row);
}

/* No box is farther than a row in it; a row alone in a box is as far as the box. */
static void check_boxes(const struct engine *engine, int kind, int width, struct random *r)
{
    float *rows = numbers(kind, 2 * 16, width, r), *x = numbers(kind, 1, width, r), *group = memory_new((size_t)width * 32 * sizeof *group);
    for (int b = 0; b < 16; b++) /* the last eight boxes hold one row twice */
        for (int j = 0; j < width; j++) {
            float u = rows[2 * b * width + j], v = b < 8 ? rows[(2 * b + 1) * width + j] : u;
            group[j * 32 + b] = u < v ? u : v;
            group[j * 32 + 16 + b] = u < v ? v : u;
        }
    for (int i = 0; i < 32; i++) {
        float far = distance(rows + i * width, x, width);
        int b = i / 2;
        if (b < 8 || i % 2 == 0)
            CU_ASSERT(engine->distances->boxes(group, width, x, far) >> b & 1);
        if (b >= 8 && i % 2 == 0 && far > 0)
            CU_ASSERT(!(engine->distances->boxes(group, width, x, nextafterf(far, 0)) >> b & 1));
    }
    free(rows);
    free(x);
    free(group);
}

static void test_engines(void)
{
    static const int widths[] = {1, 2, 7, 8, 9, 16, 100};
    for (int e = 0; engines[e]; e++) {
        struct random r = random_of(5, 1);
        for (int kind = 0; kind < KINDS && engine_runs(engines[e]); kind++)
            for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
                check_engine(engines[e], kind, widths[w], &r);
                check_boxes(engines[e], kind, widths[w], &r);
            }
    }
}

/* --- search --- */

struct ranked {
    float distance;
    int row;
};

static int in_order(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->distance != y->distance ? (x->distance < y->distance ? -1 : 1) : (x->row > y->row) - (x->row < y->row);
}

static bool equal(const float *x, const float *y, int width)
{
    for (int j = 0; j < width; j++)
        if (x[j] != y[j])
            return false;
    return true;
}

/* All rows by distance, then number. */
static void rank_all(const float *rows, int n, int width, const float *x, struct ranked *out)
{
    for (int i = 0; i < n; i++)
        out[i] = (struct ranked){distance(rows + (size_t)i * (size_t)width, x, width), i};
    qsort(out, (size_t)n, sizeof *out, in_order);
}

/* keys (found) of x are the first rows of all, without those that an earlier row equals; members of a key are the rows that equal it. */
static bool agrees(const struct nearest *s, const float *rows, int n, int width, const struct ranked *all, const uint64_t *keys, int found)
{
    int taken = 0;
    for (int i = 0; i < n && taken < found; i++) {
        const float *row = rows + (size_t)all[i].row * (size_t)width;
        const int32_t *members;
        bool repeats = false;
        for (int k = 0; k < all[i].row && !repeats; k++)
            repeats = equal(rows + (size_t)k * (size_t)width, row, width);
        if (repeats)
            continue;
        float far = nearest_distance(keys[taken]);
        int many = nearest_members(s, keys[taken++], &members), next = 0;
        if (memcmp(&far, &all[i].distance, sizeof far) != 0 || members[0] != all[i].row)
            return false;
        for (int k = 0; k < n; k++)
            if (equal(rows + (size_t)k * (size_t)width, row, width) && (next >= many || members[next++] != k))
                return false;
        if (next != many)
            return false;
    }
    return taken == found;
}

static void check_search(int kind, int n, int width, int queries, int k, struct random *r)
{
    float *rows = numbers(kind, n, width, r), *x = numbers(kind, queries, width, r), *row = memory_new((size_t)width * sizeof *row);
    struct ranked *all = memory_new((size_t)n * sizeof *all);
    uint64_t *keys = memory_new(2 * (size_t)queries * (size_t)k * sizeof *keys);
    struct nearest *s;
    struct error e;
    memcpy(x, rows + (size_t)(n / 2) * (size_t)width, (size_t)width * sizeof *x); /* one that is there */
    CU_ASSERT_EQUAL_FATAL(nearest_new(&s, n, width, &e), STATUS_OK);
    nearest_fill(s, rows);
    int found = nearest_search(s, x, queries, k, keys);
    CU_ASSERT_EQUAL(found, k < nearest_distinct(s) ? k : nearest_distinct(s));
    for (int i = 0; i < queries; i++) {
        rank_all(rows, n, width, x + (size_t)i * (size_t)width, all);
        CU_ASSERT(agrees(s, rows, n, width, all, keys + (size_t)i * (size_t)found, found));
    }
    for (int i = 0; i < n; i++) {
        nearest_row(s, i, row);
        CU_ASSERT(equal(row, rows + (size_t)i * (size_t)width, width));
    }
    nearest_free(s);
    free(rows);
    free(x);
    free(row);
    free(all);
    free(keys);
}

static void test_search(void)
{
    static const int sizes[][2] = {{1, 1}, {2, 3}, {63, 2}, {64, 5}, {65, 9}, {300, 1}, {700, 2}, {1025, 12}, {2500, 4}}, ks[] = {1, 2, 5, 256};
    struct random r = random_of(5, 2);
    for (int kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t k = 0; k < sizeof ks / sizeof *ks; k++)
                check_search(kind, sizes[i][0], sizes[i][1], i % 2 ? NEAREST_QUERIES : 3, ks[k], &r);
}

/* --- votes --- */

static struct toy toy;

struct votes {
    int n, k; /* training rows: the toy's first six, again and again */
    bool shared;
};

static int class_of(int row)
{
    return (row * 7 + row / 10) % TOY_CLASSES;
}

/* By the definition: row after row; or, of rows that are equal, all at once where the first of them stands. */
static void vote_plainly(const struct votes *v, const float *rows, const float *x, double *proba)
{
    struct ranked *all = memory_new((size_t)v->n * sizeof *all);
    int k = v->k < v->n ? v->k : v->n, left = k;
    rank_all(rows, v->n, TOY_STEPS, x, all);
    memset(proba, 0, TOY_CLASSES * sizeof *proba);
    for (int i = 0; i < v->n && left > 0; i++) {
        const float *row = rows + all[i].row * TOY_STEPS;
        int equals = 0, earlier = 0;
        for (int j = 0; j < v->n; j++) {
            bool same = equal(rows + j * TOY_STEPS, row, TOY_STEPS);
            equals += same;
            earlier += same && j < all[i].row;
        }
        double votes = !v->shared || earlier ? !v->shared : equals < left ? equals : left;
        for (int j = 0; j < v->n && v->shared; j++)
            if (equal(rows + j * TOY_STEPS, row, TOY_STEPS))
                proba[class_of(j)] += votes / equals / k;
        if (!v->shared)
            proba[class_of(all[i].row)] += 1.0 / k;
        left -= (int)votes;
    }
    free(all);
}

static void make_file(const struct votes *v, float *rows, struct buffer *file)
{
    const int32_t head[] = {v->n, TOY_STEPS, TOY_CLASSES, v->k};
    buffer_puts(file, "FSKNN__1");
    buffer_put(file, head, sizeof head);
    for (int32_t i = 0, y; i < v->n; i++) {
        y = class_of(i);
        buffer_put(file, &y, sizeof y);
        int32_t row = i % 6;
        features_gather(&toy.x, &row, 1, rows + i * TOY_STEPS);
    }
    buffer_put(file, rows, (size_t)v->n * TOY_STEPS * sizeof *rows);
}

struct asked { /* a rank */
    const struct model *model;
    float proba[TOY_ROWS * TOY_CLASSES];
};

static void ask(struct gang *g, void *context)
{
    struct asked *a = context;
    struct error e;
    CU_ASSERT_EQUAL(a->model->kind->predict(a->model, &toy.x, toy.rows.row, TOY_ROWS, g, a->proba, &e), STATUS_OK);
}

static void check_votes(struct votes v)
{
    const struct model_kind *kind = model_find("knn");
    struct model_shape shape = {.steps = TOY_STEPS, .n_channels = 1, .n_classes = TOY_CLASSES};
    float *rows = memory_new((size_t)v.n * TOY_STEPS * sizeof *rows), x[TOY_STEPS];
    double proba[TOY_CLASSES];
    struct buffer file = {0}, again = {0};
    struct asked asked[3];
    void *contexts[] = {&asked[0], &asked[1], &asked[2]};
    struct model *m;
    struct error e;
    set("knn.duplicates", v.shared ? "\"shared\"" : "\"ordered\"");
    make_file(&v, rows, &file);
    CU_ASSERT_EQUAL_FATAL(kind->read(&m, &params, &shape, file.data, file.size, &e), STATUS_OK);
    kind->write(m, &again);
    CU_ASSERT(again.size == file.size && memcmp(again.data, file.data, file.size) == 0);
    for (int size = 1; size <= 3; size++) {
        static float alone[TOY_ROWS * TOY_CLASSES];
        for (int r = 0; r < size; r++)
            asked[r].model = m;
        run_ranks(size, ask, contexts);
        if (size == 1)
            memcpy(alone, asked[0].proba, sizeof alone);
        for (int r = 0; r < size; r++)
            CU_ASSERT_EQUAL(memcmp(asked[r].proba, alone, sizeof alone), 0);
    }
    for (int32_t i = 0; i < TOY_ROWS; i++) {
        features_gather(&toy.x, &i, 1, x);
        vote_plainly(&v, rows, x, proba);
        for (int c = 0; c < TOY_CLASSES; c++)
            CU_ASSERT_DOUBLE_EQUAL(asked[0].proba[i * TOY_CLASSES + c], proba[c], 1e-6);
    }
    kind->free(m);
    buffer_fini(&file);
    buffer_fini(&again);
    free(rows);
}

static void test_votes(void)
{
    static const int sizes[] = {1, 2, 6, 30, 100}, ks[] = {1, 2, 3, 7, 40, 256};
    toy_init(&toy, "[\"signed_size\"]");
    params = (struct params){0};
    params_complete(&params, "knn", model_find("knn")->params);
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++)
        for (size_t k = 0; k < sizeof ks / sizeof *ks; k++)
            for (int shared = 0; shared < 2; shared++)
                check_votes((struct votes){sizes[n], ks[k], shared});
    params_fini(&params);
    toy_fini(&toy);
}

/* A bundle of before `duplicates`. */
static void test_without_parameter(void)
{
    struct model_shape shape = {.steps = TOY_STEPS, .n_channels = 1, .n_classes = TOY_CLASSES};
    struct votes v = {.n = 5, .k = 2};
    float rows[5 * TOY_STEPS];
    struct buffer file = {0};
    struct model *m;
    struct error e;
    toy_init(&toy, "[\"signed_size\"]");
    params = (struct params){0};
    make_file(&v, rows, &file);
    CU_ASSERT_EQUAL(model_find("knn")->read(&m, &params, &shape, file.data, file.size, &e), STATUS_OK);
    model_find("knn")->free(m);
    CU_ASSERT_EQUAL(model_find("knn")->read(&m, &params, &shape, file.data, file.size - 1, &e), STATUS_DATA);
    CU_ASSERT_PTR_NULL(m);
    buffer_fini(&file);
    toy_fini(&toy);
}

UNIT_MAIN({"engines", test_engines}, {"search", test_search}, {"votes", test_votes}, {"bundles without the parameter", test_without_parameter})
