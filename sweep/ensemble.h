/* Ensemble selection (Caruana et al. 2004): greedy, with replacement, bagged, on validation probabilities of one task.
 *
 * Candidates are configurations (the mean of their repeats' probabilities). The library is the best 50 by the study's metric; each of 20 bags
 * draws half of it; in each, selection starts from the bag's best 5, then adds, up to 50 rounds, whichever raises the metric most, ties
 * to members already in, then to the lower index; the best prefix is kept. Counts over all bags are the weights.
 * In doubles, in a fixed order: the same on any machine; and simple enough to be recomputed from the database. */
#ifndef SWEEP_ENSEMBLE_H
#define SWEEP_ENSEMBLE_H

#include "models/metrics.h"
#include "sweep/space.h"

struct ensemble_candidate {
    int id;             /* the caller's */
    const float *proba; /* (n,k) on the validation rows */
};

struct ensemble_request {
    const struct ensemble_candidate *candidates;
    int n_candidates;
    const int32_t *y;
    int n, k;
    enum metric metric;
    uint64_t seed;
};

struct ensemble_member {
    int candidate; /* index */
    double weight; /* sums to 1 */
};

struct ensemble_result {
    struct ensemble_member *members; /* owned, by falling weight, then candidate */
    int n_members;
    double in_sample[METRIC_COUNT]; /* chosen and scored on the same rows: optimistic */
    double nested[METRIC_COUNT];    /* chosen on 4/5 of the rows, scored on the other 1/5, five times */
    int best;                       /* index of the best single candidate */
    double best_single[METRIC_COUNT];
    double gain, gain_low, gain_high; /* nested accuracy minus the best single's (chosen on the same 4/5), paired bootstrap, 95 % */
};

enum status ensemble_select(const struct ensemble_request *r, struct ensemble_result *out, struct error *e);
void ensemble_result_fini(struct ensemble_result *r);
/* proba (n,k) = sum of weight * candidate, in member order, in double, rounded once. weights (n_members). */
void ensemble_mix(const float *const *proba, const double *weights, int n_members, int n, int k, float *out);

#endif
