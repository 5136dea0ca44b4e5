/* flowsweep-mpi: rank 0 coordinates, the others work. Started by flowsweep run, through mpirun or in place under a launcher. */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/visible.h"
#include "mpi/comm.h"
#include "mpi/environment.h"
#include "mpi/run.h"
#include "mpi/signals.h"
#include "mpi/words.h"

enum { LINE_ROOM = 8192 };

static bool marked;

static void say(const char *line, bool redraw)
{
    char shown[LINE_ROOM];
    visible_text(line, shown, sizeof shown); /* it may name labels; and a line end would end the marked line */
    if (marked)
        fprintf(stderr, "%c%c%s\n", WORDS_MARK, redraw ? 'r' : 'n', shown);
    else
        fprintf(stderr, redraw ? "\r\033[K%s" : isatty(STDERR_FILENO) ? "\r\033[K%s\n" : "%s\n", shown);
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

enum { DIED = 128 + SIGABRT }; /* no code of sysexits.h: a run that stopped by itself has another (slurm/flowsweep.sbatch) */

/* A rank or a message was lost: the launcher kills whoever is left, stopped ones too. */
static void abandon(const struct transport *t, const struct error *e)
{
    if (marked)
        fprintf(stderr, "%cD%d %s\n", WORDS_MARK, t->lost_rank, e->message);
    else
        fprintf(stderr, "flowsweep: %s; run it again to go on\n", e->message);
    fflush(stderr);
    MPI_Abort(MPI_COMM_WORLD, DIED);
}

static enum status run(const struct run_options *o, struct error *e)
{
    struct transport t;
    enum status s = comm_init(&t, e);
    if (s == STATUS_OK && t.size < 2)
        s = environment_refuse_alone(e);
    else if (s == STATUS_OK)
        s = t.rank == 0 ? run_coordinator(&t, o, say, e) : run_worker(&t, e);
    if (t.broken)
        abandon(&t, e);
    else if (s != STATUS_OK && (t.rank == 0 || (s != STATUS_STOPPED && s != STATUS_CONFIG))) /* rank 0 says what all found */
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
    signals_catch(); /* before MPI, which takes its time: a signal that comes then must not kill */
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &(int){0});
    enum status s = run(&o, &e);
    MPI_Finalize();
    return marked ? 0 : status_exit_code(s); /* a launcher shouts at exit codes; flowsweep has heard already */
}
