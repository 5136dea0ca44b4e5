#include "flows/piece.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

enum status piece_new(struct piece *out, int n, int steps, unsigned channels, struct error *e)
{
    struct block_header h = {.n = n, .steps = steps, .n_first = n, .channels = channels, .text_size = 1};
    *out = (struct piece){0};
    memcpy(h.magic, block_magic, sizeof h.magic);
    h.size = block_lay_out(&h, NULL).total;
    bool refused = fault_at(FAULT_ALLOCATE) == FAULT_ACTION_FAIL;
    char *block = refused ? NULL : aligned_alloc(SLAB_ALIGNMENT, (size_t)h.size);
    if (!block)
        return error_set(e, STATUS_MEMORY, "no memory for %d rows of flows (%zu MB)", n, (size_t)h.size >> 20);
    memset(block, 0, (size_t)h.size);
    memcpy(block, &h, sizeof h);
    out->place = block_lay_out(&h, block);
    for (int i = 0; i < n; i++)
        out->place.label[i] = -1;
    enum status s = flows_view(&out->flows, block, (size_t)h.size, e);
    if (s == STATUS_OK)
        out->flows.owned = block;
    else
        free(block);
    return s;
}

void piece_fini(struct piece *p)
{
    flows_fini(&p->flows);
    *p = (struct piece){0};
}

size_t piece_row_bytes(int steps, unsigned channels)
{
    size_t arrays = 1 + (channels >> CHANNEL_PAYLOAD & 1) + (channels >> CHANNEL_IAT & 1);
    return sizeof(int32_t) + (size_t)steps * (arrays * sizeof(float) + 1);
}

static char *put(char *to, const void *from, size_t n)
{
    memcpy(to, from, n);
    return to + n;
}

void piece_pack(const struct flows *f, int steps, unsigned channels, const int32_t *rows, int n, void *out)
{
    assert(steps <= f->steps);
    char *to = out;
    for (int i = 0; i < n; i++) {
        size_t at = (size_t)rows[i] * (size_t)f->steps, m = (size_t)steps;
        int32_t length = f->length[rows[i]] < steps ? f->length[rows[i]] : steps;
        to = put(to, &length, sizeof length);
        to = put(to, f->size + at, m * sizeof(float));
        if (channels >> CHANNEL_PAYLOAD & 1)
            to = put(to, f->payload + at, m * sizeof(float));
        if (channels >> CHANNEL_IAT & 1)
            to = put(to, f->iat + at, m * sizeof(float));
        to = put(to, f->direction + at, m);
    }
}

static const char *take(void *to, const char *from, size_t n)
{
    memcpy(to, from, n);
    return from + n;
}

enum status piece_unpack(struct piece *p, int first, int n, const void *in, struct error *e)
{
    const char *from = in;
    assert(first >= 0 && n <= p->flows.n - first);
    for (int i = first; i < first + n; i++) {
        size_t m = (size_t)p->flows.steps, at = (size_t)i * m;
        from = take(&p->place.length[i], from, sizeof p->place.length[i]);
        from = take(p->place.size + at, from, m * sizeof(float));
        if (p->place.payload)
            from = take(p->place.payload + at, from, m * sizeof(float));
        if (p->place.iat)
            from = take(p->place.iat + at, from, m * sizeof(float));
        from = take(p->place.direction + at, from, m);
        if (p->place.length[i] < 0 || p->place.length[i] > p->flows.steps)
            return error_set(e, STATUS_BUG, "a row of %d packets came where %d are the most", p->place.length[i], p->flows.steps);
    }
    return STATUS_OK;
}
