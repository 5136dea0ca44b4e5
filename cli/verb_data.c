#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cli/format.h"
#include "flows/inspect.h"
#include "flows/synth.h"

enum { SETS_MAX = 64 };

static enum status read_file(const char *path, struct params *data, struct flows *f, struct flows_report *r, struct error *e)
{
    *data = (struct params){0};
    TRY(flows_detect(path, true, 0, data, NULL, e));
    return flows_read(data, f, r, e);
}

static enum status run_inspect(const struct arguments *a, struct error *e)
{
    struct params data;
    struct flows f = {0};
    struct flows_report r = {0};
    struct table *tables = NULL;
    int n = 0;
    enum status s = read_file(a->positional[0], &data, &f, &r, e);
    if (s == STATUS_OK)
        s = inspect_flows(&data, &f, &r, &tables, &n, e);
    if (s == STATUS_OK)
        s = print_tables(a, tables, n, e);
    for (int i = 0; i < n; i++)
        table_fini(&tables[i]);
    free(tables);
    flows_report_fini(&r);
    flows_fini(&f);
    params_fini(&data);
    return s;
}

static enum status run_init(const struct arguments *a, struct error *e)
{
    struct params data;
    struct flows f = {0};
    struct flows_report r = {0};
    struct buffer out = {0};
    enum status s = read_file(a->positional[0], &data, &f, &r, e);
    if (s == STATUS_OK)
        s = inspect_config(&data, &f, &r, &out, e);
    if (s == STATUS_OK)
        s = print_text(&out, e);
    buffer_fini(&out);
    flows_report_fini(&r);
    flows_fini(&f);
    params_fini(&data);
    return s;
}

static const struct verb_option synth_options[] = {
    {"set", 0, "NAME=VALUE", "a parameter of the generator (flowsweep help synth); may be repeated"},
    {"layout", 0, "LAYOUT", "blocks (default, padded in front) or signed (padded at the end)"},
    {"first", 0, "ROW", "the first flow to write, counted from 0 (later ones are later in time)"},
    {"last", 0, "ROW", "write up to but without this flow"},
    {"out", 'o', "FILE", "the file to make; gzip where it ends in .gz (required)"},
    {0}};

static enum status set_one(struct params *p, const char *text, struct error *e)
{
    char name[64];
    int n = 0;
    if (sscanf(text, "%63[a-z_]=%n", name, &n) != 1 || n == 0)
        return error_set(e, STATUS_USAGE, "data synth: --set \"%s\": expected NAME=VALUE", text);
    const struct param *entry = param_find(synth_params, name);
    const char *near = param_suggest(synth_params, name);
    if (!entry)
        return error_set(e, STATUS_USAGE, "data synth: --set: the generator has no \"%s\"%s%s%s", name, near ? " (did you mean \"" : "",
                         near ? near : "", near ? "\"?)" : "");
    struct value v;
    if (value_from_json(text + n, &v, NULL) != STATUS_OK)
        v = value_text(text + n);
    enum status s = param_check(entry, &v, e);
    if (s == STATUS_OK)
        params_set(p, name, &v);
    else
        error_prefix(e, "data synth: --set %s", name);
    value_fini(&v);
    return s == STATUS_OK ? s : STATUS_USAGE;
}

static enum status synth(const struct arguments *a, struct params *p, const char *out, struct error *e)
{
    const char *sets[SETS_MAX];
    int n;
    TRY(argument_texts(a, "set", sets, SETS_MAX, &n, e));
    for (int i = 0; i < n; i++)
        TRY(set_one(p, sets[i], e));
    params_complete(p, NULL, synth_params);
    struct flows f = {0};
    TRY(synth_flows(p, &f, e));
    long first = 0, last = f.n;
    enum status s = argument_int(a, "first", 0, f.n - 1, &first, e);
    if (s == STATUS_OK)
        s = argument_int(a, "last", first + 1, f.n, &last, e);
    if (s == STATUS_OK)
        s = synth_write(&f, argument_text(a, "layout", "blocks"), (int)first, (int)last, out, e);
    flows_fini(&f);
    return s;
}

static enum status run_synth(const struct arguments *a, struct error *e)
{
    const char *out = argument_text(a, "out", NULL);
    if (!out)
        return error_set(e, STATUS_USAGE, "data synth: --out FILE is needed");
    struct params p = {0};
    enum status s = synth(a, &p, out, e);
    params_fini(&p);
    return s;
}

const struct verb verb_init = {"init", "FLOWS", "writes a commented configuration for a file to stdout", NULL, 1, 1, false, run_init};
const struct verb verb_data_inspect = {"data inspect", "FLOWS", "describes a file: layout, padding, labels, repeats, what will hurt", NULL, 1, 1,
                                       true, run_inspect};
const struct verb verb_data_synth = {"data synth", "", "makes synthetic flows from a seed", synth_options, 0, 0, false, run_synth};
