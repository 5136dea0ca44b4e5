#include "mpi/dealing.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { MESSAGE_BYTES = 16 << 20 };

enum status dealing_features(const struct config *c, const struct flows *f, const struct params *p, const struct task *task, struct features *out,
                             struct error *e)
{
    const struct value *channels = params_get(p, "channels");
    struct model_reads reads = model_reads(p);
    bool is_signed = f->channels >> CHANNEL_SIGNED_SIZE & 1;
    struct value one = value_text(is_signed ? "signed_size" : "size"), list = value_list(1, &one);
    enum status s = features_fit(out, f, &c->data, channels ? channels : reads.statistics ? NULL : &list, task->spec.steps, &task->parts[PART_TRAIN], e);
    if (s == STATUS_OK && reads.statistics)
        s = features_add_statistics(out, e);
    value_fini(&list);
    value_fini(&one);
    return s;
}

/* Rows [*first, *last) of a part of n that a member holds. */
static void held(enum part part, bool stop_is_validation, int n, int member, int size, int *first, int *last)
{
    *first = *last = 0;
    if (part == PART_TRAIN) {
        *first = gang_first(n, member, size);
        *last = gang_first(n, member + 1, size);
    } else if (part != PART_VALIDATION || !stop_is_validation) {
        gang_rows(n, member, size, first, last);
    }
}

/* --- the coordinator's side --- */

void dealing_put(const struct dealing *d, struct buffer *out)
{
    const struct task *t = d->task;
    struct buffer json = {0};
    features_to_json(d->features, &json);
    buffer_put_string(out, json.data);
    buffer_fini(&json);
    buffer_put_i32(out, t->n_classes);
    buffer_put_u8(out, t->stop_is_validation);
    for (int part = 0; part < PART_COUNT; part++) {
        bool needed = part != PART_TEST;
        buffer_put_i32(out, t->parts[part].n);
        buffer_put_bytes(out, t->parts[part].y, needed ? (size_t)t->parts[part].n * sizeof(int32_t) : 0);
    }
}

bool dealing_rows(const struct dealing *d, int *at, struct buffer *out)
{
    unsigned channels = features_channels(d->features);
    int steps = d->features->steps, before = 0;
    size_t bytes = piece_row_bytes(steps, channels);
    for (int part = 0; part < PART_COUNT; part++) {
        const struct rows *rows = &d->task->parts[part];
        int first, last, most = (int)(MESSAGE_BYTES / bytes) + 1;
        held(part, d->task->stop_is_validation, rows->n, d->member, d->size, &first, &last);
        int from = first + *at - before;
        if (from < last) {
            int n = last - from < most ? last - from : most;
            piece_pack(d->flows, steps, channels, rows->row + from, n, buffer_grow(out, (size_t)n * bytes));
            *at += n;
            return true;
        }
        before += last - first;
    }
    return false;
}

enum status dealing_send(struct transport *t, const struct dealing *d, struct assignment *a, struct error *e)
{
    struct buffer body = {0}, rows = {0};
    int to = a->members[d->member];
    if (d->features)
        dealing_put(d, &rows);
    a->rows = rows.data;
    a->n_rows = rows.size;
    assignment_put(a, &body);
    enum status s = t->send(t, to, MESSAGE_ASSIGN, &body, e);
    for (int at = 0; s == STATUS_OK && d->features;) {
        buffer_clear(&body);
        trial_put(&body, a->trial, 0);
        if (!dealing_rows(d, &at, &body))
            break;
        s = t->send(t, to, MESSAGE_ROWS, &body, e);
    }
    buffer_fini(&body);
    buffer_fini(&rows);
    return s;
}

/* --- a member's side --- */

static enum status take_part(struct reader *r, enum part part, struct hand *h, int member, int size, struct error *e)
{
    int first, last, n = reader_i32(r);
    size_t bytes;
    const void *y = reader_bytes(r, &bytes);
    bool needed = part != PART_TEST;
    if (r->failed || n < 0 || (needed && bytes != (size_t)n * sizeof(int32_t)))
        return error_set(e, STATUS_BUG, "a broken description of %s rows", part_names[part]);
    struct rows *rows = &h->task->parts[part];
    *rows = (struct rows){n, malloc((size_t)n * sizeof(int32_t) + 1), calloc((size_t)n + 1, sizeof(int32_t))};
    if (!rows->row || !rows->y)
        return error_set(e, STATUS_MEMORY, "no memory for the numbers of %d rows", n);
    if (needed && bytes)
        memcpy(rows->y, y, bytes);
    held(part, h->task->stop_is_validation, n, member, size, &first, &last);
    for (int i = 0; i < n; i++)
        rows->row[i] = i >= first && i < last ? h->wanted++ : -1;
    return STATUS_OK;
}

static enum status take(struct hand *h, struct reader *r, int member, int size, struct error *e)
{
    char *json = reader_string(r);
    enum status s = features_from_json(json, &h->features, e);
    free(json);
    TRY(s);
    h->task = memory_new(sizeof *h->task);
    h->task->n_classes = reader_i32(r);
    h->task->stop_is_validation = reader_u8(r);
    h->task->spec.steps = h->features.steps;
    for (int part = 0; part < PART_COUNT; part++)
        TRY(take_part(r, part, h, member, size, e));
    TRY(piece_new(&h->piece, h->wanted, h->features.steps, features_channels(&h->features), e));
    h->features.flows = &h->piece.flows;
    return STATUS_OK;
}

enum status hand_take(struct hand *out, const void *bytes, size_t n, int member, int size, struct error *e)
{
    struct reader r = reader_of(bytes, n);
    *out = (struct hand){0};
    enum status s = take(out, &r, member, size, e);
    if (s != STATUS_OK)
        hand_fini(out);
    return s;
}

enum status hand_add(struct hand *h, const void *rows, size_t n, struct error *e)
{
    size_t bytes = piece_row_bytes(h->piece.flows.steps, h->piece.flows.channels);
    if (n % bytes || n / bytes > (size_t)(h->wanted - h->n))
        return error_set(e, STATUS_BUG, "%zu bytes of rows came, where %d rows of %zu were to come", n, h->wanted - h->n, bytes);
    TRY(piece_unpack(&h->piece, h->n, (int)(n / bytes), rows, e));
    h->n += (int)(n / bytes);
    return STATUS_OK;
}

void hand_fini(struct hand *h)
{
    task_free(h->task);
    features_fini(&h->features);
    piece_fini(&h->piece);
    *h = (struct hand){0};
}
