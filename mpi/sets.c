#include "mpi/sets.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void sets_init(struct sets *s, int n)
{
    *s = (struct sets){.places = memory_new((size_t)n * sizeof *s->places), .n = n};
}

void sets_fini(struct sets *s)
{
    for (int i = 0; i < s->n; i++)
        free(s->places[i].key);
    free(s->places);
    *s = (struct sets){0};
}

/* Of the places without users the one that was left longest ago; a new one before all. */
static int free_place(const struct sets *s)
{
    int best = -1;
    for (int i = 0; i < s->n; i++)
        if (s->places[i].users == 0 && (best < 0 || s->places[i].left < s->places[best].left))
            best = i;
    return best;
}

int sets_take(struct sets *s, const char *key)
{
    int place = 0;
    while (place < s->n && (!s->places[place].key || strcmp(s->places[place].key, key) != 0))
        place++;
    if (place == s->n) {
        place = free_place(s);
        if (place < 0)
            return -1;
        free(s->places[place].key);
        s->places[place].key = memory_text(key);
        s->places[place].version = ++s->versions;
    }
    s->places[place].users++;
    return place;
}

int sets_take_for(struct sets *s, const struct plan_configuration *k, const struct plan_trial *t, const struct task *task, size_t place_bytes)
{
    struct model_shape shape = {.steps = task->spec.steps, .n_channels = k->n_channels, .n_statistics = k->n_statistics,
                                .train_rows = task->parts[PART_TRAIN].n};
    if (k->kind->node_bytes(&shape) > place_bytes)
        return -1;
    struct buffer key = {0};
    plan_set_name(k, t, &key);
    int place = sets_take(s, key.data);
    buffer_fini(&key);
    return place;
}

void sets_leave(struct sets *s, int place)
{
    if (place < 0)
        return;
    s->places[place].users--;
    s->places[place].left = ++s->count;
}
