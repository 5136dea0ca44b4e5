#include "flows/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNK = 1 << 20, RECORD_MAX = 1 << 26 };

enum status source_check(const char *path, struct error *e)
{
    struct stat facts;
    if (stat(path, &facts) != 0)
        return error_set(e, STATUS_NO_INPUT, "%s: %s", path, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return error_set(e, STATUS_NO_INPUT, "%s: is a folder, not a file", path);
    if (!S_ISREG(facts.st_mode))
        return error_set(e, STATUS_NO_INPUT, "%s: is no regular file, and it is read more than once; write it to a file first", path);
    return STATUS_OK;
}

enum status source_open(struct source *s, const char *path, struct error *e)
{
    *s = (struct source){.path = path, .next_line = 1};
    TRY(source_check(path, e));
    s->capacity = 2 * (size_t)CHUNK;
    s->buffer = malloc(s->capacity + 1);
    if (!s->buffer)
        return error_set(e, STATUS_MEMORY, "%s: no memory to read it", path);
    errno = 0;
    s->file = gzopen(path, "rb");
    if (!s->file) {
        enum status status = errno == ENOMEM || errno == 0 ? STATUS_MEMORY : STATUS_NO_INPUT;
        error_set(e, status, "%s: %s", path, errno ? strerror(errno) : "no memory to read it");
        source_close(s);
        return status;
    }
    gzbuffer(s->file, 1 << 18);
    return STATUS_OK;
}

void source_close(struct source *s)
{
    if (s->file)
        gzclose(s->file);
    free(s->buffer);
    *s = (struct source){0};
}

static enum status read_failed(const struct source *s, struct error *e)
{
    int code = Z_OK;
    const char *words = gzerror(s->file, &code);
    if (code == Z_BUF_ERROR)
        return error_set(e, STATUS_DATA, "%s:%lld: the gzip data is cut off here", s->path, (long long)s->next_line);
    if (code == Z_ERRNO)
        return error_set(e, STATUS_IO, "%s: %s", s->path, strerror(errno));
    if (code == Z_MEM_ERROR)
        return error_set(e, STATUS_MEMORY, "%s: no memory to unpack it", s->path);
    return error_set(e, STATUS_DATA, "%s:%lld: the gzip data is damaged (%s)", s->path, (long long)s->next_line, words);
}

static void skip_mark(struct source *s)
{
    if (s->bytes == 0 && s->end >= 3 && memcmp(s->buffer, "\xef\xbb\xbf", 3) == 0)
        s->start = 3;
}

/* Moves what is left to the front and appends a chunk. */
static enum status fill(struct source *s, struct error *e)
{
    size_t left = s->end - s->start;
    memmove(s->buffer, s->buffer + s->start, left);
    s->start = 0;
    s->end = left;
    if (s->capacity - left < CHUNK) {
        if (s->capacity > RECORD_MAX)
            return error_set(e, STATUS_DATA, "%s:%lld: longer than %d MB: no line of flows, or a quote that is not closed",
                             s->path, (long long)s->next_line, RECORD_MAX >> 20);
        char *grown = realloc(s->buffer, 2 * s->capacity + 1);
        if (!grown)
            return error_set(e, STATUS_MEMORY, "%s: no memory to read it", s->path);
        s->buffer = grown;
        s->capacity *= 2;
    }
    int n = gzread(s->file, s->buffer + left, CHUNK);
    int code = Z_OK;
    if (n < CHUNK)
        gzerror(s->file, &code);
    if (n < 0 || (code != Z_OK && code != Z_STREAM_END))
        return read_failed(s, e);
    s->end += (size_t)n;
    skip_mark(s);
    s->bytes += n;
    s->at_end = n < CHUNK;
    return STATUS_OK;
}

/* The end of the record that starts at `from`: the first line end outside quotes, or NULL. Lines counts the ends within. */
static char *record_end(char *from, char *end, int64_t *lines)
{
    char *newline = memchr(from, '\n', (size_t)(end - from)), *stop = newline ? newline : end;
    char *quote = memchr(from, '"', (size_t)(stop - from));
    *lines = 0;
    if (!quote)
        return newline;
    bool inside = false;
    for (char *p = quote; p < end; p++) {
        inside ^= *p == '"';
        if (*p == '\n' && !inside)
            return p;
        *lines += *p == '\n';
    }
    return inside ? NULL : end; /* end: whole but for its line end */
}

static bool is_blank(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] != ' ' && text[i] != '\t')
            return false;
    return true;
}

/* One record, blank or not. */
static enum status next_record(struct source *s, struct record *r, struct error *e)
{
    int64_t lines = 0;
    char *end;
    *r = (struct record){.line = s->next_line};
    for (;;) {
        char *from = s->buffer + s->start, *limit = s->buffer + s->end;
        end = record_end(from, limit, &lines);
        if ((end && end < limit) || s->at_end)
            break;
        TRY(fill(s, e));
    }
    if (s->start == s->end)
        return STATUS_OK;
    if (!end && lines + (memchr(s->buffer + s->start, '"', s->end - s->start) != NULL) > 0)
        return error_set(e, STATUS_DATA, "%s:%lld: a quote is not closed", s->path, (long long)r->line);
    if (!end)
        end = s->buffer + s->end;
    r->text = s->buffer + s->start;
    r->n = (size_t)(end - r->text);
    s->start += r->n + (s->start + r->n < s->end);
    s->next_line += lines + 1;
    if (r->n && r->text[r->n - 1] == '\r')
        r->n--;
    r->text[r->n] = '\0';
    return STATUS_OK;
}

enum status source_next(struct source *s, struct record *r, struct error *e)
{
    do
        TRY(next_record(s, r, e));
    while (r->text && is_blank(r->text, r->n));
    return STATUS_OK;
}

int record_fields(const struct record *r)
{
    int n = 1;
    bool inside = false;
    for (size_t i = 0; i < r->n; i++) {
        inside ^= r->text[i] == '"';
        n += r->text[i] == ',' && !inside;
    }
    return n;
}

/* Takes the quotes off a field in place; its length, or -1 where text follows the closing quote. */
static long unquote(char *field, char **behind)
{
    char *to = field, *p = field + 1;
    for (; *p; p++) {
        if (*p == '"' && *++p != '"')
            break;
        *to++ = *p;
    }
    *behind = p;
    bool closed = *p == ',' || *p == '\0';
    if (closed && *p == ',')
        *behind = p;
    long n = to - field;
    return closed ? n : -1;
}

char *record_field(char **at, size_t *n)
{
    char *field = *at, *behind;
    if (*field == '"') {
        long length = unquote(field, &behind);
        if (length < 0)
            return NULL;
        *n = (size_t)length;
    } else {
        behind = strchrnul(field, ',');
        *n = (size_t)(behind - field);
    }
    *at = *behind == ',' ? behind + 1 : NULL;
    field[*n] = '\0';
    return field;
}
