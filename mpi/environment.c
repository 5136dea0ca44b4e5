#include "mpi/environment.h"

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
