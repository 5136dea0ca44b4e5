/* The holder row: who writes. Its token is checked inside every write transaction (db_begin), so that a holder from which the database was taken
 * over writes nothing more. It may be taken over where the lock is free on the holder's machine (we have it, so it is), where Slurm says that the
 * holder's job is over, or where people say so. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "storage/db_private.h"

struct holder {
    char host[256], boot_id[64], slurm_job[64];
    int64_t pid;
    double since;
    bool is_there;
};

static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

static enum status read_holder(struct db *d, struct holder *out, struct error *e)
{
    sqlite3_stmt *s;
    *out = (struct holder){.is_there = false};
    TRY(sql_query(d, &s, e, "SELECT host, pid, since, boot_id, ifnull(slurm_job, '') FROM holder", ""));
    enum status status = sql_step(d, s, &out->is_there, e);
    if (status == STATUS_OK && out->is_there) {
        copy_text(out->host, sizeof out->host, sql_text(s, 0));
        out->pid = sqlite3_column_int64(s, 1);
        out->since = sqlite3_column_double(s, 2);
        copy_text(out->boot_id, sizeof out->boot_id, sql_text(s, 3));
        copy_text(out->slurm_job, sizeof out->slurm_job, sql_text(s, 4));
    }
    sql_end(s);
    return status;
}

static enum status say(const struct db *d, const struct holder *h, struct error *e)
{
    char since[32] = "?";
    time_t t = (time_t)h->since;
    struct tm parts;
    if (localtime_r(&t, &parts))
        strftime(since, sizeof since, "%Y-%m-%d %H:%M:%S", &parts);
    return error_set(e, STATUS_IO, "%s: is held by a run (process %lld on %.200s%s%s, since %s)", d->path, (long long)h->pid, h->host,
                     *h->slurm_job ? ", Slurm job " : "", h->slurm_job, since);
}

enum status db_say_holder(struct db *d, struct error *e)
{
    struct holder h;
    struct error ignored;
    if (read_holder(d, &h, &ignored) == STATUS_OK && h.is_there)
        return say(d, &h, e);
    return error_set(e, STATUS_IO, "%s: is held by another run, or its folder cannot be written", d->path);
}

/* --- is it over? --- */

static void read_boot_id(char out[64])
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (!f || !fgets(out, 64, f))
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (f)
        fclose(f);
}

static bool is_number(const char *text)
{
    size_t n = 0;
    for (; isdigit((unsigned char)text[n]); n++)
        ;
    return n > 0 && n < 20 && text[n] == '\0';
}

/* Slurm's word on a job: over where it knows none of that number any more, or started it (again) after the holder's time. */
static bool slurm_says_over(const struct holder *h)
{
    char command[128], line[128] = "";
    struct tm start = {.tm_isdst = -1};
    if (!is_number(h->slurm_job))
        return false;
    snprintf(command, sizeof command, "squeue -h -j %s -o %%S 2>&1", h->slurm_job);
    FILE *f = popen(command, "r");
    if (!f)
        return false;
    bool any = fgets(line, sizeof line, f) != NULL;
    int code = pclose(f);
    if (code == 0 && any && strptime(line, "%Y-%m-%dT%H:%M:%S", &start))
        return (double)mktime(&start) > h->since;
    return (code == 0 && !any) || strstr(line, "Invalid job id") != NULL;
}

static bool is_here(const struct holder *h)
{
    char host[256] = "", boot[64] = "";
    gethostname(host, sizeof host - 1);
    read_boot_id(boot);
    return strcmp(h->host, host) == 0 || (*boot && strcmp(h->boot_id, boot) == 0);
}

enum db_lock_state db_holder_look(struct db *d)
{
    struct holder h;
    struct error ignored;
    return read_holder(d, &h, &ignored) == STATUS_OK && h.is_there && is_here(&h) ? db_lock_look(d->path) : DB_LOCK_UNKNOWN;
}

/* Locks are not seen across machines everywhere, so another machine's holder is believed unless Slurm or people say otherwise. */
static enum status check_holder(struct db *d, bool take_over, struct error *e)
{
    struct holder h;
    TRY(read_holder(d, &h, e));
    if (!h.is_there || is_here(&h) || take_over || slurm_says_over(&h))
        return STATUS_OK;
    say(d, &h, e);
    error_prefix(e, "if that run is over, add --take-over");
    return STATUS_IO;
}

/* --- ours --- */

static void make_token(char token[33])
{
    unsigned char bytes[16] = {0};
    if (getrandom(bytes, sizeof bytes, 0) < 0) {
        uint64_t now = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
        memcpy(bytes, &now, sizeof now);
    }
    for (int i = 0; i < 16; i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
}

enum status db_hold(struct db *d, bool take_over, struct error *e)
{
    char host[256] = "", boot[64] = "", token[33];
    gethostname(host, sizeof host - 1);
    read_boot_id(boot);
    make_token(token);
    TRY(sql_exec(d, "BEGIN IMMEDIATE", e));
    enum status s = check_holder(d, take_over, e);
    if (s == STATUS_OK)
        s = sql_run(d, e, "INSERT OR REPLACE INTO holder VALUES (1, ?, ?, ?, ?, ?, ?)", "titttr", host, (int64_t)getpid(), boot,
                    getenv("SLURM_JOB_ID"), token, (double)time(NULL));
    if (s == STATUS_OK)
        s = sql_exec(d, "COMMIT", e);
    if (s != STATUS_OK) {
        db_rollback(d);
        return s;
    }
    memcpy(d->token, token, sizeof token);
    return STATUS_OK;
}

bool db_let_go(struct db *d)
{
    return sql_run(d, NULL, "DELETE FROM holder WHERE token = ?", "t", d->token) == STATUS_OK && sqlite3_changes(d->sqlite) == 1;
}
