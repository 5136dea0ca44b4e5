#include "storage/plan_table.h"

#include <stdlib.h>

#include "base/memory.h"
#include "storage/config.h"

static void put_model(const struct config *c, const struct flows *f, const struct plan *p, const struct task *t, int task,
                      const struct model_kind *kind, struct table *out)
{
    int trials = 0;
    double flops = 0;
    uint64_t bytes = 0;
    for (int i = 0; i < p->n_trials; i++) {
        const struct plan_configuration *k = &p->configurations[p->trials[i].configuration];
        if (p->trials[i].task != task || k->kind != kind)
            continue;
        const struct value *channels = params_get(&k->params, "channels");
        struct model_shape shape = {.steps = t->spec.steps, .n_channels = channels ? channels->n : 1, .n_classes = t->n_classes,
                                    .clip = (int)params_int(&c->data, "clip"), .has_signed_size = true, .train_rows = t->parts[PART_TRAIN].n};
        uint64_t need = kind->bytes(&k->params, &shape);
        bytes = need > bytes ? need : bytes;
        trials++;
        flops += p->trials[i].flops;
    }
    if (trials == 0)
        return;
    table_int(out, task + 1);
    table_int(out, t->n_classes);
    table_int(out, t->spec.steps);
    table_text(out, kind->name);
    table_int(out, trials);
    table_int(out, config_ranks(c, kind));
    for (int part = 0; part < PART_COUNT; part++)
        table_int(out, t->parts[part].n);
    table_real(out, flops / 1e12);
    table_real(out, (double)bytes / 1048576);
    table_real(out, (double)f->block_size / 1048576);
}

static enum status put_tasks(const struct config *c, const struct flows *f, const struct plan *p, struct table *out, struct error *e)
{
    static const char *const names[] = {"task", "labels", "steps", "model", "trials", "ranks", "train", "stop", "validation", "test"};
    for (int i = 0; i < 10; i++)
        table_column(out, names[i], -1);
    table_column(out, "TFLOP", 2);
    table_column(out, "rank_MiB", 1);
    table_column(out, "node_MiB", 1);
    for (int t = 0; t < c->n_tasks; t++) {
        struct task *task;
        TRY(task_new(&task, f, &c->data, &c->tasks[t], (uint64_t)params_int(&c->study, "seed"), 0, e));
        for (int k = 0; model_kinds[k]; k++)
            put_model(c, f, p, task, t, model_kinds[k], out);
        task_free(task);
    }
    out->note = memory_format("%d trials of %d configurations; rank_MiB: memory a rank needs, about; node_MiB: the node's one copy of the flows",
                              p->n_trials, p->n_configurations);
    return STATUS_OK;
}

static void put_invalid(const struct plan *p, struct table *out)
{
    out->title = memory_text(p->n_invalid ? "points that cannot work, and are left out" : "every point can work");
    table_column(out, "task", -1);
    table_column(out, "why", -1);
    table_column(out, "parameters", -1);
    for (int i = 0; i < p->n_invalid; i++) {
        table_int(out, p->invalid[i].task + 1);
        table_text(out, p->invalid[i].message);
        table_text(out, p->invalid[i].params);
    }
}

enum status plan_tables(const char *config, const char *const *sets, int n_sets, struct table t[2], struct error *e)
{
    struct config c;
    struct flows f = {0};
    struct plan *p = NULL;
    TRY(config_read(config, sets, n_sets, &c, e));
    enum status s = flows_read(&c.data, &f, NULL, e);
    if (s == STATUS_OK)
        s = config_plan(&c, &f, &p, e);
    if (s == STATUS_OK)
        s = put_tasks(&c, &f, p, &t[0], e);
    if (s == STATUS_OK)
        put_invalid(p, &t[1]);
    plan_free(p);
    flows_fini(&f);
    config_fini(&c);
    return s;
}
