/* What samplers share: the values of a dimension, which dimensions a model has, and collecting points. Private to sweep/.
 *
 * A sampler looks at one model at a time and sees only the dimensions active for it, so nothing is enumerated or drawn that
 * would be thrown away. Numbers made from ranges are rounded to 10 significant digits: exp and log differ between machines in
 * the last bit, and an identity must not. */
#ifndef SWEEP_SAMPLERS_H
#define SWEEP_SAMPLERS_H

#include "sweep/names.h"
#include "sweep/space.h"

enum {
    SPACE_POINTS_MAX = 1000000, /* more than this no study runs; a grid may ask for 10^20 by mistake */
    RANGE_VALUES_MAX = 100000
};

/* Is the parameter one of those that a point of this model has? */
bool space_active(const struct model_kind *kind, const char *name);

/* The values of a dimension, without repeats, in order; n = 0 for a range without points or step. */
struct dimension_values {
    struct value *values; /* owned */
    int n;
};

/* One model's part of the space: its active dimensions and their values. */
struct model_space {
    const struct model_kind *kind;
    const struct dimension **dimensions; /* (n) pointing into the space, in its order; "model" itself is left out */
    struct dimension_values *values;     /* (n) */
    int n;
};

/* STATUS_CONFIG: ranges that make no sense, a model that does not exist. */
enum status model_space_init(struct model_space *m, const struct space *s, const char *model, struct error *e);
void model_space_fini(struct model_space *m);
/* How many points it holds; INFINITY where a range has no points. */
double model_space_size(const struct model_space *m);

/* All models of a space, each once, in order. */
struct model_spaces {
    struct model_space *models; /* owned */
    int n;
};
enum status model_spaces_init(struct model_spaces *m, const struct space *s, struct error *e);
void model_spaces_fini(struct model_spaces *m);

/* A whole or real number of a dimension, rounded, cut to its range. */
struct value dimension_number(const struct dimension *d, double x);
/* STATUS_CONFIG: "12: space.train.learning_rate: ...", the line of the configuration, whose name the caller puts before it. */
enum status dimension_error(const struct dimension *d, const char *what, struct error *e);

/* Points found so far. */
struct points {
    struct params *points; /* owned until handed over */
    int n, capacity;
    struct names seen;
};
/* Activates the point and takes it over, or frees it where it was there already; true when it was new. */
bool points_add(struct points *p, struct params *point);
/* Hands the array to the caller, or frees it where s is an error. */
enum status points_end(struct points *p, enum status s, struct params **points, int *n);

#endif
