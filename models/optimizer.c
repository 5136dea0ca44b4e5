#include "models/optimizer.h"

#include <math.h>

#include "base/kernels.h"

/* What the optimizer has no use for is not there. */
static bool truth_of(const struct params *p, const char *name)
{
    const struct value *v = params_get(p, name);
    return v && v->truth;
}

static double number_of(const struct params *p, const char *name, double none)
{
    const struct value *v = params_get(p, name);
    return v && v->kind != VALUE_NONE ? value_number(v) : none;
}

struct optimizer optimizer_of(const struct params *p)
{
    bool adamw = params_is(p, "train.optimizer", "adamw"), sgd = params_is(p, "train.optimizer", "sgd");
    bool rmsprop = params_is(p, "train.optimizer", "rmsprop");
    return (struct optimizer){.kind = sgd ? OPTIMIZER_SGD : rmsprop ? OPTIMIZER_RMSPROP : OPTIMIZER_ADAM,
                              .nesterov = truth_of(p, "train.nesterov"),
                              .centered = truth_of(p, "train.centered"),
                              .momentum = number_of(p, "train.momentum", 0),
                              .beta_1 = number_of(p, "train.beta_1", 0),
                              .beta_2 = number_of(p, "train.beta_2", 0),
                              .rho = number_of(p, "train.rho", 0),
                              .epsilon = params_real(p, "train.epsilon"),
                              .weight_decay = number_of(p, "train.weight_decay", adamw ? 0.004 : 0),
                              .clipvalue = number_of(p, "train.clipvalue", 0),
                              .global_clipnorm = number_of(p, "train.global_clipnorm", 0)};
}

int optimizer_moments(const struct optimizer *o)
{
    if (o->kind == OPTIMIZER_ADAM)
        return 2;
    return (o->momentum > 0) + (o->kind == OPTIMIZER_RMSPROP) + (o->kind == OPTIMIZER_RMSPROP && o->centered);
}

/* --- clipping --- */

KERNEL static void clip_values(float *g, float limit, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float low = g[i] < -limit ? -limit : g[i];
        g[i] = low > limit ? limit : low; /* what is not a number stays none */
    }
}

enum { LANES = 16 };

/* Lanes of their own, then one after the other: the same order for vectors of any width. */
KERNEL static double sum_of_squares(const float *g, size_t n)
{
    double lane[LANES] = {0}, sum = 0;
    size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (int j = 0; j < LANES; j++)
            lane[j] += (double)g[i + (size_t)j] * (double)g[i + (size_t)j];
    for (size_t i = whole; i < n; i++)
        lane[i - whole] += (double)g[i] * (double)g[i];
    for (int j = 0; j < LANES; j++)
        sum += lane[j];
    return sum;
}

KERNEL static void scale(float *g, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        g[i] *= factor;
}

static void clip(const struct optimizer *o, float *g, size_t n)
{
    if (o->clipvalue > 0)
        clip_values(g, (float)o->clipvalue, n);
    if (o->global_clipnorm > 0) {
        double norm = sqrt(sum_of_squares(g, n));
        if (norm > o->global_clipnorm)
            scale(g, (float)(o->global_clipnorm / norm), n);
    }
}

/* --- updates: decay is rate * weight_decay --- */

struct adam {
    float beta_1, beta_2, rate, correction, epsilon, decay;
};

KERNEL static void adam_step(const struct adam *a, float *restrict w, const float *restrict g,
                             float *restrict m, float *restrict v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = a->beta_1 * m[i] + (1 - a->beta_1) * g[i];
        v[i] = a->beta_2 * v[i] + (1 - a->beta_2) * (g[i] * g[i]);
        w[i] -= a->decay * w[i] + a->rate * m[i] / (sqrtf(v[i]) * a->correction + a->epsilon);
    }
}

KERNEL static void sgd_plain(float rate, float decay, float *restrict w, const float *restrict g, size_t n)
{
    for (size_t i = 0; i < n; i++)
        w[i] -= decay * w[i] + rate * g[i];
}

KERNEL static void sgd_momentum(float rate, float decay, float momentum, float *restrict w, const float *restrict g, float *restrict m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = momentum * m[i] - rate * g[i];
        w[i] += m[i] - decay * w[i];
    }
}

KERNEL static void sgd_nesterov(float rate, float decay, float momentum, float *restrict w, const float *restrict g, float *restrict m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = momentum * m[i] - rate * g[i];
        w[i] += momentum * m[i] - rate * g[i] - decay * w[i];
    }
}

static void sgd_step(const struct optimizer *o, float rate, float decay, float *w, const float *g, float *m, size_t n)
{
    float momentum = (float)o->momentum;
    if (momentum <= 0)
        sgd_plain(rate, decay, w, g, n);
    else
        (o->nesterov ? sgd_nesterov : sgd_momentum)(rate, decay, momentum, w, g, m, n);
}

/* The gradient over its root mean square. */
KERNEL static void over_root(float rho, float epsilon, float *restrict g, float *restrict v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = rho * v[i] + (1 - rho) * (g[i] * g[i]);
        g[i] /= sqrtf(v[i] + epsilon);
    }
}

KERNEL static void over_deviation(float rho, float epsilon, float *restrict g, float *restrict v, float *restrict mean, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = rho * v[i] + (1 - rho) * (g[i] * g[i]);
        mean[i] = rho * mean[i] + (1 - rho) * g[i];
        float variance = v[i] - mean[i] * mean[i]; /* rounding may put it below 0 */
        g[i] /= sqrtf((variance > 0 ? variance : 0) + epsilon);
    }
}

/* moments: mean square, then momentum and mean where there are such. Keras' momentum of steps is SGD's of these gradients. */
static void rmsprop_step(const struct optimizer *o, float rate, float decay, float *w, float *g, float *moments, size_t n)
{
    float rho = (float)o->rho, epsilon = (float)o->epsilon, momentum = (float)o->momentum;
    float *m = moments + n, *mean = momentum > 0 ? m + n : m;
    if (o->centered)
        over_deviation(rho, epsilon, g, moments, mean, n);
    else
        over_root(rho, epsilon, g, moments, n);
    if (momentum > 0)
        sgd_momentum(rate, decay, momentum, w, g, m, n);
    else
        sgd_plain(rate, decay, w, g, n);
}

void optimizer_step(const struct optimizer *o, double rate, int64_t step, float *w, float *g, float *moments, size_t n)
{
    float decay = (float)(rate * o->weight_decay);
    clip(o, g, n);
    if (o->kind == OPTIMIZER_SGD) {
        sgd_step(o, (float)rate, decay, w, g, moments, n);
    } else if (o->kind == OPTIMIZER_RMSPROP) {
        rmsprop_step(o, (float)rate, decay, w, g, moments, n);
    } else {
        struct adam a = {.beta_1 = (float)o->beta_1, .beta_2 = (float)o->beta_2, .epsilon = (float)o->epsilon, .decay = decay};
        a.rate = (float)(rate / (1 - pow((double)a.beta_1, (double)step))); /* of the rounded ones: 1 - .999 loses five digits in float */
        a.correction = (float)(1 / sqrt(1 - pow((double)a.beta_2, (double)step)));
        adam_step(&a, w, g, moments, moments + n, n);
    }
}
