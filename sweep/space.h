/* The search space: what may vary, and points of it.
 *
 * A dimension is one parameter (qualified: "train.learning_rate", "cnn_lstm.units") with choices, a range, or one value (a constant).
 * A point is a complete set of the parameters active for its model: "model", "channels", the model's own group, and
 * "train.*" for models that train by epochs. Inactive ones, also those that an optimizer or schedule has no use for (struct param's `when`),
 * are left out, so points that differ only there are one. */
#ifndef SWEEP_SPACE_H
#define SWEEP_SPACE_H

#include "models/model.h"

struct dimension {
    char *name;              /* qualified */
    const struct param *param; /* its table entry; NULL for "model" and "channels" */
    struct value *choices;   /* (n) checked; NULL for a range */
    int n;
    bool is_range, is_log;
    double low, high, step;  /* step 0: none */
    int points;              /* of a grid over a range; 0: none given */
    bool whole;              /* whole numbers only */
    bool constant;           /* a scalar in the configuration */
    int line;                /* of the configuration, for errors; 0 unknown */
};

struct space {
    struct dimension *dimensions; /* owned; "model" and "channels" are always there */
    int n;
};

void space_fini(struct space *s);
const struct dimension *space_find(const struct space *s, const char *name);

/* Completes point with defaults of the active groups, and removes what is not active for its "model". */
void space_activate(struct params *point);

/* A sampler: one file in sweep/, one line in sweep/samplers.c. */
struct sampler {
    const char *name, *help;
    const struct param *params; /* its own, within search; or NULL */
    /* Points in order, without repeats, at most n_trials where that is above 0 (random needs it). *points is an array of *n; all owned by
     * the caller. STATUS_CONFIG where the space does not suit: a range without points or step in a grid, random without n_trials.
     * A study with a larger n_trials or space gives the earlier points again. */
    enum status (*points)(const struct space *s, const struct params *search, uint64_t seed, struct params **points, int *n, struct error *e);
};
extern const struct sampler *const samplers[]; /* ends with NULL */
const struct sampler *sampler_find(const char *name);

/* The group `search`: method, n_trials, repeats, repeat_over, order. */
extern const struct param search_params[];

#endif
