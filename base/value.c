#include "base/value.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct value value_none(void)
{
    return (struct value){.kind = VALUE_NONE};
}

struct value value_bool(bool x)
{
    return (struct value){.kind = VALUE_BOOL, .truth = x};
}

struct value value_int(int64_t x)
{
    return (struct value){.kind = VALUE_INT, .integer = x};
}

struct value value_real(double x)
{
    return (struct value){.kind = VALUE_REAL, .real = x};
}

struct value value_text(const char *x)
{
    return (struct value){.kind = VALUE_TEXT, .text = memory_text(x)};
}

struct value value_list(int n, const struct value *items)
{
    struct value v = {.kind = VALUE_LIST, .n = n, .items = memory_new((size_t)n * sizeof *items)};
    for (int i = 0; i < n; i++)
        v.items[i] = value_copy(&items[i]);
    return v;
}

struct value value_copy(const struct value *v)
{
    if (v->kind == VALUE_TEXT)
        return value_text(v->text);
    return v->kind == VALUE_LIST ? value_list(v->n, v->items) : *v;
}

void value_fini(struct value *v)
{
    if (v->kind == VALUE_TEXT)
        free(v->text);
    if (v->kind == VALUE_LIST) {
        for (int i = 0; i < v->n; i++)
            value_fini(&v->items[i]);
        free(v->items);
    }
    *v = value_none();
}

double value_number(const struct value *v)
{
    return v->kind == VALUE_INT ? (double)v->integer : v->real;
}

static bool value_is_number(const struct value *v)
{
    return v->kind == VALUE_INT || v->kind == VALUE_REAL;
}

int value_compare(const struct value *a, const struct value *b)
{
    if (value_is_number(a) && value_is_number(b)) {
        double x = value_number(a), y = value_number(b);
        return (x > y) - (x < y);
    }
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == VALUE_BOOL)
        return a->truth - b->truth;
    if (a->kind == VALUE_TEXT)
        return strcmp(a->text, b->text);
    if (a->kind != VALUE_LIST)
        return 0;
    for (int i = 0; i < a->n && i < b->n; i++) {
        int order = value_compare(&a->items[i], &b->items[i]);
        if (order)
            return order;
    }
    return (a->n > b->n) - (a->n < b->n);
}

bool value_equal(const struct value *a, const struct value *b)
{
    return value_compare(a, b) == 0;
}

enum { REAL_TEXT = 40 };

static bool gives_back(double x, bool single, int digits, char text[REAL_TEXT])
{
    snprintf(text, REAL_TEXT, "%.*g", digits, x);
    return single ? strtof(text, NULL) == (float)x : strtod(text, NULL) == x;
}

/* With the fewest digits that give x back. One digit more is never farther away from x, so they can be bisected. */
static void shortest(double x, bool single, char text[REAL_TEXT])
{
    int fewest = 1, enough = single ? 9 : 17;
    if (gives_back(x, single, fewest, text))
        return;
    for (fewest++; fewest < enough;) {
        int middle = (fewest + enough) / 2;
        if (gives_back(x, single, middle, text))
            enough = middle;
        else
            fewest = middle + 1;
    }
    gives_back(x, single, fewest, text);
}

double value_of_float(float x)
{
    char text[REAL_TEXT];
    shortest((double)x, true, text);
    return strtod(text, NULL);
}

/* The text of a number that stays one of kind REAL: 1.0 is a share, 1 a count. */
static void put_real(const char *text, struct buffer *out)
{
    buffer_puts(out, text);
    if (!strpbrk(text, ".einf"))
        buffer_puts(out, ".0");
}

void value_print_real(double x, struct buffer *out)
{
    char text[REAL_TEXT];
    shortest(x, false, text);
    put_real(text, out);
}

static void json_text(const char *text, struct buffer *out)
{
    buffer_puts(out, "\"");
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            buffer_printf(out, "\\%c", *c);
        else if (*c < 0x20)
            buffer_printf(out, "\\u%04x", *c);
        else
            buffer_put_u8(out, *c);
    }
    buffer_puts(out, "\"");
}

void value_to_json(const struct value *v, struct buffer *out)
{
    switch (v->kind) {
    case VALUE_NONE:
        buffer_puts(out, "null");
        break;
    case VALUE_BOOL:
        buffer_puts(out, v->truth ? "true" : "false");
        break;
    case VALUE_INT:
        buffer_printf(out, "%lld", (long long)v->integer);
        break;
    case VALUE_REAL:
        if (isfinite(v->real))
            value_print_real(v->real, out);
        else
            buffer_puts(out, "null");
        break;
    case VALUE_TEXT:
        json_text(v->text, out);
        break;
    case VALUE_LIST:
        buffer_puts(out, "[");
        for (int i = 0; i < v->n; i++) {
            if (i)
                buffer_puts(out, ",");
            value_to_json(&v->items[i], out);
        }
        buffer_puts(out, "]");
    }
}

void value_print(const struct value *v, struct buffer *out)
{
    if (v->kind == VALUE_NONE) {
        buffer_puts(out, "none");
    } else if (v->kind == VALUE_TEXT) {
        buffer_puts(out, v->text);
    } else if (v->kind == VALUE_REAL) {
        char text[REAL_TEXT];
        snprintf(text, sizeof text, "%.6g", v->real);
        put_real(text, out);
    } else if (v->kind == VALUE_LIST) {
        buffer_puts(out, "[");
        for (int i = 0; i < v->n; i++) {
            if (i)
                buffer_puts(out, ", ");
            value_print(&v->items[i], out);
        }
        buffer_puts(out, "]");
    } else {
        value_to_json(v, out);
    }
}

struct value value_of_json(const struct json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_TRUE:
    case JSON_FALSE:
        return value_bool(json_is_true(j));
    case JSON_INTEGER:
        return value_int(json_integer_value(j));
    case JSON_REAL:
        return value_real(json_real_value(j));
    case JSON_STRING:
        return value_text(json_string_value(j));
    case JSON_ARRAY:
        break;
    default:
        return value_none();
    }
    struct value v = {.kind = VALUE_LIST, .n = (int)json_array_size(j)};
    v.items = memory_new((size_t)v.n * sizeof *v.items);
    for (int i = 0; i < v.n; i++)
        v.items[i] = value_of_json(json_array_get(j, (size_t)i));
    return v;
}

enum status value_from_json(const char *text, struct value *out, struct error *e)
{
    *out = value_none();
    json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);
    if (!j || json_is_object(j)) {
        json_decref(j);
        return error_set(e, STATUS_CONFIG, "\"%.80s\" is no value", text);
    }
    *out = value_of_json(j);
    json_decref(j);
    return STATUS_OK;
}
