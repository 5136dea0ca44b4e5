#include "sweep/ensemble.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "sweep/mix.h"

enum { LIBRARY = 50, BAGS = 20, START = 5, ROUNDS = 50, DRY_ROUNDS = 10, FOLDS = 5 };
enum { KEY_BAG = 0x626167, KEY_FOLD = 0x666f6c64, KEY_GAIN = 0x6761696e };

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
static struct ranked *rank(const struct mix *m)
{
    struct ranked *r = memory_new((size_t)m->r->n_candidates * sizeof *r);
    for (int c = 0; c < m->r->n_candidates; c++)
        r[c] = (struct ranked){mix_score_alone(m, c), c};
    qsort(r, (size_t)m->r->n_candidates, sizeof *r, by_score);
    return r;
}

/* The candidate of a bag that raises the score most; ties to members, then to the lower index. */
static int best_addition(struct mix *m, const int *bag, int n, const int *chosen, int size, double *best_score)
{
    int best = -1;
    bool best_in = false;
    for (int i = 0; i < n; i++) {
        bool in = false;
        for (int j = 0; j < size; j++)
            in |= chosen[j] == bag[i];
        double s = mix_score_with(m, bag[i]);
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
static void select_bag(struct mix *m, const int *bag, int n, double *counts)
{
    int chosen[START + ROUNDS], size = 0, best_size = 0, dry = 0;
    double best = -INFINITY, s = 0;
    mix_clear(m);
    for (; size < START && size < n; size++) {
        chosen[size] = bag[size];
        s = mix_score_with(m, bag[size]);
        mix_add(m, bag[size]);
        if (s > best) {
            best = s;
            best_size = size + 1;
        }
    }
    for (int round = 0; round < ROUNDS && dry < DRY_ROUNDS; round++) {
        int next = best_addition(m, bag, n, chosen, size, &s);
        chosen[size++] = next;
        mix_add(m, next);
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
static void select_on(struct mix *m, uint64_t key, double *weights, int *best)
{
    struct ranked *order = rank(m);
    int n_candidates = m->r->n_candidates, n_library = n_candidates < LIBRARY ? n_candidates : LIBRARY, library[LIBRARY], bag[LIBRARY];
    double total = 0;
    int32_t places[LIBRARY];
    *best = order[0].candidate;
    for (int i = 0; i < n_library; i++)
        library[i] = order[i].candidate;
    free(order);
    mix_take_library(m, library, n_library);
    memset(weights, 0, (size_t)n_candidates * sizeof *weights);
    for (int b = 0; b < BAGS; b++) {
        struct random r = random_of(random_key(key, KEY_BAG), (uint64_t)b);
        bool in[LIBRARY] = {0};
        int n = 0;
        for (int i = 0; i < n_library; i++)
            places[i] = i;
        random_shuffle(&r, places, (size_t)n_library);
        for (int i = 0; i < (n_library + 1) / 2; i++)
            in[places[i]] = true;
        for (int i = 0; i < n_library; i++)
            if (in[i])
                bag[n++] = library[i];
        select_bag(m, bag, n, weights);
    }
    for (int c = 0; c < n_candidates; c++)
        total += weights[c];
    for (int c = 0; c < n_candidates; c++)
        weights[c] /= total;
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
        struct mix m;
        int best = 0;
        mix_init(&m, r, fold, f);
        if (m.n > 0)
            select_on(&m, random_key(r->seed, (uint64_t)f + 1), weights, &best);
        mix_fini(&m);
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
    struct mix m;
    *out = (struct ensemble_result){0};
    if (r->n_candidates < 1 || r->n < 1)
        return error_set(e, STATUS_USAGE, "no finished trial with validation probabilities to choose from");
    double *weights = memory_new((size_t)r->n_candidates * sizeof *weights);
    float *proba = memory_new((size_t)r->n * (size_t)r->k * sizeof *proba);
    mix_init(&m, r, NULL, -1);
    select_on(&m, r->seed, weights, &out->best);
    mix_fini(&m);
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
