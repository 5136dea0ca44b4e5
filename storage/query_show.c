/* Everything about one trial. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "storage/query_private.h"

struct part_of_show {
    const char *title, *key, *query;
};

static const struct part_of_show parts[] = {
    {"trial", "trial",
     "SELECT t.id AS trial, t.state, c.model, t.task, k.top_n, k.min_flows, k.steps, t.fold, t.repeat, "
     " ifnull((SELECT a.epoch FROM artifact a WHERE a.trial = t.id AND a.role = 'checkpoint'), t.epochs) AS epochs_run, t.wall_s, t.error"
     " FROM trial t JOIN configuration c ON c.id = t.configuration JOIN task k ON k.id = t.task WHERE t.id = ?"},
    {"parameters", "parameters", "SELECT ifnull(CAST(c.params AS TEXT), '') FROM trial t JOIN configuration c ON c.id = t.configuration WHERE t.id = ?"},
    {"attempts", "attempts",
     "SELECT job, gang, ranks, from_trial, epoch_from, epoch_to, outcome, why, computed_s, waited_s, moved_bytes, planned_bytes, peak_bytes FROM attempt WHERE trial = ? ORDER BY id"},
    {"metrics (test is sealed: flowsweep reveal)", "metrics",
     "SELECT metric, value FROM (SELECT part || '_' || name AS metric, value, part = 'train' AS late, part, rowid AS at FROM metric"
     " WHERE trial = ?1 AND epoch IS NULL AND name NOT LIKE 'permutation%' UNION ALL SELECT 'train_oob_blind_to', 'drift: later or other flows (split ' || k.split || ')', 2, '', 0"
     " FROM metric m JOIN trial t ON t.id = m.trial JOIN task k ON k.id = t.task WHERE t.id = ?1 AND m.epoch IS NULL AND m.name = 'oob_accuracy'"
     " AND k.split IN ('ordered', 'time', 'grouped')) ORDER BY late, part DESC, at"},
    {"curves", "curves",
     "SELECT epoch, max(CASE WHEN part = 'train' AND name = 'loss' THEN value END) AS train_loss, max(CASE WHEN part = 'train' AND name ="
     " 'accuracy' THEN value END) AS train_accuracy, max(CASE WHEN part = 'stop' AND name = 'log_loss' THEN value END) AS stop_log_loss,"
     " max(CASE WHEN part = 'stop' AND name <> 'log_loss' THEN value END) AS stop_metric FROM metric WHERE trial = ? AND epoch IS NOT NULL"
     " GROUP BY epoch ORDER BY epoch"},
    {"per class, validation", "per_class",
     "SELECT label, support, predicted, precision, recall, f1 FROM per_class WHERE trial = ? AND part = 'validation' ORDER BY class"},
    {"artifacts", "artifacts", "SELECT role, epoch, bytes, sha256 FROM artifact WHERE trial = ? ORDER BY id"},
};
enum { PARTS = sizeof parts / sizeof *parts, PARAMETERS = 1, METRICS = 3 };

/* A table of one JSON object becomes one of names and values. */
static enum status spread_parameters(const char *path, struct table *t, struct error *e)
{
    struct params p = {0};
    struct table out = {0};
    if (table_rows(t) == 1 && params_from_json(table_cell(t, 0, 0)->text, &p, NULL) != STATUS_OK)
        return error_set(e, STATUS_IO, "%s: damaged: the trial has no proper parameters", path);
    table_column(&out, "name", -1);
    table_column(&out, "value", -1);
    for (int i = 0; i < p.n; i++) {
        table_text(&out, p.entries[i].name);
        if (p.entries[i].value.kind == VALUE_NONE)
            table_text(&out, "none");
        else
            table_value(&out, &p.entries[i].value);
    }
    params_fini(&p);
    table_fini(t);
    *t = out;
    return STATUS_OK;
}

/* whole: importances as programs want them. */
static enum status collect(const char *path, int64_t trial, bool whole, struct table **tables, int *n, struct error *e)
{
    struct db *d;
    *tables = NULL;
    *n = 0;
    TRY(query_open(&d, path, e));
    enum status s = db_current(d, e);
    *tables = memory_new((PARTS + QUERY_IMPORTANCES) * sizeof **tables);
    for (int i = 0; s == STATUS_OK && i < PARTS; i++) {
        s = query_table(d, &(*tables)[i], e, parts[i].query, "i", trial);
        if (s == STATUS_OK && i == PARAMETERS)
            s = spread_parameters(path, &(*tables)[i], e);
        (*tables)[i].title = memory_text(parts[i].title);
        *n = i + 1;
    }
    if (s == STATUS_OK && table_rows(&(*tables)[0]) == 0)
        s = error_set(e, STATUS_USAGE, "%s: has no trial %lld", path, (long long)trial);
    int more = 0;
    if (s == STATUS_OK)
        s = query_importances(d, trial, whole, *tables + *n, &more, e);
    *n += more;
    db_close(d);
    return s;
}

enum status query_show(const char *path, int64_t trial, bool whole, struct table **tables, int *n, struct error *e)
{
    int all = 0;
    enum status s = collect(path, trial, whole, tables, &all, e);
    *n = 0;
    for (int i = 0; i < all; i++) { /* a model may have nothing of some, as forests have no curves */
        struct table *t = &(*tables)[i];
        if (t->n_columns > 0 && table_rows(t) == 0)
            table_fini(t);
        else
            (*tables)[(*n)++] = *t;
    }
    return s;
}

static void put_name(const char *name, struct buffer *out)
{
    struct value v = value_text(name);
    value_to_json(&v, out);
    value_fini(&v);
    buffer_puts(out, ": ");
}

static void put_row(const struct table *t, int row, struct buffer *out)
{
    for (int c = 0; c < t->n_columns; c++) {
        buffer_puts(out, c ? ", " : "");
        put_name(t->columns[c].name, out);
        value_to_json(table_cell(t, row, c), out);
    }
}

/* Names and values as one object; other tables as an array of objects. */
static void put_table(const struct table *t, bool pairs, struct buffer *out)
{
    buffer_puts(out, pairs ? "{" : "[");
    for (int r = 0; r < table_rows(t); r++) {
        buffer_puts(out, r ? ", " : "");
        if (pairs) {
            put_name(table_cell(t, r, 0)->text, out);
            value_to_json(table_cell(t, r, 1), out);
        } else {
            buffer_puts(out, "{");
            put_row(t, r, out);
            buffer_puts(out, "}");
        }
    }
    buffer_puts(out, pairs ? "}" : "]");
}

enum status query_show_json(const char *path, int64_t trial, struct buffer *out, struct error *e)
{
    struct table *t;
    int n;
    enum status s = collect(path, trial, true, &t, &n, e);
    if (s == STATUS_OK) {
        buffer_puts(out, "{");
        put_row(&t[0], 0, out);
        for (int i = 1; i < n; i++) {
            buffer_puts(out, ",\n ");
            put_name(i < PARTS ? parts[i].key : t[i].title, out);
            put_table(&t[i], i == PARAMETERS || i == METRICS, out);
        }
        buffer_puts(out, "}\n");
    }
    for (int i = 0; i < n; i++)
        table_fini(&t[i]);
    free(t);
    return s;
}
