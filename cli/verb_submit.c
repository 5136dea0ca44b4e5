#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/format.h"
#include "cli/verb.h"
#include "mpi/slurm.h"
#include "storage/config.h"

enum { SETS_MAX = 256, NODES_MAX = 100000, TASKS_MAX = 4096, PATH_ROOM = 4096 };

static const struct verb_option options[] = {
    {"nodes", 0, "N", "nodes (default: 1)"},
    {"tasks-per-node", 0, "N", "MPI tasks on each (default: 4)"},
    {"time", 0, "TIME", "limit, as sbatch takes it: minutes, or [days-]hours:minutes:seconds (default: the partition's)"},
    {"partition", 0, "NAME", "partition (default: Slurm's)"},
    {"launcher", 0, "srun|mpirun", "what starts the ranks (default: srun where it exists)"},
    {"set", 0, "PATH=VALUE", "replaces a value of the configuration; may be repeated"},
    {"dry-run", 0, NULL, "prints the batch script and submits nothing"},
    {0}};

/* Is there such a program in PATH? */
static bool in_path(const char *program)
{
    const char *path = getenv("PATH");
    for (const char *at = path ? path : ""; *at;) {
        size_t n = strcspn(at, ":");
        char *name = memory_format("%.*s/%s", (int)n, at, program);
        bool found = access(name, X_OK) == 0;
        free(name);
        if (found)
            return true;
        at += n + (at[n] == ':');
    }
    return false;
}

static void say_next(const struct slurm_job *j, const char *job, const char *database)
{
    char *log = slurm_log(j, job);
    fprintf(stderr,
            "submitted as job %s\n"
            "whether it runs:          squeue -j %s\n"
            "how far it is:            flowsweep status %s\n"
            "what it says:             tail -f %s\n"
            "to end it before its end: scancel %s; submit again to go on\n",
            job, job, database, log, job);
    free(log);
}

static enum status submit_or_print(const struct arguments *a, const struct slurm_job *j, const char *database, struct error *e)
{
    struct buffer script = {0};
    char *job = NULL;
    enum status s;
    slurm_script(j, &script);
    if (argument_given(a, "dry-run"))
        s = print_text(&script, e);
    else
        s = slurm_submit(&script, (const char *const *)a->rest, a->n_rest, &job, e);
    if (job) {
        printf("%s\n", job);
        say_next(j, job, database);
    }
    free(job);
    buffer_fini(&script);
    return s;
}

/* The nodes may have another PATH and folder: the program and the configuration get full paths. */
static enum status full_paths(const char *config, char program[PATH_ROOM], char path[PATH_ROOM], struct error *e)
{
    ssize_t n = readlink("/proc/self/exe", program, PATH_ROOM - 1);
    if (n < 0 || !realpath(config, path))
        return error_set(e, STATUS_NO_INPUT, "%s: its full path cannot be found", config);
    program[n] = '\0';
    return STATUS_OK;
}

static enum status submit(const struct arguments *a, const struct config *c, const char *const *sets, int n_sets, struct error *e)
{
    char program[PATH_ROOM], path[PATH_ROOM];
    const char *words[2 * SETS_MAX];
    long nodes = 1, tasks = 4;
    struct slurm_job j = {.name = params_text(&c->study, "name"), .flowsweep = program, .config = path, .options = words, .n_options = 2 * n_sets};
    for (int i = 0; i < n_sets; i++) {
        words[2 * i] = "--set";
        words[2 * i + 1] = sets[i];
    }
    TRY(argument_int(a, "nodes", 1, NODES_MAX, &nodes, e));
    TRY(argument_int(a, "tasks-per-node", 1, TASKS_MAX, &tasks, e));
    j.nodes = (int)nodes;
    j.tasks_per_node = (int)tasks;
    j.time = argument_text(a, "time", NULL);
    j.partition = argument_text(a, "partition", NULL);
    j.launcher = argument_text(a, "launcher", in_path("srun") || !in_path("mpirun") ? "srun" : "mpirun");
    TRY(budget_seconds(params_get(&c->budget, "margin"), &j.margin_s, e));
    TRY(slurm_check(&j, e));
    TRY(full_paths(a->positional[0], program, path, e));
    return submit_or_print(a, &j, params_text(&c->study, "database"), e);
}

static enum status run(const struct arguments *a, struct error *e)
{
    const char *sets[SETS_MAX];
    struct config c = {0};
    int n;
    TRY(argument_texts(a, "set", sets, SETS_MAX, &n, e));
    TRY(config_read(a->positional[0], sets, n, &c, e)); /* its errors now, not when the job starts */
    enum status s = submit(a, &c, sets, n, e);
    config_fini(&c);
    return s;
}

const struct verb verb_submit = {"submit", "CONFIG", "runs it as a Slurm job that stops in time and goes on by itself", options, 1, 1, false, run, "SBATCH_ARGS"};
