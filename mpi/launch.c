#include "mpi/launch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "mpi/environment.h"
#include "mpi/run.h"
#include "mpi/signals.h"
#include "mpi/words.h"
#include "storage/db.h"

enum { RESTARTS = 3, LINES_KEPT = 30 };

struct launch {
    const struct run_options *options;
    say_function *say;
    char program[4096]; /* flowsweep-mpi */
    char *database;     /* owned */
    int workers;
    pid_t mpirun;
    int pipe;
    struct buffer line;
    struct error told;  /* by rank 0 */
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
    execv(program, arguments);
    return error_set(e, STATUS_BUG, "%s: %s", program, strerror(errno));
}

/* --- mpirun --- */

static void become_mpirun(const struct launch *l, int output)
{
    char workers[16], flags[16];
    char *arguments[8 + 256 + 4] = {"mpirun", "-n", workers};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* signals of the terminal come to flowsweep alone, which passes them on */
    dup2(output, STDERR_FILENO);
    dup2(output, STDOUT_FILENO);
    snprintf(workers, sizeof workers, "%d", l->workers + 1);
    words_of(l->options, true, flags);
    int n = 3 + words_arguments(l->options, (char *)(uintptr_t)l->program, flags, arguments + 3);
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
    l->mpirun = fork();
    if (l->mpirun < 0) {
        close(ends[0]);
        close(ends[1]);
        return error_set(e, STATUS_MEMORY, "no process for mpirun: %s", strerror(errno));
    }
    if (l->mpirun == 0)
        become_mpirun(l, ends[1]);
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
    const char *mark = strchr(line, WORDS_MARK);
    if (!mark)
        keep(l, line);
    else if (mark[1] == 'E')
        words_take_error(mark + 2, &l->told);
    else if (l->say)
        l->say(mark + 2, mark[1] == 'r');
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

/* Until mpirun has closed its output; passes on what people signal. USR1 alone: TERM would kill ranks in the middle of a checkpoint. */
static void attend(struct launch *l)
{
    char bytes[4096];
    bool passed = false;
    for (;;) {
        ssize_t n = read(l->pipe, bytes, sizeof bytes);
        if (signals_seen() && !passed) {
            kill(l->mpirun, SIGUSR1);
            passed = true;
        }
        if (n > 0)
            take_output(l, bytes, n);
        else if (n == 0 || errno != EINTR)
            break;
    }
    close(l->pipe);
    while (waitpid(l->mpirun, NULL, 0) < 0 && errno == EINTR)
        if (signals_seen() && !passed) {
            kill(l->mpirun, SIGUSR1);
            passed = true;
        }
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

static enum status outcome(struct launch *l, bool *died, int64_t *done, struct error *e)
{
    char *why = NULL;
    *died = false;
    if (l->told.code != STATUS_OK)
        return error_set(e, l->told.code, "%s", l->told.message);
    struct error ignored;
    enum status s = db_outcome(l->database, &why, done, &ignored);
    if (s == STATUS_OK && why && strcmp(why, "finished") == 0) {
        free(why);
        return STATUS_OK;
    }
    free(why);
    *died = true;
    return error_set(e, signals_seen() ? STATUS_STOPPED : STATUS_IO, "a rank died%s%s", telling(l) ? ": " : "", telling(l) ? telling(l) : "");
}

static enum status once(struct launch *l, bool *died, int64_t *done, struct error *e)
{
    *died = false;
    l->told = (struct error){0};
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
    for (int left = RESTARTS;; left--) {
        enum status s = once(l, &died, &done, e);
        if (!died || l->options->no_restart || signals_seen())
            return s;
        if (done > before)
            left = RESTARTS;
        before = done;
        if (left == 0)
            return error_prefix(e, "gave up after %d restarts", RESTARTS);
        if (!l->options->quiet) {
            l->say(e ? e->message : "a rank died", false);
            l->say("starting again from the last checkpoints", false);
        }
    }
}

static enum status run_mpirun(const struct run_options *o, say_function *say, struct error *e)
{
    struct launch l = {.options = o, .say = say, .workers = o->workers < 0 ? (int)sysconf(_SC_NPROCESSORS_ONLN) : o->workers};
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
    struct sigaction act; /* reads must return when a signal comes */
    signals_catch();
    for (int i = 0; i < 3; i++) {
        static const int caught[] = {SIGINT, SIGTERM, SIGUSR1};
        sigaction(caught[i], NULL, &act);
        act.sa_flags = 0;
        sigaction(caught[i], &act, NULL);
    }
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
    if (o->workers > 0 || (o->workers < 0 && find_program(program)))
        return run_mpirun(o, say, e);
    environment_settle();
    return run_serial(o, say, e);
}
