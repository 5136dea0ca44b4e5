#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/visible.h"
#include "cli/verb.h"
#include "mpi/launch.h"

enum { SETS_MAX = 256, LINE_ROOM = 8192 };

static const struct verb_option options[] = {
    {"workers", 'n', "WORKERS", "worker ranks (default: one a core); 0: this process alone, without MPI"},
    {"set", 0, "PATH=VALUE", "replaces a value of the configuration; may be repeated"},
    {"fresh", 0, NULL, "renames an existing database and starts anew"},
    {"retry-failed", 0, NULL, "runs failed trials again"},
    {"no-restart", 0, NULL, "does not start again by itself when a rank died"},
    {"take-over", 0, NULL, "takes the database from a holder that cannot be asked"},
    {"accept-other-arithmetic", 0, NULL, "goes on with a study begun on a system that computes other bits"},
    {"quiet", 'q', NULL, "no progress"},
    {0}};

static void say(const char *line, bool redraw)
{
    char shown[LINE_ROOM];
    visible_text(line, shown, sizeof shown);
    fprintf(stderr, redraw ? "\r\033[K%s" : isatty(STDERR_FILENO) ? "\r\033[K%s\n" : "%s\n", shown);
    fflush(stderr);
}

static enum status run(const struct arguments *a, struct error *e)
{
    const char *sets[SETS_MAX];
    long workers = -1;
    TRY(argument_int(a, "workers", 0, 1000000, &workers, e));
    long cores = sysconf(_SC_NPROCESSORS_ONLN), most = 16 * cores > 256 ? 16 * cores : 256;
    if (workers > most && !getenv("SLURM_JOB_ID"))
        return error_set(e, STATUS_USAGE, "-n %ld: this machine has %ld cores, and at most %ld workers are started on it; flowsweep submit takes a cluster",
                         workers, cores, most);
    struct run_options o = {.config = a->positional[0], .sets = sets, .workers = (int)workers, .terminal = isatty(STDERR_FILENO)};
    TRY(argument_texts(a, "set", sets, SETS_MAX, &o.n_sets, e));
    o.accept_other_arithmetic = argument_given(a, "accept-other-arithmetic");
    o.fresh = argument_given(a, "fresh");
    o.retry_failed = argument_given(a, "retry-failed");
    o.no_restart = argument_given(a, "no-restart");
    o.take_over = argument_given(a, "take-over");
    o.quiet = argument_given(a, "quiet");
    return launch_run(&o, say, e);
}

const struct verb verb_run = {"run", "CONFIG", "trains and sweeps; goes on with what its database already holds", options, 1, 1, false, run};
