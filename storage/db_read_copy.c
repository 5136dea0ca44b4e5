/* NAME.read.db, beside a database on a file system that is not local: a copy for readers, renamed into place by the writer. There commits wait for
 * readers (no WAL), and locks are slow or half-seen; so while a run holds the database, query verbs read the copy and never touch the file itself. */
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "storage/db_private.h"

enum { INTERVAL_S = 30, SHARE = 20 }; /* at most every 30 s, and for at most a 20th of the time */

static double clock_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A copy that fails is no failure of the run: readers keep the one before. */
void db_read_copy_write(struct db *d, bool at_the_end)
{
    double start = clock_s();
    if (!d->copies || (!at_the_end && start < d->next_copy))
        return;
    char *name = db_name_beside(d->path, "read");
    struct error ignored;
    db_copy(d, name, true, &ignored);
    free(name);
    double took = clock_s() - start;
    d->next_copy = start + (took * SHARE > INTERVAL_S ? took * SHARE : INTERVAL_S);
}

char *db_read_copy_of(const char *path, double *age)
{
    struct stat facts;
    if (db_on_local_disk(path) || db_lock_look(path) != DB_LOCK_HELD)
        return NULL;
    char *name = db_name_beside(path, "read");
    if (stat(name, &facts) == 0 && facts.st_size > 0) {
        *age = (double)(time(NULL) - facts.st_mtime);
        return name;
    }
    free(name);
    return NULL;
}
