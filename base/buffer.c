#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void buffer_fini(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}

void buffer_clear(struct buffer *b)
{
    b->size = 0;
    if (b->data)
        b->data[0] = '\0';
}

void *buffer_grow(struct buffer *b, size_t n)
{
    if (b->size + n + 1 > b->capacity) {
        size_t capacity = b->capacity * 2 > b->size + n + 1 ? b->capacity * 2 : b->size + n + 1;
        b->data = memory_resize(b->data, capacity < 64 ? 64 : capacity);
        b->capacity = capacity < 64 ? 64 : capacity;
    }
    void *at = b->data + b->size;
    b->size += n;
    b->data[b->size] = '\0';
    return at;
}

void buffer_put(struct buffer *b, const void *bytes, size_t n)
{
    void *at = buffer_grow(b, n);
    if (n)
        memcpy(at, bytes, n);
}

void buffer_put_u8(struct buffer *b, uint8_t x)
{
    buffer_put(b, &x, 1);
}

void buffer_put_i32(struct buffer *b, int32_t x)
{
    buffer_put(b, &x, sizeof x);
}

void buffer_put_u64(struct buffer *b, uint64_t x)
{
    buffer_put(b, &x, sizeof x);
}

void buffer_put_f64(struct buffer *b, double x)
{
    buffer_put(b, &x, sizeof x);
}

void buffer_put_bytes(struct buffer *b, const void *bytes, size_t n)
{
    buffer_put_u64(b, n);
    buffer_put(b, bytes, n);
}

void buffer_open_bytes(struct buffer *b, size_t *start)
{
    buffer_put_u64(b, 0);
    *start = b->size;
}

void buffer_close_bytes(struct buffer *b, size_t start)
{
    uint64_t n = b->size - start;
    memcpy(b->data + start - sizeof n, &n, sizeof n);
}

void buffer_put_string(struct buffer *b, const char *text)
{
    buffer_put_bytes(b, text, strlen(text));
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (n > 0)
        vsnprintf(buffer_grow(b, (size_t)n), (size_t)n + 1, format, again);
    va_end(again);
}

void buffer_puts(struct buffer *b, const char *text)
{
    buffer_put(b, text, strlen(text));
}

struct reader reader_of(const void *bytes, size_t n)
{
    return (struct reader){bytes, n ? (const char *)bytes + n : bytes, false};
}

const void *reader_take(struct reader *r, size_t n)
{
    if (r->failed || n > (size_t)(r->end - r->at)) {
        r->failed = true;
        return NULL;
    }
    const void *at = r->at;
    r->at += n;
    return at;
}

static void reader_copy(struct reader *r, void *out, size_t n)
{
    const void *at = reader_take(r, n);
    if (at)
        memcpy(out, at, n);
    else
        memset(out, 0, n);
}

uint8_t reader_u8(struct reader *r)
{
    uint8_t x;
    reader_copy(r, &x, sizeof x);
    return x;
}

int32_t reader_i32(struct reader *r)
{
    int32_t x;
    reader_copy(r, &x, sizeof x);
    return x;
}

uint64_t reader_u64(struct reader *r)
{
    uint64_t x;
    reader_copy(r, &x, sizeof x);
    return x;
}

double reader_f64(struct reader *r)
{
    double x;
    reader_copy(r, &x, sizeof x);
    return x;
}

const void *reader_bytes(struct reader *r, size_t *n)
{
    uint64_t size = reader_u64(r);
    const void *at = reader_take(r, size);
    *n = at ? size : 0;
    return at;
}

char *reader_string(struct reader *r)
{
    size_t n;
    const char *at = reader_bytes(r, &n);
    char *text = memory_new(n + 1);
    if (n)
        memcpy(text, at, n);
    return text;
}
