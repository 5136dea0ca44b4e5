#include "mpi/assignment.h"

#include <stdlib.h>

#include "base/memory.h"

void trial_put(struct buffer *out, int trial, int epoch)
{
    buffer_put_i32(out, trial);
    buffer_put_i32(out, epoch);
}

void assignment_put(const struct assignment *a, struct buffer *out)
{
    trial_put(out, a->trial, a->epoch);
    buffer_put_i32(out, a->task);
    buffer_put_i32(out, a->split_repeat);
    buffer_put_u64(out, a->key);
    buffer_put_string(out, a->params);
    buffer_put_i32(out, a->tag);
    buffer_put_i32(out, a->n_members);
    for (int i = 0; i < a->n_members; i++)
        buffer_put_i32(out, a->members[i]);
    buffer_put_bytes(out, a->state, a->n_state);
    buffer_put_bytes(out, a->rows, a->n_rows);
    buffer_put_u64(out, a->set_version);
    buffer_put_i32(out, a->set);
}

enum status assignment_take(const struct buffer *body, struct assignment *out, struct error *e)
{
    struct reader r = reader_of(body->data, body->size);
    *out = (struct assignment){.trial = reader_i32(&r), .epoch = reader_i32(&r)};
    out->task = reader_i32(&r);
    out->split_repeat = reader_i32(&r);
    out->key = reader_u64(&r);
    out->params = reader_string(&r);
    out->tag = reader_i32(&r);
    out->n_members = reader_i32(&r);
    if (r.failed || out->n_members < 1 || (size_t)out->n_members > body->size)
        return error_set(e, STATUS_BUG, "a broken assignment of %zu bytes", body->size);
    out->members = memory_new((size_t)out->n_members * sizeof *out->members);
    for (int i = 0; i < out->n_members; i++)
        out->members[i] = reader_i32(&r);
    out->state = reader_bytes(&r, &out->n_state);
    out->rows = reader_bytes(&r, &out->n_rows);
    out->set_version = reader_u64(&r);
    out->set = reader_i32(&r);
    return r.failed ? error_set(e, STATUS_BUG, "a broken assignment of %zu bytes", body->size) : STATUS_OK;
}

void assignment_fini(struct assignment *a)
{
    free(a->params);
    free(a->members);
    *a = (struct assignment){0};
}

void progress_put(const struct model_progress *p, struct buffer *out)
{
    const bool flags[] = {p->epoch_ended, p->stopped, p->done, p->has_loss, p->has_stop, p->has_oob};
    buffer_put_i32(out, p->epoch);
    for (size_t i = 0; i < sizeof flags; i++)
        buffer_put_u8(out, flags[i]);
    buffer_put_f64(out, p->train_loss);
    buffer_put_f64(out, p->train_accuracy);
    buffer_put_f64(out, p->stop_loss);
    buffer_put_f64(out, p->stop_metric);
    buffer_put_f64(out, p->oob_accuracy);
}

struct model_progress progress_take(struct reader *r)
{
    struct model_progress p = {.epoch = reader_i32(r)};
    p.epoch_ended = reader_u8(r);
    p.stopped = reader_u8(r);
    p.done = reader_u8(r);
    p.has_loss = reader_u8(r);
    p.has_stop = reader_u8(r);
    p.has_oob = reader_u8(r);
    p.train_loss = reader_f64(r);
    p.train_accuracy = reader_f64(r);
    p.stop_loss = reader_f64(r);
    p.stop_metric = reader_f64(r);
    p.oob_accuracy = reader_f64(r);
    return p;
}

void cost_put(const struct training_result *r, struct buffer *out)
{
    buffer_put_f64(out, r->cost.waited_s);
    buffer_put_u64(out, (uint64_t)r->cost.moved_bytes);
}

void cost_take(struct reader *r, double *waited_s, int64_t *moved_bytes)
{
    *waited_s = reader_f64(r);
    *moved_bytes = (int64_t)reader_u64(r);
}
