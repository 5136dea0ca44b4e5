/* The inside of struct db, for the files of storage/ that read and write the database. */
#ifndef STORAGE_DB_PRIVATE_H
#define STORAGE_DB_PRIVATE_H

#include "storage/db.h"
#include "storage/sql.h"

enum { DB_APPLICATION_ID = 0x464c5357, DB_VERSION = 4, DB_CHUNK = 4 << 20, DB_WAIT_S = 15 }; /* "FLSW" */

struct db {
    sqlite3 *sqlite;
    char *path;       /* owned */
    char *lock_path;  /* owned; NULL for readers */
    int lock;         /* file descriptor or -1 */
    char token[33];   /* of the holder row */
    enum db_trouble trouble; /* of the last statement that failed since db_begin */
    char failed[160];        /* what SQLite said then */
    int version;      /* of its schema; at most DB_VERSION */
    bool copies;      /* a writer on a file system that is not local: it keeps a copy for readers */
    double next_copy; /* [s] */
    double age;       /* [s] of the copy that a reader has opened; below 0: it has the database itself */
    char *as_it_was;  /* owned; the copy kept when opening upgraded it, or NULL */
    enum metric metric;
};

/* The lock file beside the database, held for as long as this process lives; waits up to DB_WAIT_S for a dying holder. STATUS_IO says who has it, or that
 * locks do not work there. */
enum status db_lock(struct db *d, struct error *e);
void db_unlock(struct db *d);
/* Who may have it, as far as can be seen on this machine. */
enum db_lock_state { DB_LOCK_FREE, DB_LOCK_HELD, DB_LOCK_UNKNOWN };
enum db_lock_state db_lock_look(const char *path);
/* Writes our holder row, and checks the one that stands there (db_holder.c). */
enum status db_hold(struct db *d, bool take_over, struct error *e);
/* Deletes it; false where it is no longer ours. */
bool db_let_go(struct db *d);
/* Its lock, free where the holder died; unknown where there is none, or one of another machine. */
enum db_lock_state db_holder_look(struct db *d);
/* The holder in one line, as STATUS_IO. */
enum status db_say_holder(struct db *d, struct error *e);
/* Kind of the error that SQLite reported last. */
enum db_trouble db_trouble_of(struct db *d);
/* STATUS_IO, with the processes that one would have to wait for. */
enum status db_say_busy(const struct db *d, struct error *e);
/* STATUS_IO where the schema is older: for queries that need what came since. */
enum status db_current(struct db *d, struct error *e);
/* Brings a database that we hold to DB_VERSION, in one transaction, after a copy of it was kept. */
enum status db_upgrade_here(struct db *d, struct error *e);
/* NAME.word.db beside NAME.db; owned by the caller. */
char *db_name_beside(const char *path, const char *word);
/* A copy that is whole, one file and nobody's; whoever writes meanwhile does not wait. STATUS_CANNOT_CREATE where `out` exists and may not be replaced. */
enum status db_copy(struct db *d, const char *out, bool replace, struct error *e);
/* Is the file system of path one that WAL works on? */
bool db_on_local_disk(const char *path);
/* After a commit, and at the end: the copy for readers, where it is needed and due. */
void db_read_copy_write(struct db *d, bool at_the_end);
/* The copy to read instead of path, and its age [s]; owned by the caller. NULL: path itself. */
char *db_read_copy_of(const char *path, double *age);

/* Makes the views trials and configs anew for the parameters there are. */
enum status db_views(struct db *d, struct error *e);
/* Reads the study's metric into d->metric. STATUS_IO where the database holds no study. */
enum status db_load_study(struct db *d, struct error *e);

/* db_deaths.c, inside a transaction: attempts that have no outcome died with their jobs and their trials wait again; trials whose gangs' ranks died first in
 * three jobs are set aside as failed. */
enum status db_settle_attempts(struct db *d, struct error *e);
enum status db_set_aside_trials(struct db *d, struct error *e);
enum status db_trial_deaths(struct db *d, int64_t trial, int64_t *out, struct error *e);

/* A trial's artifact, replacing an earlier one of its role. */
enum status db_artifact_write(struct db *d, int64_t trial, const char *role, int epoch, const void *bytes, size_t n, double now, struct error *e);
/* *found false where there is none; *out is appended to. Its checksum is compared (STATUS_IO where it differs). */
enum status db_artifact_read(struct db *d, int64_t trial, const char *role, struct buffer *out, int *epoch, bool *found, struct error *e);

/* A prediction row: blobs of the right sizes, classes that the task has labels for, or STATUS_IO; all owned by the caller (db_prediction_fini). */
struct db_prediction {
    int n, k;
    int32_t *rows, *labels, *truth;
    uint8_t *seen; /* or NULL */
    float *proba;  /* (n,k) or NULL */
};
enum status db_prediction_read(struct db *d, int64_t trial, const char *part, struct db_prediction *out, struct error *e);
void db_prediction_fini(struct db_prediction *p);

/* A task as stored. */
struct db_task {
    int64_t id;
    int n_classes, top_n, min_flows, steps; /* top_n, min_flows: -1 where NULL */
    char **labels;                          /* (n_classes) owned */
};
enum status db_task_read(struct db *d, int64_t id, struct db_task *out, struct error *e);
void db_task_fini(struct db_task *t);

#endif
