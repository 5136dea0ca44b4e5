/* Flows as CSV, plain or gzip. Written beside its name and renamed when whole. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "flows/synth.h"

enum { BLOCKS = 4 };

static void put_header(const struct flows *f, bool is_signed, struct buffer *out)
{
    static const char *const names[BLOCKS] = {"size", "payload", "iat", "direction"};
    buffer_puts(out, "label");
    for (int k = 0; k < (is_signed ? 1 : BLOCKS); k++)
        for (int t = 1; t <= f->steps; t++)
            buffer_printf(out, ",%s_%d", is_signed ? "signed_size" : names[k], t);
    buffer_puts(out, "\n");
}

/* A number without trailing zeros. */
static void put_number(double x, struct buffer *out)
{
    if (x == (double)(long)x)
        buffer_printf(out, ",%ld", (long)x);
    else
        buffer_printf(out, ",%.9g", x);
}

static double cell(const struct flows *f, size_t at, int block)
{
    switch (block) {
    case 0:
        return f->size[at] < 0 ? -(double)f->size[at] : (double)f->size[at];
    case 1:
        return (double)f->payload[at];
    case 2:
        return (double)f->iat[at];
    default:
        return f->direction[at];
    }
}

static void put_row(const struct flows *f, int i, bool is_signed, struct buffer *out)
{
    size_t row = (size_t)i * (size_t)f->steps;
    int padding = f->steps - f->length[i];
    buffer_puts(out, f->labels[f->label[i]]);
    for (int k = 0; k < (is_signed ? 1 : BLOCKS); k++)
        for (int t = 0; t < f->steps; t++) {
            int from = is_signed ? t : t - padding; /* blocks are padded in front */
            bool real = from >= 0 && from < f->length[i];
            put_number(!real ? 0 : is_signed ? (double)f->size[row + (size_t)from] : cell(f, row + (size_t)from, k), out);
        }
    buffer_puts(out, "\n");
}

static bool write_rows(gzFile to, const struct flows *f, bool is_signed, int first, int last)
{
    struct buffer line = {0};
    bool good = true;
    put_header(f, is_signed, &line);
    for (int i = first; good && i <= last; i++) {
        good = gzwrite(to, line.data, (unsigned)line.size) == (int)line.size;
        buffer_clear(&line);
        if (i < last)
            put_row(f, i, is_signed, &line);
    }
    buffer_fini(&line);
    return good;
}

enum status synth_write(const struct flows *f, const char *layout, int first, int last, const char *path, struct error *e)
{
    bool is_signed = strcmp(layout, "signed") == 0;
    size_t n = strlen(path);
    if (!is_signed && strcmp(layout, "blocks") != 0)
        return error_set(e, STATUS_USAGE, "--layout must be blocks or signed, not \"%s\"", layout);
    char *temporary = memory_format("%s.%ld.part", path, (long)getpid());
    gzFile to = gzopen(temporary, n > 3 && strcmp(path + n - 3, ".gz") == 0 ? "wb6" : "wbT");
    enum status s = to ? STATUS_OK : error_set(e, STATUS_CANNOT_CREATE, "%s: %s", path, strerror(errno));
    if (to) {
        bool good = write_rows(to, f, is_signed, first, last);
        good &= gzclose(to) == Z_OK;
        if (!good || rename(temporary, path) != 0)
            s = error_set(e, STATUS_CANNOT_CREATE, "%s: %s", path, strerror(errno));
        if (s != STATUS_OK)
            unlink(temporary);
    }
    free(temporary);
    return s;
}
