/* Printing tables: aligned text for people, csv and json for programs. One file a format. */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include "base/table.h"
#include "cli/verb.h"

/* Each appends the whole table to out. */
void format_table(const struct table *t, struct buffer *out); /* title, aligned columns, note */
void format_csv(const struct table *t, struct buffer *out);   /* RFC 4180, header line, empty cells empty */
void format_json(const struct table *t, struct buffer *out);  /* array of objects, one a row; numbers are numbers */
void format_json_object(const struct table *t, int row, struct buffer *out);

/* Prints to stdout in the format that the arguments ask for. STATUS_IO where stdout cannot be written. */
enum status print_table(const struct arguments *a, const struct table *t, struct error *e);
/* Several tables one after another (csv: an empty line between). */
enum status print_tables(const struct arguments *a, const struct table *tables, int n, struct error *e);
enum status print_text(const struct buffer *text, struct error *e);
/* What standard output still holds, written. STATUS_IO, but for a reader that has seen enough. */
enum status print_end(struct error *e);

#endif
