/* Selection against the plainest way to it: every sum over every class, in the order that sweep/ensemble.h says. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "sweep/ensemble.h"
#include "unit.h"

enum { FEW = 7, MANY = 60, ROWS = 90, CLASSES = 6, CELLS = ROWS * CLASSES };

/* --- the plainest way --- */

struct plain {
    const struct ensemble_request *r;
    const int *rows;
    int n;
};

static double score(const struct plain *p, const double *sum, int size)
{
    static float proba[CELLS];
    static int32_t y[ROWS];
    double m[METRIC_COUNT];
    for (int i = 0; i < p->n; i++) {
        y[i] = p->r->y[p->rows[i]];
        for (int c = 0; c < p->r->k; c++)
            proba[i * p->r->k + c] = (float)(sum[i * p->r->k + c] / size);
    }
    metrics_of(proba, y, p->n, p->r->k, m, NULL, NULL);
    return m[p->r->metric] * metric_sign(p->r->metric);
}

static void with(const struct plain *p, int candidate, const double *from, double *to)
{
    for (int i = 0; i < p->n; i++)
        for (int c = 0; c < p->r->k; c++)
            to[i * p->r->k + c] = from[i * p->r->k + c] + (double)p->r->candidates[candidate].proba[p->rows[i] * p->r->k + c];
}

static double score_with(const struct plain *p, int candidate, const double *sum, int size)
{
    static double more[CELLS];
    with(p, candidate, sum, more);
    return score(p, more, size + 1);
}

static void select_bag(const struct plain *p, const int *bag, int n, double *counts)
{
    static double sum[CELLS];
    int chosen[55], size = 0, kept = 0;
    double best = -INFINITY;
    memset(sum, 0, sizeof sum);
    for (int dry = 0; dry < 10 && size < 55;) {
        int next = -1;
        double most = -INFINITY;
        bool starts = size < 5 && size < n, member = false;
        for (int i = 0; i < n; i++) {
            bool in = false;
            double s = starts && i != size ? -INFINITY : score_with(p, bag[i], sum, size);
            for (int j = 0; j < size; j++)
                in |= chosen[j] == bag[i];
            if (next < 0 || s > most || (s == most && (in > member || (in == member && bag[i] < next)))) {
                next = bag[i];
                most = s;
                member = in;
            }
        }
        next = starts ? bag[size] : next;
        with(p, next, sum, sum);
        chosen[size++] = next;
        dry = starts || most > best ? 0 : dry + 1;
        if (most > best) {
            best = most;
            kept = size;
        }
        if (n < 5 && size == n + 50)
            break;
    }
    for (int i = 0; i < kept; i++)
        counts[chosen[i]] += 1;
}

static int plain_select(const struct plain *p, uint64_t key, double *weights)
{
    static const double nothing[CELLS];
    int n = p->r->n_candidates, order[MANY], library = n < 50 ? n : 50;
    double own[MANY], total = 0;
    for (int c = 0; c < n; c++) {
        int at = c;
        own[c] = score_with(p, c, nothing, 0);
        for (; at > 0 && own[order[at - 1]] < own[c]; at--)
            order[at] = order[at - 1];
        order[at] = c;
    }
    memset(weights, 0, (size_t)n * sizeof *weights);
    for (int b = 0; b < 20; b++) {
        struct random random = random_of(random_key(key, 0x626167), (uint64_t)b);
        int32_t places[50];
        bool in[50] = {false};
        int bag[50], size = 0;
        for (int i = 0; i < library; i++)
            places[i] = i;
        random_shuffle(&random, places, (size_t)library);
        for (int i = 0; i < (library + 1) / 2; i++)
            in[places[i]] = true;
        for (int i = 0; i < library; i++)
            if (in[i])
                bag[size++] = order[i];
        select_bag(p, bag, size, weights);
    }
    for (int c = 0; c < n; c++)
        total += weights[c];
    for (int c = 0; c < n; c++)
        weights[c] /= total;
    return order[0];
}

/* Chosen on four fifths, scored on the other. */
static void plain_nested(const struct ensemble_request *r, double *metrics)
{
    static float mixed[CELLS];
    double weights[MANY];
    int rows[ROWS];
    for (int f = 0; f < 5; f++) {
        struct plain p = {r, rows, 0};
        for (int i = 0; i < r->n; i++)
            if (random_key(random_key(r->seed, 0x666f6c64), (uint64_t)i) % 5 != (uint64_t)f)
                rows[p.n++] = i;
        plain_select(&p, random_key(r->seed, (uint64_t)f + 1), weights);
        for (int i = 0; i < r->n; i++)
            for (int c = 0; c < r->k && random_key(random_key(r->seed, 0x666f6c64), (uint64_t)i) % 5 == (uint64_t)f; c++) {
                double sum = 0;
                for (int m = 0; m < r->n_candidates; m++)
                    sum += weights[m] * (double)r->candidates[m].proba[i * r->k + c];
                mixed[i * r->k + c] = (float)sum;
            }
    }
    metrics_of(mixed, r->y, r->n, r->k, metrics, NULL, NULL);
}

/* --- candidates --- */

/* Each knows a row's class more or less; in steps of 1/8, so that sums are often equal. Some rows are clear to all of them. */
static void make(struct random *random, int n, float (*proba)[CELLS], int32_t *y)
{
    for (int i = 0; i < ROWS; i++)
        y[i] = (int32_t)random_below(random, CLASSES);
    for (int m = 0; m < n; m++)
        for (int i = 0; i < ROWS; i++) {
            float *p = proba[m] + i * CLASSES;
            memset(p, 0, CLASSES * sizeof *p);
            for (int part = 0; part < 8; part++) {
                bool knows = i % 3 == 0 || (int)random_below(random, 100) < 25 + m % 10;
                p[knows ? (uint32_t)y[i] : random_below(random, CLASSES)] += 0.125F;
            }
        }
}

static void compare(const struct ensemble_request *r)
{
    struct ensemble_result found;
    struct error e;
    int rows[ROWS];
    double weights[MANY], nested[METRIC_COUNT], other[MANY] = {0};
    for (int i = 0; i < r->n; i++)
        rows[i] = i;
    CU_ASSERT_FATAL(ensemble_select(r, &found, &e) == STATUS_OK);
    CU_ASSERT(found.best == plain_select(&(struct plain){r, rows, r->n}, r->seed, weights));
    for (int m = 0; m < found.n_members; m++)
        other[found.members[m].candidate] = found.members[m].weight;
    CU_ASSERT(memcmp(weights, other, (size_t)r->n_candidates * sizeof *weights) == 0);
    plain_nested(r, nested);
    CU_ASSERT(memcmp(nested, found.nested, sizeof nested) == 0);
    ensemble_result_fini(&found);
}

static void test_metrics(void)
{
    static float proba[MANY][CELLS];
    static int32_t y[ROWS];
    static struct ensemble_candidate candidates[MANY];
    struct random random = random_of(3, 1);
    const int sizes[] = {1, 2, 3, FEW, MANY};
    for (int s = 0; s < 5; s++)
        for (enum metric metric = 0; metric < METRIC_COUNT; metric += sizes[s] == MANY ? METRIC_MACRO_F1 : 1) {
            make(&random, sizes[s], proba, y);
            for (int m = 0; m < sizes[s]; m++)
                candidates[m] = (struct ensemble_candidate){m, proba[m]};
            compare(&(struct ensemble_request){candidates, sizes[s], y, ROWS, CLASSES, metric, 40 + metric});
        }
}

/* What a damaged database may hold: no numbers, and numbers that are no probabilities. */
static void test_no_probabilities(void)
{
    static float proba[FEW][CELLS];
    static int32_t y[ROWS];
    struct ensemble_candidate candidates[FEW];
    struct random random = random_of(4, 1);
    struct ensemble_result found;
    struct error e;
    make(&random, FEW, proba, y);
    for (int m = 0; m < FEW; m++) {
        candidates[m] = (struct ensemble_candidate){m, proba[m]};
        for (int c = 0; c < CLASSES; c++) {
            proba[m][c] = NAN;
            proba[m][CLASSES + c] = c % 2 ? INFINITY : -INFINITY;
            proba[m][2 * CLASSES + c] = m == 2 ? NAN : 0.5F;
            proba[m][3 * CLASSES + c] = c == m % CLASSES ? FLT_MAX : -1;
        }
    }
    for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
        struct ensemble_request r = {candidates, FEW, y, ROWS, CLASSES, metric, 5};
        CU_ASSERT(ensemble_select(&r, &found, &e) == STATUS_OK);
        ensemble_result_fini(&found);
    }
}

UNIT_MAIN({"the plainest way", test_metrics}, {"no probabilities", test_no_probabilities})
