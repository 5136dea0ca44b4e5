/* A growing run of bytes, also used to build text.
 *
 * Writing: buffer_put* append; memory that cannot be had ends the program (the sizes here are those of messages
 * and files, not of data sets). The bytes are followed by a NUL that is not counted, so data can be read as text.
 * Reading: struct reader walks over bytes that may be hostile; after the first read past the end every further read gives
 * zeros and reader->failed stays set, so a decoder checks once, at its end. Numbers are little-endian. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    char *data; /* owned; NULL while empty */
    size_t size, capacity;
};

void buffer_fini(struct buffer *b);
void buffer_clear(struct buffer *b);
/* Makes room for n more bytes and returns where they go; size is grown by n. */
void *buffer_grow(struct buffer *b, size_t n);
void buffer_put(struct buffer *b, const void *bytes, size_t n);
void buffer_put_u8(struct buffer *b, uint8_t x);
void buffer_put_i32(struct buffer *b, int32_t x);
void buffer_put_u64(struct buffer *b, uint64_t x);
void buffer_put_f64(struct buffer *b, double x);
/* Length (u64), then the bytes. */
void buffer_put_bytes(struct buffer *b, const void *bytes, size_t n);
/* The same for bytes that are put between the two calls. */
void buffer_open_bytes(struct buffer *b, size_t *start);
void buffer_close_bytes(struct buffer *b, size_t start);
void buffer_put_string(struct buffer *b, const char *text);
void buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_puts(struct buffer *b, const char *text);

struct reader {
    const char *at, *end;
    bool failed;
};

struct reader reader_of(const void *bytes, size_t n);
uint8_t reader_u8(struct reader *r);
int32_t reader_i32(struct reader *r);
uint64_t reader_u64(struct reader *r);
double reader_f64(struct reader *r);
/* n bytes in place, or NULL. */
const void *reader_take(struct reader *r, size_t n);
/* What buffer_put_bytes wrote, in place; *n is 0 and the result NULL on failure. */
const void *reader_bytes(struct reader *r, size_t *n);
/* What buffer_put_string wrote, as a new string that the caller frees ("" on failure). */
char *reader_string(struct reader *r);

#endif
