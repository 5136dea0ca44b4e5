/* One arithmetic: what BLAS and MPI read from the environment when they load, so it must stand before a program starts.
 *
 * OpenBLAS: one thread, and a core type named by what this processor can do, so that ranks and launches agree; inherited OPENBLAS_* are dropped. */
#ifndef MPI_ENVIRONMENT_H
#define MPI_ENVIRONMENT_H

#include <stdbool.h>

/* Sets it; *changed tells whether anything was different, in which case a program that BLAS was loaded into must be executed again. */
bool environment_set_arithmetic(void);
/* Executes this very program again with its own arguments where the environment was not right yet. Returns where it was (or cannot be executed). */
void environment_settle(void);
/* What mpirun of Open MPI 4 and 5 should know; others do not read it. *says (or NULL) is a line for people. */
void environment_set_mpi(const char **says);
/* Started by a launcher (mpirun, an srun step)? */
bool environment_launched(void);

#endif
