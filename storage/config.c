#include "storage/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "flows/synth.h"
#include "models/metrics.h"
#include "storage/config_space.h"
#include "storage/config_tree.h"

enum { FILE_MAX = 1 << 20, TASKS_MAX = 4096 };

const struct param study_params[] = {
    {"name", PARAM_TEXT, 0, 0, NULL, "\"study\"", "of the study"},
    {"database", PARAM_TEXT, 0, 0, NULL, NULL, "the results file; relative to the configuration (default: name and .db)"},
    {"seed", PARAM_INT, 0, 2147483647, NULL, "42", "names all random numbers of the study"},
    {"metric", PARAM_WORD, 0, 0,
     "accuracy|balanced_accuracy|macro_precision|macro_recall|macro_f1|weighted_precision|weighted_recall|weighted_f1|log_loss|top3_accuracy|top5_"
     "accuracy",
     "\"macro_f1\"", "what configurations are ranked and stopped by"},
    {0},
};
const struct param task_params[] = {
    {"top_n", PARAM_INT | PARAM_LIST | PARAM_LONE, 0, 2147483647, NULL, NULL, "most frequent classes to keep, one task each; 0: all"},
    {"min_flows", PARAM_INT | PARAM_LIST | PARAM_LONE, 1, 2147483647, NULL, NULL, "instead of top_n: classes with at least so many flows"},
    {"steps", PARAM_INT | PARAM_LIST | PARAM_LONE, 1, 65536, NULL, NULL, "first packets that a model may see (default: data.steps)"},
    {0},
};
const struct param keep_params[] = {
    {"probabilities", PARAM_INT, 1, 2147483647, NULL, "64", "trials of a task whose probabilities are kept, the best"},
    {"checkpoints", PARAM_INT, 1, 2147483647, NULL, "16", "checkpoints of a task that are kept"},
    {0},
};

/* One gang size a model. */
static const struct param *ranks_params(void)
{
    static struct param table[32];
    for (int i = 0; model_kinds[i] && i < 31; i++)
        table[i] = (struct param){model_kinds[i]->name, PARAM_INT, 1, 1000000, NULL, "1", "ranks that train one trial together"};
    return table;
}

/* --- reading groups --- */

struct source { /* of messages and paths */
    const char *path;
    char *folder; /* of the configuration, with its slash; owned */
};

static bool is_path(const char *where, const char *name)
{
    return (strcmp(where, "data") == 0 && (strcmp(name, "path") == 0 || strcmp(name, "meta") == 0 || strcmp(name, "test_path") == 0)) ||
           (strcmp(where, "data.split") == 0 && strcmp(name, "path") == 0) || (strcmp(where, "study") == 0 && strcmp(name, "database") == 0);
}

/* Paths in the file start at its folder; those of --set at the working directory. */
static void resolve(const struct source *s, const struct node *n, struct value *v)
{
    if (n->line == 0 || v->kind != VALUE_TEXT || v->text[0] == '/')
        return;
    char *whole = memory_format("%s%s", s->folder, v->text);
    value_fini(v);
    *v = value_text(whole);
    free(whole);
}

static enum status take_value(const struct source *s, const struct node *n, const char *where, const struct param *p, const char *prefix,
                              struct params *out, struct error *e)
{
    if (n->is_group) {
        error_set(e, STATUS_CONFIG, "%s.%s: must be a value, not a group { .. }", where, n->name);
        return tree_place(s->path, n, e);
    }
    struct value v = value_copy(&n->value);
    enum status status = v.kind == VALUE_LIST && v.n == 0 ? error_set(e, STATUS_CONFIG, "an empty list") : param_check(p, &v, e);
    if (status == STATUS_OK && strcmp(where, "budget") == 0) {
        double seconds;
        status = budget_seconds(&v, &seconds, e);
    }
    if (status == STATUS_OK) {
        char *name = memory_format("%s%s", prefix, n->name);
        if (is_path(where, n->name))
            resolve(s, n, &v);
        params_set(out, name, &v);
        free(name);
    } else {
        error_prefix(e, "%s.%s", where, n->name);
        tree_place(s->path, n, e);
    }
    value_fini(&v);
    return status;
}

static enum status unknown_key(const struct source *s, const struct node *n, const char *where, const struct param *table,
                               const char *const *groups, struct error *e)
{
    const char *names[128];
    int count = 0;
    for (; table->name && count < 100; table++)
        names[count++] = table->name;
    for (; groups && *groups; groups++)
        names[count++] = *groups;
    return config_unknown(s->path, n, where, names, count, e);
}

/* A group's values, checked; subgroups named in `groups` are left to the caller. */
static enum status take_group(const struct source *s, const struct node *root, const char *where, const struct param *table, const char *prefix,
                              const char *const *groups, struct params *out, struct error *e)
{
    const char *name = strrchr(where, '.') ? strrchr(where, '.') + 1 : where;
    const struct node *group = root ? node_find(root, name) : NULL;
    if (group && !group->is_group) {
        error_set(e, STATUS_CONFIG, "%s: must be a group { .. }", where);
        return tree_place(s->path, group, e);
    }
    for (int i = 0; group && i < group->n; i++) {
        const struct node *n = &group->children[i];
        const struct param *p = param_find(table, n->name);
        bool subgroup = false;
        for (const char *const *g = groups; g && *g; g++)
            subgroup |= strcmp(*g, n->name) == 0;
        if (subgroup)
            continue;
        if (!p)
            return unknown_key(s, n, where, table, groups, e);
        TRY(take_value(s, n, where, p, prefix, out, e));
    }
    char bare[16];
    snprintf(bare, sizeof bare, "%.*s", (int)(strlen(prefix) ? strlen(prefix) - 1 : 0), prefix);
    params_complete(out, *bare ? bare : NULL, table);
    return STATUS_OK;
}

/* --- tasks --- */

static struct value list_or(const struct params *p, const char *name, int64_t fallback)
{
    const struct value *v = params_get(p, name);
    struct value one = value_int(fallback);
    return v ? value_copy(v) : value_list(1, &one);
}

static enum status make_tasks(struct config *c, const struct params *task, struct error *e)
{
    bool by_flows = params_get(task, "min_flows") != NULL;
    int64_t most = params_int(&c->data, "steps");
    if (by_flows && params_get(task, "top_n"))
        return error_set(e, STATUS_CONFIG, "%s: task.top_n and task.min_flows exclude each other", c->path);
    struct value kept = list_or(task, by_flows ? "min_flows" : "top_n", 0), steps = list_or(task, "steps", most);
    int64_t n_tasks = (int64_t)kept.n * steps.n;
    enum status s = n_tasks <= TASKS_MAX ? STATUS_OK : error_set(e, STATUS_CONFIG, "%s: task: %d by %d values make %lld tasks; at most %d are taken",
                                                                 c->path, kept.n, steps.n, (long long)n_tasks, TASKS_MAX);
    c->tasks = s == STATUS_OK ? memory_new((size_t)n_tasks * sizeof *c->tasks) : NULL;
    for (int i = 0; s == STATUS_OK && i < kept.n; i++)
        for (int j = 0; j < steps.n; j++) {
            int n = (int)kept.items[i].integer, k = (int)steps.items[j].integer;
            if (!by_flows && n == 1)
                s = error_set(e, STATUS_CONFIG, "%s: task.top_n: 1 keeps a single class; expected 2 or more, or 0 for all", c->path);
            if (k > most)
                s = error_set(e, STATUS_CONFIG, "%s: task.steps: %d is more than the %lld packets of a row (data.steps)", c->path, k, (long long)most);
            struct task_spec spec = {by_flows ? -1 : n, by_flows ? n : 0, k};
            bool there = false;
            for (int t = 0; t < c->n_tasks; t++)
                there |= memcmp(&c->tasks[t], &spec, sizeof spec) == 0;
            if (!there)
                c->tasks[c->n_tasks++] = spec;
        }
    value_fini(&kept);
    value_fini(&steps);
    return s;
}

/* --- the whole --- */

static enum status check_groups(const struct source *s, const struct node *root, struct error *e)
{
    static const char *const names[] = {"study", "data", "task", "space", "search", "ranks", "budget", "keep"};
    for (int i = 0; i < root->n; i++) {
        bool known = false;
        for (int k = 0; k < 8; k++)
            known |= strcmp(root->children[i].name, names[k]) == 0;
        if (!known)
            return config_unknown(s->path, &root->children[i], "", names, 8, e);
    }
    return STATUS_OK;
}

static enum status complete_database(const struct source *s, struct config *c, struct error *e)
{
    if (!params_get(&c->study, "database")) {
        char *path = memory_format("%s%s.db", s->folder, params_text(&c->study, "name"));
        struct value v = value_text(path);
        params_set(&c->study, "database", &v);
        value_fini(&v);
        free(path);
    }
    const char *path = params_text(&c->study, "database");
    size_t n = strlen(path);
    if (n == 0 || path[n - 1] == '/')
        return error_set(e, STATUS_CONFIG, "%s: study.database: \"%s\" names no file", s->path, path);
    return STATUS_OK;
}

/* The generator reads no file: who names one does not mean it. */
static enum status check_no_file(const struct source *s, const struct node *data, struct error *e)
{
    static const char *const files[] = {"path", "meta", "test_path"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const struct node *file = node_find(data, files[i]);
        if (!file)
            continue;
        error_set(e, STATUS_CONFIG, "data.%s: is not read where data.source = \"synthetic\"; leave source and synth out to read a file", files[i]);
        return tree_place(s->path, file, e);
    }
    return STATUS_OK;
}

static enum status take_data(const struct source *s, const struct node *root, struct config *c, struct error *e)
{
    static const char *const groups[] = {"split", "synth", NULL};
    const struct node *data = node_find(root, "data");
    TRY(take_group(s, root, "data", data_params, "", groups, &c->data, e));
    TRY(take_group(s, data, "data.split", split_params, "split.", NULL, &c->data, e));
    bool synthetic = params_is(&c->data, "source", "synthetic");
    const struct node *synth = data ? node_find(data, "synth") : NULL;
    if (synth && !synthetic) {
        error_set(e, STATUS_CONFIG, "data.synth: belongs to data.source = \"synthetic\"");
        return tree_place(s->path, synth, e);
    }
    if (synthetic) {
        TRY(check_no_file(s, data, e));
        TRY(take_group(s, data, "data.synth", synth_params, "synth.", NULL, &c->data, e));
        params_set(&c->data, "steps", params_get(&c->data, "synth.steps"));
    } else if (!params_get(&c->data, "path")) {
        return error_set(e, STATUS_CONFIG, "%s: data.path is missing: which file holds the flows?", s->path);
    }
    return STATUS_OK;
}

/* A run that would stop before it began would say so at each launch, and never come further. */
static enum status take_budget(const struct source *s, const struct node *root, struct config *c, struct error *e)
{
    double wall = 0, margin = 0;
    TRY(take_group(s, root, "budget", budget_params, "", NULL, &c->budget, e));
    TRY(budget_seconds(params_get(&c->budget, "wall_time"), &wall, e));
    TRY(budget_seconds(params_get(&c->budget, "margin"), &margin, e));
    if (wall > 0 && wall <= margin) {
        error_set(e, STATUS_CONFIG, "budget.wall_time: %.0f s leave no time to train: the run stops %.0f s before (budget.margin)", wall, margin);
        return tree_place(s->path, node_find(node_find(root, "budget"), "wall_time"), e);
    }
    return STATUS_OK;
}

static enum status take_tree(const struct source *s, const struct node *root, struct config *c, struct error *e)
{
    struct params task = {0};
    TRY(check_groups(s, root, e));
    TRY(take_group(s, root, "study", study_params, "", NULL, &c->study, e));
    TRY(complete_database(s, c, e));
    TRY(take_data(s, root, c, e));
    TRY(take_group(s, root, "search", search_params, "", NULL, &c->search, e));
    TRY(take_budget(s, root, c, e));
    TRY(take_group(s, root, "ranks", ranks_params(), "", NULL, &c->ranks, e));
    TRY(take_group(s, root, "keep", keep_params, "", NULL, &c->keep, e));
    TRY(config_space(s->path, node_find(root, "space"), &c->space, e));
    enum status status = take_group(s, root, "task", task_params, "", NULL, &task, e);
    if (status == STATUS_OK)
        status = make_tasks(c, &task, e);
    params_fini(&task);
    return status;
}

static enum status read_file(const char *path, char **out, struct error *e)
{
    struct stat facts;
    *out = NULL;
    if (stat(path, &facts) != 0)
        return error_set(e, STATUS_NO_INPUT, "%s: %s", path, strerror(errno));
    if (!S_ISREG(facts.st_mode))
        return error_set(e, STATUS_NO_INPUT, "%s: is no regular file", path);
    if (facts.st_size > FILE_MAX)
        return error_set(e, STATUS_CONFIG, "%s: %lld bytes: a configuration has at most 1 MiB", path, (long long)facts.st_size);
    FILE *f = fopen(path, "rb");
    if (!f)
        return error_set(e, STATUS_NO_INPUT, "%s: %s", path, strerror(errno));
    char *text = memory_new((size_t)facts.st_size + 1);
    size_t n = fread(text, 1, (size_t)facts.st_size, f);
    fclose(f);
    if (strlen(text) != n) {
        free(text);
        return error_set(e, STATUS_CONFIG, "%s: a zero byte: this is no text", path);
    }
    *out = text;
    return STATUS_OK;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? memory_format("%.*s", (int)(slash - path + 1), path) : memory_text("");
}

enum status config_read(const char *path, const char *const *sets, int n, struct config *out, struct error *e)
{
    struct node root = {0};
    *out = (struct config){.path = memory_text(path)};
    struct source s = {out->path, folder_of(path)};
    enum status status = read_file(path, &out->text, e);
    if (status == STATUS_OK)
        status = tree_parse(path, out->text, &root, e);
    for (int i = 0; status == STATUS_OK && i < n; i++)
        status = tree_set(&root, sets[i], e);
    if (status == STATUS_OK)
        status = take_tree(&s, &root, out, e);
    free(s.folder);
    node_fini(&root);
    if (status != STATUS_OK)
        config_fini(out);
    return status;
}

void config_fini(struct config *c)
{
    params_fini(&c->study);
    params_fini(&c->data);
    params_fini(&c->search);
    params_fini(&c->budget);
    params_fini(&c->ranks);
    params_fini(&c->keep);
    space_fini(&c->space);
    free(c->tasks);
    free(c->path);
    free(c->text);
    *c = (struct config){0};
}

int config_ranks(const struct config *c, const struct model_kind *kind)
{
    return (int)params_int(&c->ranks, kind->name);
}

/* --- to workers and back: all but the space, which is the coordinator's --- */

/* Not as JSON, which has no place for the bytes of a path that are no UTF-8. */
static void put_value(const struct value *v, struct buffer *out)
{
    buffer_put_u8(out, (uint8_t)v->kind);
    if (v->kind == VALUE_BOOL)
        buffer_put_u8(out, v->truth);
    else if (v->kind == VALUE_INT)
        buffer_put_u64(out, (uint64_t)v->integer);
    else if (v->kind == VALUE_REAL)
        buffer_put_f64(out, v->real);
    else if (v->kind == VALUE_TEXT)
        buffer_put_string(out, v->text);
    else if (v->kind == VALUE_LIST)
        buffer_put_i32(out, v->n);
    for (int i = 0; v->kind == VALUE_LIST && i < v->n; i++)
        put_value(&v->items[i], out);
}

static struct value get_value(struct reader *r)
{
    struct value v = {.kind = (enum value_kind)reader_u8(r)};
    if (v.kind == VALUE_BOOL)
        v.truth = reader_u8(r) != 0;
    else if (v.kind == VALUE_INT)
        v.integer = (int64_t)reader_u64(r);
    else if (v.kind == VALUE_REAL)
        v.real = reader_f64(r);
    else if (v.kind == VALUE_TEXT)
        v.text = reader_string(r);
    else if (v.kind == VALUE_LIST)
        v.n = reader_i32(r);
    r->failed |= v.kind > VALUE_LIST || (v.kind == VALUE_LIST && (v.n < 0 || v.n > r->end - r->at));
    if (r->failed && v.kind != VALUE_TEXT)
        return value_none();
    if (v.kind == VALUE_LIST)
        v.items = memory_new((size_t)v.n * sizeof *v.items);
    for (int i = 0; v.kind == VALUE_LIST && i < v.n; i++)
        v.items[i] = get_value(r);
    return v;
}

static void put_params(const struct params *p, struct buffer *out)
{
    buffer_put_i32(out, p->n);
    for (int i = 0; i < p->n; i++) {
        buffer_put_string(out, p->entries[i].name);
        put_value(&p->entries[i].value, out);
    }
}

static void get_params(struct reader *r, struct params *out)
{
    int n = reader_i32(r);
    for (int i = 0; i < n && !r->failed; i++) {
        char *name = reader_string(r);
        struct value v = get_value(r);
        params_set(out, name, &v);
        value_fini(&v);
        free(name);
    }
}

void config_write(const struct config *c, struct buffer *out)
{
    const struct params *const sets[] = {&c->study, &c->data, &c->search, &c->budget, &c->ranks, &c->keep};
    for (int i = 0; i < 6; i++)
        put_params(sets[i], out);
    buffer_put_i32(out, c->n_tasks);
    for (int i = 0; i < c->n_tasks; i++) {
        buffer_put_i32(out, c->tasks[i].top_n);
        buffer_put_i32(out, c->tasks[i].min_flows);
        buffer_put_i32(out, c->tasks[i].steps);
    }
}

enum status config_decode(const void *bytes, size_t n, struct config *out, struct error *e)
{
    *out = (struct config){0};
    struct params *const sets[] = {&out->study, &out->data, &out->search, &out->budget, &out->ranks, &out->keep};
    struct reader r = reader_of(bytes, n);
    for (int i = 0; i < 6; i++)
        get_params(&r, sets[i]);
    int tasks = reader_i32(&r);
    if (r.failed || tasks < 0 || (size_t)tasks > n) {
        config_fini(out);
        return error_set(e, STATUS_BUG, "a broken configuration from the coordinator");
    }
    out->tasks = memory_new((size_t)tasks * sizeof *out->tasks);
    for (; out->n_tasks < tasks; out->n_tasks++) {
        struct task_spec *t = &out->tasks[out->n_tasks];
        t->top_n = reader_i32(&r);
        t->min_flows = reader_i32(&r);
        t->steps = reader_i32(&r);
    }
    return STATUS_OK;
}

/* --- the study's text --- */

void config_study_text(const struct config *c, const char *data_hash, struct buffer *out)
{
    static const char *const free_to_change[] = {"path", "meta", "test_path", "placement", "on_bad_row", "split.path"};
    buffer_printf(out, "data = %s\nstudy.seed = %lld\nstudy.metric = %s\n", data_hash, (long long)params_int(&c->study, "seed"),
                  params_text(&c->study, "metric"));
    for (int i = 0; i < c->data.n; i++) {
        bool free_one = false;
        for (size_t k = 0; k < sizeof free_to_change / sizeof *free_to_change; k++)
            free_one |= strcmp(c->data.entries[i].name, free_to_change[k]) == 0;
        if (free_one)
            continue;
        buffer_printf(out, "data.%s = ", c->data.entries[i].name);
        value_to_json(&c->data.entries[i].value, out);
        buffer_puts(out, "\n");
    }
}

/* --- for help --- */

int config_groups(struct config_group *out, int max)
{
    const struct config_group fixed[] = {
        {"study", "the study and its results file", study_params},
        {"data", "the flows", data_params},
        {"split", "data.split: training, stop, validation and test rows", split_params},
        {"synth", "data.synth: the generator, where data.source = \"synthetic\"", synth_params},
        {"task", "labels kept and packets seen; every combination is a task", task_params},
        {"space", "choices: [ .. ], ( .. ) where their kinds differ, or { low = ..; high = ..; }; with it train and a group a model", config_space_params()},
        {"train", "space.train: how networks are trained", train_params},
        {"search", "which points of the space are run", search_params},
        {"ranks", "size of the gang that trains a trial, by model", ranks_params()},
        {"budget", "times, as \"HH:MM:SS\" or seconds", budget_params},
        {"keep", "what stays in the results file, per task", keep_params},
    };
    int n = 0;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed && n < max; i++) {
        out[n++] = fixed[i];
        if (strcmp(fixed[i].name, "train") != 0)
            continue;
        for (int k = 0; model_kinds[k] && n < max; k++)
            out[n++] = (struct config_group){model_kinds[k]->name, model_kinds[k]->help, model_kinds[k]->params};
    }
    return n;
}

/* --- the plan --- */

static enum status shape_of(const struct config *c, const struct flows *f, int task, struct model_shape *out, struct error *e)
{
    struct task *t;
    TRY(task_new(&t, f, &c->data, &c->tasks[task], (uint64_t)params_int(&c->study, "seed"), 0, e));
    *out = (struct model_shape){.steps = c->tasks[task].steps, .n_classes = t->n_classes, .clip = (int)params_int(&c->data, "clip"),
                                .train_rows = t->parts[PART_TRAIN].n, .validation_rows = t->parts[PART_VALIDATION].n};
    task_free(t);
    return STATUS_OK;
}

enum status config_plan(const struct config *c, const struct flows *f, struct plan **out, struct error *e)
{
    struct model_shape *shapes = memory_new((size_t)c->n_tasks * sizeof *shapes);
    struct plan_request r = {.space = &c->space, .search = &c->search, .tasks = c->tasks, .shapes = shapes, .n_tasks = c->n_tasks,
                             .seed = (uint64_t)params_int(&c->study, "seed")};
    enum status s = STATUS_OK;
    *out = NULL;
    for (int k = 0; k < CHANNEL_COUNT; k++)
        r.has_channel[k] = f->channels >> k & 1;
    for (int t = 0; s == STATUS_OK && t < c->n_tasks; t++)
        s = shape_of(c, f, t, &shapes[t], e);
    if (s == STATUS_OK)
        s = plan_new(out, &r, e);
    free(shapes);
    if (s != STATUS_CONFIG || !e)
        return s;
    char *message = memory_text(e->message); /* samplers put the line before it */
    error_set(e, s, strspn(message, "0123456789") ? "%s:%s" : "%s: %s", c->path ? c->path : "configuration", message);
    free(message);
    return s;
}
