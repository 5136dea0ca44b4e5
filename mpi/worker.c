#include "mpi/worker.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/resident.h"
#include "mpi/assignment.h"
#include "mpi/dealing.h"

struct worker {
    struct transport *transport;
    const struct config *config;
    const struct flows *flows; /* NULL: rows are dealt */
    double checkpoint_s;
    /* The trial in hand; params.n == 0 while there is none. */
    struct assignment assignment;
    struct buffer body; /* that the assignment's state points into */
    struct buffer checkpoint; /* room for the next one, on the gang's rank 0 */
    struct params params;
    struct task *task; /* kept for the next trial on the same rows */
    int task_index, split_repeat;
    struct features features;
    struct hand hand; /* task and features where rows are dealt */
    struct model_spec spec;
    const struct task *trained; /* what spec's rows are of */
    bool told_to_stop, over;
    double last_checkpoint, last_rounds;
};

static double clock_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct worker *worker_new(struct transport *t, const struct config *c, const struct flows *f)
{
    struct worker *w = memory_new(sizeof *w);
    w->transport = t;
    w->config = c;
    w->flows = f;
    w->task_index = -1;
    resident_settle();
    budget_seconds(params_get(&c->budget, "checkpoint"), &w->checkpoint_s, NULL);
    return w;
}

/* Lets go of the trial; the task stays. */
static void forget(struct worker *w)
{
    assignment_fini(&w->assignment);
    buffer_fini(&w->body);
    buffer_fini(&w->checkpoint);
    params_fini(&w->params);
    features_fini(&w->features);
    hand_fini(&w->hand);
    w->spec = (struct model_spec){0};
    w->trained = NULL;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    forget(w);
    task_free(w->task);
    free(w);
}

static enum status tell(struct worker *w, enum message_kind kind, struct buffer *body, struct error *e)
{
    return w->transport->send(w->transport, 0, kind, body, e);
}

static enum status tell_trial(struct worker *w, enum message_kind kind, int epoch, const char *text, struct error *e)
{
    struct buffer body = {0};
    trial_put(&body, w->assignment.trial, epoch);
    buffer_put_string(&body, text);
    enum status s = tell(w, kind, &body, e);
    buffer_fini(&body);
    return s;
}

/* --- preparing --- */

static enum status take_task(struct worker *w, struct error *e)
{
    const struct assignment *a = &w->assignment;
    if (w->task && w->task_index == a->task && w->split_repeat == a->split_repeat)
        return STATUS_OK;
    task_free(w->task);
    w->task = NULL;
    if (a->task < 0 || a->task >= w->config->n_tasks)
        return error_set(e, STATUS_BUG, "an assignment of task %d of %d", a->task, w->config->n_tasks);
    TRY(task_new(&w->task, w->flows, &w->config->data, &w->config->tasks[a->task], (uint64_t)params_int(&w->config->study, "seed"),
                 a->split_repeat, e));
    w->task_index = a->task;
    w->split_repeat = a->split_repeat;
    return STATUS_OK;
}

static int place_in_gang(const struct worker *w)
{
    int i = 0;
    while (i < w->assignment.n_members - 1 && w->assignment.members[i] != w->transport->rank)
        i++;
    return i;
}

/* Task and features: the node's, or what is dealt to this member. */
static enum status take_rows(struct worker *w, const struct task **task, const struct features **features, struct error *e)
{
    const struct assignment *a = &w->assignment;
    if (!w->flows) {
        TRY(hand_take(&w->hand, a->rows, a->n_rows, place_in_gang(w), a->n_members, e));
        *task = w->hand.task;
        *features = &w->hand.features;
        return STATUS_OK;
    }
    TRY(take_task(w, e));
    TRY(dealing_features(w->config, w->flows, &w->params, w->task, &w->features, e));
    *task = w->task;
    *features = &w->features;
    return STATUS_OK;
}

/* Where this rank's node has, or shall have, the set that the trial looks at. */
static struct model_node node_set(const struct worker *w)
{
    const struct assignment *a = &w->assignment;
    const struct node_sets *sets = &w->transport->sets;
    int mine = place_in_gang(w);
    bool first = true;
    if (a->set_version == 0 || a->set < 0 || a->set >= sets->n)
        return (struct model_node){0};
    for (int i = 0; i < mine; i++)
        first &= sets->node[a->members[i]] != sets->node[w->transport->rank];
    return (struct model_node){sets->base + (size_t)a->set * sets->bytes, a->set_version, first};
}

static enum status prepare(struct worker *w, struct error *e)
{
    const struct task *task;
    TRY(assignment_take(&w->body, &w->assignment, e));
    TRY(params_from_json(w->assignment.params, &w->params, e));
    w->spec = (struct model_spec){.kind = model_find(params_text(&w->params, "model")),
                                  .params = &w->params,
                                  .metric = params_text(&w->config->study, "metric"),
                                  .key = w->assignment.key,
                                  .node = node_set(w)};
    TRY(take_rows(w, &task, &w->spec.features, e));
    w->trained = task;
    w->spec.train = &task->parts[PART_TRAIN];
    w->spec.stop = &task->parts[PART_STOP];
    w->spec.n_classes = task->n_classes;
    if (!w->flows) {
        w->spec.shard = place_in_gang(w);
        w->spec.n_shards = w->assignment.n_members;
    }
    return w->spec.kind ? STATUS_OK : error_set(e, STATUS_BUG, "no model \"%s\"", params_text(&w->params, "model"));
}

/* All is there, or rows are still to come. */
static enum status answer(struct worker *w, struct error *e)
{
    return w->hand.n == w->hand.wanted ? tell_trial(w, MESSAGE_READY, 0, "", e) : STATUS_OK;
}

static enum status assigned(struct worker *w, struct message *m, struct error *e)
{
    struct error why = {0};
    forget(w);
    resident_mark();
    w->body = m->body; /* large where it holds a checkpoint */
    m->body = (struct buffer){0};
    w->told_to_stop = false;
    if (prepare(w, &why) == STATUS_OK)
        return answer(w, e);
    hand_fini(&w->hand); /* rows on their way are for nobody */
    return tell_trial(w, MESSAGE_FAILED, 0, why.message, e); /* ABANDON follows */
}

static enum status rows_came(struct worker *w, const struct message *m, struct error *e)
{
    struct reader r = reader_of(m->body.data, m->body.size);
    struct error why = {0};
    int trial = reader_i32(&r);
    reader_i32(&r);
    if (r.failed || trial != w->assignment.trial || w->hand.n == w->hand.wanted)
        return STATUS_OK; /* of a trial that could not be prepared */
    if (hand_add(&w->hand, r.at, (size_t)(r.end - r.at), &why) == STATUS_OK)
        return answer(w, e);
    hand_fini(&w->hand);
    return tell_trial(w, MESSAGE_FAILED, 0, why.message, e);
}

/* --- training --- */

static enum status sink_epoch(void *context, const struct model_progress *p, struct error *e)
{
    struct worker *w = context;
    struct buffer body = {0};
    trial_put(&body, w->assignment.trial, p->epoch);
    progress_put(p, &body);
    enum status s = tell(w, MESSAGE_EPOCH, &body, e);
    buffer_fini(&body);
    return s;
}

/* Of the first, and now and then of others: they may be short. */
static enum status sink_rounds(void *context, int done, int all, struct error *e)
{
    const double apart_s = 0.5;
    struct worker *w = context;
    struct buffer body = {0};
    double now = clock_s();
    if (now - w->last_rounds < apart_s)
        return STATUS_OK;
    w->last_rounds = now;
    trial_put(&body, w->assignment.trial, done);
    buffer_put_i32(&body, all);
    enum status s = tell(w, MESSAGE_ROUNDS, &body, e);
    buffer_fini(&body);
    return s;
}

static bool sink_due(void *context)
{
    struct worker *w = context;
    return w->checkpoint_s > 0 && clock_s() - w->last_checkpoint >= w->checkpoint_s && w->transport->sent(w->transport);
}

static void put_state(const struct worker *w, int epoch, const struct model *m, struct buffer *out)
{
    size_t start;
    buffer_clear(out);
    trial_put(out, w->assignment.trial, epoch);
    buffer_open_bytes(out, &start);
    m->kind->state_write(m, out);
    buffer_close_bytes(out, start);
}

/* One checkpoint at a time is in memory: the last must have gone, where a stop or the end comes soon after it. */
static enum status wait_until_sent(struct worker *w, struct error *e)
{
    while (!w->transport->sent(w->transport)) {
        TRY(w->transport->serve(w->transport, e));
        w->transport->pause(w->transport);
    }
    return STATUS_OK;
}

static enum status sink_checkpoint(void *context, int epoch, const struct model *m, struct error *e)
{
    struct worker *w = context;
    fault_at(FAULT_CHECKPOINT);
    TRY(wait_until_sent(w, e));
    put_state(w, epoch, m, &w->checkpoint);
    enum status s = tell(w, MESSAGE_CHECKPOINT, &w->checkpoint, e);
    w->last_checkpoint = clock_s();
    return s;
}

/* Written once, so that its pages are there. */
static enum status sink_room(void *context, const struct model *m, struct error *e)
{
    struct worker *w = context;
    buffer_fini(&w->body);
    w->assignment.state = w->assignment.rows = NULL;
    w->assignment.n_state = w->assignment.n_rows = 0;
    buffer_fini(&w->checkpoint);
    if (!m)
        return wait_until_sent(w, e);
    put_state(w, 0, m, &w->checkpoint);
    return STATUS_OK;
}

static int64_t sink_peak(void *context)
{
    (void)context;
    return (int64_t)resident_peak();
}

/* What the gang's largest rank took, or this one since. */
static uint64_t most(int64_t gangs)
{
    uint64_t mine = resident_peak();
    return mine > (uint64_t)gangs ? mine : (uint64_t)gangs;
}

static enum status tell_result(struct worker *w, const struct training_result *r, double seconds, struct error *e)
{
    struct buffer body = {0}, features = {0};
    trial_put(&body, w->assignment.trial, r->epochs);
    buffer_put_f64(&body, seconds);
    cost_put(r, &body);
    features_to_json(w->spec.features, &features);
    /* numbers first, so that they are aligned where they arrive */
    for (int part = PART_STOP; part < PART_COUNT; part++)
        buffer_put_bytes(&body, r->proba[part], (size_t)w->trained->parts[part].n * (size_t)w->trained->n_classes * sizeof(float));
    buffer_put_string(&body, features.data);
    buffer_put_bytes(&body, r->model.data, r->model.size);
    buffer_put_bytes(&body, r->importances.data, r->importances.size);
    buffer_put_u64(&body, most(r->cost.peak_bytes)); /* with this message */
    enum status s = tell(w, MESSAGE_RESULT, &body, e);
    buffer_fini(&body);
    buffer_fini(&features);
    return s;
}

static enum status tell_stopped(struct worker *w, const struct training_result *r, struct error *e)
{
    struct buffer body = {0};
    trial_put(&body, w->assignment.trial, r->epochs);
    cost_put(r, &body);
    buffer_put_u64(&body, (uint64_t)r->cost.peak_bytes);
    enum status s = tell(w, MESSAGE_STOPPED, &body, e);
    buffer_fini(&body);
    return s;
}

/* Looks for STOP while a gang trains. */
static bool stop_asked(struct gang *g)
{
    struct worker *w = g->stop_context;
    struct message m = {0};
    bool got = true;
    if (w->told_to_stop)
        w->transport->serve(w->transport, NULL);
    while (!w->told_to_stop && got) {
        if (w->transport->poll(w->transport, &m, &got, NULL) != STATUS_OK)
            return w->told_to_stop = true; /* the carrier is broken: whatever comes next says so */
        if (!got)
            break;
        w->told_to_stop |= m.kind == MESSAGE_STOP || m.kind == MESSAGE_BYE;
        w->over |= m.kind == MESSAGE_BYE;
        buffer_fini(&m.body);
    }
    return w->told_to_stop;
}

static enum status train(struct worker *w, struct gang *g, struct error *e)
{
    const struct training_sink sink = {w, sink_epoch, sink_rounds, sink_due, sink_checkpoint, sink_room, sink_peak};
    struct training_result result = {0};
    double start = clock_s();
    struct error why = {0};
    fault_at_number(FAULT_TRIAL, w->assignment.trial + 1);
    w->last_checkpoint = start;
    w->last_rounds = 0;
    enum status s = training_run(&w->spec, w->trained, g, &sink, w->assignment.n_state ? w->assignment.state : NULL, w->assignment.n_state,
                                 &result, &why);
    enum status told = STATUS_OK;
    if (s == STATUS_OK && g->rank == 0)
        told = tell_result(w, &result, clock_s() - start, e);
    else if (s == STATUS_STOPPED && g->rank == 0)
        told = tell_stopped(w, &result, e);
    else if (s != STATUS_OK && s != STATUS_STOPPED)
        told = tell_trial(w, MESSAGE_FAILED, result.epochs, why.message, e);
    training_result_fini(&result);
    return told;
}

static enum status go(struct worker *w, struct error *e)
{
    struct gang g;
    const struct assignment *a = &w->assignment;
    TRY(w->transport->gang_new(w->transport, a->members, a->n_members, a->tag, stop_asked, w, &g, e));
    enum status s = train(w, &g, e);
    w->transport->gang_free(w->transport, &g);
    TRY(s);
    TRY(tell_trial(w, MESSAGE_FREE, 0, "", e));
    forget(w);
    return STATUS_OK;
}

enum status worker_handle(struct worker *w, struct message *m, bool *over, struct error *e)
{
    enum status s = STATUS_OK;
    if (m->kind == MESSAGE_ASSIGN) {
        s = assigned(w, m, e);
    } else if (m->kind == MESSAGE_ROWS) {
        s = rows_came(w, m, e);
    } else if (m->kind == MESSAGE_GO) {
        s = go(w, e);
    } else if (m->kind == MESSAGE_ABANDON) {
        s = tell_trial(w, MESSAGE_FREE, 0, "", e);
        forget(w);
    } else if (m->kind == MESSAGE_BYE) {
        w->over = true;
    } /* STOP that crosses a result on its way: nothing to stop */
    *over = w->over;
    return s;
}

enum status worker_loop(struct worker *w, struct error *e)
{
    for (bool over = false; !over;) {
        struct message m = {0};
        bool got;
        TRY(w->transport->poll(w->transport, &m, &got, e));
        if (got) {
            enum status s = worker_handle(w, &m, &over, e);
            buffer_fini(&m.body);
            TRY(s);
        } else {
            w->transport->pause(w->transport);
        }
    }
    return STATUS_OK;
}
