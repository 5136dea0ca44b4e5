#include "cli/format.h"

void format_json_object(const struct table *t, int row, struct buffer *out)
{
    buffer_puts(out, "{");
    for (int c = 0; c < t->n_columns; c++) {
        struct value name = {.kind = VALUE_TEXT, .text = t->columns[c].name};
        buffer_puts(out, c ? ", " : "");
        value_to_json(&name, out);
        buffer_puts(out, ": ");
        value_to_json(table_cell(t, row, c), out);
    }
    buffer_puts(out, "}");
}

void format_json(const struct table *t, struct buffer *out)
{
    buffer_puts(out, "[");
    for (int r = 0; r < table_rows(t); r++) {
        buffer_puts(out, r ? ",\n " : "");
        format_json_object(t, r, out);
    }
    buffer_puts(out, "]\n");
}
