/* Flows as CSV, plain or gzip. A plain file is written beside its name and renamed when whole. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buffer.h"
#include "base/interrupt.h"
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

struct wanted { /* which flows, as what, where to */
    const struct flows *flows;
    bool is_signed;
    int first, last;  /* rows [first, last) */
    const char *path; /* as the user wrote it */
};

static bool write_rows(gzFile to, const struct wanted *w)
{
    struct buffer line = {0};
    bool good = true;
    put_header(w->flows, w->is_signed, &line);
    for (int i = w->first; good && i <= w->last; i++) {
        good = gzwrite(to, line.data, (unsigned)line.size) == (int)line.size && !interrupt_waits();
        buffer_clear(&line);
        if (i < w->last)
            put_row(w->flows, i, w->is_signed, &line);
    }
    buffer_fini(&line);
    return good;
}

static bool is_gzip(const char *path)
{
    size_t n = strlen(path);
    return n > 3 && strcmp(path + n - 3, ".gz") == 0;
}

/* Where a plain file is, or is to be: behind links. *out is NULL for what exists and is none: a pipe, a device. */
static enum status plain_file(const char *path, char **out, struct error *e)
{
    struct stat facts;
    *out = NULL;
    if (stat(path, &facts) == 0) {
        if (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode))
            return STATUS_OK;
        *out = realpath(path, NULL);
        return *out ? STATUS_OK : error_set(e, STATUS_CANNOT_CREATE, "%s: %s", path, strerror(errno));
    }
    if (lstat(path, &facts) == 0)
        return error_set(e, STATUS_CANNOT_CREATE, "%s: is a link to nothing", path);
    *out = memory_text(path);
    return STATUS_OK;
}

static enum status write_to(const char *file, const struct wanted *w, struct error *e)
{
    errno = 0;
    gzFile to = gzopen(file, is_gzip(w->path) ? "wb6" : "wbT");
    bool good = to && write_rows(to, w);
    int why = errno;
    if (to && gzclose(to) != Z_OK && good) {
        good = false;
        why = errno;
    }
    return good ? STATUS_OK : error_set(e, STATUS_CANNOT_CREATE, "%s: %s", w->path, strerror(why));
}

/* Beside its name, then renamed; a signal that ends the program takes it away first. */
static enum status replace(const char *file, const struct wanted *w, struct error *e)
{
    sigset_t before;
    char *temporary = memory_format("%s.%ld.part", file, (long)getpid());
    interrupt_hold(&before);
    enum status s = write_to(temporary, w, e);
    if (s == STATUS_OK && rename(temporary, file) != 0)
        s = error_set(e, STATUS_CANNOT_CREATE, "%s: %s", w->path, strerror(errno));
    if (s != STATUS_OK)
        unlink(temporary);
    interrupt_release(&before);
    free(temporary);
    return s;
}

enum status synth_write(const struct flows *f, const char *layout, int first, int last, const char *path, struct error *e)
{
    struct wanted w = {f, strcmp(layout, "signed") == 0, first, last, path};
    char *file;
    if (!w.is_signed && strcmp(layout, "blocks") != 0)
        return error_set(e, STATUS_USAGE, "--layout must be blocks or signed, not \"%s\"", layout);
    TRY(plain_file(path, &file, e));
    enum status s = file ? replace(file, &w, e) : write_to(path, &w, e);
    free(file);
    return s;
}
