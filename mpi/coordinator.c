#include "mpi/coordinator_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "mpi/assignment.h"
#include "mpi/dealing.h"
#include "mpi/lineage.h"
#include "mpi/signals.h"
#include "mpi/widening.h"

/* --- telling --- */

enum status coordinator_tell(struct coordinator *c, const struct gang_slot *g, enum message_kind kind, struct error *e)
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
        s = coordinator_task(c, t->task, t->split_repeat, &task, e);
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
    TRY(coordinator_task(c, t->task, t->split_repeat, &task, e));
    g->set = sets_take_for(&c->sets, k, t, task, c->r.transport->sets.bytes);
    return STATUS_OK;
}

static enum status assign(struct coordinator *c, const struct scheduler_action *action, struct error *e)
{
    struct gang_slot *g = gangs_form(&c->gangs, action->trial, action->members, action->n);
    struct buffer state = {0};
    int64_t id = c->trials[action->trial].id;
    int smaller = lineage_done(c->plan, c->trials, action->trial);
    struct db_origin origin = {.smaller = smaller < 0 ? 0 : c->trials[smaller].id};
    g->started = coordinator_now_s();
    g->set = -1;
    enum status s = db_state_read(c->db, id, &origin, &state, e);
    g->epoch = g->first_epoch = g->last_epoch = origin.epoch;
    struct db_start start = {id, c->job, g->members, g->n, g->epoch, c->arithmetic, (int64_t)footprint_of_trial(c->r.footprint, action->trial), origin.from};
    struct transaction t = {.of = &c->transactor, .status = s};
    while (s == STATUS_OK && transact(&t, e)) {
        t.status = db_trial_start(c->db, &start, g->started, &g->attempt, e);
        if (t.status == STATUS_OK && origin.damaged[0])
            t.status = db_event(c->db, c->job, "damage", origin.damaged, g->started, e);
    }
    s = t.status;
    if (origin.damaged[0] && c->r.say)
        c->r.say(origin.damaged, false);
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
        return coordinator_tell(c, g, MESSAGE_ABANDON, e);
    }
    g->going = true;
    return coordinator_tell(c, g, MESSAGE_GO, e);
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
    TRY(coordinator_task(c, t->task, t->split_repeat, &task, e));
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
            t.status = db_trial_done(c->db, c->r.config, id, g->attempt, &result, coordinator_now_s(), e);
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

/* Trials that go on from this one, or would have, need wait for it no more. */
static void ended(struct coordinator *c, int trial, enum trial_state state)
{
    c->trials[trial].state = state;
    for (int i = 0; i < c->plan->n_trials; i++)
        if (lineage_follows(c->plan, i, trial) && lineage_awaited(c->plan, c->trials, i) < 0)
            scheduler_unblock(c->scheduler, i);
}

/* Of its trial's work, what it has done itself up to an epoch, and of that behind the last one. */
static double work_behind(const struct coordinator *c, const struct gang_slot *g, int epoch)
{
    double work = epoch > g->first_epoch ? plan_work(c->plan, g->trial, epoch) - plan_work(c->plan, g->trial, g->first_epoch) : 0;
    if (g->rounds.all)
        work += c->plan->trials[g->trial].permute_flops * (g->rounds.done - g->rounds.first) / g->rounds.all;
    return work;
}

/* The last member has left. */
static enum status disbanded(struct coordinator *c, struct gang_slot *g, struct error *e)
{
    int64_t id = c->trials[g->trial].id;
    double now = coordinator_now_s();
    const struct db_cost cost = {now - g->started, g->waited_s, g->moved_bytes, g->peak_bytes};
    struct progress_work *work = progress_work(&c->progress, model_of(c, g->trial));
    work->done_s += g->n * (now - g->started);
    if (g->done) {
        c->progress.done++;
        work->done += c->plan->trials[g->trial].flops - plan_work(c->plan, g->trial, g->first_epoch);
        TRY(tell_people(c, g, e));
    } else {
        struct transaction t = {.of = &c->transactor};
        work->done += work_behind(c, g, g->epoch);
        work->total -= g->failed ? c->plan->trials[g->trial].flops - plan_work(c->plan, g->trial, g->epoch) : 0;
        while (transact(&t, e))
            t.status = g->failed ? db_trial_failed(c->db, id, g->attempt, g->message, &cost, now, e)
                                 : db_trial_stopped(c->db, id, g->attempt, &(struct db_stop){g->epoch, g->widening && !c->stopping}, &cost, now, e);
        TRY(t.status);
        c->progress.failed += g->failed;
    }
    if (g->done || g->failed)
        ended(c, g->trial, g->done ? TRIAL_DONE : TRIAL_FAILED);
    else
        widening_left(c, g);
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
        gangs_epoch(g, progress_take(&r), coordinator_now_s());
        return STATUS_OK;
    case MESSAGE_ROUNDS:
        gangs_rounds(g, epoch, reader_i32(&r), coordinator_now_s());
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
            TRY(coordinator_tell(c, &c->gangs.slots[i], MESSAGE_STOP, e));
    return STATUS_OK;
}

/* Of trials that train now: what they have behind them since their gangs came together, and how long that took. */
static void note_running(struct coordinator *c, double now)
{
    struct progress *p = &c->progress;
    p->busy_s = 0;
    for (int i = 0; i < PROGRESS_MODELS; i++)
        p->work[i].running = p->work[i].running_s = 0;
    for (const struct gang_slot *g = c->gangs.slots; g < c->gangs.slots + c->gangs.n; g++) {
        if (!g->n)
            continue;
        struct progress_work *w = progress_work(p, model_of(c, g->trial));
        double behind = work_behind(c, g, g->last_epoch), heard = g->rounds.all ? g->rounds.last : g->last_step;
        w->running += behind;
        w->running_s += behind > 0 ? g->n * (heard - g->started) : 0;
        p->busy_s += g->n * (now - g->started);
    }
}

/* How far a gang is: epochs, or trees and what comes behind them. */
static void put_reached(const struct plan_configuration *k, const struct gang_slot *g, struct buffer *out)
{
    int epoch = g->last_epoch;
    int64_t size = plan_size(k), grown = (int64_t)epoch * k->kind->grows_by;
    if (!size)
        buffer_printf(out, " %s %d", k->kind->by_epochs ? "epoch" : "step", epoch);
    else if (grown < size)
        buffer_printf(out, " %lld of %lld %s", (long long)grown, (long long)size, param_find(k->kind->params, k->kind->grows)->help);
    else if (g->rounds.all)
        buffer_printf(out, " %lld %s, importances %lld %%", (long long)size, param_find(k->kind->params, k->kind->grows)->help,
                      (long long)g->rounds.done * 100 / g->rounds.all);
    else
        buffer_printf(out, " %lld %s, being scored", (long long)size, param_find(k->kind->params, k->kind->grows)->help);
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
            put_reached(&c->plan->configurations[c->plan->trials[g->trial].configuration], g, out);
    }
}

enum status coordinator_tick(void *coordinator, struct error *e)
{
    struct coordinator *c = coordinator;
    double now = coordinator_now_s();
    if (!c->stopping && (signals_seen() || (c->deadline > 0 && now >= c->deadline)))
        TRY(stop(c, e));
    if (c->progress.say) {
        struct buffer running = {0};
        put_running(c, &running);
        note_running(c, now);
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
        TRY(widening_look(c, e));
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
        db_job_lost(c->db, c->job, t->lost_rank, coordinator_now_s(), why, &ignored);
    else
        db_job_end(c->db, c->job, coordinator_now_s(), why, &ignored);
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
    progress_show(&c->progress, coordinator_now_s(), "", true);
    for (int rank = 1; rank <= c->r.n_workers && !t->broken; rank++)
        t->send(t, rank, MESSAGE_BYE, NULL, NULL);
    return s != STATUS_OK ? error_set(e, s, "%s", why.message) : outcome(c, stopped, e);
}
