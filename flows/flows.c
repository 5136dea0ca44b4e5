#include "flows/flows.h"

#include <stdlib.h>
#include <string.h>

#include "flows/build.h"

const char *const channel_names[CHANNEL_COUNT] = {"signed_size", "size", "payload", "iat", "direction"};

static bool header_fits(const struct block_header *h, size_t size)
{
    if (memcmp(h->magic, block_magic, sizeof h->magic) != 0 || h->size != size)
        return false;
    if (h->n < 0 || h->steps < 1 || h->steps > FLOWS_STEPS_MAX || h->n_labels < 0 || h->n_meta < 0)
        return false;
    if (h->n_meta > FLOWS_META_MAX || h->n_first < 0 || h->n_first > h->n || h->text_size < 1 || h->text_size > size)
        return false;
    return block_lay_out(h, NULL).total == size;
}

static bool rows_fit(const struct flows *f)
{
    for (int i = 0; i < f->n; i++)
        if (f->label[i] < -1 || f->label[i] >= f->n_labels || f->length[i] < 0 || f->length[i] > f->steps || f->row[i] < 0)
            return false;
    return true;
}

/* Pointers to text out of offsets; NULL where there is no memory, *fits false where an offset points outside. */
static const char **texts(const struct block_layout *l, const uint64_t *offset, size_t n, uint64_t text_size, bool *fits)
{
    const char **text = malloc((n + 1) * sizeof *text);
    for (size_t i = 0; text && i < n; i++) {
        if (offset[i] >= text_size) {
            *fits = false;
            break;
        }
        text[i] = l->text + offset[i];
    }
    return text;
}

enum status flows_view(struct flows *out, const void *block, size_t size, struct error *e)
{
    struct block_header h;
    *out = (struct flows){0};
    if (!block || size < sizeof h)
        return error_set(e, STATUS_BUG, "flows: %zu bytes are no block of flows", size);
    memcpy(&h, block, sizeof h);
    if (!header_fits(&h, size))
        return error_set(e, STATUS_BUG, "flows: no block of flows, or a damaged one");
    struct block_layout l = block_lay_out(&h, (char *)(uintptr_t)block);
    *out = (struct flows){.n = h.n, .steps = h.steps, .n_labels = h.n_labels, .channels = h.channels, .n_first = h.n_first,
                          .n_meta = h.n_meta, .label = l.label, .row = l.row, .length = l.length, .size = l.size,
                          .payload = l.payload, .iat = l.iat, .direction = l.direction, .block = block, .block_size = size};
    bool fits = rows_fit(out) && l.text[h.text_size - 1] == '\0';
    out->labels = texts(&l, l.label_offset, (size_t)h.n_labels, h.text_size, &fits);
    out->meta_names = texts(&l, l.meta_name_offset, (size_t)h.n_meta, h.text_size, &fits);
    out->meta = texts(&l, l.meta_offset, (size_t)h.n * (size_t)h.n_meta, h.text_size, &fits);
    enum status s = STATUS_OK;
    if (!out->labels || !out->meta_names || !out->meta)
        s = error_set(e, STATUS_MEMORY, "flows: no memory for a view of %d rows", h.n);
    else if (!fits)
        s = error_set(e, STATUS_BUG, "flows: a damaged block");
    if (s != STATUS_OK)
        flows_fini(out);
    return s;
}

void flows_fini(struct flows *f)
{
    free(f->labels);
    free(f->meta_names);
    free(f->meta);
    free(f->owned);
    *f = (struct flows){0};
}

static void hash_row(struct hash *h, const struct flows *f, int i)
{
    int32_t head[2] = {f->row[i], f->length[i]};
    size_t at = (size_t)i * (size_t)f->steps, n = (size_t)f->length[i];
    hash_add(h, head, sizeof head);
    hash_add_text(h, f->label[i] < 0 ? "" : f->labels[f->label[i]]);
    hash_add(h, f->size + at, n * sizeof *f->size);
    hash_add(h, f->direction + at, n);
    if (f->payload)
        hash_add(h, f->payload + at, n * sizeof *f->payload);
    if (f->iat)
        hash_add(h, f->iat + at, n * sizeof *f->iat);
    for (int k = 0; k < f->n_meta; k++)
        hash_add_text(h, f->meta[(size_t)i * (size_t)f->n_meta + (size_t)k]);
}

void flows_hash(const struct flows *f, char hex[HASH_HEX])
{
    struct hash *h = hash_new();
    int32_t head[4] = {f->n, f->n_first, (int32_t)f->channels, f->n_meta};
    hash_add_text(h, "flows 1");
    hash_add(h, head, sizeof head);
    for (int k = 0; k < f->n_meta; k++)
        hash_add_text(h, f->meta_names[k]);
    for (int i = 0; i < f->n; i++)
        hash_row(h, f, i);
    hash_end(h, hex);
}
