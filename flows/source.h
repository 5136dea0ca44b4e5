/* Records of a CSV file, plain or gzip, out of a buffer that is filled in chunks.
 *
 * A record is a line, or several where a quoted field holds line ends (RFC 4180). CRLF and LF end lines, a byte-order mark is skipped, blank
 * lines are passed over. A record points into the buffer, may be changed in place, ends with NUL, and is gone with the next call. */
#ifndef FLOWS_SOURCE_H
#define FLOWS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "base/status.h"

struct source {
    const char *path; /* not owned */
    int file;              /* descriptor, or -1 */
    bool packed, within;   /* gzip; in the middle of a member of it */
    z_stream unpacking;
    unsigned char *raw;    /* owned: what was read of a packed file */
    char *buffer; /* owned */
    size_t capacity, start, end;
    bool at_end;
    int64_t next_line; /* number of the line that comes next, from 1 */
    int64_t bytes;     /* unpacked, so far */
};

struct record {
    char *text; /* (n), then NUL; NULL where the file has ended */
    size_t n;
    int64_t line; /* where it begins */
};

/* STATUS_NO_INPUT where there is no such file, or none that can be read again from its start: files are read more than once (which layout, then
 * the rows; once more when a run goes on), and what a pipe gave the first time would be missing the second. */
enum status source_check(const char *path, struct error *e);

/* STATUS_NO_INPUT as source_check, STATUS_IO, STATUS_MEMORY. Messages name the path. */
enum status source_open(struct source *s, const char *path, struct error *e);
void source_close(struct source *s);
/* STATUS_DATA where gzip is cut off or damaged, or something else follows it (but zeros), a quote is never closed, or a record is longer than any flow. */
enum status source_next(struct source *s, struct record *r, struct error *e);

/* Splitting a record. */

/* How many fields it has. */
int record_fields(const struct record *r);
/* The next field, unquoted in place, at *at (NULL after the last). STATUS_DATA where text follows a closing quote. Returns NULL then. */
char *record_field(char **at, size_t *n);

#endif
