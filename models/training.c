#include "models/training.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"

/* What one attempt carries along. */
struct attempt {
    const struct model_spec *spec;
    struct gang *gang;
    const struct training_sink *sink;
    struct model *model;
    int epochs; /* finished */
};

/* Collective: leaves together. mine is this rank's outcome; where another rank failed, this one gets an error too. */
static enum status agree(struct gang *g, enum status mine, struct error *e)
{
    bool failed;
    struct error other = {0};
    enum status told = gang_any(g, mine != STATUS_OK, &failed, &other);
    if (mine != STATUS_OK)
        return mine;
    if (told != STATUS_OK)
        return error_set(e, told, "%s", other.message);
    return failed ? error_set(e, STATUS_IO, "another rank of the gang could not go on") : STATUS_OK;
}

static enum status checkpoint(struct attempt *a, int epoch, struct error *e)
{
    enum status status = STATUS_OK;
    if (a->gang->rank == 0 && a->sink->checkpoint)
        status = a->sink->checkpoint(a->sink->context, epoch, a->model, e);
    return agree(a->gang, status, e);
}

/* Collective. due: as rank 0 says. */
static enum status checkpoint_where(struct attempt *a, bool due, int epoch, struct error *e)
{
    TRY(gang_any(a->gang, due, &due, e));
    return due ? checkpoint(a, epoch, e) : STATUS_OK;
}

static bool is_due(const struct attempt *a)
{
    return a->gang->rank == 0 && a->sink->due && a->sink->due(a->sink->context);
}

/* Tells the sink of an epoch and takes a checkpoint where one is due. */
static enum status epoch_end(struct attempt *a, const struct model_progress *p, struct error *e)
{
    enum status status = fault_at(FAULT_EPOCH) == FAULT_ACTION_FAIL ? error_set(e, STATUS_MEMORY, "a fault after epoch %d", p->epoch) : STATUS_OK;
    bool due = false;
    if (a->gang->rank == 0 && status == STATUS_OK) {
        status = a->sink->epoch ? a->sink->epoch(a->sink->context, p, e) : STATUS_OK;
        due = status == STATUS_OK && !p->done && !p->stopped && is_due(a);
    }
    TRY(agree(a->gang, status, e));
    return checkpoint_where(a, due, p->epoch, e);
}

static enum status fit(struct attempt *a, struct error *e)
{
    for (;;) {
        struct model_progress p = {0};
        TRY(a->model->kind->fit_step(a->model, a->spec, a->gang, &p, e));
        a->epochs = p.epoch;
        if (p.epoch_ended)
            TRY(epoch_end(a, &p, e));
        if (p.done)
            return STATUS_OK;
        if (p.stopped) {
            TRY(checkpoint(a, p.epoch, e));
            return error_set(e, STATUS_STOPPED, "told to stop after epoch %d", p.epoch);
        }
    }
}

static enum status predict(struct attempt *a, const struct rows *rows, float **out, struct error *e)
{
    size_t bytes = (size_t)rows->n * (size_t)a->spec->n_classes * sizeof **out;
    *out = malloc(bytes ? bytes : 1);
    enum status status =
        *out ? STATUS_OK : error_set(e, STATUS_MEMORY, "no memory for %d predictions", rows->n);
    TRY(agree(a->gang, status, e));
    if (rows->n == 0)
        return STATUS_OK;
    return a->model->kind->predict(a->model, a->spec->features, rows->row, rows->n, a->gang, *out, e);
}

static enum status predict_parts(struct attempt *a, const struct task *task, struct training_result *out,
                                 struct error *e)
{
    const struct rows *parts = task->parts;
    TRY(predict(a, &parts[PART_STOP], &out->proba[PART_STOP], e));
    if (task->stop_is_validation) {
        size_t bytes = (size_t)parts[PART_STOP].n * (size_t)a->spec->n_classes * sizeof(float);
        out->proba[PART_VALIDATION] = malloc(bytes ? bytes : 1);
        bool taken = out->proba[PART_VALIDATION] != NULL;
        if (taken)
            memcpy(out->proba[PART_VALIDATION], out->proba[PART_STOP], bytes);
        TRY(agree(a->gang, taken ? STATUS_OK : error_set(e, STATUS_MEMORY, "no memory for predictions"), e));
    } else {
        TRY(predict(a, &parts[PART_VALIDATION], &out->proba[PART_VALIDATION], e));
    }
    return predict(a, &parts[PART_TEST], &out->proba[PART_TEST], e);
}

static enum status between_rounds(void *context, int done, int all, struct error *e)
{
    struct attempt *a = context;
    fault_at(FAULT_ROUND);
    enum status status = a->gang->rank == 0 && a->sink->rounds ? a->sink->rounds(a->sink->context, done, all, e) : STATUS_OK;
    TRY(agree(a->gang, status, e));
    return checkpoint_where(a, is_due(a), a->epochs, e);
}

/* May take long: it leaves checkpoints of the finished model behind, with what was counted, in the middle as well as where it is told to stop. */
static enum status permute(struct attempt *a, const struct task *task, struct training_result *out, struct error *e)
{
    const struct rows *rows = &task->parts[task->stop_is_validation ? PART_STOP : PART_VALIDATION];
    const struct model_between between = {between_rounds, a};
    enum status status = a->spec->kind->permute(a->model, a->spec, rows, a->gang, &between, &out->importances, e);
    if (status == STATUS_STOPPED)
        TRY(checkpoint(a, a->epochs, e));
    return status;
}

/* Collective: rank 0's n bytes for everybody. room (owned by the caller) holds them elsewhere. */
static enum status share_bytes(struct gang *g, const void **bytes, size_t *n, struct buffer *room, struct error *e)
{
    uint64_t size = *n;
    size_t *offset = memory_new(((size_t)g->size + 1) * sizeof *offset);
    for (int r = 1; r <= g->size; r++)
        offset[r] = sizeof size;
    enum status s = g->share(g, &size, offset, e);
    for (int r = 1; r <= g->size; r++)
        offset[r] = size;
    if (s == STATUS_OK && size > 0) {
        if (g->rank > 0)
            *bytes = buffer_grow(room, size);
        *n = size;
        s = g->share(g, (void *)(uintptr_t)*bytes, offset, e);
    }
    free(offset);
    return s;
}

static enum status start(struct attempt *a, const void *state, size_t n, struct error *e)
{
    const struct model_kind *kind = a->spec->kind;
    struct buffer room = {0};
    enum status status = kind->fit_new(&a->model, a->spec, e);
    status = agree(a->gang, status, e);
    if (status == STATUS_OK && a->gang->size > 1)
        status = share_bytes(a->gang, &state, &n, &room, e);
    if (status == STATUS_OK && n > 0)
        status = agree(a->gang, kind->state_read(a->model, state, n, e), e);
    buffer_fini(&room);
    return status;
}

static enum status make_room(struct attempt *a, const struct model *m, struct error *e)
{
    enum status status = STATUS_OK;
    if (a->gang->rank == 0 && a->sink->room)
        status = a->sink->room(a->sink->context, m, e);
    return agree(a->gang, status, e);
}

/* Where all members are here, in step. */
static enum status count_cost(struct attempt *a, enum status status, struct training_result *out, struct error *e)
{
    struct error why = {0};
    enum status told = gang_cost(a->gang, a->sink->peak ? a->sink->peak(a->sink->context) : 0, &out->cost, &why);
    return told == STATUS_OK ? status : error_set(e, told, "%s", why.message);
}

enum status training_run(const struct model_spec *spec, const struct task *task, struct gang *g,
                         const struct training_sink *sink, const void *state, size_t n,
                         struct training_result *out, struct error *e)
{
    struct attempt a = {.spec = spec, .gang = g, .sink = sink};
    *out = (struct training_result){0};
    enum status status = start(&a, state, n, e);
    if (status == STATUS_OK)
        status = make_room(&a, a.model, e);
    if (status == STATUS_OK)
        status = fit(&a, e);
    if (status == STATUS_OK && spec->kind->permute)
        status = permute(&a, task, out, e);
    if (status == STATUS_OK)
        status = make_room(&a, NULL, e);
    if (status == STATUS_OK)
        status = predict_parts(&a, task, out, e);
    if (status == STATUS_OK)
        spec->kind->write(a.model, &out->model);
    else
        training_result_fini(out);
    out->epochs = a.epochs;
    spec->kind->free(a.model);
    return status == STATUS_OK || status == STATUS_STOPPED ? count_cost(&a, status, out, e) : status;
}

void training_result_fini(struct training_result *r)
{
    buffer_fini(&r->model);
    buffer_fini(&r->importances);
    for (int part = 0; part < PART_COUNT; part++)
        free(r->proba[part]);
    *r = (struct training_result){0};
}
