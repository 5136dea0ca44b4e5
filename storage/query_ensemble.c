/* ensemble: the best one of every task, selected and recorded. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "storage/query_private.h"
#include "sweep/ensemble.h"

struct candidate {
    int64_t configuration;
    char model[32];
    struct query_member *members; /* its repeats, weights summing to 1; owned */
    int n;
    struct db_prediction validation;
};

struct choice { /* what is known of one task */
    int64_t task;
    struct candidate *candidates; /* (n) owned */
    int n;
    int elsewhere; /* configurations with other validation rows than these */
    struct ensemble_result result;
    bool has_plain;
    double plain[METRIC_COUNT];
};

static void choice_fini(struct choice *c)
{
    for (int i = 0; i < c->n; i++) {
        free(c->candidates[i].members);
        db_prediction_fini(&c->candidates[i].validation);
    }
    free(c->candidates);
    ensemble_result_fini(&c->result);
}

static enum status repeats_of(struct db *d, int64_t task, struct candidate *c, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    TRY(sql_query(d, &s, e,
                  "SELECT t.id FROM trial t JOIN prediction p ON p.trial = t.id AND p.part = 'validation' AND p.probabilities IS NOT NULL"
                  " WHERE t.configuration = ? AND t.task = ? AND t.state = 'done' ORDER BY t.fold, t.repeat", "ii", c->configuration, task));
    enum status status;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row) {
        c->members = memory_resize(c->members, (size_t)(c->n + 1) * sizeof *c->members);
        c->members[c->n++] = (struct query_member){sqlite3_column_int64(s, 0), 0};
    }
    sql_end(s);
    for (int i = 0; i < c->n; i++)
        c->members[i].weight = 1.0 / c->n;
    return status;
}

/* Two that say the same of every row are one: another adds nothing but weight. */
static bool is_copy(const struct choice *c, const struct db_prediction *p)
{
    for (int i = 0; i < c->n; i++)
        if (memcmp(c->candidates[i].validation.proba, p->proba, (size_t)p->n * (size_t)p->k * sizeof *p->proba) == 0)
            return true;
    return false;
}

/* Where they are not, a sum with another's is no number either. */
static bool are_numbers(const struct db_prediction *p)
{
    bool good = true;
    for (size_t i = 0; i < (size_t)p->n * (size_t)p->k; i++)
        good &= (bool)isfinite(p->proba[i]);
    return good;
}

static enum status add_candidate(struct db *d, struct choice *c, int64_t configuration, const char *model, struct error *e)
{
    struct candidate new = {.configuration = configuration};
    struct error why = {0};
    snprintf(new.model, sizeof new.model, "%s", model);
    TRY(repeats_of(d, c->task, &new, e));
    if (new.n == 0)
        return STATUS_OK; /* its probabilities were not kept */
    enum status s = query_mix(d, new.members, new.n, "validation", &new.validation, &why);
    if (s != STATUS_OK) {
        free(new.members);
        c->elsewhere += s == STATUS_USAGE; /* its repeats have different ones */
        return s == STATUS_USAGE ? STATUS_OK : error_set(e, s, "%s", why.message);
    }
    bool fits = c->n == 0 || query_same_rows(&new.validation, &c->candidates[0].validation);
    c->elsewhere += !fits;
    if (!fits || new.validation.n == 0 || !are_numbers(&new.validation) || is_copy(c, &new.validation)) {
        free(new.members);
        db_prediction_fini(&new.validation);
        return STATUS_OK;
    }
    c->candidates = memory_resize(c->candidates, (size_t)(c->n + 1) * sizeof *c->candidates);
    c->candidates[c->n++] = new;
    return STATUS_OK;
}

static enum status load(struct db *d, struct choice *c, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    TRY(sql_query(d, &s, e,
                  "SELECT DISTINCT c.id, c.model FROM configuration c JOIN trial t ON t.configuration = c.id WHERE t.task = ? AND t.state = 'done'"
                  " AND c.model NOT IN ('majority', 'knn') ORDER BY c.id", "i", c->task));
    enum status status;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row) {
        status = add_candidate(d, c, sqlite3_column_int64(s, 0), sql_text(s, 1), e);
        if (status != STATUS_OK)
            break;
    }
    sql_end(s);
    return status;
}

/* The seed's plain average: the best forest and the best CNN-LSTM, half each. */
static void plain_average(struct db *d, struct choice *c)
{
    static const char *const models[] = {"random_forest", "cnn_lstm"};
    const struct candidate *of[2] = {NULL, NULL};
    double best[2] = {-INFINITY, -INFINITY}, m[METRIC_COUNT];
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < 2; k++) {
            const struct db_prediction *p = &c->candidates[i].validation;
            if (strcmp(c->candidates[i].model, models[k]) != 0)
                continue;
            metrics_of(p->proba, p->truth, p->n, p->k, m, NULL, NULL);
            double score = m[d->metric] * metric_sign(d->metric);
            if (score > best[k]) {
                best[k] = score;
                of[k] = &c->candidates[i];
            }
        }
    c->has_plain = of[0] && of[1];
    if (!c->has_plain)
        return;
    const struct db_prediction *p = &of[0]->validation;
    const float *proba[] = {p->proba, of[1]->validation.proba};
    const double half[] = {0.5, 0.5};
    float *mixed = memory_new((size_t)p->n * (size_t)p->k * sizeof *mixed);
    ensemble_mix(proba, half, 2, p->n, p->k, mixed);
    metrics_of(mixed, p->truth, p->n, p->k, c->plain, NULL, NULL);
    free(mixed);
}

static enum status choose(struct db *d, struct choice *c, struct error *e)
{
    int64_t seed = 0;
    TRY(sql_int(d, &seed, NULL, e, "SELECT seed FROM study", ""));
    TRY(load(d, c, e));
    if (c->n == 0)
        return STATUS_OK;
    struct ensemble_candidate *list = memory_new((size_t)c->n * sizeof *list);
    for (int i = 0; i < c->n; i++)
        list[i] = (struct ensemble_candidate){i, c->candidates[i].validation.proba};
    const struct db_prediction *first = &c->candidates[0].validation;
    struct ensemble_request r = {list, c->n, first->truth, first->n, first->k, d->metric, (uint64_t)seed};
    enum status s = ensemble_select(&r, &c->result, e);
    free(list);
    if (s == STATUS_OK)
        plain_average(d, c);
    return s;
}

/* --- recording --- */

static enum status record_metrics(struct db *d, int64_t id, const char *kind, const double *m, struct error *e)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        TRY(sql_run(d, e, "INSERT INTO ensemble_metric VALUES (?, ?, ?, ?)", "ittr", id, kind, metric_names[i], m[i]));
    return STATUS_OK;
}

static enum status record(struct db *d, const struct choice *c, struct error *e)
{
    const struct ensemble_result *r = &c->result;
    TRY(sql_run(d, e, "INSERT INTO ensemble (task, made, metric, best_configuration, gain, gain_low, gain_high) VALUES (?, ?, ?, ?, ?, ?, ?)",
                "irtirrr", c->task, (double)time(NULL), metric_names[d->metric], c->candidates[r->best].configuration, r->gain, r->gain_low,
                r->gain_high));
    int64_t id = sql_last_id(d), place = 0;
    for (int i = 0; i < r->n_members; i++) {
        const struct candidate *m = &c->candidates[r->members[i].candidate];
        for (int k = 0; k < m->n; k++)
            TRY(sql_run(d, e, "INSERT INTO ensemble_member VALUES (?, ?, ?, ?, ?)", "iiiir", id, ++place, m->configuration, m->members[k].trial,
                        r->members[i].weight * m->members[k].weight));
    }
    TRY(record_metrics(d, id, "in_sample", r->in_sample, e));
    TRY(record_metrics(d, id, "nested", r->nested, e));
    TRY(record_metrics(d, id, "best_single", r->best_single, e));
    return c->has_plain ? record_metrics(d, id, "plain_average", c->plain, e) : STATUS_OK;
}

/* --- showing --- */

static const enum metric shown[] = {METRIC_ACCURACY, METRIC_MACRO_F1, METRIC_WEIGHTED_F1, METRIC_LOG_LOSS};

static void put_columns(struct table *out)
{
    static const char *const head[] = {"task", "labels", "what"}, *const tail[] = {"gain", "gain_low", "gain_high"};
    for (int i = 0; i < 3; i++)
        table_column(out, head[i], -1);
    for (int i = 0; i < 4; i++)
        table_column(out, metric_names[shown[i]], 4);
    for (int i = 0; i < 3; i++)
        table_column(out, tail[i], 4);
    table_column(out, "members", -1);
}

static void put_row(const struct choice *c, const char *what, const double *m, struct table *out)
{
    table_int(out, c->task);
    table_int(out, c->candidates[0].validation.k);
    table_text(out, what);
    for (int i = 0; i < 4; i++)
        table_real(out, m[shown[i]]);
}

static void put_no_gain(struct table *out, const char *members)
{
    for (int i = 0; i < 3; i++)
        table_none(out);
    table_text(out, members);
}

static void put_choice(const struct choice *c, struct table *out)
{
    const struct ensemble_result *r = &c->result;
    struct buffer text = {0};
    const struct candidate *best = &c->candidates[r->best];
    buffer_printf(&text, "trial %lld %s", (long long)best->members[0].trial, best->model);
    put_row(c, "best single model", r->best_single, out);
    put_no_gain(out, text.data);
    if (c->has_plain) {
        put_row(c, "plain forest + CNN-LSTM average", c->plain, out);
        put_no_gain(out, NULL);
    }
    put_row(c, "ensemble, in-sample", r->in_sample, out);
    buffer_clear(&text);
    for (int i = 0; i < r->n_members; i++)
        buffer_printf(&text, "%s%.3f trial %lld %s", i ? "; " : "", r->members[i].weight,
                      (long long)c->candidates[r->members[i].candidate].members[0].trial, c->candidates[r->members[i].candidate].model);
    put_no_gain(out, text.data);
    put_row(c, "ensemble, nested", r->nested, out);
    table_real(out, r->gain);
    table_real(out, r->gain_low);
    table_real(out, r->gain_high);
    table_text(out, r->gain_high < 0   ? "the interval of the gain is below zero: the best single model is better"
                    : r->gain_low <= 0 ? "the interval of the gain holds zero: not shown to be better than the best single model"
                                       : "");
    buffer_fini(&text);
}

static enum status one_task(struct db *d, int64_t task, bool writable, struct table *out, int *found, int *elsewhere, struct error *e)
{
    struct choice c = {.task = task};
    enum status s = choose(d, &c, e);
    if (s == STATUS_OK && c.n > 0) {
        if (writable)
            s = db_begin(d, e);
        if (s == STATUS_OK && writable)
            s = record(d, &c, e);
        if (writable && s == STATUS_OK)
            s = db_commit(d, e);
        else if (writable)
            db_rollback(d);
        put_choice(&c, out);
        ++*found;
    }
    *elsewhere += c.elsewhere;
    choice_fini(&c);
    return s;
}

enum status query_ensemble(const char *path, int64_t task, struct error *unrecorded, struct table *out, struct error *e)
{
    struct db *d = NULL;
    int64_t *tasks = NULL;
    int n = 0, found = 0, elsewhere = 0;
    TRY(query_open(&d, path, e)); /* errors of the file itself */
    db_close(d);
    *unrecorded = (struct error){0};
    bool recorded = db_open(&d, path, false, false, unrecorded) == STATUS_OK;
    if (!recorded)
        TRY(db_open_read(&d, path, e));
    put_columns(out);
    enum status s = db_load_study(d, e);
    if (s == STATUS_OK)
        s = query_tasks(d, task, &tasks, &n, e);
    for (int i = 0; s == STATUS_OK && i < n; i++)
        s = one_task(d, tasks[i], recorded, out, &found, &elsewhere, e);
    if (s == STATUS_OK && found == 0 && elsewhere > 0)
        s = error_set(e, STATUS_USAGE, "%s: repeats were dealt different validation rows (search.repeat_over): nothing can be mixed", path);
    else if (s == STATUS_OK && found == 0)
        s = error_set(e, STATUS_USAGE, "%s: no finished trial with probabilities to choose from yet", path);
    out->note = memory_format("on validation rows; nested: chosen on 4/5, scored on 1/5; gain: nested accuracy over that of the single model best in the same 4/5, 95 %% interval%s",
                              elsewhere > 0 ? "; configurations that were dealt other validation rows (search.repeat_over) are left out" : "");
    free(tasks);
    db_close(d);
    return s;
}
