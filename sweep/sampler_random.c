/* Independent draws: a model, each listed one as likely as another, then each of its active dimensions.
 *
 * What draw i gives for a dimension depends on (seed, i, the dimension's name) and, for choices, on each choice alone: every
 * choice gets a hash, the highest wins (rendezvous; Thaler and Ravishankar 1998). So a larger n_trials goes on where the smaller one
 * ended, the order of choices does not matter, a choice that is added takes only the draws that it wins, and a dimension that is
 * added changes no other. Points drawn before are skipped.
 * It stops early where the space is exhausted: all its points found, or DRY draws in a row without a new one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/random.h"
#include "sweep/samplers.h"

enum { DRY = 10000 };

static uint64_t text_key(const char *text)
{
    char hex[HASH_HEX];
    hash_bytes(text, strlen(text), hex);
    return hash_to_key(hex);
}

static uint64_t draw_key(uint64_t seed, int64_t draw, const char *name)
{
    return random_key(random_key(seed, text_key(name)), (uint64_t)draw);
}

static int draw_choice(uint64_t key, const struct value *choices, int n)
{
    int best = 0;
    uint64_t highest = 0;
    for (int i = 0; i < n; i++) {
        struct buffer text = {0};
        value_to_json(&choices[i], &text);
        uint64_t weight = random_key(key, text_key(text.data));
        buffer_fini(&text);
        if (i == 0 || weight > highest) {
            best = i;
            highest = weight;
        }
    }
    return best;
}

static int draw_model(uint64_t seed, int64_t draw, const struct model_spaces *spaces)
{
    int best = 0;
    uint64_t key = draw_key(seed, draw, "model"), highest = 0;
    for (int m = 0; m < spaces->n; m++) {
        uint64_t weight = random_key(key, text_key(spaces->models[m].kind->name));
        if (m == 0 || weight > highest) {
            best = m;
            highest = weight;
        }
    }
    return best;
}

/* Whole numbers get equal shares of the range (of its logarithm) around them; a step counts from low. */
static struct value draw_range(uint64_t key, const struct dimension *d)
{
    struct random r = random_of(key, 0);
    double u = random_double(&r);
    if (d->step > 0) {
        double steps = floor((d->high - d->low) / d->step + 1e-9) + 1;
        return dimension_number(d, d->low + floor(u * steps) * d->step);
    }
    double half = d->whole ? 0.5 : 0.0, low = d->low - half, high = d->high + half;
    double x = d->is_log ? exp(log(low) + u * (log(high) - log(low))) : low + u * (high - low);
    return dimension_number(d, x);
}

static struct params draw_point(uint64_t seed, int64_t draw, const struct model_spaces *spaces)
{
    const struct model_space *m = &spaces->models[draw_model(seed, draw, spaces)];
    struct params point = {0};
    struct value model = value_text(m->kind->name);
    params_set(&point, "model", &model);
    value_fini(&model);
    for (int i = 0; i < m->n; i++) {
        const struct dimension *d = m->dimensions[i];
        uint64_t key = draw_key(seed, draw, d->name);
        if (d->is_range) {
            struct value v = draw_range(key, d);
            params_set(&point, d->name, &v);
        } else {
            const struct dimension_values *v = &m->values[i];
            params_set(&point, d->name, &v->values[draw_choice(key, v->values, v->n)]);
        }
    }
    return point;
}

/* Points that draws can give: along a range without step, whole numbers can be counted, others not. */
static double drawable(const struct model_space *m)
{
    double size = 1;
    for (int i = 0; i < m->n; i++) {
        const struct dimension *d = m->dimensions[i];
        if (!d->is_range || d->step > 0 || d->low == d->high)
            size *= m->values[i].n;
        else
            size *= d->whole ? d->high - d->low + 1 : INFINITY;
    }
    return size;
}

static enum status random_points(const struct space *s, const struct params *search, uint64_t seed, struct params **points,
                                 int *n, struct error *e)
{
    *points = NULL;
    *n = 0;
    int64_t wanted = params_int(search, "n_trials");
    if (wanted <= 0)
        return error_set(e, STATUS_CONFIG, "search.method = \"random\" needs search.n_trials, the number of points to draw");
    struct model_spaces spaces;
    TRY(model_spaces_init(&spaces, s, e));
    double size = 0;
    for (int m = 0; m < spaces.n; m++)
        size += drawable(&spaces.models[m]);
    struct points found = {0};
    int dry = 0;
    for (int64_t draw = 0; found.n < wanted && found.n < size && dry < DRY; draw++) {
        struct params point = draw_point(seed, draw, &spaces);
        dry = points_add(&found, &point) ? 0 : dry + 1;
    }
    model_spaces_fini(&spaces);
    return points_end(&found, STATUS_OK, points, n);
}

const struct sampler sampler_random = {
    .name = "random",
    .help = "n_trials independent draws; more n_trials go on where fewer ended",
    .points = random_points,
};
