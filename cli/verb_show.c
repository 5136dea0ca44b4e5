#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "storage/query.h"

static enum status run_json(const char *db, long trial, struct error *e)
{
    struct buffer out = {0};
    enum status s = query_show_json(db, trial, &out, e);
    if (s == STATUS_OK)
        s = print_text(&out, e);
    buffer_fini(&out);
    return s;
}

static enum status run(const struct arguments *a, struct error *e)
{
    long trial;
    const char *format = argument_text(a, "format", "table");
    TRY(positional_int(a->positional[1], "TRIAL", 1, 2147483647, &trial, e));
    if (strcmp(format, "json") == 0)
        return run_json(a->positional[0], trial, e);
    struct table *tables = NULL;
    int n = 0;
    enum status s = query_show(a->positional[0], trial, strcmp(format, "csv") == 0, &tables, &n, e);
    if (s == STATUS_OK)
        s = print_tables(a, tables, n, e);
    for (int i = 0; i < n; i++)
        table_fini(&tables[i]);
    free(tables);
    return s;
}

const struct verb verb_show = {"show", "DB TRIAL", "parameters, attempts, curves, per-class metrics, artifacts, a forest's importances", NULL, 2, 2, true, run};
