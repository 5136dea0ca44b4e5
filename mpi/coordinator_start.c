/* What a run finds and what it has to do: tasks, the database, the plan in it, the trials that wait. */
#include "mpi/coordinator_private.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "mpi/lineage.h"

enum { ALONE_DEATHS = 2 }; /* who took down so many jobs runs alone */

double coordinator_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum status coordinator_task(struct coordinator *c, int task, int repeat, struct task **out, struct error *e)
{
    struct task **slot = &c->tasks[(size_t)task * (size_t)c->splits + (size_t)repeat];
    if (!*slot)
        TRY(task_new(slot, c->r.flows, &c->r.config->data, &c->r.config->tasks[task], (uint64_t)params_int(&c->r.config->study, "seed"), repeat, e));
    *out = *slot;
    return STATUS_OK;
}

static enum status make_tasks(struct coordinator *c, struct error *e)
{
    c->splits = 1;
    for (int i = 0; i < c->plan->n_trials; i++)
        if (c->plan->trials[i].split_repeat >= c->splits)
            c->splits = c->plan->trials[i].split_repeat + 1;
    c->tasks = memory_new((size_t)c->r.config->n_tasks * (size_t)c->splits * sizeof(struct task *));
    for (int t = 0; t < c->r.config->n_tasks; t++) {
        struct task *first;
        enum status s = coordinator_task(c, t, 0, &first, e);
        if (s != STATUS_OK) {
            if (c->r.config->tasks[t].top_n >= 0)
                error_prefix(e, "task top_n = %d, steps = %d", c->r.config->tasks[t].top_n, c->r.config->tasks[t].steps);
            return s;
        }
        if (first->note && c->r.say && !c->r.options->quiet) {
            char *line = memory_format("task %d (%d labels, %d packets): %s", t + 1, first->n_classes, first->spec.steps, first->note);
            c->r.say(line, false);
            free(line);
        }
    }
    return STATUS_OK;
}

static enum status write_plan(struct coordinator *c, struct error *e)
{
    const struct config *config = c->r.config;
    char hash[HASH_HEX];
    struct task **first = memory_new((size_t)config->n_tasks * sizeof(struct task *));
    for (int t = 0; t < config->n_tasks; t++)
        first[t] = c->tasks[(size_t)t * (size_t)c->splits];
    flows_hash(c->r.flows, hash);
    struct transaction t = {.of = &c->transactor};
    while (transact(&t, e)) {
        t.status = db_study(c->db, config, hash, c->arithmetic, c->r.options->accept_other_arithmetic, coordinator_now_s(), e);
        if (t.status == STATUS_OK)
            t.status = db_job_start(c->db, config, c->r.transport->size, c->arithmetic, coordinator_now_s(), &c->job, e);
        if (t.status == STATUS_OK)
            t.status = db_plan(c->db, config, c->plan, first, c->r.options->retry_failed, e);
    }
    free(first);
    TRY(t.status);
    c->trials = memory_new((size_t)c->plan->n_trials * sizeof *c->trials);
    return db_trials(c->db, c->plan, c->trials, e);
}

static enum scheduler_order order_of(const struct config *c)
{
    return params_is(&c->search, "order", "longest") ? ORDER_LONGEST : params_is(&c->search, "order", "shuffled") ? ORDER_SHUFFLED : ORDER_LISTED;
}

static void schedule(struct coordinator *c)
{
    const struct plan *plan = c->plan;
    struct scheduler_trial *waiting = memory_new((size_t)plan->n_trials * sizeof *waiting);
    double *left = memory_new((size_t)plan->n_trials * sizeof *left);
    int n = 0;
    lineage_flops(plan, left);
    for (int i = 0; i < plan->n_trials; i++) {
        const struct plan_trial *t = &plan->trials[i];
        c->progress.done += c->trials[i].state == TRIAL_DONE;
        c->progress.failed += c->trials[i].state == TRIAL_FAILED;
        if (c->trials[i].state != TRIAL_QUEUED)
            continue;
        waiting[n++] = (struct scheduler_trial){i, config_ranks(c->r.config, plan->configurations[t->configuration].kind), left[i],
                                                 c->trials[i].deaths >= ALONE_DEATHS, lineage_awaited(plan, c->trials, i) >= 0};
        progress_work(&c->progress, plan->configurations[t->configuration].kind->name)->total += t->flops - plan_work(plan, i, c->trials[i].epoch);
    }
    c->progress.total = plan->n_trials;
    c->scheduler = scheduler_new(waiting, n, c->r.n_workers, order_of(c->r.config), (uint64_t)params_int(&c->r.config->study, "seed"));
    free(waiting);
    free(left);
}

static void set_deadline(struct coordinator *c)
{
    double wall = 0, margin = 0;
    const char *slurm = getenv("SLURM_JOB_END_TIME");
    budget_seconds(params_get(&c->r.config->budget, "wall_time"), &wall, NULL);
    budget_seconds(params_get(&c->r.config->budget, "margin"), &margin, NULL);
    double ours = wall > 0 ? coordinator_now_s() + wall : INFINITY, slurms = slurm ? strtod(slurm, NULL) : INFINITY;
    double end = ours < slurms ? ours : slurms;
    c->deadline = isfinite(end) ? end - margin : 0;
}

static enum status open_database(struct coordinator *c, struct error *e)
{
    const struct run_options *o = c->r.options;
    const char *path = params_text(&c->r.config->study, "database");
    char *renamed = NULL;
    if (o->fresh)
        TRY(db_set_aside(path, &renamed, e));
    if (renamed && !o->quiet && c->r.say) {
        char *line = memory_format("%s: the earlier results are now in %s", path, renamed);
        c->r.say(line, false);
        free(line);
    }
    free(renamed);
    struct error held;
    if (!o->quiet && c->r.say && db_held(path, &held) != STATUS_OK) {
        char *line = memory_format("%s; waiting up to 15 s for it to end", held.message);
        c->r.say(line, false);
        free(line);
    }
    TRY(db_open(&c->db, path, true, o->take_over, e));
    c->transactor = (struct transactor){.db = c->db, .transport = c->r.transport, .say = o->quiet ? NULL : c->r.say};
    budget_seconds(params_get(&c->r.config->budget, "silence"), &c->transactor.patience_s, NULL);
    if (db_as_it_was(c->db) && !o->quiet && c->r.say) {
        char *line = memory_format("%s: made by an older flowsweep, and upgraded; as it was: %s", path, db_as_it_was(c->db));
        c->r.say(line, false);
        free(line);
    }
    return STATUS_OK;
}

static enum status start(struct coordinator *c, struct error *e)
{
    TRY(make_tasks(c, e));
    TRY(open_database(c, e));
    TRY(write_plan(c, e));
    schedule(c);
    set_deadline(c);
    gangs_init(&c->gangs, c->r.n_workers);
    sets_init(&c->sets, c->r.transport->sets.n);
    return STATUS_OK;
}

enum status coordinator_new(struct coordinator **out, const struct coordinator_request *r, struct error *e)
{
    struct coordinator *c = memory_new(sizeof *c);
    *out = NULL;
    c->r = *r;
    c->plan = r->plan;
    arithmetic_of(c->arithmetic);
    c->progress = (struct progress){.say = r->options->quiet ? NULL : r->say, .terminal = r->options->terminal, .started = coordinator_now_s()};
    c->progress.shown = c->progress.started;
    enum status s = start(c, e);
    if (s != STATUS_OK) {
        coordinator_free(c);
        return s;
    }
    *out = c;
    return STATUS_OK;
}

void coordinator_free(struct coordinator *c)
{
    if (!c)
        return;
    for (int i = 0; c->tasks && i < c->r.config->n_tasks * c->splits; i++)
        task_free(c->tasks[i]);
    free(c->tasks);
    free(c->trials);
    scheduler_free(c->scheduler);
    gangs_fini(&c->gangs);
    sets_fini(&c->sets);
    db_close(c->db);
    free(c);
}
