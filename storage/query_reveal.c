/* reveal: the one way to the sealed test part's figures. Every reading is recorded. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "storage/query_private.h"

static const enum metric shown[] = {METRIC_ACCURACY,        METRIC_BALANCED_ACCURACY, METRIC_MACRO_PRECISION, METRIC_MACRO_RECALL,
                                    METRIC_MACRO_F1,        METRIC_WEIGHTED_F1,       METRIC_LOG_LOSS,        METRIC_TOP3_ACCURACY,
                                    METRIC_TOP5_ACCURACY};
enum { SHOWN = sizeof shown / sizeof *shown };

static void put_columns(struct table *out)
{
    static const char *const head[] = {"task", "labels", "what", "trial"};
    static const char *const tail[] = {"seen_share", "seen_accuracy", "new_share", "new_accuracy", "ensemble_gain", "gain_low", "gain_high"};
    for (int i = 0; i < 4; i++)
        table_column(out, head[i], -1);
    table_column(out, "rows", -1);
    for (int i = 0; i < SHOWN; i++)
        table_column(out, metric_names[shown[i]], 4);
    for (int i = 0; i < 7; i++)
        table_column(out, tail[i], 4);
}

/* Accuracy among rows that are seen or not; *share of them. */
static double accuracy_among(const struct db_prediction *p, bool seen, double *share)
{
    int n = 0, hits = 0;
    for (int i = 0; i < p->n; i++) {
        if ((p->seen && p->seen[i]) != seen)
            continue;
        n++;
        hits += p->labels[i] == p->truth[i];
    }
    *share = p->n ? (double)n / p->n : NAN;
    return n ? (double)hits / n : NAN;
}

static void put_row(int64_t task, const char *what, int64_t trial, const struct db_prediction *p, struct table *out)
{
    double m[METRIC_COUNT], share;
    if (p->proba)
        metrics_of(p->proba, p->truth, p->n, p->k, m, NULL, NULL);
    else
        metrics_of_labels(p->labels, p->truth, p->n, p->k, m, NULL, NULL);
    table_int(out, task);
    table_int(out, p->k);
    table_text(out, what);
    if (trial)
        table_int(out, trial);
    else
        table_none(out);
    table_int(out, p->n);
    for (int i = 0; i < SHOWN; i++)
        table_real(out, m[shown[i]]);
    double seen = accuracy_among(p, true, &share);
    table_real(out, share);
    table_real(out, seen);
    double fresh = accuracy_among(p, false, &share);
    table_real(out, share);
    table_real(out, fresh);
}

static void put_gain(const struct db_prediction *ensemble, const struct db_prediction *other, struct table *out)
{
    double mean = NAN, low = NAN, high = NAN;
    if (ensemble && ensemble->n == other->n) {
        double *d = memory_new((size_t)other->n * sizeof *d);
        for (int i = 0; i < other->n; i++)
            d[i] = (ensemble->labels[i] == ensemble->truth[i]) - (other->labels[i] == other->truth[i]);
        metrics_bootstrap(d, other->n, 0x72657665616c, &mean, &low, &high);
        free(d);
    }
    table_real(out, mean);
    table_real(out, low);
    table_real(out, high);
}

static enum status model_of(struct db *d, int64_t trial, char out[64], int64_t *task, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    TRY(sql_query(d, &s, e, "SELECT c.model, t.task, t.state FROM trial t JOIN configuration c ON c.id = t.configuration WHERE t.id = ?", "i", trial));
    enum status status = sql_step(d, s, &row, e);
    if (status == STATUS_OK && !row)
        status = error_set(e, STATUS_USAGE, "%s: has no trial %lld", d->path, (long long)trial);
    else if (status == STATUS_OK && strcmp(sql_text(s, 2), "done") != 0)
        status = error_set(e, STATUS_USAGE, "trial %lld is %s, so it has no test predictions", (long long)trial, sql_text(s, 2));
    if (status == STATUS_OK) {
        snprintf(out, 64, "%s", sql_text(s, 0));
        *task = sqlite3_column_int64(s, 1);
    }
    sql_end(s);
    return status;
}

static enum status reveal_trial(struct db *d, int64_t trial, struct table *out, struct error *e)
{
    char model[64];
    int64_t task = 0;
    struct db_prediction p;
    TRY(model_of(d, trial, model, &task, e));
    TRY(db_prediction_read(d, trial, "test", &p, e));
    put_row(task, model, trial, &p, out);
    put_gain(NULL, &p, out);
    db_prediction_fini(&p);
    return query_record_reading(d, "reveal", task, trial, 0, e);
}

/* A mix beside the ensemble; n 0: nothing to show. */
static enum status reveal_mix(struct db *d, int64_t task, const char *what, const struct query_member *m, int n, const struct db_prediction *ensemble,
                              struct table *out, struct error *e)
{
    struct db_prediction p;
    if (n == 0)
        return STATUS_OK;
    TRY(query_mix(d, m, n, "test", &p, e));
    put_row(task, what, n == 1 ? m[0].trial : 0, &p, out);
    put_gain(ensemble, &p, out);
    db_prediction_fini(&p);
    for (int i = 0; i < n; i++)
        TRY(query_record_reading(d, "reveal", task, m[i].trial, 0, e));
    return STATUS_OK;
}

static enum status plain_members(struct db *d, int64_t task, struct query_member **out, int *n, struct error *e)
{
    struct query_member *forest, *network;
    int n_forest, n_network;
    *out = NULL;
    *n = 0;
    TRY(query_best_members(d, task, "random_forest", &forest, &n_forest, e));
    enum status s = query_best_members(d, task, "cnn_lstm", &network, &n_network, e);
    if (s == STATUS_OK && n_forest && n_network) {
        *out = memory_new((size_t)(n_forest + n_network) * sizeof **out);
        for (int i = 0; i < n_forest; i++)
            (*out)[(*n)++] = (struct query_member){forest[i].trial, 0.5 * forest[i].weight};
        for (int i = 0; i < n_network; i++)
            (*out)[(*n)++] = (struct query_member){network[i].trial, 0.5 * network[i].weight};
    }
    free(forest);
    if (s == STATUS_OK)
        free(network);
    return s;
}

static enum status reveal_ensemble(struct db *d, int64_t task, struct table *out, bool *found, struct error *e)
{
    struct query_member *m = NULL, *best = NULL, *plain = NULL;
    int n = 0, n_best = 0, n_plain = 0;
    int64_t id;
    struct db_prediction p = {0};
    TRY(query_ensemble_members(d, task, &id, &m, &n, e));
    if (id == 0)
        return STATUS_OK;
    *found = true;
    enum status s = query_mix(d, m, n, "test", &p, e);
    if (s == STATUS_OK) {
        put_row(task, "ensemble", 0, &p, out);
        put_gain(NULL, &p, out);
        s = query_record_reading(d, "reveal", task, 0, id, e);
    }
    if (s == STATUS_OK)
        s = query_best_members(d, task, NULL, &best, &n_best, e);
    if (s == STATUS_OK)
        s = reveal_mix(d, task, "best single model", best, n_best, &p, out, e);
    if (s == STATUS_OK)
        s = plain_members(d, task, &plain, &n_plain, e);
    if (s == STATUS_OK)
        s = reveal_mix(d, task, "plain forest + CNN-LSTM average", plain, n_plain, &p, out, e);
    free(m);
    free(best);
    free(plain);
    db_prediction_fini(&p);
    return s;
}

static enum status reveal_best(struct db *d, int64_t task, struct table *out, bool *found, struct error *e)
{
    struct query_member *m;
    int n;
    TRY(query_best_members(d, task, NULL, &m, &n, e));
    *found |= n > 0;
    enum status s = reveal_mix(d, task, "best single model", m, n, NULL, out, e);
    free(m);
    return s;
}

static enum status reveal_all(struct db *d, struct table *out, bool *found, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    TRY(sql_query(d, &s, e, "SELECT id FROM trial WHERE state = 'done' ORDER BY task, id", ""));
    enum status status;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row) {
        *found = true;
        status = reveal_trial(d, sqlite3_column_int64(s, 0), out, e);
        if (status != STATUS_OK)
            break;
    }
    sql_end(s);
    return status;
}

static enum status reveal_tasks(struct db *d, bool ensembles, struct table *out, bool *found, struct error *e)
{
    int64_t *tasks;
    int n;
    TRY(query_tasks(d, 0, &tasks, &n, e));
    enum status s = STATUS_OK;
    for (int i = 0; s == STATUS_OK && i < n; i++)
        s = ensembles ? reveal_ensemble(d, tasks[i], out, found, e) : reveal_best(d, tasks[i], out, found, e);
    free(tasks);
    return s;
}

static enum status reveal(struct db *d, const char *what, struct table *out, struct error *e)
{
    bool found = false;
    char *end;
    long long trial = strtoll(what, &end, 10);
    enum status s;
    if (strcmp(what, "ensemble") == 0 || strcmp(what, "best") == 0)
        s = reveal_tasks(d, strcmp(what, "ensemble") == 0, out, &found, e);
    else if (strcmp(what, "--all") == 0)
        s = reveal_all(d, out, &found, e);
    else if (*what && *end == '\0')
        return reveal_trial(d, trial, out, e);
    else
        return error_set(e, STATUS_USAGE, "reveal: \"%s\" is neither ensemble, best, --all nor a trial's number", what);
    if (s == STATUS_OK && !found)
        s = error_set(e, STATUS_USAGE, strcmp(what, "ensemble") == 0 ? "%s: no ensemble was recorded yet; type: flowsweep ensemble %s"
                                                                     : "%s: no trial is done yet; see: flowsweep status %s", d->path, d->path);
    return s;
}

enum status query_reveal(const char *path, const char *what, struct table *out, struct error *e)
{
    struct db *d;
    TRY(db_open(&d, path, false, false, e));
    put_columns(out);
    enum status s = db_load_study(d, e);
    if (s == STATUS_OK)
        s = db_begin(d, e);
    if (s == STATUS_OK) {
        s = reveal(d, what, out, e);
        if (s == STATUS_OK)
            s = db_commit(d, e); /* recorded before anyone sees a figure */
        else
            db_rollback(d);
    }
    if (s == STATUS_OK)
        s = query_readings(d, &out->note, e);
    db_close(d);
    return s;
}
