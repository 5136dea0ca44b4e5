/* flowsweep-mpi: rank 0 coordinates, the others work. Started by flowsweep run, through mpirun or in place under a launcher. */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "mpi/comm.h"
#include "mpi/environment.h"
#include "mpi/run.h"
#include "mpi/words.h"

static bool marked;

static void say(const char *line, bool redraw)
{
    if (marked)
        fprintf(stderr, "%c%c%s\n", WORDS_MARK, redraw ? 'r' : 'n', line);
    else
        fprintf(stderr, redraw ? "\r\033[K%s" : "%s\n", line);
    fflush(stderr);
}

static void say_error(const struct error *e)
{
    if (marked)
        fprintf(stderr, "%cE%d %s\n", WORDS_MARK, (int)e->code, e->message);
    else
        fprintf(stderr, "flowsweep: %s\n", e->message);
    fflush(stderr);
}

static enum status run(const struct run_options *o, struct error *e)
{
    struct transport t;
    TRY(comm_init(&t, e));
    enum status s;
    if (t.size < 2)
        s = error_set(e, STATUS_CONFIG, "one rank alone: started as many single programs, or with -n 1? Two are needed at least: a coordinator and a worker");
    else
        s = t.rank == 0 ? run_coordinator(&t, o, say, e) : run_worker(&t, e);
    if (s != STATUS_OK && (t.rank == 0 || s != STATUS_STOPPED))
        say_error(e);
    comm_fini(&t);
    return s;
}

int main(int argc, char **argv)
{
    struct run_options o;
    struct error e = {0};
    if (!words_take(argc, argv, &o, &marked)) {
        fputs("flowsweep-mpi is started by flowsweep run; see: flowsweep help run\n", stderr);
        return status_exit_code(STATUS_USAGE);
    }
    environment_settle();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &(int){0});
    enum status s = run(&o, &e);
    MPI_Finalize();
    return marked ? 0 : status_exit_code(s); /* a launcher shouts at exit codes; flowsweep has heard already */
}
