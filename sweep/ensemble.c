#include "sweep/ensemble.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

enum { LIBRARY = 50, BAGS = 20, START = 5, ROUNDS = 50, DRY_ROUNDS = 10, FOLDS = 5 };
enum { KEY_BAG = 0x626167, KEY_FOLD = 0x666f6c64, KEY_GAIN = 0x6761696e };

/* Rows to choose on: all, or four fifths. */
struct view {
    const struct ensemble_request *r;
    int32_t *rows; /* (n) owned */
    int32_t *y;
    int n;
    double *sum, *trial; /* (n,k) */
    float *proba;
    int32_t *labels;
};

static void view_init(struct view *v, const struct ensemble_request *r, const uint8_t *fold, int left_out)
{
    size_t cells = (size_t)r->n * (size_t)r->k;
    *v = (struct view){.r = r};
    v->rows = memory_new((size_t)r->n * sizeof *v->rows);
    v->y = memory_new((size_t)r->n * sizeof *v->y);
    v->labels = memory_new((size_t)r->n * sizeof *v->labels);
    v->sum = memory_new(cells * sizeof *v->sum);
    v->trial = memory_new(cells * sizeof *v->trial);
    v->proba = memory_new(cells * sizeof *v->proba);
    for (int i = 0; i < r->n; i++)
        if (left_out < 0 || fold[i] != left_out) {
            v->y[v->n] = r->y[i];
            v->rows[v->n++] = i;
        }
}

static void view_fini(struct view *v)
{
    free(v->rows);
    free(v->y);
    free(v->labels);
    free(v->sum);
    free(v->trial);
    free(v->proba);
}

/* The metric, larger is better, of x (n,k), which need not be scaled. */
static double score(struct view *v, const double *x, int members)
{
    int k = v->r->k;
    double m[METRIC_COUNT];
    if (v->r->metric >= METRIC_LOG_LOSS) {
        for (size_t i = 0; i < (size_t)v->n * (size_t)k; i++)
            v->proba[i] = (float)(x[i] / members);
        metrics_of(v->proba, v->y, v->n, k, m, NULL, NULL);
        return m[v->r->metric] * metric_sign(v->r->metric);
    }
    for (int i = 0; i < v->n; i++) {
        const double *p = x + (size_t)i * (size_t)k;
        int best = 0;
        for (int c = 1; c < k; c++)
            best = p[c] > p[best] ? c : best;
        v->labels[i] = best;
    }
    metrics_of_labels(v->labels, v->y, v->n, k, m, NULL, NULL);
    return m[v->r->metric];
}

/* to = from + a candidate's probabilities on the view's rows. */
static void add(const struct view *v, int candidate, const double *from, double *to)
{
    size_t k = (size_t)v->r->k;
    const float *p = v->r->candidates[candidate].proba;
    for (int i = 0; i < v->n; i++)
        for (size_t c = 0; c < k; c++)
            to[(size_t)i * k + c] = from[(size_t)i * k + c] + (double)p[(size_t)v->rows[i] * k + c];
}

struct ranked {
    double score;
    int candidate;
};

static int by_score(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->candidate > y->candidate) - (x->candidate < y->candidate);
}

/* Candidates by their own score, the best first. */
static struct ranked *rank(struct view *v)
{
    struct ranked *r = memory_new((size_t)v->r->n_candidates * sizeof *r);
    size_t bytes = (size_t)v->n * (size_t)v->r->k * sizeof *v->sum;
    for (int c = 0; c < v->r->n_candidates; c++) {
        memset(v->sum, 0, bytes);
        add(v, c, v->sum, v->trial);
        r[c] = (struct ranked){score(v, v->trial, 1), c};
    }
    qsort(r, (size_t)v->r->n_candidates, sizeof *r, by_score);
    return r;
}

/* The candidate of a bag that raises the score most; ties to members, then to the lower index. */
static int best_addition(struct view *v, const int *bag, int n, const int *chosen, int size, double *best_score)
{
    int best = -1;
    bool best_in = false;
    for (int i = 0; i < n; i++) {
        bool in = false;
        for (int m = 0; m < size; m++)
            in |= chosen[m] == bag[i];
        add(v, bag[i], v->sum, v->trial);
        double s = score(v, v->trial, size + 1);
        bool tie_won = best >= 0 && s == *best_score && ((in && !best_in) || (in == best_in && bag[i] < best));
        if (best < 0 || s > *best_score || tie_won) {
            best = bag[i];
            best_in = in;
            *best_score = s;
        }
    }
    return best;
}

/* One bag, its candidates sorted by score: counts of the best prefix are added. */
static void select_bag(struct view *v, const int *bag, int n, double *counts)
{
    int chosen[START + ROUNDS], size = 0, best_size = 0, dry = 0;
    double best = -INFINITY, s = 0;
    memset(v->sum, 0, (size_t)v->n * (size_t)v->r->k * sizeof *v->sum);
    for (; size < START && size < n; size++) {
        chosen[size] = bag[size];
        add(v, bag[size], v->sum, v->sum);
        s = score(v, v->sum, size + 1);
        if (s > best) {
            best = s;
            best_size = size + 1;
        }
    }
    for (int round = 0; round < ROUNDS && dry < DRY_ROUNDS; round++) {
        int next = best_addition(v, bag, n, chosen, size, &s);
        chosen[size++] = next;
        add(v, next, v->sum, v->sum);
        dry = s > best ? 0 : dry + 1;
        if (s > best) {
            best = s;
            best_size = size;
        }
    }
    for (int i = 0; i < best_size; i++)
        counts[chosen[i]] += 1;
}

/* weights (n_candidates), summing to 1; *best: the best single candidate on these rows. */
static void select_on(struct view *v, uint64_t key, double *weights, int *best)
{
    struct ranked *order = rank(v);
    int library = v->r->n_candidates < LIBRARY ? v->r->n_candidates : LIBRARY, half = (library + 1) / 2, bag[LIBRARY];
    double total = 0;
    int32_t places[LIBRARY];
    *best = order[0].candidate;
    memset(weights, 0, (size_t)v->r->n_candidates * sizeof *weights);
    for (int b = 0; b < BAGS; b++) {
        struct random r = random_of(random_key(key, KEY_BAG), (uint64_t)b);
        bool in[LIBRARY] = {0};
        int n = 0;
        for (int i = 0; i < library; i++)
            places[i] = i;
        random_shuffle(&r, places, (size_t)library);
        for (int i = 0; i < half; i++)
            in[places[i]] = true;
        for (int i = 0; i < library; i++)
            if (in[i])
                bag[n++] = order[i].candidate;
        select_bag(v, bag, n, weights);
    }
    for (int c = 0; c < v->r->n_candidates; c++)
        total += weights[c];
    for (int c = 0; c < v->r->n_candidates; c++)
        weights[c] /= total;
    free(order);
}

void ensemble_mix(const float *const *proba, const double *weights, int n_members, int n, int k, float *out)
{
    for (size_t i = 0; i < (size_t)n * (size_t)k; i++) {
        double sum = 0;
        for (int m = 0; m < n_members; m++)
            sum += weights[m] * (double)proba[m][i];
        out[i] = (float)sum;
    }
}

static void mix_all(const struct ensemble_request *r, const double *weights, float *out)
{
    const float **proba = memory_new((size_t)r->n_candidates * sizeof *proba);
    for (int c = 0; c < r->n_candidates; c++)
        proba[c] = r->candidates[c].proba;
    ensemble_mix(proba, weights, r->n_candidates, r->n, r->k, out);
    free(proba);
}

static int by_weight(const void *a, const void *b)
{
    const struct ensemble_member *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return (x->candidate > y->candidate) - (x->candidate < y->candidate);
}

static void take_members(const struct ensemble_request *r, const double *weights, struct ensemble_result *out)
{
    out->members = memory_new((size_t)r->n_candidates * sizeof *out->members);
    for (int c = 0; c < r->n_candidates; c++)
        if (weights[c] > 0)
            out->members[out->n_members++] = (struct ensemble_member){c, weights[c]};
    qsort(out->members, (size_t)out->n_members, sizeof *out->members, by_weight);
}

/* Chosen on four fifths, scored on the other, five times. */
static void nested(const struct ensemble_request *r, struct ensemble_result *out)
{
    size_t k = (size_t)r->k, bytes = (size_t)r->n * k * sizeof(float);
    uint8_t *fold = memory_new((size_t)r->n);
    float *mixed = memory_new(bytes), *proba = memory_new(bytes), *single = memory_new(bytes);
    double *weights = memory_new((size_t)r->n_candidates * sizeof *weights), *gain = memory_new((size_t)r->n * sizeof *gain);
    int32_t *a = memory_new((size_t)r->n * sizeof *a), *b = memory_new((size_t)r->n * sizeof *b);
    for (int i = 0; i < r->n; i++)
        fold[i] = (uint8_t)(random_key(random_key(r->seed, KEY_FOLD), (uint64_t)i) % FOLDS);
    for (int f = 0; f < FOLDS; f++) {
        struct view v;
        int best = 0;
        view_init(&v, r, fold, f);
        if (v.n > 0)
            select_on(&v, random_key(r->seed, (uint64_t)f + 1), weights, &best);
        view_fini(&v);
        mix_all(r, weights, mixed);
        for (int i = 0; i < r->n; i++)
            if (fold[i] == f) {
                memcpy(proba + (size_t)i * k, mixed + (size_t)i * k, k * sizeof *proba);
                memcpy(single + (size_t)i * k, r->candidates[best].proba + (size_t)i * k, k * sizeof *single);
            }
    }
    metrics_of(proba, r->y, r->n, r->k, out->nested, NULL, NULL);
    metrics_argmax(proba, r->n, r->k, a);
    metrics_argmax(single, r->n, r->k, b);
    for (int i = 0; i < r->n; i++)
        gain[i] = (a[i] == r->y[i]) - (b[i] == r->y[i]);
    metrics_bootstrap(gain, r->n, random_key(r->seed, KEY_GAIN), &out->gain, &out->gain_low, &out->gain_high);
    free(fold);
    free(mixed);
    free(proba);
    free(single);
    free(weights);
    free(gain);
    free(a);
    free(b);
}

enum status ensemble_select(const struct ensemble_request *r, struct ensemble_result *out, struct error *e)
{
    struct view v;
    *out = (struct ensemble_result){0};
    if (r->n_candidates < 1 || r->n < 1)
        return error_set(e, STATUS_USAGE, "no finished trial with validation probabilities to choose from");
    double *weights = memory_new((size_t)r->n_candidates * sizeof *weights);
    float *proba = memory_new((size_t)r->n * (size_t)r->k * sizeof *proba);
    view_init(&v, r, NULL, -1);
    select_on(&v, r->seed, weights, &out->best);
    view_fini(&v);
    take_members(r, weights, out);
    mix_all(r, weights, proba);
    metrics_of(proba, r->y, r->n, r->k, out->in_sample, NULL, NULL);
    metrics_of(r->candidates[out->best].proba, r->y, r->n, r->k, out->best_single, NULL, NULL);
    nested(r, out);
    free(weights);
    free(proba);
    return STATUS_OK;
}

void ensemble_result_fini(struct ensemble_result *r)
{
    free(r->members);
    *r = (struct ensemble_result){0};
}
