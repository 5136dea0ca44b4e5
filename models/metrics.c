#include "models/metrics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

const char *const metric_names[METRIC_COUNT] = {
    "accuracy", "balanced_accuracy",  "macro_precision", "macro_recall",
    "macro_f1", "weighted_precision", "weighted_recall", "weighted_f1",
    "log_loss", "top3_accuracy",      "top5_accuracy",
};

int metric_find(const char *name)
{
    for (int m = 0; m < METRIC_COUNT; m++)
        if (strcmp(metric_names[m], name) == 0)
            return m;
    return -1;
}

int metric_sign(enum metric m)
{
    return m == METRIC_LOG_LOSS ? -1 : 1;
}

static int largest(const float *p, int k)
{
    int best = 0;
    for (int c = 1; c < k; c++)
        if (p[c] > p[best])
            best = c;
    return best;
}

void metrics_argmax(const float *proba, int n, int k, int32_t *out)
{
    for (int i = 0; i < n; i++)
        out[i] = largest(proba + (size_t)i * k, k);
}

static double ratio(int64_t a, int64_t b)
{
    return b ? (double)a / (double)b : 0.0;
}

static struct class_metrics class_of(const struct class_counts *c)
{
    return (struct class_metrics){.support = c->support,
                                  .predicted = c->predicted,
                                  .precision = ratio(c->hits, c->predicted),
                                  .recall = ratio(c->hits, c->support),
                                  .f1 = ratio(2 * c->hits, c->support + c->predicted)};
}

static void averages(const struct class_counts *counts, int n, int k, double *out, struct class_metrics *classes)
{
    double macro[3] = {0}, weighted[3] = {0};
    int64_t hits = 0, present = 0;
    for (int c = 0; c < k; c++) {
        struct class_metrics m = class_of(&counts[c]);
        double each[3] = {m.precision, m.recall, m.f1};
        if (classes)
            classes[c] = m;
        if (m.support == 0)
            continue;
        present++;
        hits += counts[c].hits;
        for (int j = 0; j < 3; j++) {
            macro[j] += each[j];
            weighted[j] += each[j] * (double)m.support;
        }
    }
    for (int j = 0; j < 3; j++) {
        out[METRIC_MACRO_PRECISION + j] = macro[j] / (double)present;
        out[METRIC_WEIGHTED_PRECISION + j] = weighted[j] / n;
    }
    out[METRIC_BALANCED_ACCURACY] = out[METRIC_MACRO_RECALL];
    out[METRIC_ACCURACY] = (double)hits / n;
}

static void count(struct class_counts *counts, int y, int predicted)
{
    counts[y].support++;
    counts[predicted].predicted++;
    counts[y].hits += y == predicted;
}

/* What needs no probabilities. */
static void of_counts(const struct class_counts *counts, int n, int k, double *out, struct class_metrics *classes)
{
    averages(counts, n, k, out, classes);
    for (int m = 0; m < METRIC_COUNT; m++)
        if (n == 0 || m >= METRIC_LOG_LOSS)
            out[m] = NAN;
}

void metrics_of_labels(const int32_t *predicted, const int32_t *y, int n, int k, double *out,
                       struct class_metrics *classes, int64_t *confusion)
{
    struct class_counts *counts = memory_new((size_t)k * sizeof *counts);
    if (confusion)
        memset(confusion, 0, (size_t)k * k * sizeof *confusion);
    for (int i = 0; i < n; i++) {
        count(counts, y[i], predicted[i]);
        if (confusion)
            confusion[(size_t)y[i] * k + predicted[i]]++;
    }
    of_counts(counts, n, k, out, classes);
    free(counts);
}

/* How many classes come before y when sorted by falling probability, ties to the lower index. */
static int place(const float *p, int k, int y)
{
    int before = 0;
    for (int c = 0; c < k; c++)
        before += p[c] > p[y] || (p[c] == p[y] && c < y);
    return before;
}

/* Source: scikit-learn 1.9, metrics/_classification.py, log_loss. */
double metrics_nats(float p)
{
    const float low = FLT_EPSILON, high = 1.0f - FLT_EPSILON;
    if (!(p >= low))
        return -log((double)low);
    return -log((double)(p > high ? high : p));
}

/* What needs them; n > 0. */
static void of_probabilities(const float *proba, const int32_t *y, int n, int k, double *out)
{
    double loss = 0;
    int64_t top3 = 0, top5 = 0;
    for (int i = 0; i < n; i++) {
        const float *p = proba + (size_t)i * k;
        int before = place(p, k, y[i]);
        loss += metrics_nats(p[y[i]]);
        top3 += before < 3;
        top5 += before < 5;
    }
    out[METRIC_LOG_LOSS] = loss / n;
    out[METRIC_TOP3_ACCURACY] = (double)top3 / n;
    out[METRIC_TOP5_ACCURACY] = (double)top5 / n;
}

void metrics_of(const float *proba, const int32_t *y, int n, int k, double *out,
                struct class_metrics *classes, int64_t *confusion)
{
    int32_t *predicted = memory_new((size_t)n * sizeof *predicted);
    metrics_argmax(proba, n, k, predicted);
    metrics_of_labels(predicted, y, n, k, out, classes, confusion);
    free(predicted);
    if (n > 0)
        of_probabilities(proba, y, n, k, out);
}

void metrics_in(struct class_counts *room, const float *proba, const int32_t *y, int n, int k, double *out)
{
    memset(room, 0, (size_t)k * sizeof *room);
    for (int i = 0; i < n; i++)
        count(room, y[i], largest(proba + (size_t)i * (size_t)k, k));
    of_counts(room, n, k, out, NULL);
    if (n > 0)
        of_probabilities(proba, y, n, k, out);
}

enum { RESAMPLES = 2000 };

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear interpolation between order statistics (Hyndman and Fan 1996, type 7). */
static double quantile(const double *sorted, int n, double q)
{
    double at = q * (n - 1);
    int i = (int)at;
    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

void metrics_bootstrap(const double *d, int n, uint64_t key, double *mean, double *low, double *high)
{
    *mean = *low = *high = NAN;
    if (n <= 0)
        return;
    double total = 0, means[RESAMPLES];
    for (int i = 0; i < n; i++)
        total += d[i];
    for (int b = 0; b < RESAMPLES; b++) {
        struct random r = random_of(key, (uint64_t)b);
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += d[random_below(&r, (uint32_t)n)];
        means[b] = sum / n;
    }
    qsort(means, RESAMPLES, sizeof *means, by_size);
    *mean = total / n;
    *low = quantile(means, RESAMPLES, 0.025);
    *high = quantile(means, RESAMPLES, 0.975);
}
