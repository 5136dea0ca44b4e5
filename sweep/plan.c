#include "sweep/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "flows/statistics.h"
#include "sweep/names.h"

struct planner {
    const struct plan_request *request;
    struct plan *plan;
    struct names hashes, identities; /* of configurations and trials so far */
    int trials_capacity, invalid_capacity;
    int repeats;
    bool by_seed, by_split;
};

/* --- identities --- */

/* One JSON object, keys sorted, no spaces:
 * {"fold":0,"params":{..},"repeat":0,"steps":25,"top_n":10}, with "min_flows" before "params" where it rules instead. */
static void identity_text(const struct params *p, const struct task_spec *task, int fold, int repeat, struct buffer *out)
{
    bool by_flows = task->top_n < 0;
    buffer_printf(out, "{\"fold\":%d,", fold);
    if (by_flows)
        buffer_printf(out, "\"min_flows\":%d,", task->min_flows);
    buffer_puts(out, "\"params\":");
    params_to_json(p, out);
    buffer_printf(out, ",\"repeat\":%d,\"steps\":%d", repeat, task->steps);
    if (!by_flows)
        buffer_printf(out, ",\"top_n\":%d", task->top_n);
    buffer_puts(out, "}");
}

/* Those of the table that are at their defaults; of these, only_later: what is younger than studies that people keep. */
static void remove_defaults(struct params *p, const char *group, const struct param *table, bool only_later)
{
    for (; table && table->name; table++) {
        char *name = memory_format("%s.%s", group, table->name);
        const struct value *v = table->fallback && (!only_later || table->accepts & PARAM_LATER) ? params_get(p, name) : NULL;
        struct value fallback;
        if (v && value_from_json(table->fallback, &fallback, NULL) == STATUS_OK) {
            param_check(table, &fallback, NULL);
            if (value_equal(v, &fallback))
                params_remove(p, name);
            value_fini(&fallback);
        }
        free(name);
    }
}

/* The caller frees it. */
static struct params without_defaults(const struct params *p, bool only_later)
{
    const struct model_kind *kind = model_find(params_text(p, "model"));
    struct params copy = params_copy(p);
    remove_defaults(&copy, kind->name, kind->params, only_later);
    remove_defaults(&copy, "train", kind->by_epochs ? train_params : NULL, only_later);
    return copy;
}

/* What counts for identity. The caller frees it. */
static struct params counted(const struct params *p)
{
    return without_defaults(p, true);
}

static void hash_params(const struct params *p, char hex[HASH_HEX])
{
    struct buffer text = {0};
    struct params those = counted(p);
    params_to_json(&those, &text);
    hash_bytes(text.data, text.size, hex);
    params_fini(&those);
    buffer_fini(&text);
}

static void hash_identity(const struct params *p, const struct task_spec *task, int fold, int repeat, char hex[HASH_HEX])
{
    struct buffer text = {0};
    struct params those = counted(p);
    identity_text(&those, task, fold, repeat, &text);
    hash_bytes(text.data, text.size, hex);
    params_fini(&those);
    buffer_fini(&text);
}

static void remove_unkeyed(struct params *p, const char *group, const struct param *table)
{
    for (; table && table->name; table++) {
        if (!(table->accepts & PARAM_UNKEYED))
            continue;
        char *name = memory_format("%s.%s", group, table->name);
        params_remove(p, name);
        free(name);
    }
}

/* Names a trial's random numbers. Without the repeat, all repeats draw the same ones. */
static uint64_t trial_key(uint64_t seed, const struct plan_configuration *c, const struct task_spec *task, int fold,
                          int repeat)
{
    char hex[HASH_HEX];
    struct params keyed = params_copy(&c->params);
    remove_unkeyed(&keyed, c->kind->name, c->kind->params);
    remove_unkeyed(&keyed, "train", c->kind->by_epochs ? train_params : NULL);
    hash_identity(&keyed, task, fold, repeat, hex);
    params_fini(&keyed);
    return random_key(seed, hash_to_key(hex));
}

/* --- validity --- */

static int channel_find(const char *name)
{
    for (int c = 0; c < CHANNEL_COUNT; c++)
        if (strcmp(channel_names[c], name) == 0)
            return c;
    return -1;
}

/* Fills in what the point's channels say about the shape. reads: bits of them. */
static enum status shape_channels(const struct plan_request *r, const struct params *p, struct model_shape *shape, unsigned *reads, struct error *e)
{
    const struct value *list = params_get(p, "channels");
    *reads = 0;
    shape->n_channels = 0;
    for (int i = 0; list && i < list->n; i++) {
        const char *name = list->items[i].kind == VALUE_TEXT ? list->items[i].text : "";
        int c = channel_find(name);
        if (c < 0)
            return error_set(e, STATUS_CONFIG, "channels: there is no channel \"%s\"", name);
        if (!r->has_channel[c])
            return error_set(e, STATUS_CONFIG, "channels: these flows have no \"%s\"", name);
        if (*reads >> c & 1)
            return error_set(e, STATUS_CONFIG, "channels: \"%s\" stands twice", name);
        *reads |= 1u << c;
        shape->n_channels++;
    }
    shape->has_signed_size = *reads >> CHANNEL_SIGNED_SIZE & 1;
    return STATUS_OK;
}

static enum status shape_statistics(const struct plan_request *r, const struct params *p, struct model_shape *shape, unsigned *reads, struct error *e)
{
    unsigned channels = 0;
    shape->n_statistics = 0;
    if (!model_reads(p).statistics)
        return STATUS_OK;
    for (int c = 0; c < CHANNEL_COUNT; c++)
        channels |= (unsigned)r->has_channel[c] << c;
    unsigned groups = statistics_of(channels);
    if (!groups)
        return error_set(e, STATUS_CONFIG, "features: these flows have no size to make statistics of");
    *reads |= groups;
    shape->n_statistics = statistics_count(groups);
    return STATUS_OK;
}

static enum status check_point(const struct plan_request *r, const struct model_kind *kind, const struct params *p, int task,
                               struct model_shape *shape, unsigned *reads, struct error *e)
{
    *shape = r->shapes[task];
    TRY(shape_channels(r, p, shape, reads, e));
    TRY(shape_statistics(r, p, shape, reads, e));
    return kind->check(p, shape, e);
}

/* --- collecting --- */

static void add_invalid(struct planner *w, const struct model_kind *kind, const struct params *p, int task, const char *message)
{
    struct plan *plan = w->plan;
    if (plan->n_invalid == w->invalid_capacity) {
        w->invalid_capacity = w->invalid_capacity ? 2 * w->invalid_capacity : 16;
        plan->invalid = memory_resize(plan->invalid, (size_t)w->invalid_capacity * sizeof *plan->invalid);
    }
    struct buffer text = {0};
    struct params chosen = without_defaults(p, false);
    params_to_json(&chosen, &text);
    params_fini(&chosen);
    plan->invalid[plan->n_invalid++] = (struct plan_invalid){text.data, memory_text(message), kind, task};
}

/* The configuration of these parameters, new or there already. */
static int add_configuration(struct planner *w, const struct model_kind *kind, const struct params *p, const struct model_shape *shape, unsigned reads)
{
    struct plan *plan = w->plan;
    struct plan_configuration c = {.kind = kind, .n_channels = shape->n_channels, .n_statistics = shape->n_statistics, .reads = reads};
    bool added;
    hash_params(p, c.hash);
    int index = names_add(&w->hashes, c.hash, &added);
    if (!added)
        return index;
    c.params = params_copy(p);
    plan->configurations = memory_resize(plan->configurations, (size_t)(index + 1) * sizeof *plan->configurations);
    plan->configurations[index] = c;
    plan->n_configurations = index + 1;
    return index;
}

static void add_trial(struct planner *w, int configuration, int task, int repeat, double flops, double permute_flops)
{
    struct plan *plan = w->plan;
    const struct plan_configuration *c = &plan->configurations[configuration];
    const struct task_spec *spec = &w->request->tasks[task];
    struct plan_trial t = {.configuration = configuration, .task = task, .repeat = repeat, .flops = flops + permute_flops, .permute_flops = permute_flops, .after = -1};
    bool added;
    hash_identity(&c->params, spec, t.fold, repeat, t.identity);
    names_add(&w->identities, t.identity, &added);
    if (!added)
        return; /* a baseline that the space lists too */
    t.key = trial_key(w->request->seed, c, spec, t.fold, w->by_seed ? repeat : 0);
    t.split_repeat = w->by_split ? repeat : 0;
    if (plan->n_trials == w->trials_capacity) {
        w->trials_capacity = w->trials_capacity ? 2 * w->trials_capacity : 64;
        plan->trials = memory_resize(plan->trials, (size_t)w->trials_capacity * sizeof *plan->trials);
    }
    plan->trials[plan->n_trials++] = t;
}

/* A point on a task, at its repeats; an invalid one is remembered. True where it is valid. */
static bool add_point(struct planner *w, const struct params *p, int task, int repeats)
{
    const struct model_kind *kind = model_find(params_text(p, "model"));
    struct model_shape shape;
    unsigned reads;
    struct error why = {0};
    if (check_point(w->request, kind, p, task, &shape, &reads, &why) != STATUS_OK) {
        add_invalid(w, kind, p, task, why.message);
        return false;
    }
    int configuration = add_configuration(w, kind, p, &shape, reads);
    double flops = kind->flops(p, &shape), permute_flops = kind->permute_flops ? kind->permute_flops(p, &shape) : 0;
    for (int repeat = 0; repeat < repeats; repeat++)
        add_trial(w, configuration, task, repeat, flops, permute_flops);
    return true;
}

/* A baseline sees what the first choice of channels gives, with its parameters' defaults. */
static void add_baseline(struct planner *w, const struct model_kind *kind, int task)
{
    const struct dimension *channels = space_find(w->request->space, "channels");
    struct params p = {0};
    struct value model = value_text(kind->name);
    params_set(&p, "model", &model);
    value_fini(&model);
    if (channels && channels->n > 0)
        params_set(&p, "channels", &channels->choices[0]);
    space_activate(&p);
    add_point(w, &p, task, 1);
    params_fini(&p);
}

static enum status add_tasks(struct planner *w, const struct params *points, int n_points, struct error *e)
{
    int valid = 0;
    for (int task = 0; task < w->request->n_tasks; task++) {
        for (int k = 0; model_kinds[k]; k++)
            if (model_kinds[k]->baseline)
                add_baseline(w, model_kinds[k], task);
        for (int i = 0; i < n_points; i++)
            valid += add_point(w, &points[i], task, w->repeats);
    }
    if (valid > 0)
        return STATUS_OK;
    if (w->plan->n_invalid == 0)
        return error_set(e, STATUS_CONFIG, "space: there is no point to run");
    const struct plan_invalid *last = &w->plan->invalid[w->plan->n_invalid - 1];
    return error_set(e, STATUS_CONFIG, "space: no point can work with these flows; the last one: %.400s", last->message);
}

/* --- trials that go on from others --- */

int64_t plan_size(const struct plan_configuration *k)
{
    if (!k->kind->grows)
        return 0;
    char *name = memory_format("%s.%s", k->kind->name, k->kind->grows);
    int64_t size = params_int(&k->params, name);
    free(name);
    return size;
}

double plan_work(const struct plan *p, int trial, int epoch)
{
    const struct plan_trial *t = &p->trials[trial];
    const struct plan_configuration *k = &p->configurations[t->configuration];
    double before = 0, now = epoch, whole = 1, flops = t->flops - t->permute_flops;
    if (k->kind->grows) {
        before = t->after < 0 ? 0 : (double)plan_size(&p->configurations[p->trials[t->after].configuration]);
        now = (double)epoch * k->kind->grows_by;
        whole = (double)plan_size(k);
    } else if (k->kind->by_epochs) {
        whole = (double)params_int(&k->params, "train.epochs");
    }
    if (now >= whole)
        return flops;
    return now > before ? flops * (now - before) / (whole - before) : 0;
}

struct rung { /* a trial whose model grows */
    int trial, line; /* line: a number that it shares with those that differ from it in nothing else */
    int64_t size;
};

static int by_line_and_size(const void *a, const void *b)
{
    const struct rung *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size);
}

static struct rung rung_of(const struct planner *w, int trial, struct names *lines)
{
    const struct plan_trial *t = &w->plan->trials[trial];
    const struct plan_configuration *k = &w->plan->configurations[t->configuration];
    char *name = memory_format("%s.%s", k->kind->name, k->kind->grows), hex[HASH_HEX];
    struct params others = params_copy(&k->params);
    struct rung r = {.trial = trial, .size = plan_size(k)};
    params_remove(&others, name);
    hash_identity(&others, &w->request->tasks[t->task], t->fold, t->repeat, hex);
    r.line = names_add(lines, hex, NULL);
    params_fini(&others);
    free(name);
    return r;
}

/* Each goes on from the next smaller, so that the largest is made once. */
static void join_lines(struct planner *w)
{
    struct plan *plan = w->plan;
    struct names lines = {0};
    struct rung *rungs = memory_new((size_t)plan->n_trials * sizeof *rungs);
    int n = 0;
    for (int i = 0; i < plan->n_trials; i++)
        if (plan->configurations[plan->trials[i].configuration].kind->grows)
            rungs[n++] = rung_of(w, i, &lines);
    if (n > 1)
        qsort(rungs, (size_t)n, sizeof *rungs, by_line_and_size);
    for (int i = n - 1; i > 0; i--)
        if (rungs[i].line == rungs[i - 1].line) {
            const struct plan_trial *smaller = &plan->trials[rungs[i - 1].trial];
            plan->trials[rungs[i].trial].after = rungs[i - 1].trial;
            plan->trials[rungs[i].trial].flops -= smaller->flops - smaller->permute_flops;
        }
    names_fini(&lines);
    free(rungs);
}

enum status plan_new(struct plan **out, const struct plan_request *request, struct error *e)
{
    *out = NULL;
    const struct params *search = request->search;
    const char *method = params_text(search, "method"), *over = params_text(search, "repeat_over");
    const struct sampler *sampler = sampler_find(method);
    if (!sampler)
        return error_set(e, STATUS_CONFIG, "search.method: there is no \"%s\"", method);
    struct params *points;
    int n_points;
    TRY(sampler->points(request->space, search, request->seed, &points, &n_points, e));
    struct planner w = {.request = request,
                        .plan = memory_new(sizeof *w.plan),
                        .repeats = (int)params_int(search, "repeats"),
                        .by_seed = strcmp(over, "split") != 0,
                        .by_split = strcmp(over, "seed") != 0};
    enum status s = add_tasks(&w, points, n_points, e);
    if (s == STATUS_OK)
        join_lines(&w);
    for (int i = 0; i < n_points; i++)
        params_fini(&points[i]);
    free(points);
    names_fini(&w.hashes);
    names_fini(&w.identities);
    if (s == STATUS_OK)
        *out = w.plan;
    else
        plan_free(w.plan);
    return s;
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->n_configurations; i++)
        params_fini(&p->configurations[i].params);
    for (int i = 0; i < p->n_invalid; i++) {
        free(p->invalid[i].params);
        free(p->invalid[i].message);
    }
    free(p->configurations);
    free(p->trials);
    free(p->invalid);
    free(p);
}

static bool has_parameter(const struct plan *p, const char *name)
{
    for (int i = 0; i < p->n_configurations; i++)
        if (params_get(&p->configurations[i].params, name))
            return true;
    return false;
}

/* Has a configuration any parameter of the group that this one is of? */
static bool has_group(const struct plan *p, const char *name)
{
    size_t group = strcspn(name, ".") + 1;
    for (int i = 0; i < p->n_configurations; i++)
        for (int k = 0; k < p->configurations[i].params.n; k++)
            if (strncmp(p->configurations[i].params.entries[k].name, name, group) == 0)
                return true;
    return false;
}

static bool has_kind(const struct plan *p, const struct model_kind *kind)
{
    for (int i = 0; i < p->n_configurations; i++)
        if (p->configurations[i].kind == kind)
            return true;
    return false;
}

static bool has_invalid(const struct plan *p, const struct model_kind *kind)
{
    for (int i = 0; i < p->n_invalid; i++)
        if (p->invalid[i].kind == kind)
            return true;
    return false;
}

char *plan_unused(const struct plan *p, const struct space *s)
{
    struct buffer text = {0};
    for (int k = 0; model_kinds[k]; k++)
        if (has_invalid(p, model_kinds[k]) && !has_kind(p, model_kinds[k]))
            buffer_printf(&text, "%sno point of %s can work: it is not run at all", text.size ? "; " : "", model_kinds[k]->name);
    for (int i = 0; i < s->n; i++) {
        const struct dimension *d = &s->dimensions[i];
        if (d->param && d->param->when && has_group(p, d->name) && !has_parameter(p, d->name))
            buffer_printf(&text, "%sspace.%s has no effect: no point has %s", text.size ? "; " : "", d->name, d->param->when);
    }
    return text.data;
}

void plan_set_name(const struct plan_configuration *k, const struct plan_trial *t, struct buffer *out)
{
    const struct value *channels = params_get(&k->params, "channels");
    buffer_printf(out, "%d %d ", t->task, t->split_repeat);
    if (channels)
        value_to_json(channels, out);
    buffer_puts(out, " ");
    k->kind->node_key(&k->params, out);
}

int plan_sets(const struct plan *p)
{
    struct names names = {0};
    for (int i = 0; i < p->n_trials; i++) {
        const struct plan_configuration *k = &p->configurations[p->trials[i].configuration];
        struct buffer name = {0};
        if (k->kind->node_bytes) {
            plan_set_name(k, &p->trials[i], &name);
            names_add(&names, name.data, NULL);
        }
        buffer_fini(&name);
    }
    int n = names.n;
    names_fini(&names);
    return n;
}
