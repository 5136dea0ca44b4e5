#include "sweep/samplers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

extern const struct sampler sampler_grid, sampler_random;

/* A new sampler: its line here, its word in METHODS. */
const struct sampler *const samplers[] = {&sampler_grid, &sampler_random, NULL};
#define METHODS "grid|random"

const struct param search_params[] = {
    {"method", PARAM_WORD, 0, 0, METHODS, "\"grid\"", "how points of the space are chosen"},
    {"n_trials", PARAM_INT, 0, SPACE_POINTS_MAX, NULL, "0",
     "at most so many points, each run on every task; 0: all (grid)"},
    {"repeats", PARAM_INT, 1, 1000, NULL, "1", "times that each point is run"},
    {"repeat_over", PARAM_WORD, 0, 0, "seed|split|both", "\"seed\"",
     "what a repeat changes: random numbers, the dealing of rows, or both"},
    {"order", PARAM_WORD, 0, 0, "longest|listed|shuffled", "\"longest\"", "which trials start first"},
    {NULL},
};

const struct sampler *sampler_find(const char *name)
{
    for (int i = 0; samplers[i]; i++)
        if (strcmp(samplers[i]->name, name) == 0)
            return samplers[i];
    return NULL;
}

enum status dimension_error(const struct dimension *d, const char *what, struct error *e)
{
    error_set(e, STATUS_CONFIG, "space.%s: %s", d->name, what);
    if (e && d->line > 0)
        error_prefix(e, "%d", d->line);
    return STATUS_CONFIG;
}

struct value dimension_number(const struct dimension *d, double x)
{
    char text[40];
    snprintf(text, sizeof text, "%.10g", x);
    x = strtod(text, NULL);
    x = d->whole ? nearbyint(x) : x;
    x = x < d->low ? d->low : x > d->high ? d->high : x;
    return d->whole ? value_int((int64_t)x) : value_real(x);
}

static enum status check_range(const struct dimension *d, struct error *e)
{
    if (!isfinite(d->low) || !isfinite(d->high) || d->low > d->high)
        return dimension_error(d, "low must be a number not above high", e);
    if (d->is_log && d->low <= 0)
        return dimension_error(d, "log needs low above 0", e);
    if (d->step < 0 || d->points < 0)
        return dimension_error(d, "points and step must be above 0", e);
    if (d->step > 0 && (d->points > 0 || d->is_log))
        return dimension_error(d, "step goes with neither points nor log", e);
    if (d->points > RANGE_VALUES_MAX || (d->step > 0 && (d->high - d->low) / d->step >= RANGE_VALUES_MAX))
        return dimension_error(d, "more than 100000 values", e);
    return STATUS_OK;
}

/* How many numbers a grid has along a range: those of points or step; one where there is only one; else 0. */
static int range_count(const struct dimension *d)
{
    if (d->low == d->high)
        return 1;
    return d->step > 0 ? (int)floor((d->high - d->low) / d->step + 1e-9) + 1 : d->points;
}

static double range_at(const struct dimension *d, int i, int n)
{
    if (i == 0 || n == 1)
        return d->low;
    if (d->step > 0)
        return d->low + i * d->step;
    double share = (double)i / (n - 1);
    if (i == n - 1)
        return d->high;
    return d->is_log ? exp(log(d->low) + share * (log(d->high) - log(d->low)))
                     : d->low + share * (d->high - d->low);
}

static void values_add(struct dimension_values *v, struct names *seen, struct value x)
{
    struct buffer text = {0};
    bool added;
    value_to_json(&x, &text); /* 1 and 1.0 differ: max_features means a number of columns or a share */
    names_add(seen, text.data, &added);
    buffer_fini(&text);
    if (added)
        v->values[v->n++] = x;
    else
        value_fini(&x);
}

static enum status values_init(struct dimension_values *v, const struct dimension *d, struct error *e)
{
    *v = (struct dimension_values){0};
    if (d->is_range)
        TRY(check_range(d, e));
    else if (d->n == 0)
        return dimension_error(d, "no choices", e);
    int n = d->is_range ? range_count(d) : d->n;
    struct names seen = {0};
    v->values = memory_new((size_t)n * sizeof *v->values);
    for (int i = 0; i < n; i++)
        values_add(v, &seen, d->is_range ? dimension_number(d, range_at(d, i, n)) : value_copy(&d->choices[i]));
    names_fini(&seen);
    return STATUS_OK;
}

enum status model_space_init(struct model_space *m, const struct space *s, const char *model, struct error *e)
{
    *m = (struct model_space){.kind = model_find(model)};
    if (!m->kind)
        return error_set(e, STATUS_CONFIG, "space.model: there is no model \"%s\"", model);
    m->dimensions = memory_new((size_t)s->n * sizeof *m->dimensions);
    m->values = memory_new((size_t)s->n * sizeof *m->values);
    for (int i = 0; i < s->n; i++) {
        const struct dimension *d = &s->dimensions[i];
        if (strcmp(d->name, "model") == 0 || !space_active(m->kind, d->name))
            continue;
        m->dimensions[m->n] = d;
        if (values_init(&m->values[m->n++], d, e) != STATUS_OK) {
            model_space_fini(m);
            return STATUS_CONFIG;
        }
    }
    return STATUS_OK;
}

void model_space_fini(struct model_space *m)
{
    for (int i = 0; i < m->n; i++) {
        for (int j = 0; j < m->values[i].n; j++)
            value_fini(&m->values[i].values[j]);
        free(m->values[i].values);
    }
    free(m->values);
    free(m->dimensions);
    *m = (struct model_space){0};
}

double model_space_size(const struct model_space *m)
{
    double size = 1;
    for (int i = 0; i < m->n; i++)
        size *= m->values[i].n > 0 ? m->values[i].n : INFINITY;
    return size;
}

enum status model_spaces_init(struct model_spaces *m, const struct space *s, struct error *e)
{
    *m = (struct model_spaces){0};
    const struct dimension *d = space_find(s, "model");
    if (!d || d->n == 0)
        return error_set(e, STATUS_CONFIG, "space.model: no model is listed");
    struct names seen = {0};
    enum status status = STATUS_OK;
    m->models = memory_new((size_t)d->n * sizeof *m->models);
    for (int i = 0; i < d->n && status == STATUS_OK; i++) {
        bool added;
        if (d->choices[i].kind != VALUE_TEXT) {
            status = dimension_error(d, "must name models", e);
            break;
        }
        names_add(&seen, d->choices[i].text, &added);
        if (added)
            status = model_space_init(&m->models[m->n], s, d->choices[i].text, e);
        m->n += added && status == STATUS_OK;
    }
    names_fini(&seen);
    if (status != STATUS_OK)
        model_spaces_fini(m);
    return status;
}

void model_spaces_fini(struct model_spaces *m)
{
    for (int i = 0; i < m->n; i++)
        model_space_fini(&m->models[i]);
    free(m->models);
    *m = (struct model_spaces){0};
}

bool points_add(struct points *p, struct params *point)
{
    bool added;
    struct buffer text = {0};
    space_activate(point);
    params_to_json(point, &text);
    names_add(&p->seen, text.data, &added);
    buffer_fini(&text);
    if (!added) {
        params_fini(point);
        return false;
    }
    if (p->n == p->capacity) {
        p->capacity = p->capacity ? 2 * p->capacity : 16;
        p->points = memory_resize(p->points, (size_t)p->capacity * sizeof *p->points);
    }
    p->points[p->n++] = *point;
    *point = (struct params){0};
    return true;
}

enum status points_end(struct points *p, enum status s, struct params **points, int *n)
{
    names_fini(&p->seen);
    if (s != STATUS_OK) {
        for (int i = 0; i < p->n; i++)
            params_fini(&p->points[i]);
        free(p->points);
        *p = (struct points){0};
    }
    *points = p->points;
    *n = p->n;
    return s;
}
