/* Writing bundles: beside the name, renamed when whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "storage/bundle.h"
#include "storage/query_private.h"

static enum status write_file(const char *folder, const char *name, const void *bytes, size_t n, struct error *e)
{
    char *path = memory_format("%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    bool good = f && fwrite(bytes, 1, n, f) == n && fflush(f) == 0 && fsync(fileno(f)) == 0;
    if (f)
        good &= fclose(f) == 0;
    enum status s = good ? STATUS_OK : error_set(e, STATUS_CANNOT_CREATE, "%s: %s", path, strerror(errno));
    free(path);
    return s;
}

static void put_text(struct buffer *out, const char *text)
{
    struct value v = value_text(text);
    value_to_json(&v, out);
    value_fini(&v);
}

/* One member's model file and its entry in the manifest. */
static enum status put_member(struct db *d, const char *folder, int number, const struct query_member *m, struct buffer *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row, found;
    int epoch;
    struct buffer model = {0};
    char name[64], sha[HASH_HEX];
    TRY(sql_query(d, &s, e, "SELECT c.model, c.params, t.features FROM trial t JOIN configuration c ON c.id = t.configuration WHERE t.id = ?", "i",
                  m->trial));
    enum status status = sql_step(d, s, &row, e);
    const struct model_kind *kind = status == STATUS_OK && row ? model_find(sql_text(s, 0)) : NULL;
    if (status == STATUS_OK && !kind)
        status = error_set(e, STATUS_IO, "%s: trial %lld is of no model that this flowsweep knows", d->path, (long long)m->trial);
    if (status == STATUS_OK)
        status = db_artifact_read(d, m->trial, "model", &model, &epoch, &found, e);
    if (status == STATUS_OK && !found)
        status = error_set(e, STATUS_USAGE, "%s: trial %lld has no model: it is not done", d->path, (long long)m->trial);
    if (status == STATUS_OK) {
        snprintf(name, sizeof name, "member%d.%s", number, kind->extension);
        hash_bytes(model.data, model.size, sha);
        status = write_file(folder, name, model.data, model.size, e);
        buffer_printf(out, "%s\n  {\"file\": \"%s\", \"sha256\": \"%s\", \"model\": \"%s\", \"weight\": ", number > 1 ? "," : "", name, sha, kind->name);
        value_print_real(m->weight, out);
        buffer_printf(out, ", \"trial\": %lld,\n   \"params\": %s,\n   \"features\": %s}", (long long)m->trial, sql_text(s, 1), sql_text(s, 2));
    }
    buffer_fini(&model);
    sql_end(s);
    return status;
}

static enum status put_study(struct db *d, struct buffer *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    TRY(sql_query(d, &s, e, "SELECT name, data_hash, seed, metric, leaks, form, version FROM study", ""));
    enum status status = sql_step(d, s, &row, e);
    if (status == STATUS_OK && row) {
        buffer_puts(out, "  \"flowsweep\": ");
        put_text(out, sql_text(s, 6));
        buffer_puts(out, ",\n  \"study\": ");
        put_text(out, sql_text(s, 0));
        buffer_puts(out, ",\n  \"data_hash\": ");
        put_text(out, sql_text(s, 1));
        buffer_printf(out, ",\n  \"seed\": %lld,\n  \"metric\": ", (long long)sqlite3_column_int64(s, 2));
        put_text(out, sql_text(s, 3));
        buffer_printf(out, ",\n  \"scaling_leaks\": %s,\n  \"form\": %s,\n", sqlite3_column_int(s, 4) ? "true" : "false", sql_text(s, 5));
    }
    sql_end(s);
    return status;
}

/* Validation metrics of the mix, where its probabilities are still there and of the same rows. */
static enum status put_metrics(struct db *d, const struct query_member *m, int n, struct buffer *out, struct error *e)
{
    struct db_prediction p;
    struct error why = {0};
    double values[METRIC_COUNT];
    enum status s = query_mix(d, m, n, "validation", &p, &why);
    if (s == STATUS_IO)
        return error_set(e, s, "%s", why.message);
    buffer_puts(out, "  \"validation\": {");
    if (s == STATUS_OK) {
        metrics_of(p.proba, p.truth, p.n, p.k, values, NULL, NULL);
        for (int i = 0; i < METRIC_COUNT; i++) {
            buffer_printf(out, "%s\"%s\": ", i ? ", " : "", metric_names[i]);
            value_print_real(values[i], out);
        }
        db_prediction_fini(&p);
    }
    buffer_puts(out, "},\n");
    return STATUS_OK;
}

static enum status write_bundle(struct db *d, int64_t task, const struct query_member *m, int n, const char *folder, struct error *e)
{
    struct buffer out = {0};
    struct db_task t;
    TRY(db_task_read(d, task, &t, e));
    buffer_puts(&out, "{\n  \"format\": \"flowsweep bundle\",\n  \"version\": 1,\n");
    enum status s = put_study(d, &out, e);
    buffer_printf(&out, "  \"task\": {\"top_n\": %d, \"min_flows\": %d, \"steps\": %d},\n  \"labels\": [", t.top_n, t.min_flows, t.steps);
    for (int k = 0; k < t.n_classes; k++) {
        buffer_puts(&out, k ? ", " : "");
        put_text(&out, t.labels[k]);
    }
    buffer_puts(&out, "],\n");
    if (s == STATUS_OK)
        s = put_metrics(d, m, n, &out, e);
    buffer_puts(&out, "  \"members\": [");
    for (int i = 0; s == STATUS_OK && i < n; i++)
        s = put_member(d, folder, i + 1, &m[i], &out, e);
    buffer_puts(&out, "]\n}\n");
    if (s == STATUS_OK)
        s = write_file(folder, "manifest.json", out.data, out.size, e);
    buffer_fini(&out);
    db_task_fini(&t);
    return s;
}

static void remove_folder(const char *folder, int n)
{
    static const char *const extensions[] = {"safetensors", "forest", "knn", "majority"};
    for (int i = 1; i <= n; i++)
        for (int x = 0; x < 4; x++) {
            char *path = memory_format("%s/member%d.%s", folder, i, extensions[x]);
            unlink(path);
            free(path);
        }
    char *manifest = memory_format("%s/manifest.json", folder);
    unlink(manifest);
    free(manifest);
    rmdir(folder);
}

/* The only task, where none is named. */
static enum status settle_task(struct db *d, const char *what, int64_t *task, struct error *e)
{
    int64_t *tasks;
    int n;
    TRY(query_tasks(d, *task, &tasks, &n, e));
    if (*task == 0 && n > 1) {
        free(tasks);
        return error_set(e, STATUS_USAGE, "%s has %d tasks: say which %s, with --task (see: flowsweep status %s)", d->path, n, what, d->path);
    }
    *task = tasks[0];
    free(tasks);
    return STATUS_OK;
}

static enum status members_of(struct db *d, const char *what, int64_t *task, struct query_member **m, int *n, struct error *e)
{
    char *end;
    long long trial = strtoll(what, &end, 10);
    int64_t id;
    *m = NULL;
    if (*what && *end == '\0') {
        bool found;
        int64_t asked = *task;
        TRY(sql_int(d, task, &found, e, "SELECT task FROM trial WHERE id = ?", "i", (int64_t)trial));
        if (!found)
            return error_set(e, STATUS_USAGE, "%s: has no trial %lld", d->path, trial);
        if (asked && asked != *task)
            return error_set(e, STATUS_USAGE, "%s: trial %lld is of task %lld, not %lld", d->path, trial, (long long)*task, (long long)asked);
        *m = memory_new(sizeof **m);
        (*m)[0] = (struct query_member){trial, 1};
        *n = 1;
        return STATUS_OK;
    }
    bool ensemble = strcmp(what, "ensemble") == 0;
    if (!ensemble && strcmp(what, "best") != 0)
        return error_set(e, STATUS_USAGE, "export: \"%s\" is neither best, ensemble nor a trial's number", what);
    TRY(settle_task(d, what, task, e));
    TRY(ensemble ? query_ensemble_members(d, *task, &id, m, n, e) : query_best_members(d, *task, NULL, m, n, e));
    if (*n == 0)
        return error_set(e, STATUS_USAGE, ensemble ? "%s: no ensemble was recorded for task %lld; type: flowsweep ensemble DB"
                                                   : "%s: no trial of task %lld is done yet", d->path, (long long)*task);
    return STATUS_OK;
}

/* An ensemble that is worse than the best model alone is still what was asked for. */
static enum status doubt(struct db *d, const char *what, int64_t task, char **out, struct error *e)
{
    int64_t worse = 0;
    if (strcmp(what, "ensemble") != 0)
        return STATUS_OK;
    TRY(sql_int(d, &worse, NULL, e, "SELECT gain_high < 0 FROM ensemble WHERE task = ? ORDER BY id DESC LIMIT 1", "i", task));
    if (worse)
        *out = memory_text("the interval of this ensemble's gain is below zero (flowsweep ensemble): \"best\", the best single model, is better");
    return STATUS_OK;
}

/* What was written must be what predict reads; it is the database that is wrong where it is not. */
static enum status check_written(const struct db *d, const char *folder, struct error *e)
{
    struct bundle *b;
    struct error why = {0};
    enum status s = bundle_open(&b, folder, &why);
    size_t n = strlen(folder);
    bundle_free(b);
    if (s == STATUS_DATA)
        return error_set(e, STATUS_IO, "%s: the database is damaged: its bundle could not be read: %s", d->path,
                         strncmp(why.message, folder, n) == 0 ? why.message + n + 1 : why.message);
    return s == STATUS_OK ? s : error_set(e, s, "%s", why.message);
}

static enum status write_and_rename(struct db *d, int64_t task, const struct query_member *m, int n, const char *out_dir, struct error *e)
{
    char *folder = memory_format("%s.%ld.part", out_dir, (long)getpid());
    enum status s = STATUS_OK;
    if (mkdir(folder, 0777) != 0) {
        s = error_set(e, STATUS_CANNOT_CREATE, "%s: %s", folder, strerror(errno));
    } else {
        s = write_bundle(d, task, m, n, folder, e);
        if (s == STATUS_OK)
            s = check_written(d, folder, e);
        if (s == STATUS_OK && rename(folder, out_dir) != 0)
            s = error_set(e, STATUS_CANNOT_CREATE, "%s: %s", out_dir, strerror(errno));
        if (s != STATUS_OK)
            remove_folder(folder, n);
    }
    free(folder);
    return s;
}

enum status bundle_export(const char *db_path, const char *what, int64_t task, const char *out_dir, char **note, struct error *e)
{
    struct db *d;
    struct query_member *m = NULL;
    int n = 0;
    *note = NULL;
    if (access(out_dir, F_OK) == 0)
        return error_set(e, STATUS_CANNOT_CREATE, "%s: exists already; nothing was written", out_dir);
    TRY(query_open(&d, db_path, e));
    sigset_t before;
    interrupt_hold(&before);
    enum status s = members_of(d, what, &task, &m, &n, e);
    if (s == STATUS_OK)
        s = doubt(d, what, task, note, e);
    if (s == STATUS_OK && !*note && n > 1 && strcmp(what, "best") == 0)
        *note = memory_format("best: the %d trials of the best configuration, averaged", n);
    if (s == STATUS_OK)
        s = write_and_rename(d, task, m, n, out_dir, e);
    interrupt_release(&before);
    free(m);
    db_close(d);
    return s;
}
