/* SQLite with our errors: statements run, bound by a string of types, stepped through.
 *
 * types: one letter a parameter, with its C argument: i int64_t, r double (NaN: NULL), t const char * (NULL: NULL),
 * b const void * and size_t (NULL: NULL). Blobs and text must live until the statement has ended. Private to storage/. */
#ifndef STORAGE_SQL_H
#define STORAGE_SQL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "storage/db.h"

/* sqlite3_open_v2 of a file: names that SQLite reads as memory (":memory:"), a nameless file ("") or a URI are names of files like any other. */
int sql_open(const char *path, sqlite3 **out, int flags, const char *vfs);
/* Why it failed, as `status`, which is returned; d may be NULL, as sql_open leaves it without memory. */
enum status sql_open_failed(const char *path, sqlite3 *d, enum status status, struct error *e);
/* The text of the last error with the file's name, as STATUS_IO. */
enum status sql_failed(struct db *d, struct error *e);
/* Several statements without parameters. */
enum status sql_exec(struct db *d, const char *text, struct error *e);
/* One statement, run to its end. */
enum status sql_run(struct db *d, struct error *e, const char *text, const char *types, ...);
/* One statement to be stepped through; sql_end frees it (NULL is fine). */
enum status sql_query(struct db *d, sqlite3_stmt **out, struct error *e, const char *text, const char *types, ...);
enum status sql_step(struct db *d, sqlite3_stmt *s, bool *row, struct error *e);
void sql_end(sqlite3_stmt *s);
/* The first column of the first row; *found false (and *out alone) where there is none or it is NULL. */
enum status sql_int(struct db *d, int64_t *out, bool *found, struct error *e, const char *text, const char *types, ...);
int64_t sql_last_id(struct db *d);
/* Column c as text, never NULL. */
const char *sql_text(sqlite3_stmt *s, int c);
/* Column c as a number, NaN for NULL. */
double sql_real(sqlite3_stmt *s, int c);

#endif
