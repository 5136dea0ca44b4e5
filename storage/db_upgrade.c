/* Databases of older versions: db upgrade, and what run does by itself. One migration a version; the database as it was is kept beside it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "storage/db_private.h"

/* migrations[v] leads from version v to v + 1. Columns come at the end, as they stand in schema.sql. */
static const char *const migrations[DB_VERSION] = {
    [1] = "ALTER TABLE job ADD COLUMN arithmetic TEXT; ALTER TABLE job ADD COLUMN placement TEXT; ALTER TABLE job ADD COLUMN dead_rank INTEGER;"
          "ALTER TABLE attempt ADD COLUMN ranks TEXT; ALTER TABLE attempt ADD COLUMN blamed INTEGER NOT NULL DEFAULT 0;"
          "ALTER TABLE attempt ADD COLUMN why TEXT; ALTER TABLE attempt ADD COLUMN arithmetic TEXT;",
    [2] = "ALTER TABLE attempt ADD COLUMN moved_bytes INTEGER; ALTER TABLE attempt ADD COLUMN planned_bytes INTEGER;"
          "ALTER TABLE attempt ADD COLUMN peak_bytes INTEGER;",
    [3] = "ALTER TABLE attempt ADD COLUMN from_trial INTEGER;",
};

enum status db_current(struct db *d, struct error *e)
{
    if (d->version == DB_VERSION)
        return STATUS_OK;
    return error_set(e, STATUS_IO, "%s: was made by an older flowsweep (schema %d, this one reads %d here); run: flowsweep db upgrade %s", d->path,
                     d->version, DB_VERSION, d->path);
}

static enum status migrate(struct db *d, struct error *e)
{
    char version[64];
    for (int v = d->version; v < DB_VERSION; v++)
        TRY(sql_exec(d, migrations[v], e));
    snprintf(version, sizeof version, "PRAGMA user_version = %d", DB_VERSION);
    TRY(sql_exec(d, version, e));
    return db_views(d, e);
}

/* NAME.v1.db, or NAME.v1-2.db, .. where that is there already. */
static enum status keep_copy(struct db *d, struct error *e)
{
    for (int i = 1; i < 1000 && !d->as_it_was; i++) {
        char word[32];
        snprintf(word, sizeof word, i == 1 ? "v%d" : "v%d-%d", d->version, i);
        char *name = db_name_beside(d->path, word);
        if (access(name, F_OK) == 0) {
            free(name);
            continue;
        }
        d->as_it_was = name;
    }
    if (!d->as_it_was)
        return error_set(e, STATUS_CANNOT_CREATE, "%s: no name is free for a copy of it", d->path);
    enum status s = db_copy(d, d->as_it_was, false, e);
    return s == STATUS_OK ? s : error_prefix(e, "%s: not upgraded, since no copy of it can be kept", d->path);
}

enum status db_upgrade_here(struct db *d, struct error *e)
{
    if (d->version >= DB_VERSION)
        return STATUS_OK;
    if (d->version < 1)
        return error_set(e, STATUS_IO, "%s: has schema %d, which no flowsweep made", d->path, d->version);
    TRY(keep_copy(d, e));
    TRY(db_begin(d, e));
    enum status s = migrate(d, e);
    if (s == STATUS_OK)
        s = db_commit(d, e);
    else
        db_rollback(d);
    if (s == STATUS_OK)
        d->version = DB_VERSION;
    return s;
}

const char *db_as_it_was(const struct db *d)
{
    return d->as_it_was;
}

enum status db_upgrade(const char *path, char **line, struct error *e)
{
    struct db *d;
    *line = NULL;
    TRY(db_open(&d, path, false, false, e));
    int from = d->version;
    enum status s = db_upgrade_here(d, e);
    if (s == STATUS_OK && d->as_it_was)
        *line = memory_format("%s: upgraded from schema %d to %d; as it was: %s", path, from, DB_VERSION, d->as_it_was);
    else if (s == STATUS_OK)
        *line = memory_format("%s: has schema %d, the newest", path, DB_VERSION);
    db_close(d);
    return s;
}
