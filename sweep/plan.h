/* The plan: every trial that a configuration asks for, in a fixed order, with its identity. Pure. */
#ifndef SWEEP_PLAN_H
#define SWEEP_PLAN_H

#include "base/hash.h"
#include "flows/task.h"
#include "sweep/space.h"

struct plan_configuration {
    struct params params;   /* active and complete */
    const struct model_kind *kind;
    char hash[HASH_HEX];    /* of the canonical JSON of params */
    int n_channels, n_statistics; /* that it reads */
    unsigned reads;         /* bits as in struct flows: what these are made of */
};

struct plan_trial {
    int configuration, task; /* indices */
    int fold, repeat;
    char identity[HASH_HEX]; /* active parameters, top_n or min_flows, steps, fold, repeat; never data, layout or path */
    uint64_t key;            /* names its random numbers: study seed and identity without PARAM_UNKEYED parameters */
    int split_repeat;        /* the dealing of rows: 0 unless repeat_over is "split" or "both" */
    double flops;            /* of the whole trial, without what comes from `after`, about: for order = "longest" and the time left; */
    double permute_flops;    /* of these, what follows the last step (struct model_kind's) */
    int after;               /* the trial whose finished model it goes on from (struct model_kind's grows), the next smaller; or -1 */
};

struct plan_invalid {
    char *params, *message; /* JSON, without what is at its default; why it cannot work */
    const struct model_kind *kind;
    int task;
};

struct plan_request { /* what a plan is made of */
    const struct space *space;
    const struct params *search;
    const struct task_spec *tasks;
    const struct model_shape *shapes; /* (n_tasks) n_channels and n_statistics are filled in per point */
    int n_tasks;
    uint64_t seed;
    bool has_channel[CHANNEL_COUNT]; /* what the flows can give */
};

struct plan {
    struct plan_configuration *configurations;
    struct plan_trial *trials; /* baselines of a task first, then tasks crossed with points and repeats */
    struct plan_invalid *invalid;
    int n_configurations, n_trials, n_invalid;
};

/* STATUS_CONFIG where nothing valid is left, or as the sampler says. */
enum status plan_new(struct plan **out, const struct plan_request *request, struct error *e);
void plan_free(struct plan *p);

/* Models none of whose points can work; and what the space sets of models that have configurations, but none of these has, as its condition is never met:
 * text for people that the caller frees, or NULL. */
char *plan_unused(const struct plan *p, const struct space *s);
/* What its model grows to (struct model_kind's grows): trees; 0: it does not grow. */
int64_t plan_size(const struct plan_configuration *k);
/* Of a trial's flops, those that it has behind it after so many epochs or steps. */
double plan_work(const struct plan *p, int trial, int epoch);
/* Names the set that a trial's ranks share on a node (models/model.h: node_bytes), of a kind that has one: trials with equal names look at the same. Appended. */
void plan_set_name(const struct plan_configuration *k, const struct plan_trial *t, struct buffer *out);
/* How many such sets the trials look at. */
int plan_sets(const struct plan *p);

#endif
