#include "flows/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 20, RAW = 1 << 18, RECORD_MAX = 1 << 26 };

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
    *s = (struct source){.path = path, .file = -1, .next_line = 1};
    TRY(source_check(path, e));
    s->file = open(path, O_RDONLY | O_CLOEXEC);
    if (s->file < 0)
        return error_set(e, STATUS_NO_INPUT, "%s: %s", path, strerror(errno));
    unsigned char mark[2];
    s->packed = pread(s->file, mark, 2, 0) == 2 && mark[0] == 0x1f && mark[1] == 0x8b;
    s->within = s->packed;
    s->capacity = 2 * (size_t)CHUNK;
    s->buffer = malloc(s->capacity + 1);
    s->raw = s->packed ? malloc(RAW) : NULL;
    bool ready = s->buffer && (!s->packed || (s->raw && inflateInit2(&s->unpacking, 15 + 16) == Z_OK));
    if (ready)
        return STATUS_OK;
    s->packed = false;
    source_close(s);
    return error_set(e, STATUS_MEMORY, "%s: no memory to read it", path);
}

void source_close(struct source *s)
{
    if (s->packed)
        inflateEnd(&s->unpacking);
    if (s->path && s->file >= 0)
        close(s->file);
    free(s->raw);
    free(s->buffer);
    *s = (struct source){.file = -1};
}

/* Bytes of the file; 0 at its end. */
static enum status read_raw(const struct source *s, void *to, size_t most, size_t *n, struct error *e)
{
    ssize_t got;
    do
        got = read(s->file, to, most);
    while (got < 0 && errno == EINTR);
    *n = got > 0 ? (size_t)got : 0;
    return got < 0 ? error_set(e, STATUS_IO, "%s: %s", s->path, strerror(errno)) : STATUS_OK;
}

static enum status damaged(const struct source *s, const char *what, struct error *e)
{
    return error_set(e, STATUS_DATA, "%s:%lld: the gzip data is damaged (%s)", s->path, (long long)s->next_line, what);
}

/* Behind a member: another one, or zeros, with which tapes are filled up. */
static enum status next_member(struct source *s, struct error *e)
{
    z_stream *z = &s->unpacking;
    while (z->avail_in && *z->next_in == 0) {
        z->next_in++;
        z->avail_in--;
    }
    if (z->avail_in == 0)
        return STATUS_OK;
    if (*z->next_in != 0x1f)
        return damaged(s, "what follows here is none", e);
    s->within = inflateReset(z) == Z_OK;
    return STATUS_OK;
}

static enum status unpack(struct source *s, char *to, size_t most, size_t *n, struct error *e)
{
    z_stream *z = &s->unpacking;
    z->next_out = (unsigned char *)to;
    z->avail_out = (uInt)most;
    while (z->avail_out) {
        if (z->avail_in == 0) {
            size_t got;
            TRY(read_raw(s, s->raw, RAW, &got, e));
            if (got == 0 && s->within)
                return error_set(e, STATUS_DATA, "%s:%lld: the gzip data is cut off here", s->path, (long long)s->next_line);
            if (got == 0)
                break;
            z->next_in = s->raw;
            z->avail_in = (uInt)got;
        }
        if (!s->within)
            TRY(next_member(s, e));
        if (!s->within)
            continue;
        int code = inflate(z, Z_NO_FLUSH);
        if (code == Z_MEM_ERROR)
            return error_set(e, STATUS_MEMORY, "%s: no memory to unpack it", s->path);
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
            return damaged(s, z->msg ? z->msg : "unknown", e);
        s->within = code != Z_STREAM_END;
    }
    *n = most - z->avail_out;
    return STATUS_OK;
}

/* Fewer than most only at the end. */
static enum status read_chunk(struct source *s, char *to, size_t most, size_t *n, struct error *e)
{
    if (s->packed)
        return unpack(s, to, most, n, e);
    size_t got = 1;
    for (*n = 0; *n < most && got; *n += got)
        TRY(read_raw(s, to + *n, most - *n, &got, e));
    return STATUS_OK;
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
    size_t n = 0;
    TRY(read_chunk(s, s->buffer + left, CHUNK, &n, e));
    s->end += n;
    skip_mark(s);
    s->bytes += (int64_t)n;
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
