/* Opening and transactions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/memory.h"
#include "schema_sql.h"
#include "storage/db_faults.h"
#include "storage/db_private.h"

static enum status db_new(struct db **out, const char *path, int flags, struct error *e)
{
    struct db *d = memory_new(sizeof *d);
    *out = NULL;
    d->path = memory_text(path);
    d->lock = -1;
    d->age = -1;
    if (sql_open(path, &d->sqlite, flags, db_faults_vfs()) != SQLITE_OK) {
        sql_open_failed(path, d->sqlite, STATUS_IO, e);
        db_close(d);
        return STATUS_IO;
    }
    sqlite3_busy_timeout(d->sqlite, DB_WAIT_S * 1000);
    *out = d;
    return STATUS_OK;
}

void *db_handle(struct db *d)
{
    return d->sqlite;
}

void db_wait(struct db *d, double seconds)
{
    sqlite3_busy_timeout(d->sqlite, (int)(seconds * 1000));
}

void db_close(struct db *d)
{
    if (!d)
        return;
    if (d->sqlite)
        db_rollback(d);
    if (d->token[0] && d->sqlite && db_let_go(d)) { /* so that readers need no files beside it; where one reads now, it stays as it is */
        sqlite3_busy_timeout(d->sqlite, 0);
        db_read_copy_write(d, true);
        sql_exec(d, "PRAGMA journal_mode = DELETE", NULL);
    }
    sqlite3_close(d->sqlite);
    db_unlock(d);
    free(d->lock_path);
    free(d->as_it_was);
    free(d->path);
    free(d);
}

/* --- what kind of file it is --- */

/* Sets d->version; 0, where may_be_empty, for a file without anything: new, or left by a run killed while it made its tables. */
static enum status check_version(struct db *d, bool may_be_empty, struct error *e)
{
    int64_t id = 0, version = 0, tables = 0;
    TRY(sql_int(d, &tables, NULL, e, "SELECT count(*) FROM sqlite_master", ""));
    TRY(sql_int(d, &id, NULL, e, "PRAGMA application_id", ""));
    TRY(sql_int(d, &version, NULL, e, "PRAGMA user_version", ""));
    if (may_be_empty && tables == 0 && id == 0)
        return STATUS_OK;
    if (id != DB_APPLICATION_ID)
        return error_set(e, STATUS_IO, "%s: is %s, not a results database of flowsweep", d->path,
                         tables ? "another program's database" : "an empty database");
    if (version > DB_VERSION)
        return error_set(e, STATUS_IO, "%s: was made by a newer flowsweep (schema %lld, this one knows %d)", d->path, (long long)version,
                         DB_VERSION);
    d->version = (int)version;
    return STATUS_OK;
}

static enum status check_file(const char *path, bool *exists, struct error *e)
{
    struct stat facts;
    *exists = stat(path, &facts) == 0;
    if (!*exists)
        return errno == ENOENT ? STATUS_OK : error_set(e, STATUS_IO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return error_set(e, STATUS_IO, "%s: is a folder, not a database", path);
    if (!S_ISREG(facts.st_mode))
        return error_set(e, STATUS_IO, "%s: is no regular file, so no database", path);
    *exists = facts.st_size > 0;
    return STATUS_OK;
}

/* WAL only where memory can be shared through the file system. */
bool db_on_local_disk(const char *path)
{
    static const long local[] = {0xEF53, 0x58465342, 0x9123683E, 0x2FC12FC1, 0x01021994, 0x794C7630}; /* ext4 xfs btrfs zfs tmpfs overlay */
    struct statfs facts;
    if (db_faults_network_disk())
        return false;
    char *folder = memory_text(path), *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    bool known = statfs(slash ? folder : ".", &facts) == 0, is_local = false;
    for (size_t i = 0; known && i < sizeof local / sizeof *local; i++)
        is_local |= (long)facts.f_type == local[i];
    free(folder);
    return is_local;
}

static enum status make_schema(struct db *d, struct error *e)
{
    char pragmas[128];
    snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d;", DB_APPLICATION_ID, DB_VERSION);
    TRY(sql_exec(d, "PRAGMA auto_vacuum = INCREMENTAL; BEGIN IMMEDIATE", e));
    TRY(sql_exec(d, schema_sql, e));
    TRY(sql_exec(d, pragmas, e));
    TRY(db_views(d, e));
    return sql_exec(d, "COMMIT", e);
}

/* --- opening --- */

static enum status open_locked(struct db *d, bool create, bool take_over, struct error *e)
{
    TRY(db_lock(d, e));
    TRY(check_version(d, create, e));
    bool is_new = d->version == 0;
    TRY(sql_exec(d, "PRAGMA foreign_keys = ON", e));
    if (is_new)
        TRY(sql_exec(d, "PRAGMA auto_vacuum = INCREMENTAL", e));
    d->copies = !db_on_local_disk(d->path);
    TRY(sql_exec(d, !d->copies ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode = TRUNCATE", e));
    TRY(sql_exec(d, db_faults_no_sync() ? "PRAGMA synchronous = OFF" : "PRAGMA synchronous = FULL", e));
    if (is_new)
        TRY(make_schema(d, e));
    d->version = is_new ? DB_VERSION : d->version;
    return db_hold(d, take_over, e);
}

static enum status open_reading(struct db **out, const char *path, bool may_be_empty, struct error *e)
{
    struct db *d;
    *out = NULL;
    TRY(db_new(&d, path, SQLITE_OPEN_READONLY, e));
    enum status s = check_version(d, may_be_empty, e);
    if (s != STATUS_OK && sqlite3_errcode(d->sqlite) == SQLITE_READONLY) { /* its writer was killed in the middle of a write: that is undone first */
        db_close(d);
        TRY(db_new(&d, path, SQLITE_OPEN_READWRITE, e));
        s = check_version(d, may_be_empty, e);
        if (s == STATUS_OK)
            s = sql_exec(d, "PRAGMA query_only = ON", e);
    }
    if (s != STATUS_OK) {
        db_close(d);
        return s;
    }
    *out = d;
    return STATUS_OK;
}

enum status db_open(struct db **out, const char *path, bool create, bool take_over, struct error *e)
{
    bool exists;
    *out = NULL;
    TRY(check_file(path, &exists, e));
    if (!exists && !create)
        return error_set(e, STATUS_NO_INPUT, "%s: no such database", path);
    if (exists) { /* before anything is written beside another program's file */
        struct db *look;
        TRY(open_reading(&look, path, create, e));
        db_close(look);
    }
    struct db *d;
    TRY(db_new(&d, path, SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0), e));
    enum status s = open_locked(d, create, take_over, e);
    if (s == STATUS_OK && create)
        s = db_upgrade_here(d, e);
    if (s != STATUS_OK) {
        struct stat facts;
        if (!exists && d->lock >= 0 && stat(path, &facts) == 0 && facts.st_size == 0) /* SQLite made it, for nothing */
            unlink(path);
        db_close(d);
        return s;
    }
    *out = d;
    return STATUS_OK;
}

enum status db_open_read(struct db **out, const char *path, struct error *e)
{
    bool exists;
    *out = NULL;
    TRY(check_file(path, &exists, e));
    if (!exists)
        return error_set(e, access(path, F_OK) == 0 ? STATUS_IO : STATUS_NO_INPUT, "%s: %s", path,
                         access(path, F_OK) == 0 ? "is empty, no database" : "no such database");
    double age;
    char *copy = db_read_copy_of(path, &age);
    enum status s = open_reading(out, copy ? copy : path, false, e);
    if (s == STATUS_OK && copy) {
        (*out)->age = age;
        free((*out)->path);
        (*out)->path = memory_text(path);
    }
    free(copy);
    return s;
}

char *db_name_beside(const char *path, const char *word)
{
    const char *dot = strrchr(path, '.');
    size_t stem = dot && !strchr(dot, '/') && dot != path ? (size_t)(dot - path) : strlen(path);
    return memory_format("%.*s.%s%s", (int)stem, path, word, path + stem);
}

enum status db_set_aside(const char *path, char **renamed, struct error *e)
{
    *renamed = NULL;
    if (access(path, F_OK) != 0)
        return STATUS_OK;
    struct db *d; /* nobody may hold it, and its journal must be folded in */
    TRY(db_open(&d, path, false, false, e));
    db_close(d);
    for (int i = 1; i < 100000; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        char *name = db_name_beside(path, number);
        if (access(name, F_OK) != 0 && rename(path, name) == 0) {
            *renamed = name;
            return STATUS_OK;
        }
        free(name);
    }
    return error_set(e, STATUS_CANNOT_CREATE, "%s: cannot be renamed: %s", path, strerror(errno));
}

/* --- transactions --- */

enum status db_begin(struct db *d, struct error *e)
{
    int64_t mine = 0;
    d->trouble = DB_FINE;
    TRY(sql_exec(d, "BEGIN IMMEDIATE", e));
    enum status s = sql_int(d, &mine, NULL, e, "SELECT count(*) FROM holder WHERE token = ?", "t", d->token);
    if (s == STATUS_OK && mine == 0)
        s = error_set(e, STATUS_IO, "%s: was taken over by another run", d->path);
    if (s != STATUS_OK)
        db_rollback(d);
    return s;
}

enum status db_commit(struct db *d, struct error *e)
{
    fault_at(FAULT_COMMIT);
    enum status s = sql_exec(d, "COMMIT", e);
    if (s == STATUS_OK) {
        fault_at(FAULT_COMMITTED);
        db_read_copy_write(d, false);
    } else if (d->trouble != DB_BUSY) {
        db_rollback(d);
    }
    return s;
}

void db_rollback(struct db *d)
{
    if (!sqlite3_get_autocommit(d->sqlite))
        sqlite3_exec(d->sqlite, "ROLLBACK", NULL, NULL, NULL);
}
