#include "storage/sql.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "storage/db_private.h"

int sql_open(const char *path, sqlite3 **out, int flags, const char *vfs)
{
    char *name = memory_format("%s%s", *path == '/' ? "" : "./", path);
    int code = sqlite3_open_v2(name, out, flags, vfs);
    free(name);
    return code;
}

/* Of a file that could not be opened: SQLite tries to read where it may not write, and has only that failure left. */
static bool say_access(const char *path, enum status status, struct error *e)
{
    const char *end = strrchr(path, '/');
    char *folder = memory_format("%.*s", end ? (int)(end - path + 1) : 2, end ? path : "./");
    if (access(path, F_OK) != 0 && access(folder, W_OK | X_OK) != 0)
        error_set(e, status, "%s: its folder: %s", path, strerror(errno));
    else if (access(path, F_OK) == 0 && access(path, R_OK) != 0)
        error_set(e, status, "%s: %s", path, strerror(errno));
    else
        status = STATUS_OK;
    free(folder);
    return status != STATUS_OK;
}

enum status sql_open_failed(const char *path, sqlite3 *d, enum status status, struct error *e)
{
    bool access_said = d && (sqlite3_errcode(d) & 0xff) == SQLITE_CANTOPEN && say_access(path, status, e);
    return access_said ? status : error_set(e, status, "%s: %s", path, d ? sqlite3_errmsg(d) : "no memory");
}

enum status sql_failed(struct db *d, struct error *e)
{
    int code = sqlite3_errcode(d->sqlite);
    d->trouble = db_trouble_of(d);
    snprintf(d->failed, sizeof d->failed, "%.150s", sqlite3_errmsg(d->sqlite));
    if (code == SQLITE_NOTADB)
        return error_set(e, STATUS_IO, "%s: is no database", d->path);
    if (code == SQLITE_BUSY)
        return db_say_busy(d, e);
    if (code == SQLITE_CORRUPT)
        return error_set(e, STATUS_IO, "%s: the database is damaged (%s)", d->path, sqlite3_errmsg(d->sqlite));
    if (d->trouble == DB_FULL)
        return error_set(e, STATUS_IO, "%s: the disk is full", d->path);
    return sql_open_failed(d->path, d->sqlite, STATUS_IO, e);
}

enum status sql_exec(struct db *d, const char *text, struct error *e)
{
    return sqlite3_exec(d->sqlite, text, NULL, NULL, NULL) == SQLITE_OK ? STATUS_OK : sql_failed(d, e);
}

static void bind(sqlite3_stmt *s, const char *types, va_list args)
{
    for (int i = 1; *types; types++, i++) {
        if (*types == 'i') {
            sqlite3_bind_int64(s, i, va_arg(args, int64_t));
        } else if (*types == 'r') {
            double x = va_arg(args, double);
            if (isnan(x))
                sqlite3_bind_null(s, i);
            else
                sqlite3_bind_double(s, i, x);
        } else if (*types == 't') {
            sqlite3_bind_text(s, i, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else {
            const void *bytes = va_arg(args, const void *);
            size_t n = va_arg(args, size_t);
            if (bytes)
                sqlite3_bind_blob64(s, i, bytes, n, SQLITE_STATIC);
        }
    }
}

static enum status prepare(struct db *d, sqlite3_stmt **out, struct error *e, const char *text, const char *types, va_list args)
{
    *out = NULL;
    if (sqlite3_prepare_v2(d->sqlite, text, -1, out, NULL) != SQLITE_OK)
        return sql_failed(d, e);
    bind(*out, types, args);
    return STATUS_OK;
}

enum status sql_query(struct db *d, sqlite3_stmt **out, struct error *e, const char *text, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    enum status s = prepare(d, out, e, text, types, args);
    va_end(args);
    return s;
}

enum status sql_step(struct db *d, sqlite3_stmt *s, bool *row, struct error *e)
{
    int code = sqlite3_step(s);
    *row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? STATUS_OK : sql_failed(d, e);
}

void sql_end(sqlite3_stmt *s)
{
    sqlite3_finalize(s);
}

enum status sql_run(struct db *d, struct error *e, const char *text, const char *types, ...)
{
    sqlite3_stmt *statement;
    bool row = true;
    va_list args;
    va_start(args, types);
    enum status s = prepare(d, &statement, e, text, types, args);
    va_end(args);
    while (s == STATUS_OK && row)
        s = sql_step(d, statement, &row, e);
    sql_end(statement);
    return s;
}

enum status sql_int(struct db *d, int64_t *out, bool *found, struct error *e, const char *text, const char *types, ...)
{
    sqlite3_stmt *statement;
    bool row = false;
    va_list args;
    va_start(args, types);
    enum status s = prepare(d, &statement, e, text, types, args);
    va_end(args);
    if (s == STATUS_OK)
        s = sql_step(d, statement, &row, e);
    bool has = s == STATUS_OK && row && sqlite3_column_type(statement, 0) != SQLITE_NULL;
    if (has)
        *out = sqlite3_column_int64(statement, 0);
    if (found)
        *found = has;
    sql_end(statement);
    return s;
}

int64_t sql_last_id(struct db *d)
{
    return sqlite3_last_insert_rowid(d->sqlite);
}

const char *sql_text(sqlite3_stmt *s, int c)
{
    const char *text = (const char *)sqlite3_column_text(s, c);
    return text ? text : "";
}

double sql_real(sqlite3_stmt *s, int c)
{
    return sqlite3_column_type(s, c) == SQLITE_NULL ? NAN : sqlite3_column_double(s, c);
}
