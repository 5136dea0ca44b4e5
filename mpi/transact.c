#include "mpi/transact.h"

#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "mpi/signals.h"

enum { IO_PATIENCE_S = 10, PAUSES = 20 }; /* pauses between two tries, which are a second apart */

static double clock_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void say(const struct transaction *t, char *line)
{
    if (t->of->say)
        t->of->say(line, false);
    free(line);
}

static enum status give_up(const struct transaction *t, double waited, struct error *e)
{
    char *what = db_trouble_text(t->of->db);
    enum status s = db_trouble(t->of->db) == DB_IO ? STATUS_IO : STATUS_STOPPED;
    error_set(e, s, "%s; gave up after %.0f s. All that was written before is whole: %s, then run it again to go on", what, waited,
              db_trouble(t->of->db) == DB_FULL   ? "make space"
              : db_trouble(t->of->db) == DB_BUSY ? "end that process"
                                                 : "look after the disk");
    free(what);
    return s;
}

/* A second, or until there is reason to give up. */
static enum status wait_a_little(struct transaction *t, struct error *e)
{
    const struct timespec pause = {0, 1000000000 / PAUSES};
    enum db_trouble trouble = db_trouble(t->of->db);
    double now = clock_s();
    t->since = t->since > 0 ? t->since : now;
    if (signals_seen() || now - t->since >= (trouble == DB_IO && t->of->patience_s > IO_PATIENCE_S ? IO_PATIENCE_S : t->of->patience_s))
        return give_up(t, now - t->since, e);
    if (!t->told)
        say(t, db_trouble_text(t->of->db));
    t->told = true;
    for (int i = 0; i < PAUSES && !signals_seen(); i++) {
        if (t->of->transport->serve)
            TRY(t->of->transport->serve(t->of->transport, e));
        nanosleep(&pause, NULL);
    }
    return STATUS_OK;
}

static enum status begin(struct transaction *t, struct error *e)
{
    db_wait(t->of->db, 1);
    for (;;) {
        enum status s = db_begin(t->of->db, e);
        if (s == STATUS_OK || db_trouble(t->of->db) == DB_FINE)
            return s;
        TRY(wait_a_little(t, e));
    }
}

/* One that is only kept waiting need not be done again. */
static enum status commit(struct transaction *t, struct error *e)
{
    for (;;) {
        enum status s = db_commit(t->of->db, e);
        if (s == STATUS_OK || db_trouble(t->of->db) != DB_BUSY)
            return s;
        TRY(wait_a_little(t, e));
    }
}

bool transact(struct transaction *t, struct error *e)
{
    struct db *db = t->of->db;
    if (!t->begun) {
        t->begun = true;
        t->status = begin(t, e);
        return t->status == STATUS_OK;
    }
    if (t->status == STATUS_OK)
        t->status = commit(t, e);
    if (t->status == STATUS_OK) {
        if (t->told)
            say(t, memory_format("going on after %.0f s", clock_s() - t->since));
        return false;
    }
    bool gave_up = t->status == STATUS_STOPPED;
    db_rollback(db);
    if (db_trouble(db) == DB_FINE || gave_up)
        return false;
    t->status = wait_a_little(t, e);
    if (t->status == STATUS_OK)
        t->status = begin(t, e);
    return t->status == STATUS_OK;
}
