#include "storage/config_tree.h"

#include <ctype.h>
#include <errno.h>
#include <libconfig.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void node_fini(struct node *n)
{
    for (int i = 0; i < n->n; i++)
        node_fini(&n->children[i]);
    free(n->children);
    free(n->name);
    value_fini(&n->value);
    *n = (struct node){0};
}

struct node *node_find(const struct node *group, const char *name)
{
    for (int i = 0; i < group->n; i++)
        if (strcmp(group->children[i].name, name) == 0)
            return &group->children[i];
    return NULL;
}

enum status tree_place(const char *path, const struct node *n, struct error *e)
{
    return n->line > 0 ? error_prefix(e, "%s:%d", path, n->line) : error_prefix(e, "--set");
}

/* --- what libconfig would not tell --- */

/* Behind a comment or string that begins at p, or p itself. */
static const char *skip(const char *p)
{
    if (*p == '#' || (p[0] == '/' && p[1] == '/'))
        return p + strcspn(p, "\n");
    if (p[0] == '/' && p[1] == '*') {
        const char *end = strstr(p + 2, "*/");
        return end ? end + 2 : p + strlen(p);
    }
    if (*p != '"')
        return p;
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

static enum status check_number(const char *path, int line, const char *p, size_t n, struct error *e)
{
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)(n < 60 ? n : 60), p);
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    if (!hex && strpbrk(text, ".eE")) {
        if (isinf(strtod(text, NULL)))
            return error_set(e, STATUS_CONFIG, "%s:%d: %s is too large for a number", path, line, text);
        return STATUS_OK;
    }
    char *end;
    errno = 0;
    unsigned long long x = strtoull(text, &end, 0);
    if (errno || n >= 60 || x > (*end == 'L' ? 9223372036854775807ull : 2147483647ull))
        return error_set(e, STATUS_CONFIG, "%s:%d: %s is too large for a whole number (at most 2147483647)", path, line, text);
    return STATUS_OK;
}

/* The @ of an @include, or of text that libconfig might take for one; NULL where there is none. */
static const char *find_include(const char *text)
{
    for (const char *p = text; *p;) {
        const char *behind = skip(p);
        if (behind == p && *p == '@')
            return p;
        p = behind > p ? behind : p + 1;
    }
    return NULL;
}

static enum status refuse_include(const char *path, const char *text, struct error *e)
{
    const char *at = find_include(text);
    int line = 1;
    for (const char *p = text; at && p < at; p++)
        line += *p == '\n';
    return at ? error_set(e, STATUS_CONFIG, "%s:%d: @include is not taken: a configuration is one file", path, line) : STATUS_OK;
}

static enum status check_numbers(const char *path, const char *text, struct error *e)
{
    int line = 1;
    bool in_word = false;
    for (const char *p = text; *p;) {
        const char *behind = skip(p);
        if (behind > p) {
            for (; p < behind; p++)
                line += *p == '\n';
            in_word = false;
        } else if (!in_word && isdigit((unsigned char)*p)) {
            size_t n = strspn(p, "0123456789abcdefABCDEFxXL.");
            if (n && (p[n - 1] == 'e' || p[n - 1] == 'E') && (p[n] == '-' || p[n] == '+'))
                n += 1 + strspn(p + n + 1, "0123456789");
            TRY(check_number(path, line, p, n, e));
            p += n;
        } else {
            in_word = isalnum((unsigned char)*p) || *p == '_';
            line += *p++ == '\n';
        }
    }
    return STATUS_OK;
}

/* --- libconfig's settings as nodes --- */

static enum status take(const char *path, const config_setting_t *s, struct node *out, struct error *e);

static enum status take_scalar(const char *path, const config_setting_t *s, struct value *out, struct error *e)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_INT:
        *out = value_int(config_setting_get_int(s));
        return STATUS_OK;
    case CONFIG_TYPE_INT64:
        *out = value_int(config_setting_get_int64(s));
        return STATUS_OK;
    case CONFIG_TYPE_FLOAT:
        *out = value_real(config_setting_get_float(s));
        return STATUS_OK;
    case CONFIG_TYPE_BOOL:
        *out = value_bool(config_setting_get_bool(s));
        return STATUS_OK;
    case CONFIG_TYPE_STRING:
        *out = value_text(config_setting_get_string(s));
        return STATUS_OK;
    default:
        return error_set(e, STATUS_CONFIG, "%s:%d: a group { } cannot stand in a list", path, (int)config_setting_source_line(s));
    }
}

static enum status take_list(const char *path, const config_setting_t *s, struct value *out, struct error *e)
{
    int n = config_setting_length(s);
    enum status status = STATUS_OK;
    *out = (struct value){.kind = VALUE_LIST};
    out->items = memory_new((size_t)n * sizeof *out->items);
    for (; out->n < n && status == STATUS_OK; out->n += status == STATUS_OK) {
        const config_setting_t *item = config_setting_get_elem(s, (unsigned)out->n);
        bool list = config_setting_type(item) == CONFIG_TYPE_LIST || config_setting_type(item) == CONFIG_TYPE_ARRAY;
        status = list ? take_list(path, item, &out->items[out->n], e) : take_scalar(path, item, &out->items[out->n], e);
    }
    if (status != STATUS_OK)
        value_fini(out);
    return status;
}

static enum status take_group(const char *path, const config_setting_t *s, struct node *out, struct error *e)
{
    int n = config_setting_length(s);
    out->is_group = true;
    out->children = memory_new((size_t)n * sizeof *out->children);
    for (int i = 0; i < n; i++)
        TRY(take(path, config_setting_get_elem(s, (unsigned)i), &out->children[out->n++], e));
    return STATUS_OK;
}

static enum status take(const char *path, const config_setting_t *s, struct node *out, struct error *e)
{
    *out = (struct node){.name = memory_text(config_setting_name(s) ? config_setting_name(s) : ""), .line = (int)config_setting_source_line(s)};
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_GROUP:
        return take_group(path, s, out, e);
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_ARRAY:
        return take_list(path, s, &out->value, e);
    default:
        return take_scalar(path, s, &out->value, e);
    }
}

/* What libconfig makes of it; there is no @include in it. */
static enum status parse(const char *path, const char *text, struct node *out, struct error *e)
{
    config_t c;
    *out = (struct node){0};
    config_init(&c);
    enum status s = STATUS_OK;
    if (config_read_string(&c, text) != CONFIG_TRUE)
        s = error_set(e, STATUS_CONFIG, "%s:%d: %s; expected: %s", path, config_error_line(&c), config_error_text(&c),
                      strncmp(config_error_text(&c), "mismatched", 10) == 0 ? "values of one kind in [ .. ]; of different kinds, as in ( 3, \"none\" ), in ( .. )"
                                                                             : "name = value; or name = { .. };");
    else
        s = take(path, config_root_setting(&c), out, e);
    config_destroy(&c);
    if (s != STATUS_OK)
        node_fini(out);
    return s;
}

enum status tree_parse(const char *path, const char *text, struct node *out, struct error *e)
{
    *out = (struct node){0};
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) /* the mark that Windows' editors put before UTF-8 */
        text += 3;
    TRY(refuse_include(path, text, e));
    TRY(check_numbers(path, text, e));
    return parse(path, text, out, e);
}

/* --- --set --- */

static void clear_lines(struct node *n)
{
    n->line = 0;
    for (int i = 0; i < n->n; i++)
        clear_lines(&n->children[i]);
}

/* What is no libconfig value is a string, unless it begins as a list: so numbers are checked where it is one. */
static enum status parse_value(const char *text, struct node *out, struct error *e)
{
    struct node root = {0};
    char *line = memory_format("v = %s;", text);
    bool is_value = !find_include(line) && parse("--set", line, &root, NULL) == STATUS_OK && root.n == 1 && strcmp(root.children[0].name, "v") == 0;
    enum status s = is_value ? check_numbers("--set", line, e) : STATUS_OK;
    if (!is_value && (*text == '[' || *text == '('))
        s = error_set(e, STATUS_CONFIG, "--set: %s is no list; expected words in quotes, values of one kind in [ .. ], of different kinds in ( .. )", text);
    free(line);
    if (is_value && s == STATUS_OK) {
        *out = root.children[0];
        root.n = 0;
        clear_lines(out);
    } else {
        *out = (struct node){.value = value_text(text)};
    }
    node_fini(&root);
    free(out->name);
    out->name = NULL;
    if (s != STATUS_OK)
        node_fini(out);
    return s;
}

static struct node *child(struct node *group, const char *name, size_t n)
{
    for (int i = 0; i < group->n; i++)
        if (strlen(group->children[i].name) == n && memcmp(group->children[i].name, name, n) == 0)
            return &group->children[i];
    group->children = memory_resize(group->children, (size_t)(group->n + 1) * sizeof *group->children);
    group->children[group->n] = (struct node){.name = memory_format("%.*s", (int)n, name), .is_group = true};
    return &group->children[group->n++];
}

static void remove_child(struct node *group, const char *name)
{
    struct node *n = node_find(group, name);
    if (!n)
        return;
    node_fini(n);
    memmove(n, n + 1, (size_t)(group->children + --group->n - n) * sizeof *n);
}

enum status tree_set(struct node *root, const char *assignment, struct error *e)
{
    const char *equals = strchr(assignment, '=');
    struct node value, *at = root;
    if (!equals || equals == assignment || strspn(assignment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") !=
                                               (size_t)(equals - assignment))
        return error_set(e, STATUS_USAGE, "--set \"%s\": expected PATH=VALUE, as in study.seed=7", assignment);
    TRY(parse_value(equals + 1, &value, e));
    for (const char *p = assignment; p <= equals;) {
        size_t n = strcspn(p, ".=");
        if (!at->is_group || n == 0) {
            node_fini(&value);
            return error_set(e, STATUS_USAGE, "--set \"%s\": there is no such path", assignment);
        }
        at = child(at, p, n);
        p += n + 1;
    }
    value.name = at->name;
    at->name = NULL;
    node_fini(at);
    *at = value;
    struct node *task = node_find(root, "task"); /* the two exclude each other */
    if (task && strncmp(assignment, "task.top_n=", 11) == 0)
        remove_child(task, "min_flows");
    if (task && strncmp(assignment, "task.min_flows=", 15) == 0)
        remove_child(task, "top_n");
    return STATUS_OK;
}
