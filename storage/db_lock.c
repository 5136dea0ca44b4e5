/* The lock: a file beside the database, held for as long as this process lives. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "storage/db_faults.h"
#include "storage/db_private.h"

static bool same_file(int file, const char *path)
{
    struct stat mine, there;
    return fstat(file, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

static bool try_lock(struct db *d)
{
    d->lock = open(d->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (d->lock < 0)
        return false;
    bool held = flock(d->lock, LOCK_EX | LOCK_NB) == 0;
    int why = errno;
    held = held && same_file(d->lock, d->lock_path); /* an earlier holder may have unlinked it in between */
    if (!held) {
        close(d->lock);
        d->lock = -1;
        errno = why;
    }
    return held;
}

/* --- do locks work there? --- */

static bool lock_bytes(int file)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET}; /* owned by the open file, so that one process can try both sides */
    return fcntl(file, F_OFD_SETLK, &whole) == 0;
}

static bool is_refused(void)
{
    return errno == EWOULDBLOCK || errno == EAGAIN || errno == EACCES;
}

/* What is wrong with locks, or NULL. A lock that we hold must be refused to a second opening of the file: flock, which we hold, and fcntl's, SQLite's. */
static const char *try_locks(int ours, const char *path)
{
    int other = open(path, O_RDWR | O_CLOEXEC);
    const char *wrong = NULL;
    if (other < 0)
        return strerror(errno);
    if (flock(other, LOCK_EX | LOCK_NB) == 0 || db_faults_no_locks())
        wrong = "a lock that is held was given a second time";
    else if (!is_refused() || !lock_bytes(ours))
        wrong = strerror(errno);
    else if (lock_bytes(other))
        wrong = "a lock of bytes that is held was given a second time";
    else if (!is_refused())
        wrong = strerror(errno);
    close(other);
    return wrong;
}

static enum status check_locks(struct db *d, struct error *e)
{
    const char *wrong = try_locks(d->lock, d->lock_path);
    if (!wrong)
        return STATUS_OK;
    return error_set(e, STATUS_IO, "%s: locks do not work on its file system (%s), so that two runs could write at once; put study.database on another",
                     d->path, wrong);
}

enum status db_lock(struct db *d, struct error *e)
{
    const struct timespec pause = {0, 100000000};
    d->lock_path = memory_format("%s.lock", d->path);
    for (int i = 0; i < DB_WAIT_S * 10; i++) {
        if (try_lock(d))
            return check_locks(d, e);
        if (errno == EACCES || errno == EROFS || errno == ENOENT || errno == EPERM)
            return error_set(e, STATUS_CANNOT_CREATE, "%s: %s", d->lock_path, strerror(errno));
        if (errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSPC)
            return error_set(e, STATUS_IO, "%s: cannot be locked: %s", d->lock_path, strerror(errno));
        nanosleep(&pause, NULL);
    }
    return db_say_holder(d, e);
}

void db_unlock(struct db *d)
{
    if (d->lock < 0)
        return;
    if (same_file(d->lock, d->lock_path)) /* else it is that of a run which took over */
        unlink(d->lock_path);
    close(d->lock);
    d->lock = -1;
}

enum db_lock_state db_lock_look(const char *path)
{
    char *lock_path = memory_format("%s.lock", path);
    int file = open(lock_path, O_RDONLY | O_CLOEXEC);
    enum db_lock_state state = file < 0 && errno == ENOENT ? DB_LOCK_FREE : DB_LOCK_UNKNOWN;
    if (file >= 0 && flock(file, LOCK_SH | LOCK_NB) == 0) /* shared: others who look are no holders */
        state = DB_LOCK_FREE;
    else if (file >= 0 && is_refused())
        state = DB_LOCK_HELD;
    if (file >= 0)
        close(file);
    free(lock_path);
    return state;
}

enum status db_held(const char *path, struct error *e)
{
    struct db *d;
    struct error ignored;
    if (db_lock_look(path) != DB_LOCK_HELD || db_open_read(&d, path, &ignored) != STATUS_OK)
        return STATUS_OK;
    enum status s = db_say_holder(d, e);
    db_close(d);
    return s;
}
