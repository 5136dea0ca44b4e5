/* Trials that are mixed: of an ensemble, of the best configuration. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "storage/query_private.h"
#include "sweep/ensemble.h"

enum status query_tasks(struct db *d, int64_t task, int64_t **out, int *n, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    *out = NULL;
    *n = 0;
    TRY(sql_query(d, &s, e, "SELECT id FROM task WHERE ? = 0 OR id = ? ORDER BY id", "ii", task, task));
    enum status status;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row) {
        *out = memory_resize(*out, (size_t)(*n + 1) * sizeof **out);
        (*out)[(*n)++] = sqlite3_column_int64(s, 0);
    }
    sql_end(s);
    if (status == STATUS_OK && *n == 0)
        status = error_set(e, STATUS_USAGE, "%s: has no task %lld", d->path, (long long)task);
    return status;
}

static enum status take_members(struct db *d, sqlite3_stmt *s, struct query_member **out, int *n, struct error *e)
{
    bool row;
    enum status status;
    *out = NULL;
    *n = 0;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row) {
        *out = memory_resize(*out, (size_t)(*n + 1) * sizeof **out);
        (*out)[(*n)++] = (struct query_member){sqlite3_column_int64(s, 0), sqlite3_column_double(s, 1)};
    }
    sql_end(s);
    return status;
}

enum status query_best_members(struct db *d, int64_t task, const char *model, struct query_member **out, int *n, struct error *e)
{
    sqlite3_stmt *s;
    TRY(sql_query(d, &s, e,
                  "WITH b AS (SELECT g.configuration FROM configuration_metric g JOIN configuration c ON c.id = g.configuration WHERE g.task = ?1"
                  " AND g.part = 'validation' AND g.name = ?2 AND (c.model = ?3 OR ?3 IS NULL AND c.model NOT IN ('majority', 'knn'))"
                  " ORDER BY g.mean * ?4 DESC, g.configuration LIMIT 1)"
                  " SELECT t.id, 1.0 FROM trial t JOIN b ON b.configuration = t.configuration WHERE t.task = ?1 AND t.state = 'done'"
                  " ORDER BY t.fold, t.repeat",
                  "ittr", task, metric_names[d->metric], model, (double)metric_sign(d->metric)));
    TRY(take_members(d, s, out, n, e));
    for (int i = 0; i < *n; i++)
        (*out)[i].weight = 1.0 / *n;
    return STATUS_OK;
}

/* There are some, and their weights sum to 1? */
static enum status check_members(struct db *d, int64_t ensemble, const struct query_member *m, int n, struct error *e)
{
    double sum = 0;
    bool good = true;
    if (n == 0)
        return error_set(e, STATUS_IO, "%s: ensemble %lld has no members: the database is damaged", d->path, (long long)ensemble);
    for (int i = 0; i < n; i++) {
        good &= m[i].weight >= 0;
        sum += m[i].weight;
    }
    if (good && fabs(sum - 1) < 1e-6)
        return STATUS_OK;
    return error_set(e, STATUS_IO, "%s: ensemble %lld has weights that do not sum to 1: the database is damaged", d->path, (long long)ensemble);
}

enum status query_ensemble_members(struct db *d, int64_t task, int64_t *id, struct query_member **out, int *n, struct error *e)
{
    sqlite3_stmt *s;
    bool found;
    *out = NULL;
    *n = 0;
    *id = 0;
    TRY(sql_int(d, id, &found, e, "SELECT max(id) FROM ensemble WHERE task = ?", "i", task));
    if (!found)
        return STATUS_OK;
    TRY(sql_query(d, &s, e, "SELECT trial, weight FROM ensemble_member WHERE ensemble = ? ORDER BY place", "i", *id));
    enum status status = take_members(d, s, out, n, e);
    if (status == STATUS_OK)
        status = check_members(d, *id, *out, *n, e);
    if (status != STATUS_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

bool query_same_rows(const struct db_prediction *a, const struct db_prediction *b)
{
    return a->n == b->n && a->k == b->k && memcmp(a->rows, b->rows, (size_t)a->n * sizeof *a->rows) == 0;
}

enum status query_mix(struct db *d, const struct query_member *members, int n, const char *part, struct db_prediction *out, struct error *e)
{
    struct db_prediction *p = memory_new((size_t)n * sizeof *p);
    const float **proba = memory_new((size_t)n * sizeof *proba);
    double *weights = memory_new((size_t)n * sizeof *weights);
    enum status s = STATUS_OK;
    for (int i = 0; s == STATUS_OK && i < n; i++) {
        s = db_prediction_read(d, members[i].trial, part, &p[i], e);
        if (s == STATUS_OK && !p[i].proba)
            s = error_set(e, STATUS_USAGE, "trial %lld's probabilities were not kept (keep.probabilities)", (long long)members[i].trial);
        if (s == STATUS_OK && !query_same_rows(&p[0], &p[i]))
            s = error_set(e, STATUS_USAGE, "trials %lld and %lld were dealt different %s rows (repeat_over): they cannot be mixed",
                          (long long)members[0].trial, (long long)members[i].trial, part);
        proba[i] = p[i].proba;
        weights[i] = members[i].weight;
    }
    *out = (struct db_prediction){0};
    if (s == STATUS_OK) {
        *out = p[0];
        out->proba = memory_new((size_t)p[0].n * (size_t)p[0].k * sizeof *out->proba);
        ensemble_mix(proba, weights, n, p[0].n, p[0].k, out->proba);
        metrics_argmax(out->proba, out->n, out->k, out->labels);
        free(p[0].proba);
        p[0] = (struct db_prediction){0};
    }
    for (int i = 0; i < n; i++)
        db_prediction_fini(&p[i]);
    free(p);
    free(proba);
    free(weights);
    return s;
}
