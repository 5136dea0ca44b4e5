#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/visible.h"
#include "cli/format.h"

enum { CELL_MAX = 60 }; /* longer texts are cut, but in the last column */

static int width_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80; /* UTF-8 continuation bytes take no room */
    return n;
}

static void put_visible(struct buffer *out, const char *text)
{
    size_t room = VISIBLE_GROWTH * strlen(text) + 1;
    char *shown = memory_new(room);
    visible_text(text, shown, room);
    buffer_puts(out, shown);
    free(shown);
}

static void put_value(const struct value *v, struct buffer *out)
{
    struct buffer raw = {0};
    value_print(v, &raw);
    put_visible(out, raw.data);
    buffer_fini(&raw);
}

/* Titles and notes may have several lines. */
static void put_lines(struct buffer *out, const char *text)
{
    char *copy = memory_text(text), *rest = copy;
    for (char *line; (line = strsep(&rest, "\n"));) {
        put_visible(out, line);
        buffer_puts(out, "\n");
    }
    free(copy);
}

/* Of columns whose names end in "bytes". */
static bool is_bytes(const char *name)
{
    size_t n = strlen(name);
    return n >= 5 && strcmp(name + n - 5, "bytes") == 0;
}

static void put_bytes(int64_t bytes, struct buffer *out)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double x = (double)bytes / 1024;
    int unit = 0;
    for (; x >= 1024 && unit < 3; unit++)
        x /= 1024;
    if (bytes < 1024)
        buffer_printf(out, "%d B", (int)bytes);
    else
        buffer_printf(out, x < 10 ? "%.1f %s" : "%.0f %s", x, units[unit]);
}

static void cell_text(const struct table *t, int row, int column, struct buffer *out)
{
    const struct value *v = table_cell(t, row, column);
    int decimals = t->columns[column].decimals;
    buffer_clear(out);
    if (v->kind == VALUE_NONE)
        return;
    bool vanishes = v->kind == VALUE_REAL && v->real != 0 && fabs(v->real) < 0.5 * pow(10, -decimals);
    if (v->kind == VALUE_INT && is_bytes(t->columns[column].name))
        put_bytes(v->integer, out);
    else if (v->kind == VALUE_REAL && decimals >= 0)
        buffer_printf(out, vanishes ? "%.*g" : "%.*f", decimals, v->real);
    else
        put_value(v, out);
    if (column < t->n_columns - 1 && width_of(out->data) > CELL_MAX) {
        size_t at = CELL_MAX - 2;
        while (at > 0 && ((unsigned char)out->data[at] & 0xC0) == 0x80)
            at--;
        out->size = at;
        buffer_puts(out, "..");
    }
}

static bool is_number(const struct table *t, int column)
{
    bool any = false;
    for (int r = 0; r < table_rows(t); r++) {
        enum value_kind kind = table_cell(t, r, column)->kind;
        if (kind != VALUE_NONE && kind != VALUE_INT && kind != VALUE_REAL)
            return false;
        any |= kind != VALUE_NONE;
    }
    return any;
}

static void put_cell(struct buffer *out, const char *text, int width, bool right, bool last)
{
    int pad = width - width_of(text);
    buffer_printf(out, "%*s", right ? pad : 0, "");
    buffer_puts(out, text);
    if (!last)
        buffer_printf(out, "%*s  ", right ? 0 : pad, "");
}

static void measure(const struct table *t, int *width, bool *right, struct buffer *cell)
{
    for (int c = 0; c < t->n_columns; c++) {
        right[c] = is_number(t, c);
        buffer_clear(cell);
        put_visible(cell, t->columns[c].name);
        width[c] = width_of(cell->data);
        for (int r = 0; r < table_rows(t); r++) {
            cell_text(t, r, c, cell);
            int w = cell->data ? width_of(cell->data) : 0;
            width[c] = w > width[c] ? w : width[c];
        }
    }
}

void format_table(const struct table *t, struct buffer *out)
{
    int *width = memory_new((size_t)t->n_columns * sizeof *width);
    bool *right = memory_new((size_t)t->n_columns * sizeof *right);
    struct buffer cell = {0};
    buffer_puts(&cell, "");
    measure(t, width, right, &cell);
    if (t->title)
        put_lines(out, t->title);
    for (int c = 0; c < t->n_columns && (table_rows(t) > 0 || !t->title); c++) {
        buffer_clear(&cell);
        put_visible(&cell, t->columns[c].name);
        put_cell(out, cell.data, width[c], right[c], c == t->n_columns - 1);
    }
    if (table_rows(t) > 0 || !t->title) /* of an empty one its title says all */
        buffer_puts(out, "\n");
    for (int r = 0; r < table_rows(t); r++) {
        for (int c = 0; c < t->n_columns; c++) {
            cell_text(t, r, c, &cell);
            put_cell(out, cell.data, width[c], right[c], c == t->n_columns - 1);
        }
        while (out->size && out->data[out->size - 1] == ' ')
            out->data[--out->size] = '\0';
        buffer_puts(out, "\n");
    }
    if (t->note)
        put_lines(out, t->note);
    buffer_fini(&cell);
    free(width);
    free(right);
}
