/* What a job left behind that did not end by itself: attempts that died with it, whose fault that was, and trials that are set aside for it.
 *
 * An attempt is blamed where the rank that died first (job.dead_rank) was of its gang. Deaths of the coordinator, of whole jobs, signals and time limits
 * name no rank of a gang, and so never count. */
#include <stdlib.h>

#include "base/memory.h"
#include "storage/db_private.h"

enum { DEATHS_MAX = 3 };

/* Blamed attempts of trial t since its last new checkpoint; those of an earlier setting aside (blamed = 2) are past. */
#define DEATHS                                                                                               \
    "(SELECT count(*) FROM attempt a WHERE a.trial = t.id AND a.blamed = 1 AND a.id >="                     \
    " ifnull((SELECT max(b.id) FROM attempt b WHERE b.trial = t.id AND b.epoch_to > b.epoch_from), 0))"

enum status db_settle_attempts(struct db *d, struct error *e)
{
    TRY(sql_run(d, e,
                "UPDATE attempt SET outcome = 'died', blamed = EXISTS (SELECT 1 FROM job j, json_each(ifnull(attempt.ranks, '[]')) r WHERE j.id ="
                " attempt.job AND r.value = j.dead_rank), why = ifnull((SELECT 'its job ended: ' || j.why FROM job j WHERE j.id = attempt.job AND"
                " j.why <> 'died'), 'its job ended without a word') WHERE outcome IS NULL", ""));
    return sql_run(d, e, "UPDATE trial SET state = 'queued' WHERE state = 'running'", "");
}

enum status db_set_aside_trials(struct db *d, struct error *e)
{
    TRY(sql_run(d, e,
                "UPDATE trial AS t SET state = 'failed', error = (SELECT 'set aside: in three jobs a rank of its gang died first; the last time ' || a.why"
                " || ' (run --retry-failed tries again)' FROM attempt a WHERE a.trial = t.id AND a.blamed = 1 ORDER BY a.id DESC LIMIT 1)"
                " WHERE state = 'queued' AND " DEATHS " >= ?", "i", (int64_t)DEATHS_MAX));
    return sql_run(d, e, "UPDATE attempt SET blamed = 2 WHERE blamed = 1 AND trial IN (SELECT id FROM trial WHERE state = 'failed')", "");
}

enum status db_trial_deaths(struct db *d, int64_t trial, int64_t *out, struct error *e)
{
    return sql_int(d, out, NULL, e, "SELECT " DEATHS " FROM trial t WHERE t.id = ?", "i", trial);
}

enum status db_job_lost(struct db *d, int64_t job, int rank, double now, const char *why, struct error *e)
{
    TRY(sql_run(d, e, "UPDATE job SET ended = ?, why = ?, dead_rank = ? WHERE id = ?", "rtii", now, why, (int64_t)rank, job));
    return db_settle_attempts(d, e);
}

enum status db_last_job_lost(const char *path, int rank, double now, const char *why, struct error *e)
{
    struct db *d;
    int64_t job = 0;
    bool open = false;
    TRY(db_open(&d, path, false, false, e));
    enum status s = db_begin(d, e);
    if (s == STATUS_OK)
        s = sql_int(d, &job, &open, e, "SELECT id FROM job WHERE ended IS NULL AND id = (SELECT max(id) FROM job)", "");
    if (s == STATUS_OK && open)
        s = db_job_lost(d, job, rank, now, why, e);
    if (s == STATUS_OK)
        s = db_commit(d, e);
    else
        db_rollback(d);
    db_close(d);
    return s;
}
