/* db check: what a database says of itself, held against what stands in it. Nothing of it prints a figure of the sealed test part. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "flows/features.h"
#include "models/metrics.h"
#include "storage/db_private.h"

enum { LISTED_MAX = 20 };

struct check {
    struct db *d;
    struct table *out;
    char *first; /* the first problem, owned */
};

static void report(struct check *c, const char *what, int64_t checked, const char *problem)
{
    size_t n = strlen(c->d->path);
    if (problem && strncmp(problem, c->d->path, n) == 0 && problem[n] == ':') /* who reads the table knows which file */
        problem += n + 2;
    table_text(c->out, what);
    table_int(c->out, checked);
    table_text(c->out, problem ? problem : "ok");
    if (problem && !c->first)
        c->first = memory_text(problem);
}

/* Rows of a query of texts: each is a problem. */
static enum status problems(struct check *c, const char *what, const char *query, const char *fine, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    int n = 0;
    TRY(sql_query(c->d, &s, e, query, ""));
    enum status status;
    while ((status = sql_step(c->d, s, &row, e)) == STATUS_OK && row)
        if (strcmp(sql_text(s, 0), fine) != 0 && ++n <= LISTED_MAX)
            report(c, what, 1, sql_text(s, 0));
    sql_end(s);
    if (status == STATUS_OK && n == 0)
        report(c, what, 1, NULL);
    return status;
}

/* Looks at each row of a query; what goes wrong there is a problem. */
typedef enum status look(struct db *d, sqlite3_stmt *row, struct error *e);

static enum status each(struct check *c, const char *what, const char *query, look *look_at, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    int64_t n = 0;
    int bad = 0;
    TRY(sql_query(c->d, &s, e, query, ""));
    enum status status;
    while ((status = sql_step(c->d, s, &row, e)) == STATUS_OK && row) {
        struct error why = {0};
        if (look_at(c->d, s, &why) != STATUS_OK && ++bad <= LISTED_MAX)
            report(c, what, 1, why.message);
        n++;
    }
    sql_end(s);
    if (status == STATUS_OK && bad == 0)
        report(c, what, n, NULL);
    return status;
}

/* --- the study and its tasks --- */

static enum status look_at_study(struct db *d, sqlite3_stmt *row, struct error *e)
{
    struct params form;
    TRY(db_load_study(d, e));
    if (params_from_json(sql_text(row, 0), &form, NULL) != STATUS_OK)
        return error_set(e, STATUS_IO, "the study's form of flows is no JSON object");
    params_fini(&form);
    return STATUS_OK;
}

static enum status look_at_task(struct db *d, sqlite3_stmt *row, struct error *e)
{
    struct db_task t;
    TRY(db_task_read(d, sqlite3_column_int64(row, 0), &t, e));
    db_task_fini(&t);
    return STATUS_OK;
}

/* --- trials --- */

/* Probabilities that were kept are those whose digest was recorded when the trial ended. */
static enum status check_probabilities(struct db *d, int64_t trial, const char *expected, struct error *e)
{
    sqlite3_stmt *s;
    bool row, any = false;
    char hex[HASH_HEX];
    TRY(sql_query(d, &s, e,
                  "SELECT probabilities FROM prediction WHERE trial = ? AND probabilities IS NOT NULL"
                  " ORDER BY CASE part WHEN 'stop' THEN 0 WHEN 'validation' THEN 1 ELSE 2 END", "i", trial));
    struct hash *h = hash_new();
    enum status status;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row) {
        hash_add(h, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
        any = true;
    }
    hash_end(h, hex);
    sql_end(s);
    if (status == STATUS_OK && any && strcmp(hex, expected) != 0)
        status = error_set(e, STATUS_IO, "trial %lld has other probabilities than it ended with: their checksum differs", (long long)trial);
    return status;
}

static enum status look_at_trial(struct db *d, sqlite3_stmt *row, struct error *e)
{
    long long trial = sqlite3_column_int64(row, 0);
    struct features features;
    struct params params;
    if (features_from_json(sql_text(row, 2), &features, NULL) != STATUS_OK)
        return error_set(e, STATUS_IO, "trial %lld has no proper features", trial);
    features_fini(&features);
    if (params_from_json(sql_text(row, 3), &params, NULL) != STATUS_OK)
        return error_set(e, STATUS_IO, "trial %lld has no proper parameters", trial);
    params_fini(&params);
    return check_probabilities(d, trial, sql_text(row, 1), e);
}

/* --- artifacts and predictions --- */

static enum status look_at_artifact(struct db *d, sqlite3_stmt *row, struct error *e)
{
    struct buffer bytes = {0};
    bool found;
    int epoch;
    enum status s = db_artifact_read(d, sqlite3_column_int64(row, 0), sql_text(row, 1), &bytes, &epoch, &found, e);
    buffer_fini(&bytes);
    return s;
}

/* Rows by true and by predicted class, held against what was counted when the trial ended. */
static enum status check_counts(struct db *d, int64_t trial, const char *part, const struct db_prediction *p, struct error *e)
{
    sqlite3_stmt *s;
    bool row, good = true;
    TRY(sql_query(d, &s, e, "SELECT class, support, predicted FROM class_metric WHERE trial = ? AND part = ?", "it", trial, part));
    int64_t *support = memory_new((size_t)p->k * sizeof *support), *predicted = memory_new((size_t)p->k * sizeof *predicted), left = p->n;
    for (int i = 0; i < p->n; i++) {
        support[p->truth[i]]++;
        predicted[p->labels[i]]++;
    }
    enum status status;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row) {
        int64_t c = sqlite3_column_int64(s, 0), n = sqlite3_column_int64(s, 1);
        good = good && c >= 0 && c < p->k && support[c] == n && predicted[c] == sqlite3_column_int64(s, 2);
        left -= good ? n : 0;
    }
    sql_end(s);
    free(support);
    free(predicted);
    if (status == STATUS_OK && (!good || left != 0))
        status = error_set(e, STATUS_IO, "trial %lld, part %s: its predictions are not those that its metrics were computed from", (long long)trial, part);
    return status;
}

/* Is each label the most probable class? */
static bool labels_agree(const struct db_prediction *p)
{
    int32_t *best = memory_new((size_t)p->n * sizeof *best);
    if (p->proba)
        metrics_argmax(p->proba, p->n, p->k, best);
    bool good = !p->proba || memcmp(best, p->labels, (size_t)p->n * sizeof *best) == 0;
    free(best);
    return good;
}

static enum status look_at_prediction(struct db *d, sqlite3_stmt *row, struct error *e)
{
    long long trial = sqlite3_column_int64(row, 0);
    const char *part = sql_text(row, 1);
    struct db_prediction p;
    enum status s = STATUS_OK;
    TRY(db_prediction_read(d, trial, part, &p, e));
    if (!labels_agree(&p))
        s = error_set(e, STATUS_IO, "trial %lld, part %s: its labels are not its most probable classes", trial, part);
    else if (strcmp(part, "test") != 0) /* of whose metrics nothing is stored */
        s = check_counts(d, trial, part, &p, e);
    db_prediction_fini(&p);
    return s;
}

/* --- all of it --- */

static const char done_lacks[] = /* a part without rows has metrics (all NULL), but no prediction */
    "SELECT 'trial ' || t.id || ' is done without its model' FROM trial t WHERE state = 'done' AND NOT EXISTS"
    " (SELECT 1 FROM artifact a WHERE a.trial = t.id AND a.role = 'model' AND a.sha256 = t.model_sha256)"
    " UNION ALL SELECT 'trial ' || t.id || ' is done without its metrics of part ' || p.part"
    " FROM trial t JOIN task k ON k.id = t.task, (SELECT 'stop' AS part UNION ALL SELECT 'validation') p WHERE state = 'done' AND"
    " (NOT EXISTS (SELECT 1 FROM metric m WHERE m.trial = t.id AND m.part = p.part AND m.epoch IS NULL)"
    " OR (SELECT count(*) FROM class_metric c WHERE c.trial = t.id AND c.part = p.part) <> k.n_classes)"
    " UNION ALL SELECT 'trial ' || c.trial || ' is done without its predictions of part ' || c.part FROM class_metric c GROUP BY c.trial, c.part"
    " HAVING sum(c.support) > 0 AND NOT EXISTS (SELECT 1 FROM prediction p WHERE p.trial = c.trial AND p.part = c.part)"
    " UNION ALL SELECT 'trial ' || t.id || ' is done without its predictions of part test' FROM trial t JOIN task k ON k.id = t.task"
    " WHERE state = 'done' AND k.test_rows > 0 AND NOT EXISTS (SELECT 1 FROM prediction p WHERE p.trial = t.id AND p.part = 'test')"
    " UNION ALL SELECT 'the trials of task ' || t.task || ' disagree on the classes of its test rows' FROM trial t"
    " JOIN prediction p ON p.trial = t.id AND p.part = 'test' GROUP BY t.task HAVING count(DISTINCT p.truth) > 1";

static const char ensemble_lacks[] =
    "SELECT 'ensemble ' || n.id || CASE WHEN count(m.trial) = 0 THEN ' has no members' ELSE ' has weights that do not sum to 1' END"
    " FROM ensemble n LEFT JOIN ensemble_member m ON m.ensemble = n.id GROUP BY n.id"
    " HAVING count(m.trial) = 0 OR abs(total(m.weight) - 1) > 1e-6 OR min(m.weight) < 0";

static enum status check_all(struct check *c, struct error *e)
{
    TRY(problems(c, "pages and indexes", "PRAGMA integrity_check", "ok", e));
    TRY(problems(c, "references", "SELECT \"table\" || ' row ' || rowid || ' points to no ' || parent FROM pragma_foreign_key_check", "ok", e));
    TRY(each(c, "study", "SELECT form FROM (SELECT 1) LEFT JOIN study", look_at_study, e));
    TRY(each(c, "tasks", "SELECT id FROM task ORDER BY id", look_at_task, e));
    TRY(problems(c, "finished trials", done_lacks, "ok", e));
    TRY(each(c, "records of trials",
             "SELECT t.id, t.proba_sha256, t.features, c.params FROM trial t JOIN configuration c ON c.id = t.configuration WHERE t.state = 'done'"
             " ORDER BY t.id", look_at_trial, e));
    TRY(problems(c, "ensembles", ensemble_lacks, "ok", e));
    TRY(each(c, "artifacts", "SELECT trial, role FROM artifact ORDER BY id", look_at_artifact, e));
    return each(c, "predictions", "SELECT trial, part FROM prediction ORDER BY trial, part", look_at_prediction, e);
}

enum status db_check(const char *path, struct table *out, struct error *e)
{
    struct check c = {.out = out};
    TRY(db_open_read(&c.d, path, e));
    table_column(out, "check", -1);
    table_column(out, "checked", -1);
    table_column(out, "result", -1);
    enum status s = check_all(&c, e);
    if (s == STATUS_OK && c.first)
        s = error_set(e, STATUS_IO, "%s: %s", path, c.first);
    free(c.first);
    db_close(c.d);
    return s;
}
