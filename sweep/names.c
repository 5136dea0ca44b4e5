#include "sweep/names.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static uint32_t fnv(const char *text)
{
    uint32_t h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

/* The slot that holds text, or the empty one where it would stand. */
static int slot_of(const struct names *s, const char *text)
{
    uint32_t mask = (uint32_t)s->n_slots - 1, at = fnv(text) & mask;
    while (s->slots[at] && strcmp(s->texts[s->slots[at] - 1], text) != 0)
        at = (at + 1) & mask;
    return (int)at;
}

static void grow(struct names *s)
{
    free(s->slots);
    s->n_slots = s->n_slots ? 2 * s->n_slots : 16;
    s->slots = memory_new((size_t)s->n_slots * sizeof *s->slots);
    for (int i = 0; i < s->n; i++)
        s->slots[slot_of(s, s->texts[i])] = i + 1;
}

int names_add(struct names *s, const char *text, bool *added)
{
    if (2 * (s->n + 1) > s->n_slots)
        grow(s);
    int at = slot_of(s, text);
    if (added)
        *added = s->slots[at] == 0;
    if (s->slots[at])
        return s->slots[at] - 1;
    if (s->n == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 16;
        s->texts = memory_resize(s->texts, (size_t)s->capacity * sizeof *s->texts);
    }
    s->texts[s->n++] = memory_text(text);
    s->slots[at] = s->n;
    return s->n - 1;
}

int names_find(const struct names *s, const char *text)
{
    return s->n_slots ? s->slots[slot_of(s, text)] - 1 : -1;
}

void names_fini(struct names *s)
{
    for (int i = 0; i < s->n; i++)
        free(s->texts[i]);
    free(s->texts);
    free(s->slots);
    *s = (struct names){0};
}
