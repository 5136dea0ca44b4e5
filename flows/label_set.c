#include "flows/label_set.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "flows/build.h"

void label_set_fini(struct label_set *s)
{
    free(s->text);
    free(s->offset);
    free(s->slot);
    *s = (struct label_set){0};
}

/* FNV-1a, then its high bits folded down. */
static uint64_t label_hash(const char *label, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)label[i]) * 0x100000001b3u;
    return h ^ h >> 32;
}

static size_t find_slot(const struct label_set *s, const char *label, size_t n)
{
    size_t at = label_hash(label, n) & (s->n_slots - 1);
    for (; s->slot[at] >= 0; at = (at + 1) & (s->n_slots - 1)) {
        const char *text = s->text + s->offset[s->slot[at]];
        if (strncmp(text, label, n) == 0 && text[n] == '\0')
            break;
    }
    return at;
}

static enum status rehash(struct label_set *s, struct error *e)
{
    size_t n_slots = s->n_slots ? 2 * s->n_slots : 256;
    int32_t *slot = malloc(n_slots * sizeof *slot);
    if (!slot)
        return error_set(e, STATUS_MEMORY, "no memory for %zu labels", s->n);
    memset(slot, 0xff, n_slots * sizeof *slot);
    free(s->slot);
    s->slot = slot;
    s->n_slots = n_slots;
    for (size_t i = 0; i < s->n; i++) {
        const char *text = s->text + s->offset[i];
        s->slot[find_slot(s, text, strlen(text))] = (int32_t)i;
    }
    return STATUS_OK;
}

enum status label_set_add(struct label_set *s, const char *label, size_t n, int32_t *number, struct error *e)
{
    if (2 * s->n >= s->n_slots)
        TRY(rehash(s, e));
    size_t at = find_slot(s, label, n);
    if (s->slot[at] < 0) {
        if (s->n >= INT32_MAX)
            return error_set(e, STATUS_DATA, "too many labels");
        TRY(array_grow(&s->text, &s->text_capacity, s->text_size + n + 1, 1, e));
        TRY(array_grow(&s->offset, &s->offset_capacity, s->n + 1, sizeof *s->offset, e));
        memcpy(s->text + s->text_size, label, n);
        s->text[s->text_size + n] = '\0';
        s->offset[s->n] = s->text_size;
        s->text_size += n + 1;
        s->slot[at] = (int32_t)s->n++;
    }
    *number = s->slot[at];
    return STATUS_OK;
}

static int by_text(const void *a, const void *b, void *set)
{
    const struct label_set *s = set;
    return strcmp(s->text + s->offset[*(const int32_t *)a], s->text + s->offset[*(const int32_t *)b]);
}

void label_set_sort(const struct label_set *s, int32_t *order)
{
    for (size_t i = 0; i < s->n; i++)
        order[i] = (int32_t)i;
    qsort_r(order, s->n, sizeof *order, by_text, (void *)(uintptr_t)s);
}
