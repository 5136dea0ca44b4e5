#include "mpi/run.h"

#include <stdlib.h>

#include "base/memory.h"
#include "mpi/coordinator.h"
#include "mpi/serial.h"
#include "mpi/signals.h"
#include "storage/footprint.h"

struct study { /* what rank 0 reads before anything starts */
    struct config config;
    struct flows flows; /* a view of the node's copy, or the owner of the only one */
    struct plan *plan;
    struct footprint footprint; /* of the plan */
};

static void tell(const struct run_options *o, say_function *say, char *line)
{
    if (!o->quiet && line)
        say(line, false);
    free(line);
}

static void tell_flows(const struct study *s, const struct flows_report *r, const struct run_options *o, say_function *say)
{
    tell(o, say, memory_format("%d flows of %d labels, up to %d packets each", s->flows.n, s->flows.n_labels, s->flows.steps));
    if (r->n_bad)
        tell(o, say, memory_format("%lld rows could not be read and were skipped, the first: %s", (long long)r->n_bad, r->bad[0].message));
    if (params_is(&s->config.data, "scaling_fit", "all"))
        tell(o, say, memory_text("scaling is fitted on all rows: test rows leak into training (data.scaling_fit = \"all\")"));
}

static void tell_left_out(const struct study *s, const struct run_options *o, say_function *say)
{
    int n = s->plan->n_invalid;
    if (n)
        tell(o, say, memory_format("%d point%s of the space cannot work and %s left out; the first: %s (flowsweep plan lists them)", n, n > 1 ? "s" : "",
                                   n > 1 ? "are" : "is", s->plan->invalid[0].message));
    tell(o, say, plan_unused(s->plan, &s->config.space));
}

static enum status study_open(struct study *s, const struct run_options *o, say_function *say, struct error *e)
{
    struct flows_report report = {0};
    TRY(config_read(o->config, o->sets, o->n_sets, &s->config, e));
    enum status status = flows_read(&s->config.data, &s->flows, &report, e);
    if (status == STATUS_OK)
        tell_flows(s, &report, o, say);
    flows_report_fini(&report);
    return status;
}

static void study_close(struct study *s)
{
    footprint_fini(&s->footprint);
    plan_free(s->plan);
    flows_fini(&s->flows);
    config_fini(&s->config);
}

static struct coordinator_request request_of(struct study *s, struct transport *t, const struct run_options *o, say_function *say, int workers)
{
    return (struct coordinator_request){t, &s->config, &s->flows, s->plan, o, say, workers, &s->footprint};
}

/* Makes the plan; what nodes are to share, and whether so many workers, some of them here, fit: before anything starts. */
static enum status measure(struct study *s, int workers, int here, const struct run_options *o, say_function *say, struct publication *p,
                           struct error *e)
{
    struct footprint *f = &s->footprint;
    TRY(config_plan(&s->config, &s->flows, &s->plan, e));
    tell_left_out(s, o, say);
    TRY(footprint_of(&s->config, &s->flows, s->plan, workers, f, e));
    f->spread = workers > here;
    p->block = s->flows.block;
    p->size = f->sharded ? 0 : s->flows.block_size;
    p->n_sets = f->n_sets;
    p->set_bytes = f->set;
    p->gangs = f->gangs;
    enum status status = footprint_check(f, here, e);
    if (status != STATUS_OK)
        p->block = NULL;
    return status;
}

/* --- one process --- */

static enum status serial_study(struct study *s, const struct run_options *o, say_function *say, struct error *e)
{
    struct serial carrier;
    struct coordinator *c;
    serial_init(&carrier);
    struct coordinator_request r = request_of(s, &carrier.coordinator, o, say, 1);
    TRY(coordinator_new(&c, &r, e));
    carrier.hand = worker_new(&carrier.worker, &s->config, &s->flows);
    carrier.context = c;
    carrier.deliver = coordinator_handle;
    carrier.tick = coordinator_tick;
    enum status status = coordinator_loop(c, e);
    worker_free(carrier.hand);
    coordinator_free(c);
    serial_fini(&carrier);
    return status;
}

enum status run_serial(const struct run_options *o, say_function *say, struct error *e)
{
    struct study s = {0};
    signals_catch();
    struct publication alone = {0};
    enum status status = study_open(&s, o, say, e);
    if (status == STATUS_OK)
        status = measure(&s, 0, 1, o, say, &alone, e);
    if (status == STATUS_OK)
        status = serial_study(&s, o, say, e);
    study_close(&s);
    return status;
}

/* --- ranks --- */

/* Replaces the flows that rank 0 read by the node's shared copy; where rows are dealt it keeps them to itself. */
static enum status publish(struct study *s, struct transport *t, struct publication *p, struct error *e)
{
    struct buffer text = {0};
    p->text = &text;
    if (p->block)
        config_write(&s->config, &text);
    enum status status = t->publish(t, p, e);
    buffer_fini(&text);
    if (status != STATUS_OK || p->block == s->flows.block)
        return status;
    flows_fini(&s->flows);
    return flows_view(&s->flows, p->block, p->size, e);
}

/* Reads, measures, publishes. Workers hear of it whatever becomes of it. */
static enum status study_start(struct study *s, struct transport *t, const struct run_options *o, say_function *say, struct error *e)
{
    struct publication p = {0};
    struct error ignored;
    enum status status = study_open(s, o, say, e);
    if (status == STATUS_OK)
        status = measure(s, t->size - 1, t->neighbours, o, say, &p, e);
    enum status told = publish(s, t, &p, status == STATUS_OK ? e : &ignored);
    if (status == STATUS_OK && told == STATUS_OK && p.copied)
        tell(o, say, memory_text("/dev/shm is too small for one copy of the flows a node: every rank has its own"));
    if (status == STATUS_OK && told == STATUS_OK && p.set_apart)
        tell(o, say, memory_text("/dev/shm is too small for what forests share on a node: every rank makes its own"));
    if (status == STATUS_OK && told == STATUS_OK && p.rings_apart)
        tell(o, say, memory_text("/dev/shm is too small for the sums of gangs: they go by messages"));
    return status == STATUS_OK ? told : status;
}

static void dismiss(struct transport *t)
{
    for (int rank = 1; rank < t->size; rank++)
        t->send(t, rank, MESSAGE_BYE, NULL, NULL);
}

enum status run_coordinator(struct transport *t, const struct run_options *o, say_function *say, struct error *e)
{
    struct study s = {0};
    struct coordinator *c = NULL;
    signals_catch();
    enum status status = study_start(&s, t, o, say, e);
    if (status == STATUS_OK) {
        struct coordinator_request r = request_of(&s, t, o, say, t->size - 1);
        status = coordinator_new(&c, &r, e);
        if (status == STATUS_OK)
            status = coordinator_loop(c, e);
        else
            dismiss(t);
    }
    coordinator_free(c);
    study_close(&s);
    return status;
}

static enum status work(struct transport *t, const struct config *c, const void *block, size_t size, struct error *e)
{
    struct flows f = {0};
    if (size)
        TRY(flows_view(&f, block, size, e));
    struct worker *w = worker_new(t, c, size ? &f : NULL);
    enum status status = worker_loop(w, e);
    worker_free(w);
    flows_fini(&f);
    return status;
}

enum { START_S = 30 }; /* what the coordinator may take for its plan and to open the database, before it first says a word */

enum status run_worker(struct transport *t, struct error *e)
{
    struct buffer text = {0};
    struct config c = {0};
    struct publication p = {.text = &text};
    signals_catch();
    enum status status = t->publish(t, &p, e);
    if (status == STATUS_OK)
        status = config_decode(text.data, text.size, &c, e);
    if (status == STATUS_OK && budget_seconds(params_get(&c.budget, "silence"), &t->silence_s, NULL) == STATUS_OK && t->silence_s > 0)
        t->silence_s += START_S;
    buffer_fini(&text);
    if (status == STATUS_OK)
        status = work(t, &c, p.block, p.size, e);
    config_fini(&c);
    return status == STATUS_STOPPED ? STATUS_OK : status; /* the coordinator has said why */
}
