/* What may pass if one waits: a full disk, another process that reads or writes, an I/O error; and whom or what one waits for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/memory.h"
#include "storage/db_private.h"

/* Where SQLite locks: from PENDING_BYTE in the database; WAL_WRITE_LOCK in the -shm file. Source: sqlite.org/fileformat2.html, walformat.html. */
enum { LOCK_FIRST = 0x40000000, LOCK_LAST = LOCK_FIRST + 511, SHM_WRITE = 120 };

enum db_trouble db_trouble_of(struct db *d)
{
    int code = sqlite3_errcode(d->sqlite) & 0xff, of_system = sqlite3_system_errno(d->sqlite);
    switch (code) {
    case SQLITE_FULL:
        return DB_FULL;
    case SQLITE_BUSY:
    case SQLITE_PROTOCOL:
        return DB_BUSY;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        return of_system == ENOSPC || of_system == EDQUOT ? DB_FULL : DB_IO;
    default:
        return DB_FINE;
    }
}

enum db_trouble db_trouble(const struct db *d)
{
    return d->trouble;
}

double db_free_mb(const struct db *d)
{
    struct statvfs facts;
    return statvfs(d->path, &facts) == 0 ? (double)facts.f_bavail * (double)facts.f_frsize / 1e6 : 0;
}

/* --- who --- */

static void put_process(long pid, struct buffer *out)
{
    char path[64], name[64] = "";
    snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    FILE *f = fopen(path, "r");
    if (f && fgets(name, sizeof name, f))
        name[strcspn(name, "\n")] = '\0';
    if (f)
        fclose(f);
    buffer_printf(out, "%sprocess %ld%s%s%s", out->size ? ", " : "", pid, *name ? " (" : "", name, *name ? ")" : "");
}

/* Other processes that lock bytes of a file between first and last, from /proc/locks: "1: POSIX  ADVISORY  READ 4711 00:2b:5678 1073741826 1073742335". */
static void put_holders(const char *path, long first, long last, struct buffer *out)
{
    struct stat facts;
    char line[256], end[32];
    long pid, inode, from;
    FILE *f = stat(path, &facts) == 0 ? fopen("/proc/locks", "r") : NULL;
    while (f && fgets(line, sizeof line, f)) {
        if (strstr(line, "->") || sscanf(line, "%*d: POSIX %*s %*s %ld %*x:%*x:%ld %ld %31s", &pid, &inode, &from, end) != 4)
            continue;
        if (inode == (long)facts.st_ino && pid > 0 && pid != getpid() && from <= last && (strcmp(end, "EOF") == 0 || strtol(end, NULL, 10) >= first))
            put_process(pid, out);
    }
    if (f)
        fclose(f);
}

static char *who(const struct db *d)
{
    struct buffer out = {0};
    char *shm = memory_format("%s-shm", d->path);
    if (access(shm, F_OK) == 0)
        put_holders(shm, SHM_WRITE, SHM_WRITE, &out);
    else
        put_holders(d->path, LOCK_FIRST, LOCK_LAST, &out);
    free(shm);
    if (!out.data)
        buffer_puts(&out, "a process that cannot be seen from here");
    return out.data;
}

enum status db_say_busy(const struct db *d, struct error *e)
{
    char *holders = who(d);
    error_set(e, STATUS_IO, "%s: %s reads or writes it, and does not end; try again", d->path, holders);
    free(holders);
    return STATUS_IO;
}

char *db_trouble_text(struct db *d)
{
    char *text, *holders;
    switch (d->trouble) {
    case DB_FULL:
        return memory_format("%s: the disk is full: waiting for space; %.0f MB free", d->path, db_free_mb(d));
    case DB_BUSY:
        holders = who(d);
        text = memory_format("%s: waiting for %s, which reads or writes it", d->path, holders);
        free(holders);
        return text;
    case DB_IO:
        return memory_format("%s: %s: trying again", d->path, d->failed);
    default:
        return memory_format("%s: no trouble", d->path);
    }
}
