/* status, ls, best, predictions. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "storage/query_private.h"

enum status query_step_table(struct db *d, sqlite3_stmt *s, struct table *out, struct error *e)
{
    bool row;
    enum status status = STATUS_OK;
    int n = sqlite3_column_count(s);
    for (int c = out->n_columns ? n : 0; c < n; c++) {
        const char *name = sqlite3_column_name(s, c);
        table_column(out, name, strstr(name, "_s") && strcmp(strstr(name, "_s"), "_s") == 0 ? 1 : 4);
    }
    while (status == STATUS_OK && (status = sql_step(d, s, &row, e)) == STATUS_OK && row)
        for (int c = 0; c < n; c++)
            switch (sqlite3_column_type(s, c)) {
            case SQLITE_INTEGER:
                table_int(out, sqlite3_column_int64(s, c));
                break;
            case SQLITE_FLOAT:
                table_real(out, sqlite3_column_double(s, c));
                break;
            case SQLITE_NULL:
                table_none(out);
                break;
            default:
                table_text(out, sql_text(s, c));
            }
    return status;
}

/* Binds like sql_query: types i and t only. */
enum status query_table(struct db *d, struct table *out, struct error *e, const char *text, const char *types, ...)
{
    sqlite3_stmt *s;
    va_list args;
    TRY(sql_query(d, &s, e, text, ""));
    va_start(args, types);
    for (int i = 1; *types; types++, i++)
        if (*types == 'i')
            sqlite3_bind_int64(s, i, va_arg(args, int64_t));
        else if (*types == 'r')
            sqlite3_bind_double(s, i, va_arg(args, double));
        else
            sqlite3_bind_text(s, i, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
    va_end(args);
    enum status status = query_step_table(d, s, out, e);
    sql_end(s);
    return status;
}

enum status query_open(struct db **out, const char *path, struct error *e)
{
    TRY(db_open_read(out, path, e));
    enum status s = sql_exec(*out, "BEGIN", e);
    if (s == STATUS_OK)
        s = db_load_study(*out, e);
    if (s != STATUS_OK) {
        db_close(*out);
        *out = NULL;
    }
    return s;
}

enum status query_readings(struct db *d, char **note, struct error *e)
{
    int64_t n = 0;
    *note = NULL;
    TRY(sql_int(d, &n, NULL, e, "SELECT count(*) FROM test_reading", ""));
    *note = memory_format("the test part of this study was read %lld time%s so far", (long long)n, n == 1 ? "" : "s");
    return STATUS_OK;
}

/* --- status --- */

/* Seconds that a job needs for the trials left, going by those of its models that are done and by how many it has done at a time; NaN where there is a
 * model of which none is done, or the job has done none. */
static enum status time_left(struct db *d, int64_t job, double seconds, double *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    TRY(sql_query(d, &s, e,
                  "WITH model_s AS (SELECT c.model, avg(t.wall_s) AS mean FROM trial t JOIN configuration c ON c.id = t.configuration WHERE t.state = 'done' GROUP BY c.model)"
                  " SELECT CASE WHEN count(*) = count(m.mean) THEN sum(m.mean) END,"
                  " (SELECT sum(t.wall_s) FROM trial t JOIN attempt a ON a.trial = t.id WHERE a.job = ?1 AND a.outcome = 'done')"
                  " FROM trial t JOIN configuration c ON c.id = t.configuration LEFT JOIN model_s m ON m.model = c.model"
                  " WHERE t.state IN ('queued', 'running', 'paused')",
                  "i", job));
    enum status status = sql_step(d, s, &row, e);
    *out = status == STATUS_OK && row ? seconds * sql_real(s, 0) / sql_real(s, 1) : NAN;
    sql_end(s);
    return status;
}

static void put_left(double seconds, struct buffer *out)
{
    if (seconds >= 0 && seconds < 90)
        buffer_printf(out, ", about %.0f s", seconds);
    else if (seconds >= 0 && isfinite(seconds))
        buffer_printf(out, ", about %.0f min", seconds / 60);
}

static enum status status_note(struct db *d, double now, struct table *out, struct error *e)
{
    int64_t left = 0;
    sqlite3_stmt *s;
    bool row;
    TRY(sql_int(d, &left, NULL, e, "SELECT count(*) FROM trial WHERE state IN ('queued', 'running', 'paused')", ""));
    TRY(sql_query(d, &s, e,
                  "SELECT id, started, ended, why, (SELECT count(*) FROM attempt a WHERE a.job = job.id AND a.outcome = 'done'),"
                  " (SELECT ' by process ' || pid || ' on ' || host || ifnull(', Slurm job ' || slurm_job, '') FROM holder) FROM job ORDER BY id DESC LIMIT 1", ""));
    enum status status = sql_step(d, s, &row, e);
    if (status == STATUS_OK && row) {
        bool ended = sqlite3_column_type(s, 2) != SQLITE_NULL;
        enum db_lock_state lock = ended ? DB_LOCK_FREE : db_holder_look(d);
        double seconds = (ended ? sqlite3_column_double(s, 2) : now) - sqlite3_column_double(s, 1), more = NAN;
        int64_t job = sqlite3_column_int64(s, 0), done = sqlite3_column_int64(s, 4);
        struct buffer note = {0};
        if (ended)
            buffer_printf(&note, "job %lld %s", (long long)job, sql_text(s, 3));
        else if (lock == DB_LOCK_FREE)
            buffer_printf(&note, "job %lld died without a word (run goes on from what it left)", (long long)job);
        else
            buffer_printf(&note, "job %lld is running%s%s", (long long)job, sql_text(s, 5), lock == DB_LOCK_HELD ? "" : ", or died");
        buffer_printf(&note, ": %lld trial%s in %.0f s", (long long)done, done == 1 ? "" : "s", seconds > 0 ? seconds : 0);
        if (left > 0) {
            status = time_left(d, job, seconds, &more, e);
            buffer_printf(&note, "; %lld left", (long long)left);
            put_left(more, &note);
        }
        if (d->age >= 0)
            buffer_printf(&note, "; as it was %.0f s ago", d->age);
        out->note = note.data;
    }
    sql_end(s);
    return status;
}

enum status query_status(const char *path, double now, struct table *out, struct error *e)
{
    struct db *d;
    char text[1400];
    TRY(query_open(&d, path, e));
    snprintf(text, sizeof text,
             "SELECT k.id AS task, k.top_n, k.min_flows, k.steps, k.n_classes AS labels, sum(t.state = 'queued') AS queued, sum(t.state = 'running')"
             " AS running, sum(t.state = 'done') AS done, sum(t.state = 'failed') AS failed, sum(t.state = 'cancelled') AS cancelled,"
             " (SELECT %s(g.mean) FROM configuration_metric g WHERE g.task = k.id AND g.part = 'validation' AND g.name = '%s')"
             " AS best_validation_%s,"
             " (SELECT c.model FROM configuration_metric g JOIN configuration c ON c.id = g.configuration WHERE g.task = k.id AND g.part ="
             " 'validation' AND g.name = '%s' ORDER BY g.mean %s, c.id LIMIT 1) AS model"
             " FROM task k JOIN trial t ON t.task = k.id GROUP BY k.id ORDER BY k.id",
             metric_sign(d->metric) > 0 ? "max" : "min", metric_names[d->metric], metric_names[d->metric], metric_names[d->metric],
             metric_sign(d->metric) > 0 ? "DESC" : "");
    enum status s = query_table(d, out, e, text, "");
    if (s == STATUS_OK)
        s = status_note(d, now, out, e);
    db_close(d);
    return s;
}

/* --- ls --- */

struct columns {
    char *names[1024]; /* owned */
    int n;
};

static void columns_fini(struct columns *c)
{
    while (c->n)
        free(c->names[--c->n]);
}

static enum status columns_of(struct db *d, const char *view, struct columns *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    *out = (struct columns){.n = 0};
    TRY(sql_query(d, &s, e, "SELECT name FROM pragma_table_info(?)", "t", view));
    enum status status;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row && out->n < 1024)
        out->names[out->n++] = memory_text(sql_text(s, 0));
    sql_end(s);
    return status;
}

/* The parameters of a configuration that differ between those of its model, in words: named without their group, which is the model or "train".
 * configuration, model: what they are called in SQL; VARIED goes before the SELECT. */
#define VARIED                                                                                                                                     \
    "WITH varied AS MATERIALIZED (SELECT r.model, q.name FROM configuration_param q JOIN configuration r ON r.id = q.configuration GROUP BY r.model," \
    " q.name HAVING count(DISTINCT quote(q.value)) > 1)"
#define DIFFERS(configuration, model)                                                                                                              \
    "(SELECT group_concat(substr(p.name, instr(p.name, '.') + 1) || ' = ' || p.value, ', ') FROM configuration_param p WHERE p.configuration = "   \
    configuration " AND (" model ", p.name) IN varied)"

/* Is a column called so, or after the dot? */
static bool is_called(const char *column, const char *name)
{
    const char *dot = strchr(column, '.');
    return strcmp(column, name) == 0 || (dot && strcmp(dot + 1, name) == 0);
}

/* A column of ls in SQL: one of the view's; by what follows the dot, a parameter of whichever model a trial has (networks' have no dot); or "differs". */
static enum status put_column(const struct columns *c, const char *name, struct buffer *out, struct error *e)
{
    int n = 0, called = 0;
    if (strcmp(name, "differs") == 0) {
        buffer_puts(out, DIFFERS("(SELECT u.configuration FROM trial u WHERE u.id = trials.trial)", "trials.model"));
        return STATUS_OK;
    }
    for (int i = 0; i < c->n; i++)
        called += is_called(c->names[i], name);
    bool several = called > 1; /* one alone stays a column, which an index may serve */
    for (int i = 0; i < c->n; i++)
        if (is_called(c->names[i], name))
            buffer_printf(out, "%s\"%s\"", n++ ? ", " : several ? "coalesce(" : "", c->names[i]);
    if (n > 0) {
        buffer_puts(out, several ? ")" : "");
        return STATUS_OK;
    }
    const char *near = word_nearest(name, (const char *const *)c->names, c->n);
    return error_set(e, STATUS_USAGE, "there is no column \"%s\"%s%s%s; all of them: sqlite3 DB 'PRAGMA table_info(trials)'", name,
                     near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

static bool is_number(const char *text)
{
    char *end;
    strtod(text, &end);
    return *text && *end == '\0';
}

/* "column op value" to SQL; the value is bound later. What is above or below a number is one. */
static enum status put_filter(const struct columns *c, const char *filter, struct buffer *out, char **value, struct error *e)
{
    char name[128], op[3];
    struct buffer column = {0};
    int n = 0;
    if (sscanf(filter, " %127[A-Za-z0-9_.] %2[=!<>] %n", name, op, &n) != 2 || n == 0 ||
        (strcmp(op, "=") && strcmp(op, "!=") && strcmp(op, "<") && strcmp(op, "<=") && strcmp(op, ">") && strcmp(op, ">=")))
        return error_set(e, STATUS_USAGE, "--filter \"%s\": expected 'COLUMN OP VALUE', OP one of = != < <= > >=", filter);
    enum status s = put_column(c, name, &column, e);
    if (s == STATUS_OK) {
        buffer_printf(out, " AND %s %s ?", column.data, op);
        if (strchr("<>", *op) && is_number(filter + n))
            buffer_printf(out, " AND typeof(%s) IN ('integer', 'real')", column.data);
        *value = memory_text(filter + n);
    }
    buffer_fini(&column);
    return s;
}

/* A number, true and false (1 and 0 in the database), or text. */
static void bind_value(sqlite3_stmt *s, int place, const char *text)
{
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        sqlite3_bind_int(s, place, *text == 't');
    else if (is_number(text))
        sqlite3_bind_double(s, place, strtod(text, NULL));
    else
        sqlite3_bind_text(s, place, text, -1, SQLITE_TRANSIENT);
}

static enum status put_select(const struct query_ls *q, const struct columns *c, struct buffer *out, struct error *e)
{
    static const char *const usual[] = {"trial", "state", "model", "task", "top_n", "min_flows", "steps", "repeat", "epochs_run", "wall_s",
                                        "validation_accuracy", "validation_macro_f1", "error", "differs"};
    const char *const *names = q->n_columns ? q->columns : usual;
    int n = q->n_columns ? q->n_columns : (int)(sizeof usual / sizeof *usual);
    buffer_puts(out, VARIED " SELECT ");
    for (int i = 0; i < n; i++) {
        TRY(put_column(c, names[i], out, e));
        buffer_printf(out, " AS \"%s\"%s", names[i], i < n - 1 ? ", " : "");
    }
    buffer_puts(out, " FROM trials WHERE 1");
    return STATUS_OK;
}

static enum status put_order(const struct query_ls *q, const struct columns *c, struct buffer *out, struct error *e)
{
    if (q->sort) {
        bool falling = *q->sort == '-';
        struct buffer column = {0};
        TRY(put_column(c, q->sort + falling, &column, e));
        buffer_printf(out, " ORDER BY %s IS NULL, %s %s, trial", column.data, column.data, falling ? "DESC" : "");
        buffer_fini(&column);
    } else {
        buffer_puts(out, " ORDER BY trial");
    }
    if (q->limit > 0)
        buffer_printf(out, " LIMIT %d", q->limit);
    return STATUS_OK;
}

static enum status run_ls(struct db *d, const struct query_ls *q, const struct columns *c, struct table *out, struct error *e)
{
    struct buffer text = {0};
    char *values[64] = {0};
    sqlite3_stmt *st = NULL;
    int n = 0;
    enum status s = put_select(q, c, &text, e);
    if (s == STATUS_OK && q->state && trial_state_find(q->state) < 0) {
        const char *near = word_nearest(q->state, trial_state_names, TRIAL_STATE_COUNT);
        s = error_set(e, STATUS_USAGE, "there is no state \"%s\"%s%s%s", q->state, near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
    }
    if (s == STATUS_OK && q->state)
        buffer_printf(&text, " AND state = '%s'", q->state);
    for (; s == STATUS_OK && n < q->n_filters && n < 64; n++)
        s = put_filter(c, q->filters[n], &text, &values[n], e);
    if (s == STATUS_OK)
        s = put_order(q, c, &text, e);
    if (s == STATUS_OK)
        s = sql_query(d, &st, e, text.data, "");
    for (int i = 0; s == STATUS_OK && i < n; i++)
        bind_value(st, i + 1, values[i]);
    if (s == STATUS_OK)
        s = query_step_table(d, st, out, e);
    sql_end(st);
    for (int i = 0; i < n; i++)
        free(values[i]);
    buffer_fini(&text);
    return s;
}

/* Where there are models that grow: what their epochs are. */
static enum status say_epochs(struct db *d, struct table *out, struct error *e)
{
    struct buffer note = {0};
    enum status s = STATUS_OK;
    for (int k = 0; model_kinds[k] && s == STATUS_OK; k++) {
        const struct model_kind *kind = model_kinds[k];
        int64_t n = 0;
        if (!kind->grows)
            continue;
        s = sql_int(d, &n, NULL, e, "SELECT count(*) FROM (SELECT 1 FROM configuration WHERE model = ? LIMIT 1)", "t", kind->name);
        if (s == STATUS_OK && n > 0)
            buffer_printf(&note, "%sof %s, steps of %d %s", note.size ? "; " : "epochs_run: ", kind->name, kind->grows_by,
                          param_find(kind->params, kind->grows)->help);
    }
    out->note = note.data;
    return s;
}

enum status query_ls(const char *path, const struct query_ls *q, struct table *out, struct error *e)
{
    struct db *d;
    struct columns c;
    TRY(query_open(&d, path, e));
    enum status s = columns_of(d, "trials", &c, e);
    if (s == STATUS_OK)
        s = run_ls(d, q, &c, out, e);
    if (s == STATUS_OK && q->n_columns == 0)
        s = say_epochs(d, out, e);
    columns_fini(&c);
    db_close(d);
    return s;
}

/* --- best --- */

enum status query_best(const char *path, int k, struct table *out, struct error *e)
{
    struct db *d;
    char text[3600];
    TRY(query_open(&d, path, e));
    const char *m = metric_names[d->metric];
    int sign = metric_sign(d->metric);
    const char *accuracy = strcmp(m, "accuracy") == 0 ? "" /* it is there already */
                                                     : "(SELECT a.mean FROM configuration_metric a WHERE a.configuration = c.id AND a.task = g.task AND"
                                                       " a.part = 'validation' AND a.name = 'accuracy') AS validation_accuracy,";
    /* once: of trials that are the same model, as of a forest that was asked for importances later, the newest;
     * within: not worse than the first by more than its standard error over repeats, or, with one, over rows (a share's) */
    snprintf(text, sizeof text,
             VARIED ", once AS (SELECT DISTINCT task, max(configuration) OVER (PARTITION BY task, fold, repeat, ifnull(model_sha256, id), ifnull(proba_sha256, id))"
             " AS configuration FROM trial WHERE state = 'done'),"
             " g AS (SELECT g.task, g.configuration, g.n, g.mean, g.sd, g.low, g.high, row_number() OVER (PARTITION BY g.task ORDER BY %d *"
             " g.mean DESC, g.configuration) AS place FROM configuration_metric g JOIN once USING (task, configuration) WHERE g.part = 'validation' AND g.name = '%s')"
             " SELECT g.task, k.top_n, k.min_flows, k.steps, g.place AS rank, c.model, (SELECT min(t.id) FROM trial t WHERE t.configuration = c.id"
             " AND t.task = g.task AND t.state = 'done') AS trial, g.n, g.mean AS validation_%s, g.sd, g.low, g.high,"
             " %s CASE WHEN %d * (f.mean - g.mean) * %d * (f.mean - g.mean) * CASE WHEN f.n > 1 THEN f.n ELSE k.validation_rows END <="
             " CASE WHEN f.n > 1 THEN f.sd * f.sd ELSE abs(f.mean * (1 - f.mean)) END THEN 'yes' ELSE '' END AS within_error,"
             " " DIFFERS("c.id", "c.model") " AS differs"
             " FROM g JOIN g f ON f.task = g.task AND f.place = 1 JOIN configuration c ON c.id = g.configuration JOIN task k ON k.id = g.task"
             " WHERE g.place <= %d ORDER BY g.task, g.place",
             sign, m, m, accuracy, sign, sign, k);
    enum status s = query_table(d, out, e, text, "");
    out->note = memory_text("within_error: within a standard error of the first; results of different tasks cannot be compared");
    db_close(d);
    return s;
}

/* --- predictions --- */

static void put_predictions(const struct db_prediction *p, const struct db_task *t, struct table *out)
{
    table_column(out, "row", -1);
    table_column(out, "truth", -1);
    table_column(out, "label", -1);
    for (int c = 0; p->proba && c < p->k; c++)
        table_column(out, t->labels[c], 6);
    for (int i = 0; i < p->n; i++) {
        table_int(out, p->rows[i]);
        table_text(out, t->labels[p->truth[i]]);
        table_text(out, t->labels[p->labels[i]]);
        for (int c = 0; p->proba && c < p->k; c++)
            table_float(out, p->proba[(size_t)i * (size_t)p->k + (size_t)c]);
    }
    if (!p->proba)
        out->note = memory_text("its probabilities were not kept (keep.probabilities)");
}

static enum status predictions(struct db *d, int64_t trial, const char *part, struct table *out, struct error *e)
{
    int64_t task = 0;
    bool found;
    struct db_task t;
    struct db_prediction p;
    TRY(sql_int(d, &task, &found, e, "SELECT task FROM trial WHERE id = ?", "i", trial));
    if (!found)
        return error_set(e, STATUS_USAGE, "%s: has no trial %lld", d->path, (long long)trial);
    TRY(db_task_read(d, task, &t, e));
    enum status s = db_prediction_read(d, trial, part, &p, e);
    if (s == STATUS_OK && strcmp(part, "test") == 0) {
        s = db_begin(d, e);
        if (s == STATUS_OK)
            s = query_record_reading(d, "predictions", task, trial, 0, e);
        if (s == STATUS_OK)
            s = db_commit(d, e);
    }
    if (s == STATUS_OK)
        put_predictions(&p, &t, out);
    db_prediction_fini(&p);
    db_task_fini(&t);
    return s;
}

enum status query_predictions(const char *path, int64_t trial, const char *part, struct table *out, struct error *e)
{
    struct db *d;
    bool test = strcmp(part, "test") == 0;
    if (!test && strcmp(part, "stop") != 0 && strcmp(part, "validation") != 0)
        return error_set(e, STATUS_USAGE, "--part is stop, validation or test, not \"%s\"", part);
    TRY(test ? db_open(&d, path, false, false, e) : db_open_read(&d, path, e));
    enum status s = predictions(d, trial, part, out, e);
    if (s == STATUS_OK && test && !out->note)
        s = query_readings(d, &out->note, e);
    db_close(d);
    return s;
}

enum status query_record_reading(struct db *d, const char *what, int64_t task, int64_t trial, int64_t ensemble, struct error *e)
{
    char host[256] = "";
    const char *who = getenv("USER") ? getenv("USER") : "?";
    gethostname(host, sizeof host - 1);
    return sql_run(d, e, "INSERT INTO test_reading (at, who, host, what, task, trial, ensemble) VALUES (?, ?, ?, ?, nullif(?, 0), nullif(?, 0), nullif(?, 0))",
                   "rtttiii", (double)time(NULL), who, host, what, task, trial, ensemble);
}
