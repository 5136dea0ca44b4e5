#include "mpi/coordinator.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "models/arithmetic.h"
#include "mpi/assignment.h"
#include "mpi/dealing.h"
#include "mpi/gangs.h"
#include "mpi/sets.h"
#include "mpi/signals.h"
#include "mpi/transact.h"
#include "sweep/scheduler.h"

enum { ALONE_DEATHS = 2 }; /* who took down so many jobs runs alone */

struct coordinator {
    struct coordinator_request r;
    struct db *db; /* open for writing */
    struct transactor transactor;
    const struct plan *plan;
    struct db_trial *trials; /* (plan->n_trials) */
    struct task **tasks;     /* (config->n_tasks, splits) made when needed */
    int splits;
    struct scheduler *scheduler;
    struct gangs gangs;
    struct sets sets;
    struct progress progress;
    int64_t job;
    int tags;
    double deadline; /* [s since 1970], 0: none */
    bool stopping;
    char arithmetic[ARITHMETIC_WORD];
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- what is to be done --- */

static enum status task_of(struct coordinator *c, int task, int repeat, struct task **out, struct error *e)
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
        enum status s = task_of(c, t, 0, &first, e);
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
        t.status = db_study(c->db, config, hash, c->arithmetic, c->r.options->accept_other_arithmetic, now_s(), e);
        if (t.status == STATUS_OK)
            t.status = db_job_start(c->db, config, c->r.transport->size, c->arithmetic, now_s(), &c->job, e);
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
    int n = 0;
    for (int i = 0; i < plan->n_trials; i++) {
        const struct plan_trial *t = &plan->trials[i];
        c->progress.done += c->trials[i].state == TRIAL_DONE;
        c->progress.failed += c->trials[i].state == TRIAL_FAILED;
        if (c->trials[i].state != TRIAL_QUEUED)
            continue;
        waiting[n++] = (struct scheduler_trial){i, config_ranks(c->r.config, plan->configurations[t->configuration].kind), t->flops,
                                                 c->trials[i].deaths >= ALONE_DEATHS};
        c->progress.work_total += t->flops;
    }
    c->progress.total = plan->n_trials;
    c->scheduler = scheduler_new(waiting, n, c->r.n_workers, order_of(c->r.config), (uint64_t)params_int(&c->r.config->study, "seed"));
    free(waiting);
}

static void set_deadline(struct coordinator *c)
{
    double wall = 0, margin = 0;
    const char *slurm = getenv("SLURM_JOB_END_TIME");
    budget_seconds(params_get(&c->r.config->budget, "wall_time"), &wall, NULL);
    budget_seconds(params_get(&c->r.config->budget, "margin"), &margin, NULL);
    double ours = wall > 0 ? now_s() + wall : INFINITY, slurms = slurm ? strtod(slurm, NULL) : INFINITY;
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
    c->progress = (struct progress){.say = r->options->quiet ? NULL : r->say, .terminal = r->options->terminal, .started = now_s()};
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

/* --- telling --- */

static enum status tell(struct coordinator *c, const struct gang_slot *g, enum message_kind kind, struct error *e)
{
    for (int i = 0; i < g->n; i++)
        TRY(c->r.transport->send(c->r.transport, g->members[i], kind, NULL, e));
    return STATUS_OK;
}

/* Rows are dealt unless a node has them all; one process has. */
static bool deals(const struct coordinator *c)
{
    return c->r.transport->size > 1 && params_is(&c->r.config->data, "placement", "sharded");
}

static enum status send_assignment(struct coordinator *c, struct gang_slot *g, const struct buffer *state, struct error *e)
{
    const struct plan_trial *t = &c->plan->trials[g->trial];
    const struct params *p = &c->plan->configurations[t->configuration].params;
    struct buffer params = {0};
    struct features features = {0};
    struct task *task = NULL;
    params_to_json(p, &params);
    struct assignment a = {.trial = g->trial, .task = t->task, .split_repeat = t->split_repeat, .key = t->key, .params = params.data,
                           .members = g->members, .n_members = g->n, .tag = ++c->tags, .epoch = g->epoch, .set = g->set,
                           .set_version = g->set < 0 ? 0 : c->sets.places[g->set].version};
    enum status s = STATUS_OK;
    if (deals(c))
        s = task_of(c, t->task, t->split_repeat, &task, e);
    if (s == STATUS_OK && task)
        s = dealing_features(c->r.config, c->r.flows, p, task, &features, e);
    for (int i = 0; s == STATUS_OK && i < g->n; i++) {
        struct dealing d = {c->r.flows, task, task ? &features : NULL, i, g->n};
        a.state = i == 0 ? state->data : NULL; /* the others get it from the gang's rank 0 */
        a.n_state = i == 0 ? state->size : 0;
        s = dealing_send(c->r.transport, &d, &a, e);
    }
    features_fini(&features);
    buffer_fini(&params);
    return s;
}

/* The place of the set that the gang's trial looks at, where its model has one and it fits. */
static enum status take_set(struct coordinator *c, struct gang_slot *g, struct error *e)
{
    const struct plan_trial *t = &c->plan->trials[g->trial];
    const struct plan_configuration *k = &c->plan->configurations[t->configuration];
    struct task *task;
    if (!k->kind->node_bytes || c->sets.n == 0)
        return STATUS_OK;
    TRY(task_of(c, t->task, t->split_repeat, &task, e));
    g->set = sets_take_for(&c->sets, k, t, task, c->r.transport->sets.bytes);
    return STATUS_OK;
}

static enum status assign(struct coordinator *c, const struct scheduler_action *action, struct error *e)
{
    struct gang_slot *g = gangs_form(&c->gangs, action->trial, action->members, action->n);
    struct buffer state = {0};
    int64_t id = c->trials[action->trial].id;
    g->started = now_s();
    g->set = -1;
    enum status s = db_checkpoint_read(c->db, id, &state, &g->epoch, e);
    struct db_start start = {id, c->job, g->members, g->n, g->epoch, c->arithmetic, (int64_t)footprint_of_trial(c->r.footprint, action->trial)};
    struct transaction t = {.of = &c->transactor, .status = s};
    while (s == STATUS_OK && transact(&t, e))
        t.status = db_trial_start(c->db, &start, g->started, &g->attempt, e);
    s = t.status;
    if (s == STATUS_OK)
        s = take_set(c, g, e);
    if (s == STATUS_OK)
        s = send_assignment(c, g, &state, e);
    buffer_fini(&state);
    return s;
}

/* --- hearing --- */

static enum status ready(struct coordinator *c, struct gang_slot *g, struct error *e)
{
    if (++g->answered < g->n)
        return STATUS_OK;
    if (g->failed || c->stopping) {
        g->stopped = !g->failed;
        return tell(c, g, MESSAGE_ABANDON, e);
    }
    g->going = true;
    return tell(c, g, MESSAGE_GO, e);
}

static enum status failed(struct coordinator *c, struct gang_slot *g, int rank, int epoch, struct reader *r, struct error *e)
{
    char *message = reader_string(r);
    gangs_failed(g, rank, epoch, message);
    free(message);
    return g->going ? STATUS_OK : ready(c, g, e);
}

static enum status checkpointed(struct coordinator *c, struct gang_slot *g, int epoch, struct reader *r, struct error *e)
{
    size_t n;
    const void *state = reader_bytes(r, &n);
    int64_t id = c->trials[g->trial].id;
    if (r->failed)
        return error_set(e, STATUS_BUG, "a broken checkpoint");
    struct transaction t = {.of = &c->transactor};
    while (transact(&t, e)) {
        t.status = db_trial_curves(c->db, id, g->rows, g->n_rows, e);
        if (t.status == STATUS_OK)
            t.status = db_checkpoint_write(c->db, id, g->attempt, epoch, state, n, e);
    }
    g->n_rows = 0;
    g->epoch = epoch;
    return t.status;
}

static enum status take_result(struct coordinator *c, struct gang_slot *g, struct reader *r, struct db_result *out, char **features,
                               struct error *e)
{
    const struct plan_trial *t = &c->plan->trials[g->trial];
    struct task *task;
    TRY(task_of(c, t->task, t->split_repeat, &task, e));
    out->task = task;
    out->file_row = c->r.flows->row;
    out->cost.seconds = reader_f64(r);
    cost_take(r, &out->cost.waited_s, &out->cost.moved_bytes);
    for (int part = PART_STOP; part < PART_COUNT; part++) {
        size_t n;
        out->proba[part] = reader_bytes(r, &n);
        if (n != (size_t)task->parts[part].n * (size_t)task->n_classes * sizeof(float))
            r->failed = true;
    }
    out->features = *features = reader_string(r);
    out->model = reader_bytes(r, &out->model_size);
    out->importances = reader_bytes(r, &out->importances_size);
    out->cost.peak_bytes = (int64_t)reader_u64(r);
    return r->failed ? error_set(e, STATUS_BUG, "a broken result of trial %lld", (long long)c->trials[g->trial].id) : STATUS_OK;
}

static enum status finished(struct coordinator *c, struct gang_slot *g, int epoch, struct reader *r, struct error *e)
{
    struct db_result result = {.epochs = epoch};
    char *features = NULL;
    int64_t id = c->trials[g->trial].id;
    enum status s = take_result(c, g, r, &result, &features, e);
    uint8_t *seen = s == STATUS_OK ? task_seen(c->r.flows, result.task) : NULL;
    struct transaction t = {.of = &c->transactor, .status = s};
    result.seen = seen;
    while (s == STATUS_OK && transact(&t, e)) {
        t.status = db_trial_curves(c->db, id, g->rows, g->n_rows, e);
        if (t.status == STATUS_OK)
            t.status = db_trial_done(c->db, c->r.config, id, g->attempt, &result, now_s(), e);
    }
    free(seen);
    free(features);
    g->done = t.status == STATUS_OK;
    return t.status;
}

static const char *model_of(const struct coordinator *c, int trial)
{
    return c->plan->configurations[c->plan->trials[trial].configuration].kind->name;
}

static enum status tell_people(struct coordinator *c, const struct gang_slot *g, struct error *e)
{
    const struct task_spec *spec = &c->r.config->tasks[c->plan->trials[g->trial].task];
    double metric;
    TRY(db_trial_metric(c->db, c->trials[g->trial].id, &metric, e));
    snprintf(c->progress.last, sizeof c->progress.last, "%s (%s %d): %s %.3f", model_of(c, g->trial), spec->top_n < 0 ? "min_flows" : "top_n",
             spec->top_n < 0 ? spec->min_flows : spec->top_n, params_text(&c->r.config->study, "metric"), metric);
    return STATUS_OK;
}

/* The last member has left. */
static enum status disbanded(struct coordinator *c, struct gang_slot *g, struct error *e)
{
    int64_t id = c->trials[g->trial].id;
    double now = now_s();
    const struct db_cost cost = {now - g->started, g->waited_s, g->moved_bytes, g->peak_bytes};
    if (g->done) {
        c->progress.done++;
        c->progress.work_done += c->plan->trials[g->trial].flops;
        TRY(tell_people(c, g, e));
    } else {
        struct transaction t = {.of = &c->transactor};
        while (transact(&t, e))
            t.status = g->failed ? db_trial_failed(c->db, id, g->attempt, g->message, &cost, now, e)
                                 : db_trial_stopped(c->db, id, g->attempt, g->epoch, &cost, now, e);
        TRY(t.status);
        c->progress.failed += g->failed;
    }
    sets_leave(&c->sets, g->set);
    gangs_disband(&c->gangs, g);
    return STATUS_OK;
}

static enum status is_free(struct coordinator *c, struct gang_slot *g, int rank, struct error *e)
{
    gangs_leave(&c->gangs, rank);
    scheduler_worker_free(c->scheduler, rank - 1);
    return ++g->left == g->n ? disbanded(c, g, e) : STATUS_OK;
}

enum status coordinator_handle(void *coordinator, const struct message *m, struct error *e)
{
    struct coordinator *c = coordinator;
    struct gang_slot *g = gangs_of(&c->gangs, m->from);
    struct reader r = reader_of(m->body.data, m->body.size);
    int trial = reader_i32(&r), epoch = reader_i32(&r);
    if (!g || r.failed || g->trial != trial)
        return error_set(e, STATUS_BUG, "rank %d speaks of trial %d, which it does not have", m->from, trial);
    switch (m->kind) {
    case MESSAGE_READY:
        return ready(c, g, e);
    case MESSAGE_EPOCH:
        gangs_epoch(g, progress_take(&r));
        return STATUS_OK;
    case MESSAGE_CHECKPOINT:
        return checkpointed(c, g, epoch, &r, e);
    case MESSAGE_RESULT:
        return finished(c, g, epoch, &r, e);
    case MESSAGE_FAILED:
        return failed(c, g, m->from, epoch, &r, e);
    case MESSAGE_STOPPED:
        g->stopped = true;
        cost_take(&r, &g->waited_s, &g->moved_bytes);
        g->peak_bytes = (int64_t)reader_u64(&r);
        return STATUS_OK;
    case MESSAGE_FREE:
        return is_free(c, g, m->from, e);
    default:
        return error_set(e, STATUS_BUG, "rank %d sent a message of kind %d", m->from, (int)m->kind);
    }
}

/* --- the loop --- */

static enum status stop(struct coordinator *c, struct error *e)
{
    c->stopping = true;
    scheduler_stop(c->scheduler);
    for (int i = 0; i < c->gangs.n; i++)
        if (c->gangs.slots[i].n > 0 && c->gangs.slots[i].going)
            TRY(tell(c, &c->gangs.slots[i], MESSAGE_STOP, e));
    return STATUS_OK;
}

/* Of the work of trials that train by epochs, what they have behind them. */
static double work_running(const struct coordinator *c)
{
    double work = 0;
    for (int i = 0; i < c->gangs.n; i++) {
        const struct gang_slot *g = &c->gangs.slots[i];
        const struct plan_configuration *k = g->n ? &c->plan->configurations[c->plan->trials[g->trial].configuration] : NULL;
        if (k && k->kind->by_epochs)
            work += c->plan->trials[g->trial].flops * g->last_epoch / (double)params_int(&k->params, "train.epochs");
    }
    return work;
}

static void put_running(const struct coordinator *c, struct buffer *out)
{
    buffer_puts(out, "");
    for (int i = 0; i < c->gangs.n; i++) {
        const struct gang_slot *g = &c->gangs.slots[i];
        if (g->n == 0 || out->size > 120)
            continue;
        buffer_printf(out, "%s%s", out->size ? ", " : "", model_of(c, g->trial));
        if (g->last_epoch)
            buffer_printf(out, " %s %d", c->plan->configurations[c->plan->trials[g->trial].configuration].kind->by_epochs ? "epoch" : "step",
                          g->last_epoch);
    }
}

enum status coordinator_tick(void *coordinator, struct error *e)
{
    struct coordinator *c = coordinator;
    double now = now_s();
    if (!c->stopping && (signals_seen() || (c->deadline > 0 && now >= c->deadline)))
        TRY(stop(c, e));
    if (c->progress.say) {
        struct buffer running = {0};
        put_running(c, &running);
        c->progress.work_running = work_running(c);
        progress_show(&c->progress, now, running.data, false);
        buffer_fini(&running);
    }
    return STATUS_OK;
}

static enum status hear(struct coordinator *c, struct error *e)
{
    struct message m = {0};
    bool got;
    TRY(c->r.transport->poll(c->r.transport, &m, &got, e));
    if (!got) {
        c->r.transport->pause(c->r.transport);
        return STATUS_OK;
    }
    enum status s = coordinator_handle(c, &m, e);
    buffer_fini(&m.body);
    return s;
}

static enum status loop(struct coordinator *c, struct error *e)
{
    for (;;) {
        struct scheduler_action action;
        TRY(coordinator_tick(c, e));
        while ((action = scheduler_next(c->scheduler)).trial >= 0)
            TRY(assign(c, &action, e));
        if (scheduler_running(c->scheduler) == 0)
            return STATUS_OK;
        TRY(hear(c, e));
    }
}

/* The job's last row: how it ended, and whom a lost rank takes along. */
static void write_end(struct coordinator *c, const char *why)
{
    const struct transport *t = c->r.transport;
    struct error ignored;
    if (db_begin(c->db, &ignored) != STATUS_OK)
        return;
    if (t->broken)
        db_job_lost(c->db, c->job, t->lost_rank, now_s(), why, &ignored);
    else
        db_job_end(c->db, c->job, now_s(), why, &ignored);
    db_commit(c->db, &ignored);
}

static enum status outcome(struct coordinator *c, bool stopped, struct error *e)
{
    int failed = c->progress.failed;
    if (stopped)
        return error_set(e, STATUS_STOPPED, "stopped with %d of %d trials left; run it again to go on", c->progress.total - c->progress.done - failed,
                         c->progress.total);
    if (failed)
        return error_set(e, STATUS_TRIALS_FAILED, "%d trial%s failed; see: flowsweep ls %s --state failed", failed, failed == 1 ? "" : "s",
                         params_text(&c->r.config->study, "database"));
    if (c->progress.say) {
        const char *database = params_text(&c->r.config->study, "database");
        char *line = memory_format("next: flowsweep best %s; flowsweep ensemble %s", database, database);
        c->progress.say(line, false);
        free(line);
    }
    return STATUS_OK;
}

enum status coordinator_loop(struct coordinator *c, struct error *e)
{
    struct transport *t = c->r.transport;
    struct error why = {0};
    budget_seconds(params_get(&c->r.config->budget, "silence"), &t->silence_s, NULL);
    enum status s = t->serve(t, &why);
    if (s == STATUS_OK)
        s = loop(c, &why);
    bool stopped = c->stopping && scheduler_waiting(c->scheduler) + c->gangs.n_stopped > 0;
    write_end(c, s != STATUS_OK ? why.message : stopped ? "stopped" : c->progress.failed ? "finished, trials failed" : "finished");
    progress_show(&c->progress, now_s(), "", true);
    for (int rank = 1; rank <= c->r.n_workers && !t->broken; rank++)
        t->send(t, rank, MESSAGE_BYE, NULL, NULL);
    return s != STATUS_OK ? error_set(e, s, "%s", why.message) : outcome(c, stopped, e);
}
