#include "storage/config_space.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum status config_unknown(const char *path, const struct node *n, const char *where, const char *const *names, int n_names, struct error *e)
{
    const char *near = word_nearest(n->name, names, n_names);
    struct buffer known = {0};
    if (near)
        buffer_printf(&known, " (did you mean \"%s\"?)", near);
    for (int i = 0; !near && i < n_names; i++)
        buffer_printf(&known, "%s%s", i ? ", " : "; there are ", names[i]);
    error_set(e, STATUS_CONFIG, "%s%s%s: unknown key%s", where, *where ? "." : "", n->name, known.data ? known.data : "");
    buffer_fini(&known);
    return tree_place(path, n, e);
}

static struct dimension *add(struct space *s, char *name, const struct param *param, int line)
{
    s->dimensions = memory_resize(s->dimensions, (size_t)(s->n + 1) * sizeof *s->dimensions);
    s->dimensions[s->n] = (struct dimension){.name = name, .param = param, .line = line};
    return &s->dimensions[s->n++];
}

static enum status add_choice(struct dimension *d, const struct param *p, const struct value *v, struct error *e)
{
    struct value copy = value_copy(v);
    enum status s = param_check(p, &copy, e);
    if (s != STATUS_OK) {
        value_fini(&copy);
        return s;
    }
    d->choices = memory_resize(d->choices, (size_t)(d->n + 1) * sizeof *d->choices);
    d->choices[d->n++] = copy;
    return STATUS_OK;
}

static enum status range_number(const struct node *group, const char *name, const struct param *p, bool needed, double *out, struct error *e)
{
    const struct node *n = node_find(group, name);
    if (!n && !needed)
        return STATUS_OK;
    if (!n)
        return error_set(e, STATUS_CONFIG, "a range needs low and high; %s is missing", name);
    if (n->is_group || (n->value.kind != VALUE_INT && n->value.kind != VALUE_REAL))
        return error_set(e, STATUS_CONFIG, "%s must be a number", name);
    struct value copy = value_copy(&n->value);
    enum status s = p ? param_check(p, &copy, e) : STATUS_OK;
    *out = value_number(&n->value);
    value_fini(&copy);
    return s == STATUS_OK ? s : error_prefix(e, "%s", name);
}

/* So is what is not there. */
static bool is_whole(const struct node *group, const char *name)
{
    const struct node *n = node_find(group, name);
    return !n || (!n->is_group && n->value.kind == VALUE_INT);
}

static enum status take_range(const char *path, const struct node *n, const struct param *p, struct dimension *d, struct error *e)
{
    static const char *const keys[] = {"low", "high", "log", "step", "points"};
    double points = 0;
    for (int i = 0; i < n->n; i++) {
        bool known = false;
        for (int k = 0; k < 5; k++)
            known |= strcmp(n->children[i].name, keys[k]) == 0;
        if (!known)
            return config_unknown(path, &n->children[i], d->name, keys, 5, e);
    }
    if (!(p->accepts & (PARAM_INT | PARAM_REAL)) || p->accepts & PARAM_LIST) {
        error_set(e, STATUS_CONFIG, "space.%s takes no range", d->name);
        return tree_place(path, n, e);
    }
    d->is_range = true;
    d->whole = !(p->accepts & PARAM_REAL) || (p->accepts & PARAM_INT && is_whole(n, "low") && is_whole(n, "high") && is_whole(n, "step"));
    enum status s = range_number(n, "low", p, true, &d->low, e);
    if (s == STATUS_OK)
        s = range_number(n, "high", p, true, &d->high, e);
    if (s == STATUS_OK)
        s = range_number(n, "step", NULL, false, &d->step, e);
    if (s == STATUS_OK)
        s = range_number(n, "points", NULL, false, &points, e);
    const struct node *log = node_find(n, "log");
    if (s == STATUS_OK && log && (log->is_group || log->value.kind != VALUE_BOOL))
        s = error_set(e, STATUS_CONFIG, "log must be true or false");
    if (s == STATUS_OK && d->low > d->high)
        s = error_set(e, STATUS_CONFIG, "low = %g is above high = %g", d->low, d->high);
    if (s == STATUS_OK && (points < 0 || points > 100000 || d->step < 0))
        s = error_set(e, STATUS_CONFIG, "points and step must be above 0");
    d->points = (int)points;
    d->is_log = log && s == STATUS_OK && log->value.truth;
    if (s == STATUS_OK)
        return s;
    error_prefix(e, "space.%s", d->name);
    return tree_place(path, n, e);
}

/* One parameter: choices, a range, or a constant. */
static enum status take(const char *path, const struct node *n, char *name, const struct param *p, bool in_table, struct space *out,
                        struct error *e)
{
    struct dimension *d = add(out, name, in_table ? p : NULL, n->line);
    d->whole = !(p->accepts & PARAM_REAL);
    if (p->accepts & PARAM_REPORT && (n->is_group || (n->value.kind == VALUE_LIST && n->value.n > 1))) {
        error_set(e, STATUS_CONFIG, "space.%s: changes no model, only what is told of it, so it takes one value; others would make copies of each model", name);
        return tree_place(path, n, e);
    }
    if (n->is_group)
        return take_range(path, n, p, d, e);
    enum status s = STATUS_OK;
    if (n->value.kind == VALUE_LIST && n->value.n == 0)
        s = error_set(e, STATUS_CONFIG, "an empty list: at least one choice is needed");
    for (int i = 0; s == STATUS_OK && n->value.kind == VALUE_LIST && i < n->value.n; i++)
        s = add_choice(d, p, &n->value.items[i], e);
    if (s == STATUS_OK && n->value.kind != VALUE_LIST) {
        d->constant = true;
        s = add_choice(d, p, &n->value, e);
    }
    if (s == STATUS_OK)
        return s;
    error_prefix(e, "space.%s", name);
    return tree_place(path, n, e);
}

static enum status take_table(const char *path, const struct node *group, const struct param *table, struct space *out, struct error *e)
{
    const char *names[128];
    char where[80];
    int n_names = 0;
    for (const struct param *p = table; p->name && n_names < 128; p++)
        names[n_names++] = p->name;
    snprintf(where, sizeof where, "space.%s", group->name);
    if (!group->is_group) {
        error_set(e, STATUS_CONFIG, "%s: must be a group { .. }", where);
        return tree_place(path, group, e);
    }
    for (int i = 0; i < group->n; i++) {
        const struct node *n = &group->children[i];
        const struct param *p = param_find(table, n->name);
        if (!p)
            return config_unknown(path, n, where, names, n_names, e);
        TRY(take(path, n, memory_format("%s.%s", group->name, n->name), p, true, out, e));
    }
    return STATUS_OK;
}

const struct param *config_space_params(void)
{
    static char words[512];
    static const struct param table[] = {
        {"model", PARAM_WORD, 0, 0, words, NULL, "what is trained; one, or a list; default: all but majority and knn, which run in every task anyway"},
        {"channels", PARAM_WORD | PARAM_LIST | PARAM_LONE, 0, 0, "signed_size|size|payload|iat|direction", "[\"signed_size\"]",
         "what a packet is described by; ( [\"size\", \"iat\"], [\"signed_size\"] ) tries two such lists"},
        {0},
    };
    words[0] = '\0';
    for (int i = 0; model_kinds[i]; i++) {
        strncat(words, i ? "|" : "", sizeof words - strlen(words) - 1);
        strncat(words, model_kinds[i]->name, sizeof words - strlen(words) - 1);
    }
    return table;
}

static enum status take_child(const char *path, const struct node *n, const struct param *own, struct space *out, struct error *e)
{
    const char *names[64] = {"model", "channels", "train"};
    int n_names = 3;
    if (strcmp(n->name, "model") == 0)
        return take(path, n, memory_text("model"), &own[0], false, out, e);
    if (strcmp(n->name, "channels") == 0)
        return take(path, n, memory_text("channels"), &own[1], false, out, e);
    if (strcmp(n->name, "train") == 0)
        return take_table(path, n, train_params, out, e);
    const struct model_kind *kind = model_find(n->name);
    if (kind)
        return take_table(path, n, kind->params, out, e);
    for (int i = 0; model_kinds[i]; i++)
        names[n_names++] = model_kinds[i]->name;
    return config_unknown(path, n, "space", names, n_names, e);
}

/* model and channels are always there. */
static void complete(struct space *out)
{
    struct value v;
    if (!space_find(out, "model")) {
        struct dimension *d = add(out, memory_text("model"), NULL, 0);
        for (int i = 0; model_kinds[i]; i++) {
            if (model_kinds[i]->baseline)
                continue;
            d->choices = memory_resize(d->choices, (size_t)(d->n + 1) * sizeof *d->choices);
            d->choices[d->n++] = value_text(model_kinds[i]->name);
        }
    }
    if (!space_find(out, "channels")) {
        struct dimension *d = add(out, memory_text("channels"), NULL, 0);
        v = value_text("signed_size");
        d->choices = memory_new(sizeof *d->choices);
        d->choices[d->n++] = value_list(1, &v);
        value_fini(&v);
    }
}

enum status config_space(const char *path, const struct node *group, struct space *out, struct error *e)
{
    const struct param *own = config_space_params();
    *out = (struct space){0};
    enum status s = STATUS_OK;
    if (group && !group->is_group) {
        error_set(e, STATUS_CONFIG, "space: must be a group { .. }");
        return tree_place(path, group, e);
    }
    for (int i = 0; group && s == STATUS_OK && i < group->n; i++)
        s = take_child(path, &group->children[i], own, out, e);
    if (s == STATUS_OK)
        complete(out);
    else
        space_fini(out);
    return s;
}
