/* The study, its jobs, and the plan's trials. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"
#include "storage/db_private.h"

/* --- study --- */

/* The value of "key = value" in text, up to the line's end; n is 0 where there is no such key. */
static const char *line_value(const char *text, const char *key, size_t key_n, size_t *n)
{
    for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        if (strncmp(p, key, key_n) == 0 && strncmp(p + key_n, " = ", 3) == 0) {
            *n = strcspn(p + key_n + 3, "\n");
            return p + key_n + 3;
        }
    *n = 0;
    return "";
}

/* Lines of a whose value differs in b, as text. */
static void put_differences(const char *a, const char *b, bool only_missing, struct buffer *out)
{
    for (const char *p = a; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
        const char *equals = strstr(p, " = ");
        if (!equals)
            continue;
        size_t key_n = (size_t)(equals - p), n_a = strcspn(equals + 3, "\n"), n_b;
        const char *v = line_value(b, p, key_n, &n_b);
        bool missing = n_b == 0;
        if (missing != only_missing || (n_a == n_b && strncmp(equals + 3, v, n_a) == 0))
            continue;
        buffer_printf(out, "%s%.*s is %.*s there and %.*s here", out->size ? "; " : "", (int)key_n, p, only_missing ? 4 : (int)n_a,
                      only_missing ? "none" : equals + 3, only_missing ? (int)n_a : (int)n_b, only_missing ? equals + 3 : v);
    }
}

static enum status compare_study(struct db *d, const char *text, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    struct buffer differences = {0};
    TRY(sql_query(d, &s, e, "SELECT text FROM study", ""));
    enum status status = sql_step(d, s, &row, e);
    if (status == STATUS_OK && row && strcmp(sql_text(s, 0), text) != 0) {
        put_differences(sql_text(s, 0), text, false, &differences);
        put_differences(text, sql_text(s, 0), true, &differences);
        status = error_set(e, STATUS_CONFIG, "%s holds another study: %.600s; use another study.database, or --fresh", d->path,
                           differences.data ? differences.data : "its text differs");
    }
    buffer_fini(&differences);
    sql_end(s);
    return status;
}

static void put_form(const struct config *c, struct buffer *out)
{
    const struct value *blocks = params_get(&c->data, "blocks");
    buffer_printf(out, "{\"layout\":\"%s\",\"steps\":%d,\"blocks\":", params_text(&c->data, "layout"), (int)params_int(&c->data, "steps"));
    value_to_json(blocks, out);
    buffer_puts(out, "}");
}

enum status db_load_study(struct db *d, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    TRY(sql_query(d, &s, e, "SELECT metric FROM study", ""));
    enum status status = sql_step(d, s, &row, e);
    int metric = status == STATUS_OK && row ? metric_find(sql_text(s, 0)) : -1;
    sql_end(s);
    TRY(status);
    if (metric < 0)
        return error_set(e, STATUS_IO, "%s: holds no study yet", d->path);
    d->metric = (enum metric)metric;
    return STATUS_OK;
}

/* What databases before version 2 say is no word of now, and so another one: this engine came after them. */
static enum status check_arithmetic(struct db *d, const char *arithmetic, bool accept, struct error *e)
{
    int64_t differs = 0;
    TRY(sql_int(d, &differs, NULL, e, "SELECT count(*) FROM study WHERE arithmetic <> ?", "t", arithmetic));
    if (differs && !accept)
        return error_set(e, STATUS_CONFIG,
                         "%s: was begun on a system that computes other bits (its libraries or its flowsweep differ); go on there, or add "
                         "--accept-other-arithmetic: attempts then record which they used", d->path);
    return STATUS_OK;
}

enum status db_study(struct db *d, const struct config *c, const char *data_hash, const char *arithmetic, bool accept, double now, struct error *e)
{
    struct buffer text = {0}, form = {0};
    char hash[HASH_HEX];
    int64_t n = 0;
    config_study_text(c, data_hash, &text);
    hash_bytes(text.data, text.size, hash);
    put_form(c, &form);
    enum status s = sql_int(d, &n, NULL, e, "SELECT count(*) FROM study", "");
    if (s == STATUS_OK && n > 0)
        s = compare_study(d, text.data, e);
    if (s == STATUS_OK && n > 0)
        s = check_arithmetic(d, arithmetic, accept, e);
    else if (s == STATUS_OK && n == 0)
        s = sql_run(d, e, "INSERT INTO study VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "ttttititttr", params_text(&c->study, "name"), hash,
                    text.data, data_hash, params_int(&c->study, "seed"), params_text(&c->study, "metric"),
                    (int64_t)params_is(&c->data, "scaling_fit", "all"), form.data, arithmetic, FLOWSWEEP_VERSION, now);
    buffer_fini(&text);
    buffer_fini(&form);
    return s == STATUS_OK ? db_load_study(d, e) : s;
}

/* --- jobs --- */

static void read_processor(char out[128])
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[512];
    snprintf(out, 128, "unknown");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(out, 128, "%.120s", strchr(line, ':') + 2);
            break;
        }
    if (f)
        fclose(f);
}

enum status db_job_start(struct db *d, const struct config *c, int n_ranks, const char *arithmetic, double now, int64_t *job, struct error *e)
{
    char host[256] = "", processor[128];
    gethostname(host, sizeof host - 1);
    read_processor(processor);
    TRY(sql_run(d, e, "UPDATE job SET why = 'died' WHERE ended IS NULL AND why IS NULL", ""));
    TRY(sql_run(d, e, "INSERT INTO job (slurm_job, host, ranks, processor, config, started, arithmetic, placement) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                "ttittrtt", getenv("SLURM_JOB_ID"), host, (int64_t)n_ranks, processor, c->text ? c->text : "", now, arithmetic,
                params_text(&c->data, "placement")));
    *job = sql_last_id(d);
    return STATUS_OK;
}

enum status db_job_end(struct db *d, int64_t job, double now, const char *why, struct error *e)
{
    return sql_run(d, e, "UPDATE job SET ended = ?, why = ? WHERE id = ?", "rti", now, why, job);
}

enum status db_event(struct db *d, int64_t job, const char *what, const char *text, double now, struct error *e)
{
    return sql_run(d, e, "INSERT INTO event (job, at, what, text) VALUES (?, ?, ?, ?)", "irtt", job, now, what, text);
}

/* --- plan --- */

static void put_labels(const struct task *t, struct buffer *labels, struct buffer *counts)
{
    for (int k = 0; k < t->n_classes; k++) {
        struct value label = {.kind = VALUE_TEXT, .text = (char *)(uintptr_t)t->labels[k]};
        buffer_puts(labels, k ? "," : "[");
        value_to_json(&label, labels);
        buffer_printf(counts, "%s%lld", k ? "," : "[", (long long)t->counts[k]);
    }
    buffer_puts(labels, "]");
    buffer_puts(counts, "]");
}

static enum status insert_task(struct db *d, const struct config *c, const struct task *t, struct error *e)
{
    struct buffer labels = {0}, counts = {0};
    bool by_flows = t->spec.top_n < 0;
    put_labels(t, &labels, &counts);
    enum status s = sql_run(
        d, e,
        "INSERT INTO task (top_n, min_flows, steps, data_hash, split, n_classes, labels, counts, train_rows, stop_rows, validation_rows,"
        " test_rows, note) VALUES (nullif(?, -1), nullif(?, -1), ?, (SELECT data_hash FROM study), ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "iiititt" "iiiit", (int64_t)(by_flows ? -1 : t->spec.top_n), (int64_t)(by_flows ? t->spec.min_flows : -1), (int64_t)t->spec.steps,
        params_text(&c->data, "split.method"), (int64_t)t->n_classes, labels.data, counts.data, (int64_t)t->parts[PART_TRAIN].n,
        (int64_t)t->parts[PART_STOP].n, (int64_t)t->parts[PART_VALIDATION].n, (int64_t)t->parts[PART_TEST].n, t->note);
    buffer_fini(&labels);
    buffer_fini(&counts);
    return s;
}

static enum status put_task(struct db *d, const struct config *c, const struct task *t, int64_t *id, struct error *e)
{
    bool by_flows = t->spec.top_n < 0, found;
    TRY(sql_int(d, id, &found, e, "SELECT id FROM task WHERE ifnull(top_n, -1) = ? AND ifnull(min_flows, -1) = ? AND steps = ?", "iii",
                (int64_t)(by_flows ? -1 : t->spec.top_n), (int64_t)(by_flows ? t->spec.min_flows : -1), (int64_t)t->spec.steps));
    if (found)
        return STATUS_OK;
    TRY(insert_task(d, c, t, e));
    *id = sql_last_id(d);
    return STATUS_OK;
}

static enum status put_param(struct db *d, int64_t configuration, const struct params_entry *p, struct error *e)
{
    static const char text[] = "INSERT OR IGNORE INTO configuration_param VALUES (?, ?, ?)";
    struct buffer list = {0};
    enum status s;
    switch (p->value.kind) {
    case VALUE_NONE:
        return sql_run(d, e, text, "itt", configuration, p->name, "none");
    case VALUE_BOOL:
        return sql_run(d, e, text, "iti", configuration, p->name, (int64_t)p->value.truth);
    case VALUE_INT:
        return sql_run(d, e, text, "iti", configuration, p->name, p->value.integer);
    case VALUE_REAL:
        return sql_run(d, e, text, "itr", configuration, p->name, p->value.real);
    case VALUE_TEXT:
        return sql_run(d, e, text, "itt", configuration, p->name, p->value.text);
    default:
        value_to_json(&p->value, &list);
        s = sql_run(d, e, text, "itt", configuration, p->name, list.data);
        buffer_fini(&list);
        return s;
    }
}

/* Those that are not there yet: all of a new configuration; of an old one those that are younger than it, with the defaults that they have always had. */
static enum status put_params(struct db *d, int64_t configuration, const struct params *p, bool *added, struct error *e)
{
    int64_t there;
    bool found;
    TRY(sql_int(d, &there, &found, e, "SELECT count(*) FROM configuration_param WHERE configuration = ?", "i", configuration));
    if (there == p->n)
        return STATUS_OK;
    *added = true;
    struct buffer json = {0};
    params_to_json(p, &json);
    enum status s = sql_run(d, e, "UPDATE configuration SET params = ? WHERE id = ?", "ti", json.data, configuration);
    buffer_fini(&json);
    for (int i = 0; s == STATUS_OK && i < p->n; i++)
        s = put_param(d, configuration, &p->entries[i], e);
    return s;
}

static enum status put_configuration(struct db *d, const struct plan_configuration *c, int64_t *id, bool *added, struct error *e)
{
    bool found;
    TRY(sql_int(d, id, &found, e, "SELECT id FROM configuration WHERE hash = ?", "t", c->hash));
    if (!found) {
        TRY(sql_run(d, e, "INSERT INTO configuration (hash, model, params) VALUES (?, ?, '{}')", "tt", c->hash, c->kind->name));
        *id = sql_last_id(d);
        *added = true; /* of a model without parameters too */
    }
    return put_params(d, *id, &c->params, added, e);
}

static enum status put_trials(struct db *d, const struct plan *p, const int64_t *configurations, const int64_t *tasks, struct error *e)
{
    TRY(sql_exec(d, "CREATE TEMP TABLE IF NOT EXISTS planned (identity TEXT PRIMARY KEY); DELETE FROM planned", e));
    for (int i = 0; i < p->n_trials; i++) {
        const struct plan_trial *t = &p->trials[i];
        TRY(sql_run(d, e, "INSERT INTO planned VALUES (?)", "t", t->identity));
        TRY(sql_run(d, e, "INSERT OR IGNORE INTO trial (identity, configuration, task, fold, repeat, state) VALUES (?, ?, ?, ?, ?, 'queued')",
                    "tiiii", t->identity, configurations[t->configuration], tasks[t->task], (int64_t)t->fold, (int64_t)t->repeat));
    }
    return STATUS_OK;
}

static enum status settle_states(struct db *d, bool retry_failed, struct error *e)
{
    TRY(db_settle_attempts(d, e));
    TRY(db_set_aside_trials(d, e));
    TRY(sql_run(d, e, "UPDATE trial SET state = 'queued', error = NULL WHERE state = 'cancelled' AND identity IN (SELECT identity FROM planned)", ""));
    if (retry_failed)
        TRY(sql_run(d, e, "UPDATE trial SET state = 'queued', error = NULL WHERE state = 'failed'", ""));
    return sql_run(d, e, "UPDATE trial SET state = 'cancelled' WHERE state IN ('queued', 'paused', 'failed')"
                         " AND identity NOT IN (SELECT identity FROM planned)", "");
}

enum status db_plan(struct db *d, const struct config *c, const struct plan *p, struct task *const *tasks, bool retry_failed, struct error *e)
{
    int64_t *task_ids = memory_new((size_t)c->n_tasks * sizeof *task_ids);
    int64_t *ids = memory_new((size_t)p->n_configurations * sizeof *ids);
    bool added = false;
    enum status s = STATUS_OK;
    for (int i = 0; s == STATUS_OK && i < c->n_tasks; i++)
        s = put_task(d, c, tasks[i], &task_ids[i], e);
    for (int i = 0; s == STATUS_OK && i < p->n_configurations; i++)
        s = put_configuration(d, &p->configurations[i], &ids[i], &added, e);
    if (s == STATUS_OK)
        s = put_trials(d, p, ids, task_ids, e);
    if (s == STATUS_OK)
        s = settle_states(d, retry_failed, e);
    if (s == STATUS_OK && added)
        s = db_views(d, e);
    free(task_ids);
    free(ids);
    return s;
}

static enum status read_trial(struct db *d, const char *identity, struct db_trial *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    TRY(sql_query(d, &s, e,
                  "SELECT t.id, t.state, a.epoch FROM trial t LEFT JOIN artifact a ON a.trial = t.id AND a.role = 'checkpoint'"
                  " WHERE t.identity = ?", "t", identity));
    enum status status = sql_step(d, s, &row, e);
    if (status == STATUS_OK && row) {
        int state = trial_state_find(sql_text(s, 1));
        *out = (struct db_trial){sqlite3_column_int64(s, 0), state < 0 ? TRIAL_QUEUED : (enum trial_state)state, sqlite3_column_int(s, 2), 0};
    } else if (status == STATUS_OK) {
        status = error_set(e, STATUS_BUG, "trial %s of the plan is not in %s", identity, d->path);
    }
    sql_end(s);
    int64_t deaths = 0;
    if (status == STATUS_OK)
        status = db_trial_deaths(d, out->id, &deaths, e);
    out->deaths = (int)deaths;
    return status;
}

enum status db_trials(struct db *d, const struct plan *p, struct db_trial *out, struct error *e)
{
    for (int i = 0; i < p->n_trials; i++)
        TRY(read_trial(d, p->trials[i].identity, &out[i], e));
    return STATUS_OK;
}

static enum status read_state(struct db *d, const char *identity, enum trial_state *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    TRY(sql_query(d, &s, e, "SELECT state FROM trial WHERE identity = ?", "t", identity));
    enum status status = sql_step(d, s, &row, e);
    int state = status == STATUS_OK && row ? trial_state_find(sql_text(s, 0)) : -1;
    *out = state < 0 ? TRIAL_QUEUED : (enum trial_state)state;
    sql_end(s);
    return status;
}

enum status db_planned(const char *path, const struct config *c, const struct flows *f, const struct plan *p, enum trial_state *out, struct error *e)
{
    struct db *d;
    struct stat facts;
    struct buffer text = {0};
    char hash[HASH_HEX];
    if (stat(path, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size == 0)
        return error_set(e, STATUS_NO_INPUT, "%s: is empty", path); /* a run fills it */
    TRY(db_open_read(&d, path, e));
    flows_hash(f, hash); /* where there is no database nothing needs it */
    config_study_text(c, hash, &text);
    enum status s = compare_study(d, text.data, e);
    for (int i = 0; s == STATUS_OK && i < p->n_trials; i++)
        s = read_state(d, p->trials[i].identity, &out[i], e);
    buffer_fini(&text);
    db_close(d);
    return s == STATUS_OK ? db_held(path, e) : s;
}

enum status db_outcome(const char *path, char **why, int64_t *done, struct error *e)
{
    struct db *d;
    sqlite3_stmt *s = NULL;
    bool row = false;
    *why = NULL;
    TRY(db_open_read(&d, path, e));
    enum status status = sql_int(d, done, NULL, e, "SELECT count(*) FROM trial WHERE state IN ('done', 'failed')", "");
    if (status == STATUS_OK)
        status = sql_query(d, &s, e, "SELECT why FROM job WHERE ended IS NOT NULL AND id = (SELECT max(id) FROM job)", "");
    if (status == STATUS_OK)
        status = sql_step(d, s, &row, e);
    if (status == STATUS_OK && row)
        *why = memory_text(sql_text(s, 0));
    sql_end(s);
    db_close(d);
    return status;
}
