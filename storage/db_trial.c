/* Transitions of trials. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/hash.h"
#include "base/memory.h"
#include "storage/db_private.h"

enum status db_trial_start(struct db *d, const struct db_start *start, double now, int64_t *attempt, struct error *e)
{
    struct buffer ranks = {0};
    for (int i = 0; i < start->n_ranks; i++)
        buffer_printf(&ranks, "%s%d", i ? "," : "[", start->ranks[i]);
    buffer_puts(&ranks, "]");
    fault_at(FAULT_TRANSITION);
    enum status s = sql_run(d, e, "UPDATE trial SET state = 'running', error = NULL WHERE id = ?", "i", start->trial);
    if (s == STATUS_OK)
        s = sql_run(d, e, "INSERT INTO attempt (trial, job, gang, epoch_from, started, ranks, arithmetic, planned_bytes, from_trial)"
                          " VALUES (?, ?, ?, ?, ?, ?, ?, nullif(?, 0), nullif(?, 0))",
                    "iiiirttii", start->trial, start->job, (int64_t)start->n_ranks, (int64_t)start->epoch, now, ranks.data, start->arithmetic,
                    start->planned_bytes, start->from_trial);
    buffer_fini(&ranks);
    *attempt = sql_last_id(d);
    return s;
}

struct ending {
    const char *outcome, *why; /* why: in words, or NULL */
    int epoch;
    struct db_cost cost;
    double now;
};

static enum status end_attempt(struct db *d, int64_t trial, int64_t attempt, const struct ending *end, struct error *e)
{
    const struct db_cost *c = &end->cost;
    double computed_s = isnan(c->waited_s) ? c->seconds : fmax(0, c->seconds - c->waited_s);
    TRY(sql_run(d, e,
                "UPDATE attempt SET epoch_to = ?, outcome = ?, why = ?, computed_s = ?, waited_s = ?, moved_bytes = nullif(?, -1),"
                " peak_bytes = nullif(max(?, 0), 0), ended = ? WHERE id = ?",
                "ittrriiri", (int64_t)end->epoch, end->outcome, end->why, computed_s, c->waited_s, c->moved_bytes, c->peak_bytes, end->now, attempt));
    return sql_run(d, e, "UPDATE trial SET wall_s = wall_s + ? WHERE id = ?", "ri", c->seconds, trial);
}

/* --- curves --- */

static enum status put_metric(struct db *d, int64_t trial, int epoch, const char *part, const char *name, double value, struct error *e)
{
    TRY(sql_run(d, e, "DELETE FROM metric WHERE trial = ? AND part = ? AND name = ? AND epoch = ?", "itti", trial, part, name, (int64_t)epoch));
    return sql_run(d, e, "INSERT INTO metric VALUES (?, ?, ?, ?, ?)", "iittr", trial, (int64_t)epoch, part, name, value);
}

/* Out-of-bag rows are training rows: the score stands there, where nothing is chosen by it. */
static enum status put_oob(struct db *d, int64_t trial, double accuracy, struct error *e)
{
    TRY(sql_run(d, e, "DELETE FROM metric WHERE trial = ? AND part = 'train' AND name = 'oob_accuracy'", "i", trial));
    return sql_run(d, e, "INSERT INTO metric VALUES (?, NULL, 'train', 'oob_accuracy', ?)", "ir", trial, accuracy);
}

enum status db_trial_curves(struct db *d, int64_t trial, const struct model_progress *rows, int n, struct error *e)
{
    for (int i = 0; i < n; i++) {
        const struct model_progress *p = &rows[i];
        if (p->has_loss) {
            TRY(put_metric(d, trial, p->epoch, "train", "loss", p->train_loss, e));
            TRY(put_metric(d, trial, p->epoch, "train", "accuracy", p->train_accuracy, e));
        }
        if (p->has_stop) {
            TRY(put_metric(d, trial, p->epoch, "stop", "log_loss", p->stop_loss, e));
            if (d->metric != METRIC_LOG_LOSS)
                TRY(put_metric(d, trial, p->epoch, "stop", metric_names[d->metric], p->stop_metric, e));
        }
        if (p->has_oob)
            TRY(put_oob(d, trial, p->oob_accuracy, e));
    }
    return STATUS_OK;
}

/* --- artifacts --- */

enum status db_artifact_write(struct db *d, int64_t trial, const char *role, int epoch, const void *bytes, size_t n, double now, struct error *e)
{
    char sha[HASH_HEX];
    hash_bytes(bytes, n, sha);
    TRY(sql_run(d, e, "DELETE FROM artifact_chunk WHERE artifact IN (SELECT id FROM artifact WHERE trial = ? AND role = ?)", "it", trial, role));
    TRY(sql_run(d, e, "DELETE FROM artifact WHERE trial = ? AND role = ?", "it", trial, role));
    TRY(sql_run(d, e, "INSERT INTO artifact (trial, role, epoch, bytes, sha256, made) VALUES (?, ?, ?, ?, ?, ?)", "itiitr", trial, role,
                (int64_t)epoch, (int64_t)n, sha, now));
    int64_t id = sql_last_id(d), number = 0;
    for (size_t at = 0; at < n || number == 0; at += DB_CHUNK, number++)
        TRY(sql_run(d, e, "INSERT INTO artifact_chunk VALUES (?, ?, ?)", "iib", id, number, (const void *)((const char *)bytes + at),
                    n - at < DB_CHUNK ? n - at : (size_t)DB_CHUNK));
    return STATUS_OK;
}

static enum status read_chunks(struct db *d, int64_t id, struct buffer *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    TRY(sql_query(d, &s, e, "SELECT data FROM artifact_chunk WHERE artifact = ? ORDER BY number", "i", id));
    enum status status;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row)
        buffer_put(out, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
    sql_end(s);
    return status;
}

/* *whole: its checksum is right; out holds it in any case. */
static enum status read_artifact(struct db *d, int64_t trial, const char *role, struct buffer *out, int *epoch, bool *found, bool *whole, struct error *e)
{
    sqlite3_stmt *s;
    char sha[HASH_HEX] = "", expected[HASH_HEX] = "";
    size_t start = out->size;
    TRY(sql_query(d, &s, e, "SELECT id, epoch, sha256 FROM artifact WHERE trial = ? AND role = ?", "it", trial, role));
    enum status status = sql_step(d, s, found, e);
    if (status == STATUS_OK && *found) {
        *epoch = sqlite3_column_int(s, 1);
        strncpy(expected, sql_text(s, 2), HASH_HEX - 1);
        status = read_chunks(d, sqlite3_column_int64(s, 0), out, e);
    }
    sql_end(s);
    if (status == STATUS_OK && *found)
        hash_bytes(out->data + start, out->size - start, sha);
    *whole = strcmp(sha, expected) == 0;
    return status;
}

enum status db_artifact_read(struct db *d, int64_t trial, const char *role, struct buffer *out, int *epoch, bool *found, struct error *e)
{
    bool whole;
    TRY(read_artifact(d, trial, role, out, epoch, found, &whole, e));
    return whole ? STATUS_OK : error_set(e, STATUS_IO, "%s: the %s of trial %lld is damaged: its checksum differs", d->path, role, (long long)trial);
}

/* Into state; what is damaged is passed over, and told of. */
static enum status take_state(struct db *d, int64_t trial, const char *role, struct db_origin *origin, struct buffer *state, bool *taken, struct error *e)
{
    bool found, whole;
    int epoch = 0;
    *taken = false;
    TRY(read_artifact(d, trial, role, state, &epoch, &found, &whole, e));
    *taken = found && whole;
    if (*taken)
        origin->epoch = epoch;
    else
        buffer_clear(state);
    if (found && !whole && !origin->damaged[0])
        snprintf(origin->damaged, sizeof origin->damaged, "the %s of trial %lld is damaged (its checksum differs), and passed over", role, (long long)trial);
    return STATUS_OK;
}

enum status db_state_read(struct db *d, int64_t trial, struct db_origin *origin, struct buffer *state, struct error *e)
{
    int64_t own = 0, smaller = 0;
    bool has_own, has_smaller, taken = false;
    origin->from = origin->epoch = 0;
    origin->damaged[0] = '\0';
    TRY(sql_int(d, &own, &has_own, e, "SELECT epoch FROM artifact WHERE trial = ? AND role = 'checkpoint'", "i", trial));
    TRY(sql_int(d, &smaller, &has_smaller, e, "SELECT epoch FROM artifact WHERE trial = ? AND role = 'model'", "i", origin->smaller));
    bool own_first = has_own && (!has_smaller || own >= smaller);
    if (own_first)
        TRY(take_state(d, trial, "checkpoint", origin, state, &taken, e));
    if (!taken && has_smaller) {
        TRY(take_state(d, origin->smaller, "model", origin, state, &taken, e));
        origin->from = taken ? origin->smaller : 0;
    }
    return !taken && has_own && !own_first ? take_state(d, trial, "checkpoint", origin, state, &taken, e) : STATUS_OK;
}

enum status db_checkpoint_write(struct db *d, int64_t trial, int64_t attempt, int epoch, const void *state, size_t n, struct error *e)
{
    TRY(db_artifact_write(d, trial, "checkpoint", epoch, state, n, 0, e));
    return sql_run(d, e, "UPDATE attempt SET epoch_to = ? WHERE id = ?", "ii", (int64_t)epoch, attempt);
}

static enum status drop_checkpoint(struct db *d, int64_t trial, struct error *e)
{
    TRY(sql_run(d, e, "DELETE FROM artifact_chunk WHERE artifact IN (SELECT id FROM artifact WHERE trial = ? AND role = 'checkpoint')", "i",
                trial));
    return sql_run(d, e, "DELETE FROM artifact WHERE trial = ? AND role = 'checkpoint'", "i", trial);
}

/* --- results --- */

static enum status put_metrics(struct db *d, int64_t trial, const struct db_result *r, enum part part, struct error *e)
{
    const struct rows *rows = &r->task->parts[part];
    int k = r->task->n_classes;
    double m[METRIC_COUNT];
    struct class_metrics *classes = memory_new((size_t)k * sizeof *classes);
    int64_t *confusion = memory_new((size_t)k * (size_t)k * sizeof *confusion);
    metrics_of(r->proba[part], rows->y, rows->n, k, m, classes, confusion);
    enum status s = sql_run(d, e, "DELETE FROM metric WHERE trial = ? AND part = ? AND epoch IS NULL", "it", trial, part_names[part]);
    for (int i = 0; s == STATUS_OK && i < METRIC_COUNT; i++)
        s = sql_run(d, e, "INSERT INTO metric VALUES (?, NULL, ?, ?, ?)", "ittr", trial, part_names[part], metric_names[i], m[i]);
    for (int c = 0; s == STATUS_OK && c < k; c++)
        s = sql_run(d, e, "INSERT OR REPLACE INTO class_metric VALUES (?, ?, ?, ?, ?, ?, ?, ?)", "itiiirrr", trial, part_names[part], (int64_t)c,
                    classes[c].support, classes[c].predicted, classes[c].precision, classes[c].recall, classes[c].f1);
    for (int64_t i = 0; s == STATUS_OK && i < (int64_t)k * k; i++)
        if (confusion[i])
            s = sql_run(d, e, "INSERT OR REPLACE INTO confusion VALUES (?, ?, ?, ?, ?)", "itiii", trial, part_names[part], i / k, i % k,
                        confusion[i]);
    free(confusion);
    free(classes);
    return s;
}

static enum status put_prediction(struct db *d, int64_t trial, const struct db_result *r, enum part part, struct error *e)
{
    const struct rows *rows = &r->task->parts[part];
    size_t n = (size_t)rows->n, bytes = n * sizeof(int32_t);
    if (n == 0)
        return STATUS_OK;
    int32_t *file_rows = memory_new(bytes), *labels = memory_new(bytes);
    for (size_t i = 0; i < n; i++)
        file_rows[i] = r->file_row[rows->row[i]];
    metrics_argmax(r->proba[part], rows->n, r->task->n_classes, labels);
    enum status s = sql_run(d, e, "INSERT OR REPLACE INTO prediction VALUES (?, ?, ?, ?, ?, ?, ?, ?)", "itibbbbb", trial, part_names[part],
                            (int64_t)n, (const void *)file_rows, bytes, (const void *)labels, bytes, (const void *)rows->y, bytes,
                            (const void *)(part == PART_TEST ? r->seen : NULL), n, (const void *)r->proba[part],
                            n * (size_t)r->task->n_classes * sizeof(float));
    free(file_rows);
    free(labels);
    return s;
}

static void hash_probabilities(const struct db_result *r, char hex[HASH_HEX])
{
    struct hash *h = hash_new();
    for (int part = PART_STOP; part < PART_COUNT; part++)
        if (r->task->parts[part].n)
            hash_add(h, r->proba[part], (size_t)r->task->parts[part].n * (size_t)r->task->n_classes * sizeof(float));
    hash_end(h, hex);
}

/* Beside the metrics, under names that no list has (storage/query_importance.c). */
static enum status put_importances(struct db *d, int64_t trial, const struct db_result *r, struct error *e)
{
    struct reader in = reader_of(r->importances, r->importances_size);
    enum status s = STATUS_OK;
    while (s == STATUS_OK && in.at != in.end && !in.failed) {
        char *name = reader_string(&in);
        double mean = reader_f64(&in), sd = reader_f64(&in);
        s = sql_run(d, e, "INSERT INTO metric VALUES (?1, NULL, 'validation', 'permutation:' || ?2, ?3), (?1, NULL, 'validation', 'permutation_sd:' || ?2, ?4)",
                    "itrr", trial, name, mean, sd);
        free(name);
    }
    return in.failed ? error_set(e, STATUS_BUG, "broken importances of trial %lld", (long long)trial) : s;
}

/* Student's t for a 95 % interval; source: NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.2. */
static double t_95(int64_t freedom)
{
    static const double t[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
                               2.120,  2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
    return freedom <= 30 ? t[freedom - 1] : 1.96 + 2.46 / (double)freedom;
}

static enum status summarize(struct db *d, int64_t trial, const char *part, const char *name, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    double n = 0, sum = 0, squares = 0, x[1000];
    TRY(sql_query(d, &s, e,
                  "SELECT m.value FROM metric m JOIN trial t ON t.id = m.trial, trial u WHERE u.id = ? AND t.configuration = u.configuration"
                  " AND t.task = u.task AND t.state = 'done' AND m.part = ? AND m.name = ? AND m.epoch IS NULL ORDER BY t.fold, t.repeat",
                  "itt", trial, part, name));
    enum status status;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row && n < 1000)
        if (sqlite3_column_type(s, 0) != SQLITE_NULL)
            sum += x[(int)n++] = sqlite3_column_double(s, 0);
    sql_end(s);
    TRY(status);
    double mean = sum / n, sd = NAN, half = NAN;
    for (int i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    if (n > 1) {
        sd = sqrt(squares / (n - 1));
        half = t_95((int64_t)n - 1) * sd / sqrt(n);
    }
    return sql_run(d, e,
                   "INSERT OR REPLACE INTO configuration_metric SELECT configuration, task, ?, ?, ?, ?, ?, ?, ? FROM trial WHERE id = ?", "ttirrrri",
                   part, name, (int64_t)n, mean, sd, mean - half, mean + half, trial);
}

static enum status summarize_all(struct db *d, int64_t trial, struct error *e)
{
    for (int part = PART_STOP; part <= PART_VALIDATION; part++)
        for (int m = 0; m < METRIC_COUNT; m++)
            TRY(summarize(d, trial, part_names[part], metric_names[m], e));
    return STATUS_OK;
}

/* Probabilities beyond the best `keep` trials of the task go; labels stay. */
static enum status drop_probabilities(struct db *d, int64_t trial, int64_t keep, struct error *e)
{
    return sql_run(d, e,
                   "UPDATE prediction SET probabilities = NULL WHERE probabilities IS NOT NULL AND trial IN (SELECT t.id FROM trial t"
                   " JOIN metric m ON m.trial = t.id AND m.part = 'validation' AND m.name = ? AND m.epoch IS NULL"
                   " WHERE t.task = (SELECT task FROM trial WHERE id = ?) AND t.state = 'done'"
                   " ORDER BY m.value * ? DESC, t.identity LIMIT -1 OFFSET ?)",
                   "tiri", metric_names[d->metric], trial, (double)metric_sign(d->metric), keep);
}

enum status db_trial_done(struct db *d, const struct config *c, int64_t trial, int64_t attempt, const struct db_result *r, double now,
                          struct error *e)
{
    char model[HASH_HEX], proba[HASH_HEX];
    fault_at(FAULT_TRANSITION);
    hash_bytes(r->model, r->model_size, model);
    hash_probabilities(r, proba);
    TRY(end_attempt(d, trial, attempt, &(struct ending){"done", NULL, r->epochs, r->cost, now}, e));
    TRY(sql_run(d, e, "UPDATE trial SET state = 'done', epochs = ?, features = ?, model_sha256 = ?, proba_sha256 = ? WHERE id = ?", "ittti",
                (int64_t)r->epochs, r->features, model, proba, trial));
    TRY(put_metrics(d, trial, r, PART_STOP, e));
    TRY(put_metrics(d, trial, r, PART_VALIDATION, e));
    TRY(put_importances(d, trial, r, e));
    for (int part = PART_STOP; part < PART_COUNT; part++)
        TRY(put_prediction(d, trial, r, (enum part)part, e));
    TRY(db_artifact_write(d, trial, "model", r->epochs, r->model, r->model_size, now, e));
    TRY(drop_checkpoint(d, trial, e));
    TRY(summarize_all(d, trial, e));
    return drop_probabilities(d, trial, params_int(&c->keep, "probabilities"), e);
}

enum status db_trial_failed(struct db *d, int64_t trial, int64_t attempt, const char *message, const struct db_cost *cost, double now, struct error *e)
{
    fault_at(FAULT_TRANSITION);
    TRY(end_attempt(d, trial, attempt, &(struct ending){"failed", message, 0, *cost, now}, e));
    TRY(drop_checkpoint(d, trial, e));
    return sql_run(d, e, "UPDATE trial SET state = 'failed', error = ? WHERE id = ?", "ti", message, trial);
}

enum status db_trial_stopped(struct db *d, int64_t trial, int64_t attempt, const struct db_stop *stop, const struct db_cost *cost, double now, struct error *e)
{
    char why[80];
    fault_at(FAULT_TRANSITION);
    if (stop->epoch > 0)
        snprintf(why, sizeof why, stop->widening ? "a larger gang goes on from epoch %d" : "told to stop; it goes on from epoch %d", stop->epoch);
    else
        snprintf(why, sizeof why, "told to stop before its first checkpoint");
    TRY(end_attempt(d, trial, attempt, &(struct ending){"stopped", why, stop->epoch, *cost, now}, e));
    return sql_run(d, e, "UPDATE trial SET state = 'queued' WHERE id = ?", "i", trial);
}

enum status db_progress(struct db *d, struct db_progress *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    *out = (struct db_progress){{0}};
    TRY(sql_query(d, &s, e, "SELECT state, count(*) FROM trial GROUP BY state", ""));
    enum status status;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row) {
        int state = trial_state_find(sql_text(s, 0));
        if (state >= 0)
            out->count[state] = sqlite3_column_int(s, 1);
    }
    sql_end(s);
    return status;
}

enum status db_trial_metric(struct db *d, int64_t trial, double *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    *out = NAN;
    TRY(sql_query(d, &s, e, "SELECT value FROM metric WHERE trial = ? AND part = 'validation' AND name = ? AND epoch IS NULL", "it", trial,
                  metric_names[d->metric]));
    enum status status = sql_step(d, s, &row, e);
    if (status == STATUS_OK && row)
        *out = sql_real(s, 0);
    sql_end(s);
    return status;
}
