#include "flows/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum status array_grow(void *p, size_t *capacity, size_t need, size_t item, struct error *e)
{
    if (need <= *capacity)
        return STATUS_OK;
    size_t room = *capacity ? *capacity : 64, bytes;
    while (room < need)
        room *= 2;
    void *old, *grown = NULL;
    memcpy(&old, p, sizeof old);
    if (!__builtin_mul_overflow(room, item, &bytes))
        grown = realloc(old, bytes);
    if (!grown)
        return error_set(e, STATUS_MEMORY, "flows: %zu MB of memory are not to be had", room * item >> 20);
    memcpy(p, &grown, sizeof grown);
    *capacity = room;
    return STATUS_OK;
}

void flows_meta_fini(struct flows_meta *m)
{
    free(m->text);
    free(m->offset);
    *m = (struct flows_meta){0};
}

void flows_builder_init(struct flows_builder *b, int steps, unsigned channels)
{
    *b = (struct flows_builder){.steps = steps, .channels = channels, .n_first = -1, .labelled = true};
}

void flows_builder_fini(struct flows_builder *b)
{
    free(b->label);
    free(b->row);
    free(b->length);
    free(b->size);
    free(b->payload);
    free(b->iat);
    free(b->direction);
    label_set_fini(&b->labels);
    *b = (struct flows_builder){0};
}

/* One array of the table: `item` bytes a row. */
static enum status grow_array(void *p, size_t capacity, size_t need, size_t item, struct error *e)
{
    return array_grow(p, &capacity, need, item, e);
}

enum status flows_builder_room(struct flows_builder *b, struct error *e)
{
    size_t n = (size_t)b->n, steps = (size_t)b->steps, need = n + 1;
    if (n >= INT32_MAX)
        return error_set(e, STATUS_DATA, "more than %d rows", INT32_MAX);
    if (need > b->capacity) {
        size_t had = b->capacity;
        TRY(grow_array(&b->label, had, need, sizeof *b->label, e));
        TRY(grow_array(&b->row, had, need, sizeof *b->row, e));
        TRY(grow_array(&b->length, had, need, sizeof *b->length, e));
        TRY(grow_array(&b->size, had, need, steps * sizeof *b->size, e));
        TRY(grow_array(&b->direction, had, need, steps, e));
        if (b->channels & 1u << CHANNEL_PAYLOAD)
            TRY(grow_array(&b->payload, had, need, steps * sizeof *b->payload, e));
        if (b->channels & 1u << CHANNEL_IAT)
            TRY(grow_array(&b->iat, had, need, steps * sizeof *b->iat, e));
        b->capacity = had ? 2 * had : 64;
    }
    memset(b->size + n * steps, 0, steps * sizeof *b->size);
    memset(b->direction + n * steps, 0, steps);
    if (b->payload)
        memset(b->payload + n * steps, 0, steps * sizeof *b->payload);
    if (b->iat)
        memset(b->iat + n * steps, 0, steps * sizeof *b->iat);
    return STATUS_OK;
}

const char block_magic[8] = "FLOWSB1";

struct block_layout block_lay_out(const struct block_header *h, char *base)
{
    struct slab s = {base, 0, (size_t)h->size};
    struct block_layout l;
    size_t n = (size_t)h->n, cells = n * (size_t)h->steps, n_meta = (size_t)h->n_meta;
    slab_take(&s, sizeof *h);
    l.label = slab_take(&s, n * sizeof *l.label);
    l.row = slab_take(&s, n * sizeof *l.row);
    l.length = slab_take(&s, n * sizeof *l.length);
    l.size = slab_take(&s, cells * sizeof *l.size);
    l.payload = h->channels & 1u << CHANNEL_PAYLOAD ? slab_take(&s, cells * sizeof *l.payload) : NULL;
    l.iat = h->channels & 1u << CHANNEL_IAT ? slab_take(&s, cells * sizeof *l.iat) : NULL;
    l.direction = slab_take(&s, cells);
    l.label_offset = slab_take(&s, (size_t)h->n_labels * sizeof *l.label_offset);
    l.meta_name_offset = slab_take(&s, n_meta * sizeof *l.meta_name_offset);
    l.meta_offset = slab_take(&s, n * n_meta * sizeof *l.meta_offset);
    l.text = slab_take(&s, (size_t)h->text_size);
    l.total = s.used;
    return l;
}

/* Moves an array into the block: copied, zeros up to the next piece, freed. */
static void move_array(void *to, void *p, size_t bytes)
{
    void *from;
    memcpy(&from, p, sizeof from);
    if (to) {
        size_t whole = (bytes + SLAB_ALIGNMENT - 1) / SLAB_ALIGNMENT * SLAB_ALIGNMENT;
        if (bytes)
            memcpy(to, from, bytes);
        memset((char *)to + bytes, 0, whole - bytes);
    }
    free(from);
    from = NULL;
    memcpy(p, &from, sizeof from);
}

static void move_rows(struct flows_builder *b, const struct block_layout *l)
{
    size_t n = (size_t)b->n, cells = n * (size_t)b->steps;
    move_array(l->label, &b->label, n * sizeof *b->label);
    move_array(l->row, &b->row, n * sizeof *b->row);
    move_array(l->length, &b->length, n * sizeof *b->length);
    move_array(l->size, &b->size, cells * sizeof *b->size);
    move_array(l->payload, &b->payload, cells * sizeof *b->payload);
    move_array(l->iat, &b->iat, cells * sizeof *b->iat);
    move_array(l->direction, &b->direction, cells);
}

/* Numbers of labels become their places in byte order. */
static enum status place_labels(struct flows_builder *b, const struct block_layout *l, struct error *e)
{
    size_t n = b->labels.n;
    int32_t *order = malloc((2 * n + 1) * sizeof *order), *place = order + n;
    if (!order)
        return error_set(e, STATUS_MEMORY, "no memory for %zu labels", n);
    label_set_sort(&b->labels, order);
    for (size_t i = 0; i < n; i++) {
        place[order[i]] = (int32_t)i;
        l->label_offset[i] = b->labels.offset[order[i]];
    }
    for (int64_t i = 0; i < b->n; i++)
        l->label[i] = l->label[i] < 0 ? -1 : place[l->label[i]];
    if (b->labels.text_size)
        memcpy(l->text, b->labels.text, b->labels.text_size);
    free(order);
    return STATUS_OK;
}

/* Meta text lies behind the labels'. Rows that the meta file lacks (those of test_path) get "". */
static void place_meta(const struct flows_builder *b, const struct flows_meta *m, const struct block_layout *l)
{
    size_t base = b->labels.text_size, n = (size_t)m->n;
    memcpy(l->text + base, m->text, m->text_size);
    uint64_t empty = base + m->text_size;
    l->text[empty] = '\0';
    for (size_t k = 0; k < n; k++)
        l->meta_name_offset[k] = base + m->offset[k];
    for (int64_t i = 0; i < b->n; i++)
        for (size_t k = 0; k < n; k++)
            l->meta_offset[(size_t)i * n + k] =
                l->row[i] < m->rows ? base + m->offset[((size_t)l->row[i] + 1) * n + k] : empty;
}

enum status flows_builder_finish(struct flows_builder *b, const struct flows_meta *meta, struct flows *out,
                                 struct error *e)
{
    struct block_header h = {.n = (int32_t)b->n,
                             .steps = b->steps,
                             .n_labels = (int32_t)b->labels.n,
                             .n_first = b->n_first < 0 ? (int32_t)b->n : b->n_first,
                             .n_meta = meta ? meta->n : 0,
                             .channels = b->channels,
                             .text_size = b->labels.text_size + (meta ? meta->text_size : 0) + 1};
    *out = (struct flows){0};
    memcpy(h.magic, block_magic, sizeof h.magic);
    h.size = block_lay_out(&h, NULL).total;
    char *block = aligned_alloc(SLAB_ALIGNMENT, (size_t)h.size);
    if (!block)
        return error_set(e, STATUS_MEMORY, "flows: %zu MB of memory are not to be had", (size_t)h.size >> 20);
    struct block_layout l = block_lay_out(&h, block);
    memset(block, 0, (size_t)((char *)l.label - block));
    memcpy(block, &h, sizeof h);
    move_rows(b, &l);
    memset(l.label_offset, 0, (size_t)h.size - (size_t)((char *)l.label_offset - block));
    enum status s = place_labels(b, &l, e);
    if (s == STATUS_OK) {
        if (meta && meta->n)
            place_meta(b, meta, &l);
        s = flows_view(out, block, (size_t)h.size, e);
    }
    flows_builder_fini(b);
    if (s == STATUS_OK)
        out->owned = block;
    else
        free(block);
    return s;
}
