#include "models/safetensors.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry { /* a tensor and where it lies in memory */
    char name[80];
    struct tensor tensor;
    size_t n;
    bool in_stats;
    size_t at; /* in weights or stats */
};

enum { ENTRIES_MAX = NETWORK_LAYERS_MAX * (TENSORS_MAX + 2) };

static void add(struct entry *entries, int *n, const struct layer *l, const char *layer, struct tensor t, bool in_stats)
{
    struct entry *e = &entries[(*n)++];
    *e = (struct entry){
        .tensor = t, .n = 1, .in_stats = in_stats, .at = (in_stats ? l->stats : l->weights) + t.offset};
    for (int d = 0; d < t.n_dims; d++)
        e->n *= (size_t)t.shape[d];
    snprintf(e->name, sizeof e->name, "%d.%s.%s", l->number, layer, t.name);
}

static int list(const struct network *net, struct entry *entries)
{
    int n = 0;
    for (int i = 0; i < net->n_layers; i++) {
        const struct layer *l = &net->layers[i];
        struct tensor t[TENSORS_MAX];
        const struct layer_kind *kind = network_kind(net, i);
        int m = kind->tensors ? kind->tensors(l, t) : 0;
        for (int k = 0; k < m; k++)
            add(entries, &n, l, kind->name, t[k], false);
        if (l->type == LAYER_BATCH_NORM) {
            add(entries, &n, l, kind->name, (struct tensor){"moving_mean", 0, {l->width}, 1}, true);
            add(entries, &n, l, kind->name, (struct tensor){"moving_variance", (size_t)l->width, {l->width}, 1}, true);
        }
    }
    return n;
}

void safetensors_write(const struct network *net, const float *weights, const float *stats,
                       struct buffer *out)
{
    struct entry *entries = memory_new(ENTRIES_MAX * sizeof *entries);
    struct buffer header = {0};
    int n = list(net, entries);
    size_t at = 0;
    buffer_puts(&header, "{\"__metadata__\":{\"made_by\":\"flowsweep\"}");
    for (int i = 0; i < n; i++) {
        buffer_printf(&header, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[", entries[i].name);
        for (int d = 0; d < entries[i].tensor.n_dims; d++)
            buffer_printf(&header, "%s%d", d ? "," : "", entries[i].tensor.shape[d]);
        buffer_printf(&header, "],\"data_offsets\":[%zu,%zu]}", at, at + 4 * entries[i].n);
        at += 4 * entries[i].n;
    }
    buffer_puts(&header, "}");
    while (header.size % 8)
        buffer_puts(&header, " ");
    buffer_put_u64(out, header.size);
    buffer_put(out, header.data, header.size);
    for (int i = 0; i < n; i++)
        buffer_put(out, (entries[i].in_stats ? stats : weights) + entries[i].at, 4 * entries[i].n);
    buffer_fini(&header);
    free(entries);
}

static bool shape_fits(const json_t *shape, const struct tensor *t)
{
    if (json_array_size(shape) != (size_t)t->n_dims)
        return false;
    for (int d = 0; d < t->n_dims; d++)
        if (json_integer_value(json_array_get(shape, (size_t)d)) != t->shape[d])
            return false;
    return true;
}

/* A variance below zero would make every prediction NaN. */
static bool plausible(const struct entry *entry, const float *x)
{
    bool variance = entry->in_stats && strcmp(entry->tensor.name, "moving_variance") == 0;
    for (size_t i = 0; i < entry->n; i++)
        if (!isfinite(x[i]) || (variance && x[i] < 0))
            return false;
    return true;
}

static enum status take(const json_t *header, const struct entry *entry, const char *data, size_t size,
                        float *to, struct error *e)
{
    const json_t *item = json_object_get(header, entry->name);
    const json_t *type = json_object_get(item, "dtype"),
                *offsets = json_object_get(item, "data_offsets");
    if (!item)
        return error_set(e, STATUS_DATA, "the weights lack \"%s\"", entry->name);
    if (!json_is_string(type) || strcmp(json_string_value(type), "F32") != 0 ||
        !shape_fits(json_object_get(item, "shape"), &entry->tensor))
        return error_set(e, STATUS_DATA, "the weights' \"%s\" has another type or shape than the model",
                         entry->name);
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    int64_t from = json_is_integer(first) ? json_integer_value(first) : -1, end = json_integer_value(last);
    if (from < 0 || end < from || (uint64_t)end > size || (uint64_t)(end - from) != 4 * entry->n)
        return error_set(e, STATUS_DATA,
                         "the weights' \"%s\" lies outside of the file: it is truncated or damaged",
                         entry->name);
    memcpy(to, data + from, 4 * entry->n);
    return plausible(entry, to)
               ? STATUS_OK
               : error_set(e, STATUS_DATA, "the weights' \"%s\" holds numbers that cannot be", entry->name);
}

/* Does the file hold n tensors and nothing else, in so many bytes as they need? */
static bool holds_only(const json_t *header, const struct entry *entries, int n, size_t size)
{
    size_t bytes = 0;
    size_t held = json_object_size(header) - (json_object_get(header, "__metadata__") != NULL);
    for (int i = 0; i < n; i++)
        bytes += 4 * entries[i].n;
    return held == (size_t)n && bytes == size;
}

static enum status take_all(const json_t *header, const struct network *net, const char *data, size_t size,
                            float *weights, float *stats, struct error *e)
{
    struct entry *entries = memory_new(ENTRIES_MAX * sizeof *entries);
    int n = list(net, entries);
    enum status s = STATUS_OK;
    for (int i = 0; s == STATUS_OK && i < n; i++)
        s = take(header, &entries[i], data, size, (entries[i].in_stats ? stats : weights) + entries[i].at, e);
    if (s == STATUS_OK && !holds_only(header, entries, n, size))
        s = error_set(e, STATUS_DATA, "the weights hold more than this model has");
    free(entries);
    return s;
}

enum status safetensors_read(const struct network *net, const void *bytes, size_t n, float *weights,
                             float *stats, struct error *e)
{
    struct reader r = reader_of(bytes, n);
    uint64_t length = reader_u64(&r);
    const char *text = length <= 100000000 ? reader_take(&r, length) : NULL;
    if (!text || r.failed)
        return error_set(e, STATUS_DATA, "no safetensors file, or a truncated one");
    json_t *header = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL); /* spaces after it are the padding that the format asks for */
    enum status s = json_is_object(header) ? take_all(header, net, r.at, (size_t)(r.end - r.at), weights, stats, e)
                                           : error_set(e, STATUS_DATA, "a safetensors file without a proper header");
    json_decref(header);
    return s;
}
