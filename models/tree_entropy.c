#include "models/tree_entropy.h"

#include <math.h>
#include <string.h>

#include "base/kernels.h"

void tree_logs_cut(struct tree_logs *l, struct slab *slab, size_t samples, size_t n_classes)
{
    l->table = slab_take(slab, (samples + n_classes) * sizeof *l->table);
    l->first = slab_take(slab, (n_classes + 1) * sizeof *l->first);
}

/* log2 of x = 2^e m with m in [sqrt(1/2), sqrt(2)): e + 2 atanh((m - 1) / (m + 1)) / ln 2, whose series ends at 2^-53. */
static inline double log2_of(double x)
{
    static const double two_over_ln2 = 2.8853900817779268147;
    static const double odd[] = {1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3, 1.0};
    int64_t bits, half = 0x3fe6a09e667f3bcd; /* sqrt(1/2) */
    memcpy(&bits, &x, sizeof bits);
    int64_t e = (bits - half) >> 52;
    bits -= (int64_t)((uint64_t)e << 52);
    double m;
    memcpy(&m, &bits, sizeof m);
    double s = (m - 1) / (m + 1), q = s * s, p = 1.0 / 23;
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++)
        p = p * q + odd[k];
    return (double)(int32_t)e + two_over_ln2 * s * p;
}

static inline double x_log_x(double x)
{
    return x * log2_of(x < 1 ? 1 : x);
}

double tree_x_log_x(double x)
{
    return x_log_x(x);
}

static int scale_of(const struct tree_data *d, const int32_t *times, const int64_t *unit)
{
    int64_t weight = 0;
    for (int i = 0; i < d->n; i++)
        weight += times[i] * unit[d->y[i]];
    return 60 - ilogb(x_log_x((double)weight) + 1);
}

void tree_logs_fill(struct tree_logs *l, const struct tree_data *d, const int32_t *times, const int64_t *unit)
{
    int scale = scale_of(d, times, unit);
    double factor = ldexp(1, scale);
    l->unit = ldexp(1, -scale);
    memset(l->first, 0, ((size_t)d->n_classes + 1) * sizeof *l->first);
    for (int i = 0; i < d->n; i++)
        l->first[d->y[i] + 1] += times[i];
    for (int c = 0; c < d->n_classes; c++) {
        int64_t draws = l->first[c + 1], *to = l->table + l->first[c];
        for (int64_t times_c = 0; times_c <= draws; times_c++)
            to[times_c] = (int64_t)(x_log_x((double)(times_c * unit[c])) * factor + 0.5);
        l->first[c + 1] += l->first[c] + 1;
    }
}

KERNEL void tree_entropy_gains(const struct tree_logs *l, const int64_t *sums, const int64_t *left_weight, int64_t weight, int n, double *out)
{
    double unit = l->unit;
    for (int i = 0; i < n; i++) {
        double left = (double)left_weight[i], right = (double)(weight - left_weight[i]);
        out[i] = (double)sums[i] * unit - (x_log_x(left) + x_log_x(right));
    }
}
