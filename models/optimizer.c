#include "models/optimizer.h"

#include <math.h>

#include "models/kernels.h"

struct optimizer optimizer_of(const struct params *p)
{
    return (struct optimizer){.kind = params_is(p, "train.optimizer", "sgd") ? OPTIMIZER_SGD : OPTIMIZER_ADAM,
                              .learning_rate = params_real(p, "train.learning_rate"),
                              .momentum = params_real(p, "train.momentum"),
                              .beta_1 = params_real(p, "train.beta_1"),
                              .beta_2 = params_real(p, "train.beta_2"),
                              .epsilon = params_real(p, "train.epsilon")};
}

struct adam {
    float beta_1, beta_2, rate, correction, epsilon;
};

KERNEL static void adam_step(const struct adam *a, float *restrict w, const float *restrict g,
                             float *restrict m, float *restrict v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = a->beta_1 * m[i] + (1 - a->beta_1) * g[i];
        v[i] = a->beta_2 * v[i] + (1 - a->beta_2) * (g[i] * g[i]);
        w[i] -= a->rate * m[i] / (sqrtf(v[i]) * a->correction + a->epsilon);
    }
}

KERNEL static void sgd_step(float rate, float momentum, float *restrict w, const float *restrict g,
                            float *restrict m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = momentum * m[i] - rate * g[i];
        w[i] += m[i];
    }
}

void optimizer_step(const struct optimizer *o, int64_t step, float *w, const float *g, float *m, float *v,
                    size_t n)
{
    if (o->kind == OPTIMIZER_SGD) {
        sgd_step((float)o->learning_rate, (float)o->momentum, w, g, m, n);
        return;
    }
    struct adam a = {.beta_1 = (float)o->beta_1, .beta_2 = (float)o->beta_2, .epsilon = (float)o->epsilon};
    a.rate = (float)(o->learning_rate / (1 - pow(o->beta_1, (double)step)));
    a.correction = (float)(1 / sqrt(1 - pow(o->beta_2, (double)step)));
    adam_step(&a, w, g, m, v, n);
}
