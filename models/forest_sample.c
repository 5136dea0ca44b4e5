#include "models/forest_sample.h"

struct random forest_sample_draw(const struct forest_sample *s, int i, int32_t *times)
{
    struct random r = random_of(s->key, (uint64_t)i);
    for (int row = 0; row < s->n; row++)
        times[row] = !s->bootstrap;
    for (int d = 0; d < s->draws && s->bootstrap; d++)
        times[random_below(&r, (uint32_t)s->n)]++;
    return r;
}

void forest_sample_weigh(const struct forest_sample *s, const int32_t *times, double *weight)
{
    int present = 0;
    int64_t total = 0;
    for (int c = 0; c < s->n_classes; c++)
        weight[c] = 0;
    for (int i = 0; i < s->n; i++) {
        int times_i = s->weight == FOREST_BALANCED_SUBSAMPLE ? times[i] : 1;
        weight[s->y[i]] += times_i;
        total += times_i;
    }
    for (int c = 0; c < s->n_classes; c++)
        present += weight[c] > 0;
    for (int c = 0; c < s->n_classes; c++)
        weight[c] = s->weight == FOREST_PLAIN ? 1 : weight[c] > 0 ? (double)total / (present * weight[c]) : 0;
}
