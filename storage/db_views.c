/* The views trials and configs: one column a parameter in use, one a metric. */
#include <string.h>

#include "storage/db_private.h"

static const char *const view_parts[] = {"validation", "stop"};

/* Columns of what is not a metric, up to the parameters. */
static const char trials_head[] =
    "CREATE VIEW trials AS SELECT t.id AS trial, t.state, c.model, t.task, k.top_n, k.min_flows, k.steps, t.fold, t.repeat";
static const char configs_head[] =
    "CREATE VIEW configs AS SELECT c.id AS configuration, c.model, g.task, k.top_n, k.min_flows, k.steps, g.n";

static void put_name(struct buffer *out, const char *name)
{
    buffer_puts(out, "\"");
    for (; *name; name++)
        buffer_printf(out, *name == '"' ? "\"\"" : "%c", *name);
    buffer_puts(out, "\"");
}

/* Parameters as columns; "train." is dropped. */
static enum status put_params(struct db *d, struct buffer *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    enum status status = sql_query(d, &s, e, "SELECT DISTINCT name FROM configuration_param WHERE name <> 'model' ORDER BY name", "");
    while (status == STATUS_OK && (status = sql_step(d, s, &row, e)) == STATUS_OK && row) {
        const char *name = sql_text(s, 0);
        buffer_printf(out, ", (SELECT value FROM configuration_param p WHERE p.configuration = c.id AND p.name = '%s') AS ", name);
        put_name(out, strncmp(name, "train.", 6) == 0 ? name + 6 : name);
    }
    sql_end(s);
    return status;
}

static void put_trial_metrics(struct buffer *out)
{
    for (int p = 0; p < 2; p++)
        for (int m = 0; m < METRIC_COUNT; m++)
            buffer_printf(out,
                          ", (SELECT value FROM metric m WHERE m.trial = t.id AND m.part = '%s' AND m.name = '%s' AND m.epoch IS NULL)"
                          " AS %s_%s",
                          view_parts[p], metric_names[m], view_parts[p], metric_names[m]);
}

static void put_config_metrics(struct buffer *out)
{
    static const char *const columns[][2] = {{"mean", ""}, {"sd", "_sd"}, {"low", "_low"}, {"high", "_high"}};
    for (int p = 0; p < 2; p++)
        for (int m = 0; m < METRIC_COUNT; m++)
            for (int k = 0; k < 4; k++)
                buffer_printf(out,
                              ", (SELECT %s FROM configuration_metric m WHERE m.configuration = c.id AND m.task = g.task AND m.part = '%s'"
                              " AND m.name = '%s') AS %s_%s%s",
                              columns[k][0], view_parts[p], metric_names[m], view_parts[p], metric_names[m], columns[k][1]);
}

enum status db_views(struct db *d, struct error *e)
{
    struct buffer text = {0};
    buffer_puts(&text, "DROP VIEW IF EXISTS trials; DROP VIEW IF EXISTS configs;");
    buffer_puts(&text, trials_head);
    enum status s = put_params(d, &text, e);
    buffer_puts(&text, ", ifnull((SELECT a.epoch FROM artifact a WHERE a.trial = t.id AND a.role = 'checkpoint'), t.epochs) AS epochs_run, round(t.wall_s, 3) AS wall_s, t.error");
    put_trial_metrics(&text);
    buffer_puts(&text, " FROM trial t JOIN configuration c ON c.id = t.configuration JOIN task k ON k.id = t.task;");
    buffer_puts(&text, configs_head);
    if (s == STATUS_OK)
        s = put_params(d, &text, e);
    put_config_metrics(&text);
    buffer_puts(&text, " FROM (SELECT configuration, task, max(n) AS n FROM configuration_metric GROUP BY configuration, task) g"
                       " JOIN configuration c ON c.id = g.configuration JOIN task k ON k.id = g.task;");
    if (s == STATUS_OK)
        s = sql_exec(d, text.data, e);
    buffer_fini(&text);
    return s;
}
