#include "storage/plan_gangs.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "storage/query.h"
#include "sweep/efficiency.h"

struct model_gangs { /* one model's */
    const struct model_kind *kind;
    struct efficiency_work *work; /* (n) owned; one for each task and configuration */
    int n, wanted;                /* wanted: ranks, as configured */
    int ranks;                    /* sizes up to this are looked at */
    struct efficiency by_ranks[EFFICIENCY_RANKS + 1];
};

/* --- what there is to know --- */

struct known { /* of the plan */
    const struct plan *plan;
    int64_t *train_rows; /* (trials) */
    struct query_speed *speeds;
    int n_speeds;
};

static int first_speed(const struct known *known, const char *identity)
{
    int low = 0, high = known->n_speeds;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (strcmp(known->speeds[middle].identity, identity) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Seconds of all trials that share a configuration and a task: repeats and folds. */
static void add_speed(const struct known *known, int trial, struct efficiency_work *w)
{
    const char *identity = known->plan->trials[trial].identity;
    for (int i = first_speed(known, identity); i < known->n_speeds && strcmp(known->speeds[i].identity, identity) == 0; i++) {
        const struct query_speed *s = &known->speeds[i];
        if (s->ranks < 1 || s->ranks > EFFICIENCY_RANKS)
            continue;
        w->seconds[s->ranks] += s->seconds;
        w->epochs[s->ranks] += s->epochs;
    }
}

static int work_index(const struct plan *p, const int *first, int n, int trial)
{
    for (int i = 0; i < n; i++)
        if (p->trials[first[i]].configuration == p->trials[trial].configuration && p->trials[first[i]].task == p->trials[trial].task)
            return i;
    return n;
}

static void collect(const struct known *known, struct model_gangs *m)
{
    const struct plan *p = known->plan;
    int *first = memory_new((size_t)p->n_trials * sizeof *first);
    m->work = memory_new((size_t)p->n_trials * sizeof *m->work);
    for (int t = 0; t < p->n_trials; t++) {
        const struct plan_configuration *k = &p->configurations[p->trials[t].configuration];
        if (k->kind != m->kind || known->train_rows[t] < 1)
            continue;
        int i = work_index(p, first, m->n, t);
        if (i == m->n) {
            first[m->n++] = t;
            m->work[i] = (struct efficiency_work){.rows = known->train_rows[t],
                                                  .batch = (int)params_int(&k->params, "train.batch_size"),
                                                  .flops = p->trials[t].flops / (double)params_int(&k->params, "train.epochs")};
        }
        add_speed(known, t, &m->work[i]);
    }
    free(first);
}

static void leaves_of(const struct model_gangs *m, int *least, int *most)
{
    *least = *most = efficiency_leaves(&m->work[0]);
    for (int i = 1; i < m->n; i++) {
        int leaves = efficiency_leaves(&m->work[i]);
        *least = leaves < *least ? leaves : *least;
        *most = leaves > *most ? leaves : *most;
    }
}

/* Up to one more than can have a leaf, and what is configured or was tried. */
static void measure(struct model_gangs *m)
{
    int least, most;
    leaves_of(m, &least, &most);
    m->ranks = most + 1 > m->wanted ? most + 1 : m->wanted;
    for (int i = 0; i < m->n; i++)
        for (int r = m->ranks + 1; r <= EFFICIENCY_RANKS; r++)
            m->ranks = m->work[i].epochs[r] > 0 ? r : m->ranks;
    m->ranks = m->ranks < EFFICIENCY_RANKS ? m->ranks : EFFICIENCY_RANKS;
    efficiency_of(m->work, m->n, m->ranks, m->by_ranks);
}

/* --- in words --- */

static void put_range(struct buffer *out, int low, int high)
{
    buffer_printf(out, low == high ? "%d" : "%d to %d", low, high);
}

static void put_why(const struct model_gangs *m, int enough, struct buffer *out)
{
    const struct efficiency *e = m->by_ranks;
    int least, most, low = m->work[0].batch, high = low;
    leaves_of(m, &least, &most);
    if (enough < m->ranks && enough < most && e[enough + 1].learnt) {
        buffer_printf(out, "learnt: an epoch takes %.3g s with %d, %.3g s with %d", e[enough + 1].seconds, enough + 1, e[enough].seconds, enough);
        return;
    }
    for (int i = 1; i < m->n; i++) {
        low = m->work[i].batch < low ? m->work[i].batch : low;
        high = m->work[i].batch > high ? m->work[i].batch : high;
    }
    buffer_puts(out, "batches of ");
    put_range(out, low, high);
    buffer_puts(out, " rows have ");
    put_range(out, least, most);
    buffer_puts(out, most == 1 ? " leaf" : " leaves");
}

static void put_verdict(const struct model_gangs *m, struct buffer *out)
{
    static const char *const words[] = {"second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"};
    int enough = efficiency_enough(m->by_ranks, m->ranks), configured = m->wanted < m->ranks ? m->wanted : m->ranks;
    int same = efficiency_same(m->by_ranks, configured);
    if (enough == EFFICIENCY_RANKS)
        buffer_printf(out, "%s: no rank of up to %d is wasted", m->kind->name, enough);
    else if (enough <= (int)(sizeof words / sizeof *words))
        buffer_printf(out, "%s: a%s %s rank is wasted (", m->kind->name, enough == 7 ? "n" : "", words[enough - 1]);
    else
        buffer_printf(out, "%s: more than %d ranks are wasted (", m->kind->name, enough);
    if (enough < EFFICIENCY_RANKS) {
        put_why(m, enough, out);
        buffer_puts(out, ")");
    }
    if (same < configured)
        buffer_printf(out, "\nwarning: ranks.%s = %d is hardly faster than %d", m->kind->name, m->wanted, same);
}

/* --- the table --- */

/* All up to 8, then powers of two, and what matters. */
static bool is_shown(const struct model_gangs *m, int ranks)
{
    int enough = efficiency_enough(m->by_ranks, m->ranks);
    return ranks <= 8 || (ranks & (ranks - 1)) == 0 || ranks == m->wanted || ranks == enough || ranks == enough + 1 || m->by_ranks[ranks].learnt;
}

static void put_model(const struct model_gangs *m, struct table *out)
{
    for (int r = 1; r <= m->ranks; r++) {
        const struct efficiency *e = &m->by_ranks[r];
        if (!is_shown(m, r))
            continue;
        table_text(out, m->kind->name);
        table_int(out, r);
        table_real(out, e->seconds);
        table_real(out, e->speed_up);
        table_real(out, e->speed_up / r);
        table_text(out, e->learnt ? "learnt" : "expected");
    }
}

static void put_columns(struct table *out)
{
    out->title = memory_text("what ranks of a gang gain");
    table_column(out, "model", -1);
    table_column(out, "ranks", -1);
    table_column(out, "s_per_epoch", 3);
    table_column(out, "speed_up", 2);
    table_column(out, "efficiency", 2);
    table_column(out, "from", -1);
}

static void put_kind(const struct config *c, const struct known *known, const struct model_kind *kind, struct table *out, struct buffer *note)
{
    struct model_gangs m = {.kind = kind, .wanted = config_ranks(c, kind)};
    collect(known, &m);
    if (m.n > 0) {
        measure(&m);
        put_model(&m, out);
        buffer_puts(note, note->size ? "\n" : "");
        put_verdict(&m, note);
    }
    free(m.work);
}

void plan_gangs(const struct config *c, const struct plan *p, const struct footprint *f, struct table *out)
{
    struct known known = {.plan = p, .train_rows = memory_new((size_t)p->n_trials * sizeof *known.train_rows)};
    struct buffer note = {0};
    struct error e;
    for (int i = 0; i < f->n; i++)
        known.train_rows[f->trials[i].trial] = f->trials[i].train_rows;
    enum status s = query_speeds(params_text(&c->study, "database"), &known.speeds, &known.n_speeds, &e);
    put_columns(out);
    for (int k = 0; model_kinds[k]; k++)
        if (model_kinds[k]->by_epochs)
            put_kind(c, &known, model_kinds[k], out, &note);
    if (s != STATUS_OK && s != STATUS_NO_INPUT && note.size)
        buffer_printf(&note, "\nno seconds of earlier runs: %s", e.message);
    out->note = note.data;
    free(known.speeds);
    free(known.train_rows);
}
