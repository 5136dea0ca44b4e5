#include "mpi/gangs.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void gangs_init(struct gangs *g, int n_workers)
{
    *g = (struct gangs){.n = n_workers};
    g->slots = memory_new((size_t)n_workers * sizeof *g->slots);
    g->slot_of = memory_new(((size_t)n_workers + 1) * sizeof *g->slot_of);
    for (int rank = 0; rank <= n_workers; rank++)
        g->slot_of[rank] = -1;
}

static void clear(struct gang_slot *s)
{
    free(s->members);
    free(s->rows);
    *s = (struct gang_slot){0};
}

void gangs_fini(struct gangs *g)
{
    for (int i = 0; i < g->n; i++)
        clear(&g->slots[i]);
    free(g->slots);
    free(g->slot_of);
    *g = (struct gangs){0};
}

struct gang_slot *gangs_form(struct gangs *g, int trial, const int *workers, int n)
{
    int i = 0;
    while (g->slots[i].n > 0)
        i++;
    assert(i < g->n);
    struct gang_slot *s = &g->slots[i];
    s->trial = trial;
    s->waited_s = NAN;
    s->moved_bytes = s->peak_bytes = -1;
    s->n = n;
    s->members = memory_new((size_t)n * sizeof *s->members);
    for (int m = 0; m < n; m++) {
        s->members[m] = workers[m] + 1;
        g->slot_of[s->members[m]] = i;
    }
    return s;
}

struct gang_slot *gangs_of(const struct gangs *g, int rank)
{
    return rank < 0 || rank > g->n || g->slot_of[rank] < 0 ? NULL : &g->slots[g->slot_of[rank]];
}

void gangs_leave(struct gangs *g, int rank)
{
    g->slot_of[rank] = -1;
}

void gangs_disband(struct gangs *g, struct gang_slot *slot)
{
    g->n_stopped += slot->stopped && !slot->done && !slot->failed;
    clear(slot);
}

void gangs_failed(struct gang_slot *slot, int rank, int epoch, const char *message)
{
    if (!slot->failed || strstr(slot->message, "another rank"))
        snprintf(slot->message, sizeof slot->message, "rank %d, epoch %d: %s", rank, epoch + 1, message);
    slot->failed = true;
}

void gangs_epoch(struct gang_slot *slot, struct model_progress p, double now)
{
    if (slot->n_rows == slot->rows_capacity) {
        slot->rows_capacity = slot->rows_capacity ? 2 * slot->rows_capacity : 16;
        slot->rows = memory_resize(slot->rows, (size_t)slot->rows_capacity * sizeof *slot->rows);
    }
    slot->rows[slot->n_rows++] = p;
    slot->first_step = slot->last_epoch == slot->first_epoch ? now : slot->first_step;
    slot->last_step = now;
    slot->last_epoch = p.epoch;
}

void gangs_rounds(struct gang_slot *slot, int done, int all, double now)
{
    if (slot->rounds.all == 0) {
        slot->rounds.first = done;
        slot->rounds.began = now;
    }
    slot->rounds.done = done;
    slot->rounds.all = all;
    slot->rounds.last = now;
}
