/* What several readers take out of the database: predictions and tasks. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "storage/db_private.h"

/* A copy of blob c where it has the right size; NULL where the cell is NULL and may be. */
static enum status take_blob(struct db *d, sqlite3_stmt *s, int c, bool may_be_null, size_t bytes, void *out, struct error *e)
{
    void *copy = NULL;
    bool is_null = sqlite3_column_type(s, c) == SQLITE_NULL;
    if (is_null && !may_be_null)
        return error_set(e, STATUS_IO, "%s: a prediction lacks its %s: the database is damaged", d->path, sqlite3_column_name(s, c));
    if (!is_null) {
        if ((size_t)sqlite3_column_bytes(s, c) != bytes)
            return error_set(e, STATUS_IO, "%s: a prediction has %d bytes where %zu were expected: the database is damaged", d->path,
                             sqlite3_column_bytes(s, c), bytes);
        copy = memory_new(bytes);
        if (bytes)
            memcpy(copy, sqlite3_column_blob(s, c), bytes);
    }
    memcpy(out, &copy, sizeof copy);
    return STATUS_OK;
}

static enum status take_prediction(struct db *d, sqlite3_stmt *s, struct db_prediction *out, struct error *e)
{
    out->n = sqlite3_column_int(s, 0);
    out->k = sqlite3_column_int(s, 1);
    if (out->n < 0 || out->k < 1 || sqlite3_column_int64(s, 7) != out->k)
        return error_set(e, STATUS_IO, "%s: a prediction of %d rows and %d classes, of which %lld have labels: the database is damaged", d->path, out->n,
                         out->k, (long long)sqlite3_column_int64(s, 7));
    size_t n = (size_t)out->n, ints = n * sizeof(int32_t);
    TRY(take_blob(d, s, 2, false, ints, &out->rows, e));
    TRY(take_blob(d, s, 3, false, ints, &out->labels, e));
    TRY(take_blob(d, s, 4, false, ints, &out->truth, e));
    TRY(take_blob(d, s, 5, true, n, &out->seen, e));
    TRY(take_blob(d, s, 6, true, n * (size_t)out->k * sizeof(float), &out->proba, e));
    for (size_t i = 0; i < n; i++)
        if (out->labels[i] < 0 || out->labels[i] >= out->k || out->truth[i] < 0 || out->truth[i] >= out->k)
            return error_set(e, STATUS_IO, "%s: a prediction names a class that its task lacks: the database is damaged", d->path);
    return STATUS_OK;
}

enum status db_prediction_read(struct db *d, int64_t trial, const char *part, struct db_prediction *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    *out = (struct db_prediction){0};
    TRY(sql_query(d, &s, e,
                  "SELECT p.n, k.n_classes, p.rows, p.labels, p.truth, p.seen, p.probabilities,"
                  " CASE WHEN json_valid(k.labels) THEN json_array_length(k.labels) END FROM prediction p"
                  " JOIN trial t ON t.id = p.trial JOIN task k ON k.id = t.task WHERE p.trial = ? AND p.part = ?",
                  "it", trial, part));
    enum status status = sql_step(d, s, &row, e);
    if (status == STATUS_OK && !row)
        status = error_set(e, STATUS_NO_INPUT, "%s: trial %lld has no predictions of part %s", d->path, (long long)trial, part);
    if (status == STATUS_OK)
        status = take_prediction(d, s, out, e);
    sql_end(s);
    if (status != STATUS_OK)
        db_prediction_fini(out);
    return status;
}

void db_prediction_fini(struct db_prediction *p)
{
    free(p->rows);
    free(p->labels);
    free(p->truth);
    free(p->seen);
    free(p->proba);
    *p = (struct db_prediction){0};
}

static enum status take_labels(struct db *d, const char *json, struct db_task *out, struct error *e)
{
    struct value list;
    bool good = value_from_json(json, &list, NULL) == STATUS_OK && list.kind == VALUE_LIST && list.n > 0 && list.n == out->n_classes;
    for (int i = 0; good && i < list.n; i++)
        good = list.items[i].kind == VALUE_TEXT;
    if (good)
        out->labels = memory_new((size_t)list.n * sizeof *out->labels);
    for (int i = 0; good && i < list.n; i++)
        out->labels[i] = memory_text(list.items[i].text);
    value_fini(&list);
    return good ? STATUS_OK
                : error_set(e, STATUS_IO, "%s: task %lld has no proper labels for its %d classes: the database is damaged", d->path, (long long)out->id,
                            out->n_classes);
}

enum status db_task_read(struct db *d, int64_t id, struct db_task *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    *out = (struct db_task){.id = id};
    TRY(sql_query(d, &s, e, "SELECT n_classes, ifnull(top_n, -1), ifnull(min_flows, -1), steps, labels FROM task WHERE id = ?", "i", id));
    enum status status = sql_step(d, s, &row, e);
    if (status == STATUS_OK && !row)
        status = error_set(e, STATUS_USAGE, "%s: has no task %lld", d->path, (long long)id);
    if (status == STATUS_OK) {
        out->n_classes = sqlite3_column_int(s, 0);
        out->top_n = sqlite3_column_int(s, 1);
        out->min_flows = sqlite3_column_int(s, 2);
        out->steps = sqlite3_column_int(s, 3);
        status = take_labels(d, sql_text(s, 4), out, e);
    }
    sql_end(s);
    if (status != STATUS_OK)
        db_task_fini(out);
    return status;
}

void db_task_fini(struct db_task *t)
{
    for (int i = 0; t->labels && i < t->n_classes; i++)
        free(t->labels[i]);
    free(t->labels);
    *t = (struct db_task){0};
}
