/* db digest, db snapshot. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "storage/db_private.h"

/* --- digest --- */

static void hash_number(struct hash *h, double x)
{
    unsigned char bytes[8];
    uint64_t bits;
    if (isnan(x))
        x = NAN; /* stored as NULL: one pattern for all */
    memcpy(&bits, &x, sizeof bits);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(bits >> 8 * i);
    hash_add(h, bytes, sizeof bytes);
}

static enum status hash_metrics(struct db *d, int64_t trial, struct hash *h, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    TRY(sql_query(d, &s, e, "SELECT part, name, value FROM metric WHERE trial = ? AND epoch IS NULL AND part IN ('stop', 'validation') "
                     "AND name NOT LIKE 'permutation:%' ORDER BY part, name", "i", trial));
    enum status status;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row) {
        hash_add_text(h, sql_text(s, 0));
        hash_add_text(h, sql_text(s, 1));
        hash_number(h, sql_real(s, 2));
    }
    sql_end(s);
    return status;
}

static enum status hash_trials(struct db *d, struct hash *h, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    TRY(sql_query(d, &s, e, "SELECT id, identity, state, epochs, model_sha256, proba_sha256 FROM trial ORDER BY identity", ""));
    enum status status;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row) {
        for (int c = 1; c <= 5; c++)
            hash_add_text(h, sql_text(s, c));
        status = hash_metrics(d, sqlite3_column_int64(s, 0), h, e);
        if (status != STATUS_OK)
            break;
    }
    sql_end(s);
    return status;
}

enum status db_digest(const char *path, char hex[HASH_HEX], struct error *e)
{
    struct db *d;
    hex[0] = '\0';
    TRY(db_open_read(&d, path, e));
    struct hash *h = hash_new();
    enum status s = sql_exec(d, "BEGIN", e);
    if (s == STATUS_OK)
        s = hash_trials(d, h, e);
    hash_end(h, hex);
    db_close(d);
    return s;
}

/* --- copies --- */

static enum status write_copy(struct db *d, const char *to, struct error *e)
{
    sqlite3 *target = NULL;
    int code = sql_open(to, &target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    sqlite3_backup *b = code == SQLITE_OK ? sqlite3_backup_init(target, "main", d->sqlite, "main") : NULL;
    if (b) {
        sqlite3_backup_step(b, -1);
        code = sqlite3_backup_finish(b);
    }
    if (code == SQLITE_OK) /* the copy is nobody's, and one file */
        code = sqlite3_exec(target, "PRAGMA journal_mode = DELETE; DELETE FROM holder", NULL, NULL, NULL);
    enum status s = code == SQLITE_OK ? STATUS_OK : sql_open_failed(to, target, STATUS_CANNOT_CREATE, e);
    sqlite3_close(target);
    return s;
}

enum status db_copy(struct db *d, const char *out, bool replace, struct error *e)
{
    char *temporary = memory_format(replace ? "%s.part" : "%s.%ld.part", out, (long)getpid());
    if (replace)
        unlink(temporary); /* of a run that was killed */
    enum status s = !replace && access(out, F_OK) == 0 ? error_set(e, STATUS_CANNOT_CREATE, "%s: exists already; nothing was written", out)
                                           : write_copy(d, temporary, e);
    if (s == STATUS_OK && rename(temporary, out) != 0)
        s = error_set(e, STATUS_CANNOT_CREATE, "%s: %s", out, strerror(errno));
    if (s != STATUS_OK) {
        char *journal = memory_format("%s-journal", temporary);
        unlink(journal);
        unlink(temporary);
        free(journal);
    }
    free(temporary);
    return s;
}

enum status db_snapshot(const char *path, const char *out, struct error *e)
{
    struct db *d;
    sigset_t before;
    TRY(db_open_read(&d, path, e));
    interrupt_hold(&before);
    enum status s = db_copy(d, out, false, e);
    interrupt_release(&before);
    db_close(d);
    return s;
}
