/* The whole space, model by model in the order listed; within a model the last dimension turns fastest. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sweep/samplers.h"

static enum status check_size(const struct model_spaces *spaces, int64_t limit, struct error *e)
{
    double total = 0;
    for (int m = 0; m < spaces->n; m++) {
        const struct model_space *space = &spaces->models[m];
        for (int i = 0; i < space->n; i++)
            if (space->values[i].n == 0)
                return dimension_error(space->dimensions[i], "a grid needs points or step for a range", e);
        total += model_space_size(space);
    }
    if (limit == 0 && total > SPACE_POINTS_MAX)
        return error_set(e, STATUS_CONFIG,
                         "space: the grid has %.3g points, more than %d; set search.n_trials or search.method = \"random\"",
                         total, SPACE_POINTS_MAX);
    return STATUS_OK;
}

/* The next combination, the last index fastest; false after the last one. */
static bool turn(const struct model_space *m, int *at)
{
    for (int i = m->n - 1; i >= 0; i--) {
        if (++at[i] < m->values[i].n)
            return true;
        at[i] = 0;
    }
    return false;
}

static struct params point_at(const struct model_space *m, const int *at)
{
    struct params point = {0};
    struct value model = value_text(m->kind->name);
    params_set(&point, "model", &model);
    value_fini(&model);
    for (int i = 0; i < m->n; i++)
        params_set(&point, m->dimensions[i]->name, &m->values[i].values[at[i]]);
    return point;
}

static void model_points(const struct model_space *m, int64_t limit, struct points *out)
{
    int *at = memory_new((size_t)(m->n + 1) * sizeof *at);
    do {
        if (limit > 0 && out->n >= limit)
            break;
        struct params point = point_at(m, at);
        points_add(out, &point);
    } while (turn(m, at));
    free(at);
}

static enum status grid_points(const struct space *s, const struct params *search, uint64_t seed, struct params **points,
                               int *n, struct error *e)
{
    (void)seed;
    *points = NULL;
    *n = 0;
    struct model_spaces spaces;
    TRY(model_spaces_init(&spaces, s, e));
    int64_t limit = params_int(search, "n_trials");
    struct points found = {0};
    enum status status = check_size(&spaces, limit, e);
    for (int m = 0; m < spaces.n && status == STATUS_OK; m++)
        model_points(&spaces.models[m], limit, &found);
    model_spaces_fini(&spaces);
    return points_end(&found, status, points, n);
}

const struct sampler sampler_grid = {
    .name = "grid",
    .help = "every combination of the space; ranges need points or step",
    .points = grid_points,
};
