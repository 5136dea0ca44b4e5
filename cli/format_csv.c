#include <string.h>

#include "cli/format.h"

static void put_text(const char *text, struct buffer *out)
{
    if (!strpbrk(text, ",\"\r\n")) {
        buffer_puts(out, text);
        return;
    }
    buffer_puts(out, "\"");
    for (; *text; text++) {
        if (*text == '"')
            buffer_puts(out, "\"");
        buffer_put_u8(out, (uint8_t)*text);
    }
    buffer_puts(out, "\"");
}

static void put_cell(const struct value *v, struct buffer *out)
{
    if (v->kind == VALUE_NONE)
        return;
    struct buffer text = {0};
    if (v->kind == VALUE_TEXT)
        buffer_puts(&text, v->text);
    else
        value_to_json(v, &text);
    put_text(text.data, out);
    buffer_fini(&text);
}

void format_csv(const struct table *t, struct buffer *out)
{
    for (int c = 0; c < t->n_columns; c++) {
        buffer_puts(out, c ? "," : "");
        put_text(t->columns[c].name, out);
    }
    buffer_puts(out, "\n");
    for (int r = 0; r < table_rows(t); r++) {
        for (int c = 0; c < t->n_columns; c++) {
            buffer_puts(out, c ? "," : "");
            put_cell(table_cell(t, r, c), out);
        }
        buffer_puts(out, "\n");
    }
}
