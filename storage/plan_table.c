#include "storage/plan_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flows/statistics.h"
#include "storage/db.h"
#include "storage/footprint.h"
#include "storage/plan_gangs.h"

static const double MiB = 1048576;

/* What is there already. */
struct found {
    const char *path;        /* of the database */
    enum trial_state *state; /* (n_trials); owned */
    int done, failed;
    char *trouble;           /* why a run would stop at it; owned, or NULL */
};

static void look_for(const struct config *c, const struct flows *f, const struct plan *p, struct found *out)
{
    struct error e;
    *out = (struct found){params_text(&c->study, "database"), memory_new((size_t)p->n_trials * sizeof *out->state), 0, 0, NULL};
    for (int i = 0; i < p->n_trials; i++)
        out->state[i] = TRIAL_QUEUED;
    enum status s = db_planned(out->path, c, f, p, out->state, &e);
    if (s != STATUS_OK && s != STATUS_NO_INPUT)
        out->trouble = memory_text(e.message);
    for (int i = 0; i < p->n_trials; i++) {
        out->done += out->state[i] == TRIAL_DONE;
        out->failed += out->state[i] == TRIAL_FAILED;
    }
}

static bool is_over(const struct found *f, int trial)
{
    return f->state[trial] == TRIAL_DONE || f->state[trial] == TRIAL_FAILED;
}

static void found_fini(struct found *f)
{
    free(f->state);
    free(f->trouble);
}

static void put_model(const struct config *c, const struct footprint *f, const struct plan *p, const struct found *found, const struct task *t, int task,
                      const struct model_kind *kind, struct table *out)
{
    const struct footprint_trial *most = NULL;
    int trials = 0, done = 0;
    double flops = 0;
    for (int i = 0; i < p->n_trials; i++) {
        if (p->trials[i].task != task || p->configurations[p->trials[i].configuration].kind != kind)
            continue;
        trials++;
        done += found->state[i] == TRIAL_DONE;
        if (!is_over(found, i))
            flops += p->trials[i].flops;
    }
    for (int i = f->n - 1; i >= 0; i--)
        if (f->trials[i].task == task && f->trials[i].model == kind->name)
            most = &f->trials[i];
    if (!most)
        return;
    table_int(out, task + 1);
    table_int(out, t->n_classes);
    table_int(out, t->spec.steps);
    table_text(out, kind->name);
    table_int(out, trials);
    table_int(out, done);
    table_int(out, config_ranks(c, kind));
    for (int part = 0; part < PART_COUNT; part++)
        table_int(out, t->parts[part].n);
    table_real(out, flops / 1e12);
    table_real(out, (double)footprint_own(f, most) / MiB);
    table_real(out, (double)footprint_gang(f, most) / MiB);
}

/* What forests' statistics lack of those that there can be. */
static void put_lacking(const struct plan *p, struct buffer *out)
{
    static const enum channel needed[] = {CHANNEL_PAYLOAD, CHANNEL_IAT, CHANNEL_DIRECTION};
    const struct plan_configuration *k = p->configurations, *last = k + p->n_configurations;
    const char *before = "";
    while (k < last && k->n_statistics == 0)
        k++;
    if (k == last || k->n_statistics == STATISTICS_MOST)
        return;
    buffer_printf(out, "\nfeatures = \"statistics\": %d of %d, since the flows have no ", k->n_statistics, STATISTICS_MOST);
    for (int i = 0; i < 3; i++)
        if (!(k->reads >> needed[i] & 1)) {
            buffer_printf(out, "%s%s", before, channel_names[needed[i]]);
            before = ", ";
        }
}

/* Where trials that are to come go on from others. */
static char *note_of_lines(const struct plan *p, const struct found *found)
{
    int64_t grown = 0, alone = 0;
    int on = 0;
    const char *what = "";
    for (int i = 0; i < p->n_trials; i++) {
        const struct plan_trial *t = &p->trials[i];
        const struct plan_configuration *k = &p->configurations[t->configuration];
        if (!k->kind->grows || is_over(found, i))
            continue;
        int64_t size = plan_size(k);
        alone += size;
        grown += size - (t->after < 0 ? 0 : plan_size(&p->configurations[p->trials[t->after].configuration]));
        on += t->after >= 0;
        what = k->kind->grows;
    }
    return on ? memory_format("\n%s: %d of the trials go on from the trees of the next smaller forest, so that %lld trees are grown, not %lld (TFLOP: of these)",
                              what, on, (long long)grown, (long long)alone)
              : memory_text("");
}

static char *note_of_found(const struct found *f, int n_trials)
{
    struct buffer b = {0};
    buffer_puts(&b, "");
    if (f->done + f->failed > 0)
        buffer_printf(&b, "; %s has %d that are done", f->path, f->done);
    if (f->failed > 0)
        buffer_printf(&b, " and %d that failed (run --retry-failed tries them again)", f->failed);
    if (f->done + f->failed > 0)
        buffer_puts(&b, f->done + f->failed == n_trials ? ": nothing is left to do" : ": TFLOP is of the others");
    if (f->trouble)
        buffer_printf(&b, "\nrun would stop: %s", f->trouble);
    return b.data;
}

static char *note_of(const struct plan *p, const struct found *found, const struct footprint *f)
{
    struct buffer lacking = {0};
    char *lines = note_of_lines(p, found), *there = note_of_found(found, p->n_trials);
    buffer_puts(&lacking, "");
    put_lacking(p, &lacking);
    char *note = memory_format("%d trials of %d configurations%s%s\n"
                         "TFLOP: of all trials of a row, about; of what is no network, what one computes in the time that they take\n"
                         "rank_MiB: what a rank of the gang needs at its most, its program and MPI with it; node_MiB: a node with one such gang: %s (%.1f MiB)%s, and its ranks\n"
                         "a node with %d workers needs up to %.1f MiB, with %d set%s of codes that forests share; this one has %.0f MiB%s%s",
                         p->n_trials, p->n_configurations, there, lines, f->sharded ? "the coordinator's flows" : "its one copy of the flows", (double)f->flows / MiB,
                         f->set ? ", the codes that forests share" : "", f->workers, (double)footprint_node(f, f->workers) / MiB, f->n_sets,
                         f->n_sets == 1 ? "" : "s", (double)footprint_available(f) / MiB,
                         f->flows_apart || f->sets_apart ? ", but /dev/shm is too small for what ranks share: each has its own" : "", lacking.data);
    buffer_fini(&lacking);
    free(lines);
    free(there);
    return note;
}

static enum status put_tasks(const struct config *c, const struct flows *f, const struct plan *p, const struct found *found, const struct footprint *need,
                             struct table *out, struct error *e)
{
    static const char *const names[] = {"task", "labels", "steps", "model", "trials", "done", "ranks", "train", "stop", "validation", "test"};
    for (int i = 0; i < 11; i++)
        table_column(out, names[i], -1);
    table_column(out, "TFLOP", 2);
    table_column(out, "rank_MiB", 1);
    table_column(out, "node_MiB", 1);
    for (int t = 0; t < c->n_tasks; t++) {
        struct task *task;
        TRY(task_new(&task, f, &c->data, &c->tasks[t], (uint64_t)params_int(&c->study, "seed"), 0, e));
        for (int k = 0; model_kinds[k]; k++)
            put_model(c, need, p, found, task, t, model_kinds[k], out);
        task_free(task);
    }
    out->note = note_of(p, found, need);
    return STATUS_OK;
}

static bool same_reason(const struct plan_invalid *a, const struct plan_invalid *b)
{
    return a->task == b->task && a->kind == b->kind && strcmp(a->message, b->message) == 0;
}

/* One line a task, model and reason, with the first of the points. */
static void put_invalid(const struct plan *p, const struct space *s, struct table *out)
{
    int *first = memory_new(((size_t)p->n_invalid + 1) * sizeof *first), *points = memory_new(((size_t)p->n_invalid + 1) * sizeof *points), n = 0;
    out->title = memory_text(p->n_invalid ? "points that cannot work, and are left out" : "every point can work");
    table_column(out, "task", -1);
    table_column(out, "points", -1);
    table_column(out, "model", -1);
    table_column(out, "why", -1);
    table_column(out, "first", -1);
    for (int i = 0; i < p->n_invalid; i++) {
        int k = 0;
        while (k < n && !same_reason(&p->invalid[first[k]], &p->invalid[i]))
            k++;
        if (k == n)
            first[n++] = i;
        points[k]++;
    }
    for (int k = 0; k < n; k++) {
        const struct plan_invalid *i = &p->invalid[first[k]];
        table_int(out, i->task + 1);
        table_int(out, points[k]);
        table_text(out, i->kind->name);
        table_text(out, i->message);
        table_text(out, i->params);
    }
    out->note = plan_unused(p, s);
    free(first);
    free(points);
}

enum status plan_tables(const char *config, const char *const *sets, int n_sets, int workers, struct table t[3], struct error *unfit,
                        struct error *e)
{
    struct config c;
    struct flows f = {0};
    struct plan *p = NULL;
    struct footprint need = {0};
    struct found found = {0};
    TRY(config_read(config, sets, n_sets, &c, e));
    enum status s = flows_read(&c.data, &f, NULL, e);
    if (s == STATUS_OK)
        s = config_plan(&c, &f, &p, e);
    if (s == STATUS_OK)
        s = footprint_of(&c, &f, p, workers, &need, e);
    if (s == STATUS_OK) {
        look_for(&c, &f, p, &found);
        s = put_tasks(&c, &f, p, &found, &need, &t[0], e);
    }
    if (s == STATUS_OK) {
        put_invalid(p, &c.space, &t[1]);
        plan_gangs(&c, p, &need, &t[2]);
        footprint_check(&need, 0, unfit);
    }
    found_fini(&found);
    footprint_fini(&need);
    plan_free(p);
    flows_fini(&f);
    config_fini(&c);
    return s;
}
