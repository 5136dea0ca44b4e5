#include "cli/format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static enum status written(bool good, struct error *e)
{
    return good || errno == EPIPE /* head has seen enough */ ? STATUS_OK : error_set(e, STATUS_IO, "standard output cannot be written: %s", strerror(errno));
}

enum status print_text(const struct buffer *text, struct error *e)
{
    return written((text->size == 0 || fwrite(text->data, 1, text->size, stdout) == text->size) && fflush(stdout) == 0, e);
}

enum status print_end(struct error *e)
{
    return written(fflush(stdout) == 0, e);
}

enum status print_tables(const struct arguments *a, const struct table *tables, int n, struct error *e)
{
    const char *format = argument_text(a, "format", "table");
    struct buffer out = {0};
    bool json = strcmp(format, "json") == 0;
    if (json && n > 1)
        buffer_puts(&out, "[\n");
    for (int i = 0; i < n; i++) {
        if (i)
            buffer_puts(&out, json ? ",\n" : "\n");
        if (json)
            format_json(&tables[i], &out);
        else if (strcmp(format, "csv") == 0)
            format_csv(&tables[i], &out);
        else
            format_table(&tables[i], &out);
    }
    if (json && n > 1)
        buffer_puts(&out, "]\n");
    enum status s = print_text(&out, e);
    buffer_fini(&out);
    return s;
}

enum status print_table(const struct arguments *a, const struct table *t, struct error *e)
{
    return print_tables(a, t, 1, e);
}
