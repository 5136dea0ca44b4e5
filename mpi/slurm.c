#include "mpi/slurm.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "slurm_template.h"

enum { SIGNAL_LONGEST_S = 65535 /* Slurm keeps it in 16 bits */ };

/* --- settings --- */

struct setting { /* of the script: the line that begins with key gets this value, or goes where it is NULL */
    const char *key;
    char *value; /* owned */
};
enum { SETTINGS = 10 };

static bool is_plain(char c)
{
    return isalnum((unsigned char)c) || strchr("_./,:=@%+-", c);
}

/* A word for the shell, quoted where it needs to be. */
static void put_word(struct buffer *out, const char *word)
{
    bool plain = *word != '\0';
    for (const char *c = word; *c; c++)
        plain &= is_plain(*c);
    buffer_puts(out, plain ? word : "'");
    for (const char *c = word; *c && !plain; c++)
        buffer_printf(out, *c == '\'' ? "'\\''" : "%c", *c);
    buffer_puts(out, plain ? "" : "'");
}

static char *word_of(const char *text)
{
    struct buffer b = {0};
    put_word(&b, text);
    return b.data;
}

static char *list_of(const char *const *words, int n)
{
    struct buffer b = {0};
    buffer_puts(&b, "(");
    for (int i = 0; i < n; i++) {
        buffer_puts(&b, i ? " " : "");
        put_word(&b, words[i]);
    }
    buffer_puts(&b, ")");
    return b.data;
}

static char *name_of(const char *text)
{
    char *name = memory_text(*text ? text : "flowsweep");
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_.-", *c))
            *c = '_';
    return name;
}

static int signal_s(double margin_s)
{
    return margin_s < 1 ? 1 : margin_s > SIGNAL_LONGEST_S ? SIGNAL_LONGEST_S : (int)ceil(margin_s);
}

static void settings_of(const struct slurm_job *j, struct setting out[SETTINGS])
{
    const struct setting all[SETTINGS] = {
        {"#SBATCH --job-name=", name_of(j->name)},
        {"#SBATCH --nodes=", memory_format("%d", j->nodes)},
        {"#SBATCH --ntasks-per-node=", memory_format("%d", j->tasks_per_node)},
        {"#SBATCH --time=", j->time ? memory_text(j->time) : NULL},
        {"#SBATCH --partition=", j->partition ? memory_text(j->partition) : NULL},
        {"#SBATCH --signal=B:USR1@", memory_format("%d", signal_s(j->margin_s))},
        {"flowsweep=", word_of(j->flowsweep)},
        {"config=", word_of(j->config)},
        {"options=", list_of(j->options, j->n_options)},
        {"launcher=", memory_text(j->launcher)},
    };
    memcpy(out, all, sizeof all);
}

void slurm_script(const struct slurm_job *j, struct buffer *out)
{
    struct setting settings[SETTINGS];
    settings_of(j, settings);
    for (const char *line = slurm_template, *end; *line; line = end) {
        const struct setting *found = NULL;
        end = strchr(line, '\n') + 1;
        for (int i = 0; i < SETTINGS && !found; i++)
            if (strncmp(line, settings[i].key, strlen(settings[i].key)) == 0)
                found = &settings[i];
        if (!found)
            buffer_put(out, line, (size_t)(end - line));
        else if (found->value)
            buffer_printf(out, "%s%s\n", found->key, found->value);
    }
    buffer_puts(out, "");
    for (int i = 0; i < SETTINGS; i++)
        free(settings[i].value);
}

char *slurm_log(const struct slurm_job *j, const char *job)
{
    char *name = name_of(j->name);
    char *log = memory_format("%s-%s.log", name, job);
    free(name);
    return log;
}

/* --- what can be known before Slurm is asked --- */

static enum status bad_time(const char *text, struct error *e)
{
    return error_set(e, STATUS_USAGE, "--time must be minutes, [days-]hours:minutes:seconds or UNLIMITED, not \"%s\"", text);
}

enum status slurm_time_s(const char *text, double *seconds, struct error *e)
{
    double part[3] = {0}, days = 0;
    char *end = (char *)(uintptr_t)text;
    int n = 0;
    bool has_days = strchr(text, '-') != NULL;
    *seconds = INFINITY;
    if (strcasecmp(text, "UNLIMITED") == 0 || strcasecmp(text, "INFINITE") == 0)
        return STATUS_OK;
    if (has_days && isdigit((unsigned char)*text)) {
        days = (double)strtoul(text, &end, 10);
        if (*end++ != '-')
            return bad_time(text, e);
    }
    for (;; end++) {
        if (n == 3 || !isdigit((unsigned char)*end))
            return bad_time(text, e);
        part[n++] = (double)strtoul(end, &end, 10);
        if (*end != ':')
            break;
    }
    if (*end)
        return bad_time(text, e);
    double unit = has_days || n == 3 ? 3600 : 60; /* of the first part; those that follow are a sixtieth each */
    *seconds = days * 86400 + part[0] * unit + part[1] * unit / 60 + part[2];
    return *seconds > 0 ? STATUS_OK : bad_time(text, e);
}

enum status slurm_check(const struct slurm_job *j, struct error *e)
{
    double time_s = INFINITY;
    bool srun = strcmp(j->launcher, "srun") == 0;
    if (!srun && strcmp(j->launcher, "mpirun") != 0)
        return error_set(e, STATUS_USAGE, "--launcher is srun or mpirun, not \"%s\"", j->launcher);
    if (srun && j->nodes * j->tasks_per_node < 2)
        return error_set(e, STATUS_USAGE, "one task alone cannot train: under srun the first one coordinates; --tasks-per-node must be at least 2");
    for (const char *c = j->partition; c && *c; c++)
        if (!is_plain(*c))
            return error_set(e, STATUS_USAGE, "--partition: \"%s\" is no name of a partition", j->partition);
    if (j->time)
        TRY(slurm_time_s(j->time, &time_s, e));
    if (time_s <= j->margin_s)
        return error_set(e, STATUS_USAGE, "--time %s leaves no time to train: the run stops %.0f s before its end (budget.margin)", j->time, j->margin_s);
    return STATUS_OK;
}

/* --- sbatch --- */

static void become_sbatch(int script, int output, const char *const *words, int n)
{
    char **arguments = memory_new((size_t)(n + 3) * sizeof *arguments);
    arguments[0] = "sbatch";
    arguments[1] = "--parsable";
    for (int i = 0; i < n; i++)
        arguments[2 + i] = (char *)(uintptr_t)words[i];
    dup2(script, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    execvp("sbatch", arguments);
    _exit(errno == ENOENT ? 127 : 126);
}

/* All that comes, up to the end. */
static void read_all(int from, struct buffer *out)
{
    char bytes[512];
    for (ssize_t n; (n = read(from, bytes, sizeof bytes)) != 0;)
        if (n > 0)
            buffer_put(out, bytes, (size_t)n);
        else if (errno != EINTR)
            break;
    buffer_puts(out, "");
}

/* The script as an open file without a name: sbatch keeps a copy of its own, so nothing is left beside the study. */
static int file_of(const struct buffer *script)
{
    int file = memfd_create("flowsweep.sbatch", MFD_CLOEXEC);
    if (file >= 0 && write(file, script->data, script->size) == (ssize_t)script->size && lseek(file, 0, SEEK_SET) == 0)
        return file;
    if (file >= 0)
        close(file);
    return -1;
}

static enum status run_sbatch(int script, const char *const *words, int n, struct buffer *said, int *code, struct error *e)
{
    int ends[2], status;
    if (pipe(ends) != 0)
        return error_set(e, STATUS_MEMORY, "no pipe: %s", strerror(errno));
    pid_t sbatch = fork();
    if (sbatch == 0)
        become_sbatch(script, ends[1], words, n);
    close(ends[1]);
    if (sbatch > 0)
        read_all(ends[0], said);
    close(ends[0]);
    if (sbatch < 0)
        return error_set(e, STATUS_MEMORY, "no process for sbatch: %s", strerror(errno));
    while (waitpid(sbatch, &status, 0) < 0)
        if (errno != EINTR)
            return error_set(e, STATUS_BUG, "sbatch: %s", strerror(errno));
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return STATUS_OK;
}

enum status slurm_submit(const struct buffer *script, const char *const *words, int n, char **job, struct error *e)
{
    struct buffer said = {0};
    int code = 0, file = file_of(script);
    *job = NULL;
    if (file < 0)
        return error_set(e, STATUS_MEMORY, "no memory for the batch script: %s", strerror(errno));
    enum status s = run_sbatch(file, words, n, &said, &code, e);
    close(file);
    if (s == STATUS_OK && code == 127)
        s = error_set(e, STATUS_CONFIG, "sbatch cannot be executed: there is no Slurm here; --dry-run shows the script all the same");
    else if (s == STATUS_OK && (code != 0 || !isdigit((unsigned char)*said.data)))
        s = error_set(e, STATUS_IO, "sbatch did not take the job (code %d)", code);
    if (s == STATUS_OK) {
        said.data[strcspn(said.data, ";\n")] = '\0'; /* "17;cluster" where there are several */
        *job = memory_text(said.data);
    }
    buffer_fini(&said);
    return s;
}
