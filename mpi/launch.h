/* Starting a run: which transport, and its environment. Knows no MPI (that is mpi/comm.c and mpi/main.c, in flowsweep-mpi alone). */
#ifndef MPI_LAUNCH_H
#define MPI_LAUNCH_H

#include "base/status.h"
#include <stdbool.h>

struct run_options {
    const char *config;      /* path */
    const char *const *sets; /* "path=value" */
    int n_sets;
    int workers;             /* -1: one per core; 0: serial, in this process */
    bool accept_other_arithmetic, fresh, retry_failed, no_restart, take_over, quiet;
    bool terminal;           /* progress may be redrawn */
};

/* Runs a whole sweep and returns its outcome: OK, TRIALS_FAILED, STOPPED, or an error. summary for people is printed through `say`. */
enum status launch_run(const struct run_options *o, void (*say)(const char *line, bool redraw), struct error *e);

/* Workers that a run starts unless told: as many as a Slurm job has tasks, over all of its nodes, else one a core. */
int launch_workers(void);

#endif
