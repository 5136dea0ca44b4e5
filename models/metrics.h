/* Metrics of predicted probabilities; scikit-learn's names and meanings (zero_division = 0).
 *
 * macro_* average over classes with at least one row; weighted_* by rows. The predicted class is the largest probability, ties to the lowest index. */
#ifndef MODELS_METRICS_H
#define MODELS_METRICS_H

#include <stdint.h>

enum metric {
    METRIC_ACCURACY,
    METRIC_BALANCED_ACCURACY,
    METRIC_MACRO_PRECISION,
    METRIC_MACRO_RECALL,
    METRIC_MACRO_F1,
    METRIC_WEIGHTED_PRECISION,
    METRIC_WEIGHTED_RECALL,
    METRIC_WEIGHTED_F1,
    METRIC_LOG_LOSS, /* nats, probabilities cut at float32's epsilon as scikit-learn does */
    METRIC_TOP3_ACCURACY,
    METRIC_TOP5_ACCURACY,
    METRIC_COUNT
};
extern const char *const metric_names[METRIC_COUNT]; /* "accuracy", "balanced_accuracy", .. */
int metric_find(const char *name); /* or -1 */
/* +1: larger is better; -1: log_loss. */
int metric_sign(enum metric m);

struct class_metrics {
    int64_t support, predicted;
    double precision, recall, f1;
};

/* proba (n,k) row-major, y (n) in [0,k). out (METRIC_COUNT). classes (k) and confusion (k,k: true by predicted) may be NULL. */
void metrics_of(const float *proba, const int32_t *y, int n, int k, double *out, struct class_metrics *classes, int64_t *confusion);
struct class_counts {
    int64_t support, predicted, hits;
};
/* The same without allocating: room (k), overwritten. */
void metrics_in(struct class_counts *room, const float *proba, const int32_t *y, int n, int k, double *out);
/* The same from predicted classes alone: what needs probabilities is NaN. */
void metrics_of_labels(const int32_t *predicted, const int32_t *y, int n, int k, double *out, struct class_metrics *classes, int64_t *confusion);
/* What log_loss, a mean over rows, takes of one whose own class has probability p. */
double metrics_nats(float p);
/* Class of each row of proba. */
void metrics_argmax(const float *proba, int n, int k, int32_t *out);

/* Mean of d (n) and its 95 % interval, from 2,000 seeded bootstrap resamples of rows: paired differences in correctness, say. */
void metrics_bootstrap(const double *d, int n, uint64_t key, double *mean, double *low, double *high);

#endif
