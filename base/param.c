#include "base/param.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { WORD_MAX = 64 };

static int distance(const char *a, const char *b)
{
    int row[WORD_MAX + 1], n = (int)strlen(b), m = (int)strlen(a);
    if (n > WORD_MAX || m > WORD_MAX)
        return WORD_MAX;
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; i <= m; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            int least = row[j] < row[j - 1] ? row[j] : row[j - 1];
            row[j] = change < least + 1 ? change : least + 1;
        }
    }
    return row[n];
}

const char *word_nearest(const char *word, const char *const *candidates, int n)
{
    const char *best = NULL;
    int least = (int)strlen(word) / 3 + 2;
    for (int i = 0; i < n; i++) {
        int d = distance(word, candidates[i]);
        if (d < least) {
            least = d;
            best = candidates[i];
        }
    }
    return best;
}

const struct param *param_find(const struct param *table, const char *name)
{
    for (; table && table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

const char *param_suggest(const struct param *table, const char *name)
{
    const char *names[128];
    int n = 0;
    for (; table && table->name && n < 128; table++)
        names[n++] = table->name;
    return word_nearest(name, names, n);
}

static void describe_range(const struct param *p, struct buffer *out)
{
    if (p->low == 0 && p->high == 0)
        return;
    if (isfinite(p->high) && p->high < 1e15)
        buffer_printf(out, p->accepts & PARAM_OPEN ? " above %.10g, up to %.10g" : " from %.10g to %.10g", p->low, p->high);
    else
        buffer_printf(out, p->accepts & PARAM_OPEN ? " above %.10g" : " of at least %.10g", p->low);
}

static void describe_words(const char *words, struct buffer *out)
{
    for (const char *w = words; w && *w;) {
        size_t n = strcspn(w, "|");
        buffer_printf(out, "%s%.*s", w == words ? "" : ", ", (int)n, w);
        w += n + (w[n] == '|');
    }
}

void param_describe(const struct param *p, struct buffer *out)
{
    const char *separator = p->accepts & PARAM_LIST ? "a list, each item " : "";
    if (p->accepts & PARAM_BOOL) {
        buffer_printf(out, "%strue or false", separator);
        separator = ", or ";
    }
    if (p->accepts & (PARAM_INT | PARAM_REAL)) {
        buffer_printf(out, "%s%s", separator, p->accepts & PARAM_REAL ? "a number" : "a whole number");
        describe_range(p, out);
        separator = ", or ";
    }
    if (p->accepts & PARAM_WORD) {
        buffer_printf(out, "%s%s", separator, strchr(p->words, '|') ? "one of " : "");
        describe_words(p->words, out);
        separator = ", or ";
    }
    if (p->accepts & PARAM_TEXT) {
        buffer_printf(out, "%stext", separator);
        separator = ", or ";
    }
    if (p->accepts & PARAM_NONE)
        buffer_printf(out, "%snone", separator);
}

static bool in_range(const struct param *p, double x)
{
    if (!isfinite(x))
        return false;
    if (p->low == 0 && p->high == 0)
        return true;
    return (p->accepts & PARAM_OPEN ? x > p->low : x >= p->low) && x <= p->high;
}

static bool word_listed(const char *words, const char *text)
{
    size_t n = strlen(text);
    for (const char *w = words; w && *w;) {
        size_t m = strcspn(w, "|");
        if (m == n && memcmp(w, text, n) == 0)
            return true;
        w += m + (w[m] == '|');
    }
    return false;
}

static bool accept_one(const struct param *p, struct value *v)
{
    switch (v->kind) {
    case VALUE_NONE:
        return p->accepts & PARAM_NONE;
    case VALUE_BOOL:
        return p->accepts & PARAM_BOOL;
    case VALUE_INT:
        if (!(p->accepts & PARAM_INT) && p->accepts & PARAM_REAL)
            *v = value_real((double)v->integer);
        return p->accepts & (PARAM_INT | PARAM_REAL) && in_range(p, value_number(v));
    case VALUE_REAL:
        return p->accepts & PARAM_REAL && in_range(p, v->real);
    case VALUE_TEXT:
        if (p->accepts & PARAM_NONE && strcmp(v->text, "none") == 0) {
            value_fini(v);
            return true;
        }
        return p->accepts & PARAM_TEXT || (p->accepts & PARAM_WORD && word_listed(p->words, v->text));
    default:
        return false;
    }
}

static const char *suggest_word(const char *words, const char *text)
{
    static const char *const none[1];
    if (!words)
        return NULL;
    char *copy = memory_text(words), *save = NULL;
    const char *list[64], *found = NULL;
    int n = 0;
    for (char *w = strtok_r(copy, "|", &save); w && n < 64; w = strtok_r(NULL, "|", &save))
        list[n++] = w;
    const char *near = word_nearest(text, n ? list : none, n);
    if (near)
        found = words + (near - copy);
    free(copy);
    return found;
}

enum status param_check(const struct param *p, struct value *v, struct error *e)
{
    bool good = true;
    struct value *culprit = v;
    if (p->accepts & PARAM_LONE && v->kind != VALUE_LIST) {
        struct value one = value_list(1, v);
        value_fini(v);
        *v = one;
    }
    if (p->accepts & PARAM_LIST) {
        good = v->kind == VALUE_LIST && v->n > 0;
        for (int i = 0; good && i < v->n; i++) {
            culprit = &v->items[i];
            good = accept_one(p, culprit);
        }
    } else {
        good = accept_one(p, v);
    }
    if (good)
        return STATUS_OK;
    struct buffer text = {0};
    buffer_puts(&text, "must be ");
    param_describe(p, &text);
    buffer_puts(&text, ", not ");
    if (culprit->kind == VALUE_LIST && culprit->n == 0)
        buffer_puts(&text, "an empty list");
    else
        value_to_json(culprit, &text);
    const char *near = culprit->kind == VALUE_TEXT ? suggest_word(p->words, culprit->text) : NULL;
    if (near)
        buffer_printf(&text, " (did you mean \"%.*s\"?)", (int)strcspn(near, "|"), near);
    error_set(e, STATUS_CONFIG, "%s", text.data);
    buffer_fini(&text);
    return STATUS_CONFIG;
}

/* Index of name, or where it would stand as -1 - index. */
static int params_place(const struct params *p, const char *name)
{
    int low = 0, high = p->n;
    while (low < high) {
        int middle = (low + high) / 2, order = strcmp(p->entries[middle].name, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1 - low;
}

void params_fini(struct params *p)
{
    for (int i = 0; i < p->n; i++) {
        free(p->entries[i].name);
        value_fini(&p->entries[i].value);
    }
    free(p->entries);
    *p = (struct params){0};
}

struct params params_copy(const struct params *p)
{
    struct params copy = {.entries = memory_new((size_t)p->n * sizeof *p->entries), .n = p->n};
    for (int i = 0; i < p->n; i++)
        copy.entries[i] = (struct params_entry){memory_text(p->entries[i].name), value_copy(&p->entries[i].value)};
    return copy;
}

void params_set(struct params *p, const char *name, const struct value *v)
{
    struct value copy = value_copy(v);
    int at = params_place(p, name);
    if (at >= 0) {
        value_fini(&p->entries[at].value);
        p->entries[at].value = copy;
        return;
    }
    at = -1 - at;
    p->entries = memory_resize(p->entries, (size_t)(p->n + 1) * sizeof *p->entries);
    memmove(p->entries + at + 1, p->entries + at, (size_t)(p->n - at) * sizeof *p->entries);
    p->entries[at] = (struct params_entry){memory_text(name), copy};
    p->n++;
}

void params_remove(struct params *p, const char *name)
{
    int at = params_place(p, name);
    if (at < 0)
        return;
    free(p->entries[at].name);
    value_fini(&p->entries[at].value);
    p->n--;
    memmove(p->entries + at, p->entries + at + 1, (size_t)(p->n - at) * sizeof *p->entries);
}

const struct value *params_get(const struct params *p, const char *name)
{
    int at = params_place(p, name);
    return at < 0 ? NULL : &p->entries[at].value;
}

static char *name_in(const char *group, const char *name, size_t n)
{
    return group ? memory_format("%s.%.*s", group, (int)n, name) : memory_format("%.*s", (int)n, name);
}

/* A condition on what is itself inactive does not hold. */
static bool is_active(const struct params *p, const char *group, const char *when)
{
    if (!when)
        return true;
    size_t n = strcspn(when, "!=");
    bool negated = when[n] == '!';
    char *name = name_in(group, when, n);
    const struct value *v = params_get(p, name);
    struct buffer text = {0};
    if (v)
        value_print(v, &text);
    bool listed = v && word_listed(when + n + negated + 1, text.data);
    buffer_fini(&text);
    free(name);
    return v && listed != negated;
}

void params_complete(struct params *p, const char *group, const struct param *table)
{
    for (; table && table->name; table++) {
        char *name = name_in(group, table->name, strlen(table->name));
        struct value v;
        if (!is_active(p, group, table->when))
            params_remove(p, name);
        else if (table->fallback && !params_get(p, name) && value_from_json(table->fallback, &v, NULL) == STATUS_OK) {
            enum status s = param_check(table, &v, NULL);
            assert(s == STATUS_OK);
            (void)s;
            params_set(p, name, &v);
            value_fini(&v);
        }
        free(name);
    }
}

static const struct value *params_need(const struct params *p, const char *name)
{
    const struct value *v = params_get(p, name);
    assert(v);
    return v;
}

bool params_bool(const struct params *p, const char *name)
{
    return params_need(p, name)->truth;
}

int64_t params_int(const struct params *p, const char *name)
{
    return params_need(p, name)->integer;
}

double params_real(const struct params *p, const char *name)
{
    return value_number(params_need(p, name));
}

const char *params_text(const struct params *p, const char *name)
{
    const struct value *v = params_need(p, name);
    return v->kind == VALUE_TEXT ? v->text : NULL;
}

bool params_is(const struct params *p, const char *name, const char *word)
{
    const struct value *v = params_get(p, name);
    return v && v->kind == VALUE_TEXT && strcmp(v->text, word) == 0;
}

void params_to_json(const struct params *p, struct buffer *out)
{
    buffer_puts(out, "{");
    for (int i = 0; i < p->n; i++) {
        struct value name = {.kind = VALUE_TEXT, .text = p->entries[i].name};
        if (i)
            buffer_puts(out, ",");
        value_to_json(&name, out);
        buffer_puts(out, ":");
        value_to_json(&p->entries[i].value, out);
    }
    buffer_puts(out, "}");
}

void params_of_json(const struct json_t *object, struct params *out)
{
    const char *name;
    json_t *item;
    *out = (struct params){0};
    json_object_foreach((json_t *)object, name, item)
    {
        struct value v = value_of_json(item);
        params_set(out, name, &v);
        value_fini(&v);
    }
}

enum status params_from_json(const char *text, struct params *out, struct error *e)
{
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    enum status s = json_is_object(object) ? STATUS_OK : error_set(e, STATUS_CONFIG, "parameters: no JSON object");
    params_of_json(s == STATUS_OK ? object : NULL, out);
    json_decref(object);
    return s;
}
