#include "mpi/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "mpi/children.h"
#include "mpi/environment.h"
#include "mpi/run.h"
#include "mpi/signals.h"
#include "mpi/words.h"
#include "storage/db.h"

enum {
    RESTARTS = 3,
    LINES_KEPT = 30,
    GRACE_S = 10 /* mpirun's, to end after rank 0 has said how it went, or a rank was lost */
};

struct launch {
    struct run_options options;
    say_function *say;
    char program[4096]; /* flowsweep-mpi */
    char *database;     /* owned */
    int workers;
    pid_t mpirun;
    int pipe;
    struct buffer line;
    struct error told;  /* by rank 0 */
    int lost;           /* the rank that was lost, or -1 */
    bool ending;        /* rank 0 has spoken its last word, or a rank was lost */
    bool had_ranks;     /* mpirun's children were seen */
    int signals;        /* passed on so far */
    bool at_once;       /* told so twice: ranks were killed */
    char *kept[LINES_KEPT]; /* the launcher's own last lines */
    int n_kept;
};

/* Beside this program (a build), or in libexec. */
static bool find_program(char out[4096])
{
    char self[4000];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return false;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    static const char *const places[] = {"%s/flowsweep-mpi", "%s/../libexec/flowsweep-mpi"};
    for (int i = 0; i < 2; i++) {
        snprintf(out, 4096, i ? places[1] : places[0], self);
        if (access(out, X_OK) == 0)
            return true;
    }
    snprintf(out, 4096, "%s/flowsweep-mpi", FLOWSWEEP_LIBEXECDIR);
    return access(out, X_OK) == 0;
}

static enum status exec_in_place(const struct run_options *o, struct error *e)
{
    char program[4096], flags[16];
    char *arguments[4 + 256 + 1];
    if (!find_program(program))
        return error_set(e, STATUS_CONFIG, "flowsweep-mpi is not installed beside flowsweep: it was built without MPI; run with -n 0");
    words_of(o, false, flags);
    int n = words_arguments(o, program, flags, arguments);
    arguments[n] = NULL;
    environment_set_arithmetic();
    environment_set_mpi(&(const char *){NULL});
    execv(program, arguments);
    return error_set(e, STATUS_BUG, "%s: %s", program, strerror(errno));
}

/* --- mpirun --- */

static void become_mpirun(const struct launch *l, pid_t parent, int output)
{
    char workers[16], flags[16];
    char *arguments[8 + 256 + 4] = {"mpirun", "-n", workers};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    int nothing = open("/dev/null", O_RDONLY); /* mpirun would read all that stdin holds; it is for who typed run, or the loop around it */
    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
    setpgid(0, 0); /* signals of the terminal come to flowsweep alone, which passes them on */
    dup2(output, STDERR_FILENO);
    dup2(output, STDOUT_FILENO);
    snprintf(workers, sizeof workers, "%d", l->workers + 1);
    words_of(&l->options, true, flags);
    int n = 3 + words_arguments(&l->options, (char *)(uintptr_t)l->program, flags, arguments + 3);
    arguments[n] = NULL;
    execvp("mpirun", arguments);
    fprintf(stderr, "%cE%d mpirun cannot be executed: %s; install Open MPI, or run with -n 0\n", WORDS_MARK, (int)STATUS_CONFIG, strerror(errno));
    _exit(127);
}

static enum status start_mpirun(struct launch *l, struct error *e)
{
    int ends[2];
    if (pipe(ends) != 0)
        return error_set(e, STATUS_MEMORY, "no pipe: %s", strerror(errno));
    pid_t self = getpid();
    l->mpirun = fork();
    if (l->mpirun < 0) {
        close(ends[0]);
        close(ends[1]);
        return error_set(e, STATUS_MEMORY, "no process for mpirun: %s", strerror(errno));
    }
    if (l->mpirun == 0)
        become_mpirun(l, self, ends[1]);
    close(ends[1]);
    l->pipe = ends[0];
    return STATUS_OK;
}

static void keep(struct launch *l, const char *line)
{
    if (l->n_kept == LINES_KEPT) {
        free(l->kept[0]);
        memmove(l->kept, l->kept + 1, (LINES_KEPT - 1) * sizeof *l->kept);
        l->n_kept--;
    }
    l->kept[l->n_kept++] = memory_text(line);
}

static void take_line(struct launch *l, const char *line)
{
    const char *mark = strchr(line, WORDS_MARK), *text;
    if (!mark) {
        keep(l, line);
    } else if (mark[1] == 'E' || mark[1] == 'D') {
        long number = words_take_number(mark + 2, &text);
        if (mark[1] == 'D' && l->lost < 0)
            l->lost = (int)number;
        if (!l->ending)
            error_set(&l->told, mark[1] == 'D' ? STATUS_STOPPED : (enum status)number, "%s", text);
        l->ending = true;
    } else if (l->say) {
        l->say(mark + 2, mark[1] == 'r');
    }
}

static void take_output(struct launch *l, const char *bytes, ssize_t n)
{
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] != '\n') {
            buffer_put(&l->line, &bytes[i], 1);
            continue;
        }
        buffer_puts(&l->line, "");
        take_line(l, l->line.data);
        buffer_clear(&l->line);
    }
}

/* Passes on what people signal: USR1 alone, since TERM would kill ranks in the middle of a checkpoint. Who asks again wants it now. */
static void pass_signals(struct launch *l)
{
    int seen = signals_count();
    if (seen == l->signals)
        return;
    l->at_once = l->signals > 0;
    kill(l->at_once ? -l->mpirun : l->mpirun, l->at_once ? SIGKILL : SIGUSR1);
    if (!l->at_once && !l->options.quiet)
        l->say("stopping after a checkpoint; once more ends at once, at the cost of what came after the last one", false);
    l->signals = seen;
}

/* What mpirun has written, waiting up to wait_ms for it. False once it has closed its output. */
static bool hear(struct launch *l, int wait_ms, bool *heard)
{
    char bytes[4096];
    struct pollfd f = {.fd = l->pipe, .events = POLLIN};
    *heard = poll(&f, 1, wait_ms) > 0;
    if (!*heard)
        return true;
    ssize_t n = read(l->pipe, bytes, sizeof bytes);
    if (n > 0)
        take_output(l, bytes, n);
    return n > 0 || (n < 0 && errno == EINTR);
}

/* Is all over? Rank 0 has said so, or mpirun had ranks and has none any more: it may hang then (Open MPI 4 sometimes locks itself up at its end). */
static bool is_over(struct launch *l)
{
    int alive = children_alive(l->mpirun);
    l->had_ranks |= alive > 0;
    return l->ending || (l->had_ranks && alive == 0);
}

/* Until mpirun has ended. One that does not end when all is over is killed. */
static void attend(struct launch *l)
{
    const struct timespec moment = {0, 50000000};
    bool open = true, heard = true;
    l->had_ranks = false;
    for (int idle = 0; waitpid(l->mpirun, NULL, WNOHANG) == 0; idle = !heard && is_over(l) ? idle + 1 : 0) {
        pass_signals(l);
        open = open && hear(l, 50, &heard);
        if (!open) {
            heard = false;
            nanosleep(&moment, NULL);
        }
        if (idle == 20 * GRACE_S)
            kill(-l->mpirun, SIGKILL);
    }
    while (open && heard) /* what was written last */
        open = hear(l, 1000, &heard);
    close(l->pipe);
}

/* --- outcome --- */

/* Of the launcher's own lines the one that says what happened, or NULL. */
static const char *telling(const struct launch *l)
{
    static const char *const words[] = {"signal", "exited", "terminated", "rror", "not", "fail"};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        for (int i = 0; i < l->n_kept; i++)
            if (strstr(l->kept[i], words[w]))
                return l->kept[i];
    return l->n_kept ? l->kept[0] : NULL;
}

/* The rank that died first: as the coordinator told, else as mpirun says it ("mpirun noticed that process rank 2 with PID .."), else the coordinator
 * itself where a worker misses it (mpirun may have killed it for another's death). -1: nobody knows. */
static int lost_rank(const struct launch *l)
{
    static const char words[] = "process rank ";
    for (int i = 0; i < l->n_kept && l->lost <= 0; i++) {
        const char *at = strstr(l->kept[i], words);
        if (at && strstr(l->kept[i], "exited on signal"))
            return atoi(at + sizeof words - 1);
    }
    return l->lost;
}

static enum status outcome(struct launch *l, bool *died, int64_t *done, struct error *e)
{
    char *why = NULL;
    struct error ignored;
    enum status s = db_outcome(l->database, &why, done, &ignored);
    bool finished = s == STATUS_OK && why && strcmp(why, "finished") == 0;
    free(why);
    *died = l->lost >= 0 || (l->told.code == STATUS_OK && !finished);
    if (l->lost == 0 && lost_rank(l) > 0) /* mpirun killed the coordinator for another's death */
        error_set(&l->told, STATUS_STOPPED, "rank %d died: %s", lost_rank(l), telling(l));
    if (l->told.code != STATUS_OK)
        return error_set(e, l->told.code, "%s%s", l->told.message, l->lost >= 0 ? "; run it again to go on" : "");
    if (finished)
        return STATUS_OK;
    if (l->at_once)
        return error_set(e, STATUS_STOPPED, "ended at once, as told twice; run it again to go on from the last checkpoints");
    return error_set(e, STATUS_STOPPED, "a rank died%s%s; run it again to go on", telling(l) ? ": " : "", telling(l) ? telling(l) : "");
}

static enum status once(struct launch *l, bool *died, int64_t *done, struct error *e)
{
    *died = false;
    l->told = (struct error){0};
    l->lost = -1;
    l->ending = false;
    l->signals = signals_count();
    while (l->n_kept)
        free(l->kept[--l->n_kept]);
    TRY(start_mpirun(l, e));
    attend(l);
    return outcome(l, died, done, e);
}

static enum status with_restarts(struct launch *l, struct error *e)
{
    bool died;
    int64_t done = 0, before = 0;
    struct error ignored;
    for (int left = RESTARTS;; left--) {
        enum status s = once(l, &died, &done, e);
        l->options.fresh = l->options.retry_failed = l->options.take_over = false; /* once is enough */
        if (died && l->at_once) /* nobody's fault */
            db_last_job_lost(l->database, -1, (double)time(NULL), "was ended at once, as told twice", &ignored);
        else if (died && lost_rank(l) >= 0)
            db_last_job_lost(l->database, lost_rank(l), (double)time(NULL), l->told.message[0] ? l->told.message : telling(l), &ignored);
        if (!died || l->options.no_restart || signals_seen())
            return s;
        if (done > before)
            left = RESTARTS;
        before = done;
        if (left == 0)
            return error_prefix(e, "gave up after %d restarts", RESTARTS);
        if (!l->options.quiet) {
            l->say(l->told.message[0] ? l->told.message : e ? e->message : "a rank died", false);
            l->say("starting again from the last checkpoints", false);
        }
    }
}

int launch_workers(void)
{
    int tasks = environment_job_tasks();
    return tasks ? tasks : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static enum status run_mpirun(const struct run_options *o, say_function *say, struct error *e)
{
    struct launch l = {.options = *o, .say = say, .workers = o->workers < 0 ? launch_workers() : o->workers};
    struct config c = {0};
    const char *says;
    if (!find_program(l.program))
        return error_set(e, STATUS_CONFIG, "flowsweep-mpi is not installed beside flowsweep: it was built without MPI; run with -n 0");
    TRY(config_read(o->config, o->sets, o->n_sets, &c, e)); /* its errors before any process */
    l.database = memory_text(params_text(&c.study, "database"));
    config_fini(&c);
    environment_set_arithmetic();
    environment_set_mpi(&says);
    if (says && !o->quiet)
        say(says, false);
    signals_catch();
    enum status s = with_restarts(&l, e);
    buffer_fini(&l.line);
    while (l.n_kept)
        free(l.kept[--l.n_kept]);
    free(l.database);
    return s;
}

enum status launch_run(const struct run_options *o, say_function *say, struct error *e)
{
    char program[4096];
    if (o->workers != 0 && environment_launched())
        return exec_in_place(o, e);
    if (o->workers != 0 && environment_started() > 1)
        return environment_refuse_alone(e);
    if (o->workers > 0 || (o->workers < 0 && find_program(program)))
        return run_mpirun(o, say, e);
    environment_settle();
    return run_serial(o, say, e);
}
