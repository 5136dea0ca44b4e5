/* The results database, the coordinator's side: one writer, every transition committed before it is acted on.
 *
 * schema.sql documents the tables. Open with db_open for writing (takes the lock and the holder row) or db_open_read for queries. All functions that
 * change things must stand between db_begin and db_commit; db_begin checks that the holder row is still ours. */
#ifndef STORAGE_DB_H
#define STORAGE_DB_H

#include "flows/flows.h"
#include "models/training.h"
#include "storage/config.h"
#include "sweep/plan.h"
#include "sweep/trial.h"

struct db;

/* Opens for writing; where `create`, makes it, or brings an older one to this schema first (db_as_it_was). STATUS_IO: no database, another program's, newer, damaged, held by another run (host, pid, since when).
 * Waits up to 15 s for a dying holder. */
enum status db_open(struct db **out, const char *path, bool create, bool take_over, struct error *e);
/* Does another process hold it right now? STATUS_IO says who; else STATUS_OK. */
enum status db_held(const char *path, struct error *e);
/* Read-only. STATUS_NO_INPUT where there is no such file. */
enum status db_open_read(struct db **out, const char *path, struct error *e);
void db_close(struct db *d);
/* Where db_open upgraded it: the name of the copy kept before; else NULL. */
const char *db_as_it_was(const struct db *d);
/* --fresh: renames an existing database to NAME.1.db, .. *renamed (or NULL) is owned by the caller. */
enum status db_set_aside(const char *path, char **renamed, struct error *e);

enum status db_begin(struct db *d, struct error *e);
enum status db_commit(struct db *d, struct error *e);
void db_rollback(struct db *d);
/* Why db_begin, db_commit or what stood between them failed. All but DB_FINE may pass: roll back and do the whole of it again; after DB_BUSY from
 * db_commit the transaction still stands, and db_commit alone may be tried again. */
enum db_trouble { DB_FINE, DB_FULL, DB_BUSY, DB_IO };
enum db_trouble db_trouble(const struct db *d);
/* What one waits for, in words: free space, processes by number and name. Owned by the caller. */
char *db_trouble_text(struct db *d);
double db_free_mb(const struct db *d);
/* How long a call may wait for other processes before it is DB_BUSY; 15 s where nothing was said. */
void db_wait(struct db *d, double seconds);

/* Makes the study, or checks that it is the same one (STATUS_CONFIG names what differs). arithmetic: this system's word (models/arithmetic.h); another one
 * than the study's is refused (STATUS_CONFIG) unless `accept`. */
enum status db_study(struct db *d, const struct config *c, const char *data_hash, const char *arithmetic, bool accept, double now, struct error *e);
/* One launch. *job is its id. n_ranks counts the coordinator; 1 for -n 0. */
enum status db_job_start(struct db *d, const struct config *c, int n_ranks, const char *arithmetic, double now, int64_t *job, struct error *e);
enum status db_job_end(struct db *d, int64_t job, double now, const char *why, struct error *e);
/* A job that ends because a rank was lost (below 0: all were); attempts of that rank's gang are blamed for it. */
enum status db_job_lost(struct db *d, int64_t job, int rank, double now, const char *why, struct error *e);
/* The same, told by whoever started the job, where the job could not: opens the database; nothing to do where the last job has ended by itself. */
enum status db_last_job_lost(const char *path, int rank, double now, const char *why, struct error *e);
/* Tasks, configurations, trials of the plan: new ones queued, running ones of earlier jobs queued again, those outside the plan cancelled, cancelled ones
 * inside it queued again, failed ones queued where retry_failed. tasks: (n_tasks of the config) labels, counts and parts. */
enum status db_plan(struct db *d, const struct config *c, const struct plan *p, struct task *const *tasks, bool retry_failed, struct error *e);
/* State and database id of every trial of the plan. */
struct db_trial {
    int64_t id;
    enum trial_state state;
    int epoch; /* of its checkpoint; 0: it has none */
    int deaths; /* jobs in a row that ended because a rank of its gang died, with no new checkpoint between */
};
enum status db_trials(struct db *d, const struct plan *p, struct db_trial *out, struct error *e);
/* What a run of the plan would find: the state of each trial, queued where it is not there yet. Reads only. STATUS_NO_INPUT where there is no database yet,
 * STATUS_CONFIG where it is of another study, STATUS_IO also where another run holds it now (out is set then). */
enum status db_planned(const char *path, const struct config *c, const struct flows *f, const struct plan *p, enum trial_state *out, struct error *e);
/* What an attempt goes on from: the trial's checkpoint, or the model of a finished smaller one (0: there is none) that is as far; *epoch 0 and an empty state
 * where there is neither that is whole. *from: the smaller trial, where it is that; else 0. */
struct db_origin {
    int64_t smaller, from;
    int epoch;
    char damaged[120]; /* what was passed over, in words; or "" */
};
enum status db_state_read(struct db *d, int64_t trial, struct db_origin *origin, struct buffer *state, struct error *e);

/* Transitions. now: seconds since 1970. */
struct db_start {
    int64_t trial, job;
    const int *ranks; /* (n_ranks) of the gang */
    int n_ranks;
    int epoch; /* of the checkpoint that it goes on from, or 0 */
    const char *arithmetic; /* or NULL */
    int64_t planned_bytes;  /* memory of a rank (storage/footprint.h) */
    int64_t from_trial;     /* the smaller one whose model it goes on from, or 0 */
};
enum status db_trial_start(struct db *d, const struct db_start *start, double now, int64_t *attempt, struct error *e);
/* Curve rows up to an epoch and, where state is not NULL, the checkpoint, one transaction's worth. */
enum status db_trial_curves(struct db *d, int64_t trial, const struct model_progress *rows, int n, struct error *e);
enum status db_checkpoint_write(struct db *d, int64_t trial, int64_t attempt, int epoch, const void *state, size_t n, struct error *e);
struct db_cost { /* of an attempt */
    double seconds;      /* from GO to its end */
    double waited_s;     /* of them an average rank waited for others of the gang; NaN: not known */
    int64_t moved_bytes; /* that all ranks handed to others; -1: not known */
    int64_t peak_bytes;  /* memory of the rank that needed most (base/resident.h); 0 or less: not known */
};
struct db_result {
    const struct task *task;
    int epochs;
    const void *model;
    size_t model_size;
    const void *importances; /* as of model_kind.permute */
    size_t importances_size;
    const float *proba[PART_COUNT];
    const int32_t *file_row; /* of flows: number in the file of each */
    const char *features; /* JSON of features_to_json */
    const uint8_t *seen;  /* (test rows) 1 where the sequence occurs in training */
    struct db_cost cost;  /* of this attempt */
};
/* Metrics of stop and validation, per class and confusion, predictions of stop, validation and test, model, digests; state done; checkpoint dropped;
 * keep.probabilities applied. */
enum status db_trial_done(struct db *d, const struct config *c, int64_t trial, int64_t attempt, const struct db_result *r, double now, struct error *e);
enum status db_trial_failed(struct db *d, int64_t trial, int64_t attempt, const char *message, const struct db_cost *cost, double now, struct error *e);
/* Stopped with a checkpoint, or without: queued again; the attempt's outcome is "stopped". */
struct db_stop {
    int epoch;     /* of the checkpoint, or 0 */
    bool widening; /* for a larger gang to go on, not for the run to end */
};
enum status db_trial_stopped(struct db *d, int64_t trial, int64_t attempt, const struct db_stop *stop, const struct db_cost *cost, double now, struct error *e);
enum status db_event(struct db *d, int64_t job, const char *what, const char *text, double now, struct error *e);
/* Counts by state, for progress lines. */
struct db_progress {
    int count[TRIAL_STATE_COUNT];
};
enum status db_progress(struct db *d, struct db_progress *out, struct error *e);

/* The study's metric of a finished trial on validation; NaN where there is none. */
enum status db_trial_metric(struct db *d, int64_t trial, double *out, struct error *e);
/* How the last job ended (as given to db_job_end), or NULL where it died; the caller frees it. *done: finished trials. */
enum status db_outcome(const char *path, char **why, int64_t *done, struct error *e);

/* Maintenance verbs. */
enum status db_check(const char *path, struct table *out, struct error *e);
enum status db_digest(const char *path, char hex[HASH_HEX], struct error *e);
enum status db_snapshot(const char *path, const char *out, struct error *e);
/* *line: what was done, in words; owned by the caller. */
enum status db_upgrade(const char *path, char **line, struct error *e);

/* The handle (struct sqlite3 *), for the other files of storage/. */
void *db_handle(struct db *d);

#endif
