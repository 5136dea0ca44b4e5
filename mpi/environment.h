/* One arithmetic: what BLAS and MPI read from the environment when they load, so it must stand before a program starts.
 *
 * And where this process stands: alone, started by a launcher, or in a batch script of Slurm, told by the variables that they set.
 *
 * OpenBLAS: one thread, and a core type named by what this processor can do, so that ranks and launches agree; inherited OPENBLAS_* are dropped. */
#ifndef MPI_ENVIRONMENT_H
#define MPI_ENVIRONMENT_H

#include <stdbool.h>

#include "base/status.h"

/* Sets it; *changed tells whether anything was different, in which case a program that BLAS was loaded into must be executed again. */
bool environment_set_arithmetic(void);
/* Executes this very program again with its own arguments where the environment was not right yet. Returns where it was (or cannot be executed). */
void environment_settle(void);
/* What mpirun of Open MPI 4 and 5 should know; others do not read it. *says (or NULL) is a line for people. */
void environment_set_mpi(const char **says);
/* Started by a launcher (mpirun, an srun step)? A batch script of Slurm has SLURM_PROCID, too: it is no sign. */
bool environment_launched(void);
/* How many processes the launcher started, this one included, as far as it says; 1 where it does not. */
int environment_started(void);
/* Tasks of the Slurm job whose batch script or shell this process stands in; 0 outside of one, and where a launcher started it. */
int environment_job_tasks(void);
/* STATUS_CONFIG, in words that name the cause, for a process that is alone in MPI though it should not be. */
enum status environment_refuse_alone(struct error *e);

#endif
