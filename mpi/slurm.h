/* Sweeps as Slurm jobs: the batch script, and handing it to sbatch.
 *
 * The script is slurm/flowsweep.sbatch, which stands in the program, with its settings filled in: whoever writes a job by hand starts from the same lines. How it
 * stops, goes on and puts itself back into the queue is told there. */
#ifndef MPI_SLURM_H
#define MPI_SLURM_H

#include "base/buffer.h"
#include "base/status.h"

struct slurm_job {
    const char *name;            /* any text; what Slurm would not take becomes _ */
    int nodes, tasks_per_node;
    const char *time, *partition; /* NULL: Slurm's own */
    double margin_s;             /* USR1 comes so long before the end */
    const char *flowsweep, *config; /* paths */
    const char *launcher;        /* "srun" or "mpirun" */
    const char *const *options;  /* (n_options) further words for flowsweep run */
    int n_options;
};

/* STATUS_USAGE where Slurm or flowsweep could not work with it: too few tasks, a malformed time, one that the margin uses up, an unknown launcher. */
enum status slurm_check(const struct slurm_job *j, struct error *e);
/* Appends the batch script. Pure: nothing is looked at but *j. */
void slurm_script(const struct slurm_job *j, struct buffer *out);
/* A time as Slurm writes it ("90", "1:30:00", "2-12", ..) in seconds; "UNLIMITED" and "INFINITE" are infinite. STATUS_USAGE. */
enum status slurm_time_s(const char *text, double *seconds, struct error *e);
/* The job's output, in the folder where it was submitted; owned by the caller. */
char *slurm_log(const struct slurm_job *j, const char *job);
/* Hands the script to `sbatch words..` (n words), whose complaints go to stderr. *job is the job's id, owned by the caller.
 * STATUS_CONFIG: there is no sbatch; STATUS_IO: it refused. */
enum status slurm_submit(const struct buffer *script, const char *const *words, int n, char **job, struct error *e);

#endif
