/* Schedules: the rate of every update. Pure: a function of the update's number, and for reduce_on_plateau of what epochs brought.
 *
 * Updates count from 0. Warm-up comes first; the schedule begins where it ends, as in PyTorch's SequentialLR of LinearLR and the other. */
#ifndef MODELS_SCHEDULE_H
#define MODELS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/param.h"

struct schedule {
    enum { SCHEDULE_CONSTANT, SCHEDULE_STEP, SCHEDULE_COSINE, SCHEDULE_ONE_CYCLE, SCHEDULE_PLATEAU } kind;
    double rate;                                    /* train.learning_rate */
    int64_t epoch_steps, total_steps, warmup_steps; /* updates of an epoch, of all epochs, of warm-up */
    double warmup_start;
    double decay_rate, alpha, pct_start, div_factor, final_div_factor, factor, min_delta, min_rate;
    int decay_epochs, patience, cooldown;
};

/* What reduce_on_plateau remembers. */
struct plateau {
    double rate, best; /* now; of what is watched */
    int32_t wait, cooldown;
};

/* From "train.*"; rows: of training. */
struct schedule schedule_of(const struct params *p, int64_t rows);
struct plateau plateau_start(const struct schedule *s);

/* The rate of an update, at in [0, total_steps).
 * constant: learning_rate. step: PyTorch's StepLR, falling between epochs. cosine: PyTorch's CosineAnnealingLR, which is Keras' CosineDecay, to the end of
 * the last epoch. one_cycle: PyTorch's OneCycleLR (cosine, two phases; momentum stays). Warm-up: PyTorch's LinearLR, step by step. */
double schedule_rate(const struct schedule *s, const struct plateau *p, int64_t at);

/* After an epoch (from 1): watched is its metric, larger is better; not a number is no better. Epochs of warm-up do not count.
 * Source: Keras' ReduceLROnPlateau; patience n there and here is n - 1 in PyTorch's, and the same without cooldown. */
void plateau_epoch(const struct schedule *s, struct plateau *p, int epoch, double watched);

#endif
