#include "storage/footprint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/memory.h"
#include "flows/piece.h"
#include "models/shard.h"

static struct model_shape shape_of(const struct config *c, const struct task *t, const struct plan_configuration *k)
{
    return (struct model_shape){.steps = t->spec.steps, .n_channels = k->n_channels, .n_statistics = k->n_statistics, .n_classes = t->n_classes,
                                .clip = (int)params_int(&c->data, "clip"), .has_signed_size = true, .train_rows = t->parts[PART_TRAIN].n,
                                .stop_rows = t->parts[PART_STOP].n, .validation_rows = t->parts[PART_VALIDATION].n};
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Row numbers and classes; and whichever is most: training, with room for a checkpoint; predicting, and the model as a file; the message of both. */
static uint64_t trial_bytes(const struct model_bytes *model, const struct task *t)
{
    struct model_bytes m = *model;
    uint64_t rows = 0;
    for (int part = 0; part < PART_COUNT; part++)
        rows += (uint64_t)t->parts[part].n;
    uint64_t predictions = (rows - (uint64_t)t->parts[PART_TRAIN].n) * (uint64_t)t->n_classes * sizeof(float);
    uint64_t result = m.file + predictions;
    return rows * 2 * sizeof(int32_t) + larger(m.fit + larger(m.state, result), 2 * result);
}

/* Rows of a task that a member of a gang holds: its own, and for networks those of an epoch. */
static uint64_t dealt_bytes(const struct plan_configuration *k, const struct task *t, int ranks)
{
    size_t row_bytes = piece_row_bytes(t->spec.steps, k->reads) + 2 * sizeof(int32_t);
    uint64_t rows = 0;
    for (int part = 0; part < PART_COUNT; part++)
        rows += (uint64_t)t->parts[part].n / (uint64_t)ranks + LEAF_ROWS;
    return rows * row_bytes + (k->kind->by_epochs ? shard_epoch_bytes(t->parts[PART_TRAIN].n, ranks, row_bytes) : 0);
}

/* A rank adds up its share of a batch's gradients, out of the parts of all others: that of whoever has fewest itself. Of networks alone: others add up little. */
static uint64_t between_bytes(const struct plan_configuration *k, const struct model_bytes *model, int64_t rows, int ranks)
{
    int64_t batch = k->kind->by_epochs ? params_int(&k->params, "train.batch_size") : 0;
    int leaves = gang_leaves((int)(rows < batch ? rows : batch)), parts = gang_part_offset(leaves, ranks, ranks), fewest = parts;
    for (int r = 0; r < ranks; r++) {
        int own = gang_parts(gang_first(leaves, r, ranks), gang_first(leaves, r + 1, ranks), leaves);
        fewest = own < fewest ? own : fewest;
    }
    return model->sum * (uint64_t)(parts - fewest) / (uint64_t)ranks;
}

static int most_bytes_first(const void *a, const void *b)
{
    const struct footprint_trial *x = a, *y = b;
    return (x->rank < y->rank) - (x->rank > y->rank);
}

/* Sets that trials look at, and gangs that can run at a time: whichever is less. */
static int sets_in_use(const struct plan *p, const struct footprint *f)
{
    int sets = plan_sets(p), gangs = 1;
    for (int i = 0; i < f->n; i++)
        if (f->trials[i].set && f->workers / f->trials[i].ranks > gangs)
            gangs = f->workers / f->trials[i].ranks;
    return sets < gangs ? sets : gangs;
}

static void add_trial(const struct config *c, const struct plan *p, const struct task *t, int trial, struct footprint *out)
{
    const struct plan_configuration *k = &p->configurations[p->trials[trial].configuration];
    struct model_shape shape = shape_of(c, t, k);
    int ranks = config_ranks(c, k->kind);
    struct footprint_trial *n = &out->trials[out->n++];
    *n = (struct footprint_trial){.trial = trial, .task = p->trials[trial].task, .ranks = ranks < out->workers ? ranks : out->workers, .model = k->kind->name,
                                  .train_rows = t->parts[PART_TRAIN].n};
    struct model_bytes model = k->kind->bytes(&k->params, &shape);
    n->rank = (out->alone ? FOOTPRINT_ALONE : FOOTPRINT_PROGRAM) + trial_bytes(&model, t);
    n->between = between_bytes(k, &model, shape.train_rows, n->ranks);
    out->gangs |= n->ranks > 1;
    if (out->sharded)
        n->rank += dealt_bytes(k, t, n->ranks);
    if (k->kind->node_bytes) {
        shape.train_rows += shape.train_rows / 64 + 64; /* other dealings may give a few rows more */
        n->set = k->kind->node_bytes(&shape);
    }
    out->set = n->set > out->set ? n->set : out->set;
}

enum status footprint_of(const struct config *c, const struct flows *f, const struct plan *p, int workers, struct footprint *out, struct error *e)
{
    *out = (struct footprint){.sharded = params_is(&c->data, "placement", "sharded"), .alone = workers == 0, .workers = workers > 0 ? workers : 1, .flows = f->block_size};
    out->trials = memory_new((size_t)p->n_trials * sizeof *out->trials);
    for (int t = 0; t < c->n_tasks; t++) {
        struct task *task;
        enum status s = task_new(&task, f, &c->data, &c->tasks[t], (uint64_t)params_int(&c->study, "seed"), 0, e);
        if (s != STATUS_OK) {
            footprint_fini(out);
            return s;
        }
        for (int i = 0; i < p->n_trials; i++)
            if (p->trials[i].task == t)
                add_trial(c, p, task, i, out);
        task_free(task);
    }
    out->n_sets = out->set ? sets_in_use(p, out) : 0;
    uint64_t flows = out->sharded ? 0 : out->flows;
    out->flows_apart = workers > 0 && flows > 0 && !footprint_shared_has(flows);
    out->sets_apart = workers > 0 && out->n_sets > 0 && !footprint_shared_has((out->flows_apart ? 0 : flows) + (uint64_t)out->n_sets * out->set);
    qsort(out->trials, (size_t)out->n, sizeof *out->trials, most_bytes_first);
    return STATUS_OK;
}

void footprint_fini(struct footprint *f)
{
    free(f->trials);
    *f = (struct footprint){0};
}

/* --- of a node --- */

bool footprint_shared_has(uint64_t bytes)
{
    struct statvfs v;
    return statvfs("/dev/shm", &v) == 0 && (double)v.f_bavail * (double)v.f_frsize > 1.1 * (double)bytes + (1 << 24);
}

/* Copies of the flows on a node with so many workers, the coordinator's too where it keeps one. */
static uint64_t flows_of(const struct footprint *f, int workers)
{
    return f->flows * (f->flows_apart ? (uint64_t)workers + 1 : 1);
}

static uint64_t bytes_of(const struct footprint *f, const struct footprint_trial *t)
{
    return t->rank + (f->spread ? t->between : 0);
}

uint64_t footprint_own(const struct footprint *f, const struct footprint_trial *t)
{
    return bytes_of(f, t) + (f->alone || f->flows_apart ? f->flows : 0) + (f->alone || f->sets_apart ? t->set : 0);
}

uint64_t footprint_of_trial(const struct footprint *f, int trial)
{
    for (int i = 0; i < f->n; i++)
        if (f->trials[i].trial == trial)
            return footprint_own(f, &f->trials[i]);
    return 0;
}

/* What a node has beside its workers' own: the coordinator's program, and windows to add up in. */
static uint64_t aside(const struct footprint *f, int workers)
{
    return f->alone ? 0 : FOOTPRINT_PROGRAM + (f->gangs ? (uint64_t)workers * FOOTPRINT_RING : 0);
}

uint64_t footprint_gang(const struct footprint *f, const struct footprint_trial *t)
{
    uint64_t ranks = (uint64_t)t->ranks;
    return aside(f, t->ranks) + flows_of(f, t->ranks) + t->set * (f->sets_apart ? ranks : 1) + ranks * bytes_of(f, t);
}

uint64_t footprint_node(const struct footprint *f, int workers)
{
    uint64_t bytes = aside(f, workers) + flows_of(f, workers) + (uint64_t)(f->sets_apart ? workers : f->n_sets) * f->set, start = f->sharded ? 0 : 2 * f->flows;
    for (int i = 0; i < f->n && workers > 0; i++) {
        int ranks = f->trials[i].ranks < workers ? f->trials[i].ranks : workers;
        bytes += (uint64_t)ranks * bytes_of(f, &f->trials[i]);
        workers -= ranks;
    }
    return bytes > start ? bytes : start;
}

uint64_t footprint_available(const struct footprint *f)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *in = fopen("/proc/meminfo", "r");
    while (in && fgets(line, sizeof line, in) && sscanf(line, "MemAvailable: %llu kB", &kib) != 1)
        ;
    if (in)
        fclose(in);
    return kib ? (uint64_t)kib * 1024 + f->flows : UINT64_MAX; /* a kernel that does not say: nothing is refused */
}

static double gib(uint64_t bytes)
{
    return (double)bytes / (1 << 30);
}

enum status footprint_check(const struct footprint *f, int workers, struct error *e)
{
    uint64_t there = footprint_available(f);
    const char *way = f->sharded ? "larger gangs over more nodes (ranks)" : "data.placement = \"sharded\" and larger gangs over more nodes (ranks)";
    for (int i = 0; i < f->n; i++) {
        const struct footprint_trial *t = &f->trials[i];
        if (footprint_gang(f, t) > there)
            return error_set(e, STATUS_CONFIG,
                             "%s on task %d needs %.1f GiB a rank, %.1f GiB with its gang of %d on one node, and this node has %.1f GiB: try %s, "
                             "smaller models, or fewer rows (data.split.train_rows)",
                             t->model, t->task + 1, gib(t->rank), gib(footprint_gang(f, t)), t->ranks, gib(there), way);
    }
    if (workers > 0 && footprint_node(f, workers) > there)
        return error_set(e, STATUS_CONFIG,
                         "%d workers on this node can come to need %.1f GiB (%s: up to %.1f GiB a rank), and it has %.1f GiB: run fewer workers (-n), or %s",
                         workers, gib(footprint_node(f, workers)), f->trials[0].model, gib(f->trials[0].rank), gib(there), way);
    return STATUS_OK;
}
