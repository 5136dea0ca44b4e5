/* Where a process stands, by the variables that launchers set. Under real launchers: tests/slurm/launch_test.sh. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "mpi/environment.h"

/* Forgets every launcher, then sets "NAME=value" .. up to NULL. */
static void stand(const char *const *variables)
{
    static const char *const known[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE", "SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS",
                                        "SLURM_NTASKS", "SLURM_TASKS_PER_NODE", "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        unsetenv(known[i]);
    for (; *variables; variables++) {
        char name[64];
        size_t n = strcspn(*variables, "=");
        memcpy(name, *variables, n);
        name[n] = '\0';
        setenv(name, *variables + n + 1, 1);
    }
}
#define STAND(...) stand((const char *const[]){__VA_ARGS__, NULL})

static void nowhere(void)
{
    STAND(NULL);
    CU_ASSERT_FALSE(environment_launched());
    CU_ASSERT_EQUAL(environment_started(), 1);
    CU_ASSERT_EQUAL(environment_job_tasks(), 0);
}

static void batch(void)
{
    STAND("SLURM_JOB_ID=7", "SLURM_PROCID=0", "SLURM_NTASKS=4", "SLURM_TASKS_PER_NODE=2(x2)");
    CU_ASSERT_FALSE(environment_launched());
    CU_ASSERT_EQUAL(environment_started(), 1);
    CU_ASSERT_EQUAL(environment_job_tasks(), 4);
    STAND("SLURM_JOB_ID=7", "SLURM_TASKS_PER_NODE=2(x3),1"); /* sbatch --nodes, without tasks */
    CU_ASSERT_EQUAL(environment_job_tasks(), 7);
    STAND("SLURM_JOB_ID=7", "SLURM_TASKS_PER_NODE=nonsense");
    CU_ASSERT_EQUAL(environment_job_tasks(), 0);
    STAND("SLURM_JOB_ID=7");
    CU_ASSERT_EQUAL(environment_job_tasks(), 0);
}

static void steps(void)
{
    struct error e;
    STAND("SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=4", "SLURM_NTASKS=4", "PMIX_RANK=1");
    CU_ASSERT_TRUE(environment_launched());
    CU_ASSERT_EQUAL(environment_started(), 4);
    CU_ASSERT_EQUAL(environment_job_tasks(), 0);
    STAND("SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=4"); /* srun --mpi=none */
    CU_ASSERT_FALSE(environment_launched());
    CU_ASSERT_EQUAL(environment_started(), 4);
    CU_ASSERT_EQUAL(environment_refuse_alone(&e), STATUS_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "started 4 times, not as one job"));
    CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "srun --mpi=pmix"));
    STAND("SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=1", "SLURM_NTASKS=4"); /* srun -n 1 in a job of four */
    CU_ASSERT_EQUAL(environment_started(), 1);
    CU_ASSERT_EQUAL(environment_job_tasks(), 4); /* salloc's shell is a step of one, too */
}

static void mpiruns(void)
{
    struct error e;
    STAND("OMPI_COMM_WORLD_SIZE=5", "SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=1"); /* on another node, below mpirun's daemon */
    CU_ASSERT_TRUE(environment_launched());
    CU_ASSERT_EQUAL(environment_started(), 5);
    STAND("PMI_RANK=0", "PMI_SIZE=3");
    CU_ASSERT_TRUE(environment_launched());
    CU_ASSERT_EQUAL(environment_refuse_alone(&e), STATUS_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "another MPI"));
    STAND("PMI_RANK=0", "PMI_SIZE=1");
    CU_ASSERT_EQUAL(environment_refuse_alone(&e), STATUS_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "-n 0"));
}

UNIT_MAIN({"nowhere", nowhere}, {"batch", batch}, {"steps", steps}, {"mpiruns", mpiruns})
