#include "mpi/serial.h"

#include <string.h>

enum { INBOX_MAX = sizeof((struct serial *)0)->inbox / sizeof *((struct serial *)0)->inbox };

static enum status to_worker(struct transport *t, int to, enum message_kind kind, struct buffer *body, struct error *e)
{
    struct serial *s = t->context;
    if (to != 1 || s->n_inbox == INBOX_MAX)
        return error_set(e, STATUS_BUG, "a message to rank %d that nobody takes", to);
    struct message *m = &s->inbox[s->n_inbox++];
    *m = (struct message){.kind = kind};
    if (body) {
        m->body = *body;
        *body = (struct buffer){0};
    }
    return STATUS_OK;
}

static struct message take(struct serial *s)
{
    struct message m = s->inbox[0];
    memmove(s->inbox, s->inbox + 1, (size_t)--s->n_inbox * sizeof m);
    return m;
}

static enum status coordinator_poll(struct transport *t, struct message *out, bool *got, struct error *e)
{
    struct serial *s = t->context;
    bool over;
    (void)out;
    *got = false; /* everything was delivered already */
    if (s->n_inbox == 0)
        return STATUS_OK;
    struct message m = take(s);
    enum status status = worker_handle(s->hand, &m, &over, e);
    buffer_fini(&m.body);
    return s->trouble.code == STATUS_OK ? status : error_set(e, s->trouble.code, "%s", s->trouble.message);
}

static enum status to_coordinator(struct transport *t, int to, enum message_kind kind, struct buffer *body, struct error *e)
{
    struct serial *s = t->context;
    struct message m = {.kind = kind, .from = 1};
    (void)to;
    if (body) {
        m.body = *body;
        *body = (struct buffer){0};
    }
    struct error why = {0};
    enum status status = s->trouble.code == STATUS_OK ? s->deliver(s->context, &m, &why) : STATUS_OK;
    buffer_fini(&m.body);
    if (status != STATUS_OK)
        error_set(&s->trouble, status, "%s", why.message);
    return s->trouble.code == STATUS_OK ? STATUS_OK : error_set(e, s->trouble.code, "%s", s->trouble.message);
}

static enum status worker_poll(struct transport *t, struct message *out, bool *got, struct error *e)
{
    struct serial *s = t->context;
    TRY(s->tick(s->context, e));
    *got = s->n_inbox > 0;
    if (*got)
        *out = take(s);
    return STATUS_OK;
}

static bool all_sent(struct transport *t)
{
    (void)t;
    return true;
}

static enum status nobody_to_serve(struct transport *t, struct error *e)
{
    (void)t, (void)e;
    return STATUS_OK;
}

static void no_pause(struct transport *t)
{
    (void)t;
}

static enum status publish(struct transport *t, struct publication *p, struct error *e)
{
    (void)t;
    return p->block ? STATUS_OK : error_set(e, STATUS_STOPPED, "nothing to run");
}

static enum status gang_of_one(struct transport *t, const int *members, int n, int tag, bool (*stop)(struct gang *), void *stop_context,
                               struct gang *out, struct error *e)
{
    (void)t, (void)members, (void)tag;
    if (n != 1)
        return error_set(e, STATUS_BUG, "a gang of %d in one process", n);
    *out = gang_alone(stop, stop_context);
    return STATUS_OK;
}

static void gang_free(struct transport *t, struct gang *g)
{
    (void)t, (void)g;
}

void serial_init(struct serial *s)
{
    *s = (struct serial){0};
    s->coordinator = (struct transport){.rank = 0, .size = 1, .context = s, .send = to_worker, .poll = coordinator_poll, .sent = all_sent,
                                        .serve = nobody_to_serve, .pause = no_pause, .publish = publish, .gang_new = gang_of_one, .gang_free = gang_free};
    s->worker = s->coordinator;
    s->worker.rank = 1;
    s->worker.send = to_coordinator;
    s->worker.poll = worker_poll;
}

void serial_fini(struct serial *s)
{
    while (s->n_inbox) {
        struct message m = take(s);
        buffer_fini(&m.body);
    }
}
