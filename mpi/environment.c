#include "mpi/environment.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

extern char **environ;

static bool set(const char *name, const char *value)
{
    const char *old = getenv(name);
    if (old && strcmp(old, value) == 0)
        return false;
    setenv(name, value, 1);
    return true;
}

static const char *core_type(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw"))
        return "SkylakeX";
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "Haswell" : "Nehalem";
#else
    return NULL;
#endif
}

/* The next inherited variable that would change BLAS, or NULL; written to name. */
static bool find_inherited(char name[128])
{
    for (char **v = environ; *v; v++) {
        size_t n = strcspn(*v, "=");
        bool ours = strncmp(*v, "OPENBLAS_NUM_THREADS=", 21) == 0 || strncmp(*v, "OPENBLAS_CORETYPE=", 18) == 0;
        if (strncmp(*v, "OPENBLAS_", 9) != 0 || ours || n >= 128)
            continue;
        memcpy(name, *v, n);
        name[n] = '\0';
        return true;
    }
    return false;
}

bool environment_set_arithmetic(void)
{
    char name[128];
    bool changed = set("OPENBLAS_NUM_THREADS", "1");
    changed |= set("OMP_NUM_THREADS", "1");
    if (core_type())
        changed |= set("OPENBLAS_CORETYPE", core_type());
    while (find_inherited(name)) {
        unsetenv(name);
        changed = true;
    }
    return changed;
}

void environment_settle(void)
{
    char *arguments[1024];
    int n = 0;
    if (!environment_set_arithmetic() || getenv("FLOWSWEEP_SETTLED"))
        return;
    FILE *f = fopen("/proc/self/cmdline", "r");
    if (!f)
        return;
    size_t room = 0;
    for (char *word = NULL; n < 1023 && getdelim(&word, &room, '\0', f) > 0; word = NULL, room = 0)
        arguments[n++] = word;
    arguments[n] = NULL;
    fclose(f);
    setenv("FLOWSWEEP_SETTLED", "1", 1); /* never twice */
    execv("/proc/self/exe", arguments);
}

void environment_set_mpi(const char **says)
{
    *says = NULL;
    set("OMPI_MCA_rmaps_base_oversubscribe", "1"); /* the coordinator sleeps: it needs no core */
    set("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe");
    set("OMPI_MCA_hwloc_base_binding_policy", "none");
    set("PRTE_MCA_hwloc_default_binding_policy", "none");
    set("OMPI_MCA_mpi_yield_when_idle", "1");
    set("OMPI_MCA_btl_vader_single_copy_mechanism", "none"); /* cross-memory attach is forbidden in many containers */
    set("OMPI_MCA_orte_base_help_aggregate", "1");
    if (geteuid() == 0) {
        bool changed = set("OMPI_ALLOW_RUN_AS_ROOT", "1");
        changed |= set("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
        if (changed)
            *says = "running as root: Open MPI's own guard against that was lifted for this run";
    }
}

bool environment_launched(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMIX_RANK") || getenv("PMI_RANK");
}

/* A count in the environment; 0 where there is none. */
static int count_of(const char *name)
{
    const char *text = getenv(name);
    long n = text ? strtol(text, NULL, 10) : 0;
    return n > 0 && n < 100000000 ? (int)n : 0;
}

int environment_started(void)
{
    static const char *const launchers[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}; /* mpirun's word before that of the step which it stands in */
    for (int i = 0; i < 2; i++)
        if (count_of(launchers[i]) > 0)
            return count_of(launchers[i]);
    if (!getenv("SLURM_STEP_ID"))
        return 1;
    int step = count_of("SLURM_STEP_NUM_TASKS"), tasks = step ? step : count_of("SLURM_NTASKS");
    return tasks ? tasks : 1;
}

/* Slurm's list of tasks on each node, "2(x3),1": 7. */
static int sum_of(const char *list)
{
    long sum = 0;
    for (char *at = (char *)(uintptr_t)list; at && *at;) {
        char *end;
        long tasks = strtol(at, &end, 10), nodes = 1;
        if (end == at || tasks < 0 || tasks > 1000000)
            return 0;
        if (strncmp(end, "(x", 2) == 0)
            nodes = strtol(end + 2, &end, 10);
        sum += nodes > 0 && nodes < 1000000 ? tasks * nodes : 0;
        at = end + strcspn(end, ",");
        at += *at == ',';
    }
    return sum < 100000000 ? (int)sum : 0;
}

int environment_job_tasks(void)
{
    if (!getenv("SLURM_JOB_ID") || environment_launched() || environment_started() > 1)
        return 0;
    int tasks = count_of("SLURM_NTASKS");
    return tasks ? tasks : sum_of(getenv("SLURM_TASKS_PER_NODE"));
}

enum status environment_refuse_alone(struct error *e)
{
    int n = environment_started();
    if (n == 1)
        return error_set(e, STATUS_CONFIG, "one rank alone: two are needed at least, a coordinator and a worker; run -n 0 needs one process, without MPI");
    if (getenv("SLURM_STEP_ID"))
        return error_set(e, STATUS_CONFIG, "started %d times, not as one job of %d ranks: srun and this MPI do not know each other; try srun --mpi=pmix (srun --mpi=list "
                         "names others), or mpirun", n, n);
    return error_set(e, STATUS_CONFIG, "started %d times, not as one job of %d ranks: the launcher belongs to another MPI than flowsweep-mpi", n, n);
}
