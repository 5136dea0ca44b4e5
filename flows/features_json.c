/* Fitted features as JSON, for a bundle's manifest, and back. */
#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flows/features.h"
#include "flows/statistics.h"

enum { STEPS_MAX = 1 << 16, CLIP_MAX = 1 << 24 };

static void put_numbers(struct buffer *out, const char *name, const float *x, int n)
{
    buffer_printf(out, ",\"%s\":[", name);
    for (int i = 0; i < n; i++)
        buffer_printf(out, "%s%.9g", i ? "," : "", (double)x[i]);
    buffer_puts(out, "]");
}

/* What they are made of. */
static void put_statistics(const struct features *x, struct buffer *out)
{
    const char *before = "";
    buffer_puts(out, ",\"statistics\":[");
    for (int c = 0; c < CHANNEL_COUNT; c++)
        if (x->statistics >> c & 1) {
            buffer_printf(out, "%s\"%s\"", before, channel_names[c]);
            before = ",";
        }
    buffer_puts(out, "]");
}

static const char *truth(bool x)
{
    return x ? "true" : "false";
}

void features_to_json(const struct features *x, struct buffer *out)
{
    int width = x->steps * x->n_channels;
    buffer_printf(out,
                  "{\"steps\":%d,\"clip\":%d,\"align_end\":%s,\"iat_log_nonzero\":%s,\"scale_padding\":%s,"
                  "\"channels\":[",
                  x->steps, x->clip, truth(x->align_end), truth(x->iat_log_nonzero), truth(x->scale_padding));
    for (int c = 0; c < x->n_channels; c++)
        buffer_printf(out, "%s\"%s\"", c ? "," : "", channel_names[x->channel[c]]);
    buffer_puts(out, "]");
    if (x->statistics)
        put_statistics(x, out);
    put_numbers(out, "offset", x->offset, width);
    put_numbers(out, "factor", x->factor, width);
    buffer_puts(out, "}");
}

static enum status wrong(const char *name, const char *expected, struct error *e)
{
    return error_set(e, STATUS_DATA, "features: \"%s\" must be %s", name, expected);
}

static enum status get_whole(const json_t *object, const char *name, int low, int high, int *out,
                             struct error *e)
{
    const json_t *item = json_object_get(object, name);
    double x = json_is_number(item) ? json_number_value(item) : NAN;
    if (!(x >= low && x <= high) || x != floor(x))
        return error_set(e, STATUS_DATA, "features: \"%s\" must be a whole number from %d to %d", name, low,
                         high);
    *out = (int)x;
    return STATUS_OK;
}

static enum status get_truth(const json_t *object, const char *name, bool *out, struct error *e)
{
    const json_t *item = json_object_get(object, name);
    if (!json_is_boolean(item))
        return wrong(name, "true or false", e);
    *out = json_is_true(item);
    return STATUS_OK;
}

/* CHANNEL_COUNT where it names none. */
static int channel_of(const json_t *item)
{
    int c = 0;
    while (c < CHANNEL_COUNT && !(json_is_string(item) && strcmp(json_string_value(item), channel_names[c]) == 0))
        c++;
    return c;
}

/* Absent: none. */
static enum status get_statistics(const json_t *object, struct features *x, struct error *e)
{
    const json_t *list = json_object_get(object, "statistics");
    if (!list)
        return STATUS_OK;
    for (size_t i = 0; i < json_array_size(list); i++)
        x->statistics |= 1u << channel_of(json_array_get(list, i));
    if (!json_is_array(list) || !x->statistics || statistics_of(x->statistics) != x->statistics)
        return wrong("statistics", "a list of size and others of payload, iat, direction", e);
    x->room = memory_new((size_t)x->steps * sizeof *x->room);
    return STATUS_OK;
}

static enum status get_channels(const json_t *object, struct features *x, struct error *e)
{
    const json_t *list = json_object_get(object, "channels");
    if (!json_is_array(list))
        return wrong("channels", "a list of channels", e);
    for (size_t i = 0; i < json_array_size(list); i++) {
        int c = channel_of(json_array_get(list, i));
        if (c == CHANNEL_COUNT || features_find(x, (enum channel)c) >= 0)
            return wrong("channels", "a list of different channels", e);
        x->channel[x->n_channels++] = (enum channel)c;
    }
    return x->n_channels || x->statistics ? STATUS_OK : wrong("channels", "a list with at least one channel", e);
}

static enum status get_numbers(const json_t *object, const char *name, int n, float **out, struct error *e)
{
    const json_t *list = json_object_get(object, name);
    if (!json_is_array(list) || json_array_size(list) != (size_t)n)
        return error_set(e, STATUS_DATA, "features: \"%s\" must be a list of %d numbers", name, n);
    *out = memory_new((size_t)n * sizeof **out);
    for (int i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, (size_t)i);
        double x = json_is_number(item) ? json_number_value(item) : NAN;
        if (!(fabs(x) <= FLT_MAX))
            return error_set(e, STATUS_DATA, "features: \"%s\" must hold numbers that fit float32", name);
        (*out)[i] = (float)x;
    }
    return STATUS_OK;
}

static enum status parse(const json_t *object, struct features *x, struct error *e)
{
    if (!json_is_object(object))
        return error_set(e, STATUS_DATA, "features: no JSON object");
    TRY(get_whole(object, "steps", 1, STEPS_MAX, &x->steps, e));
    TRY(get_whole(object, "clip", 0, CLIP_MAX, &x->clip, e));
    TRY(get_truth(object, "align_end", &x->align_end, e));
    TRY(get_truth(object, "iat_log_nonzero", &x->iat_log_nonzero, e));
    TRY(get_truth(object, "scale_padding", &x->scale_padding, e));
    TRY(get_statistics(object, x, e));
    TRY(get_channels(object, x, e));
    TRY(get_numbers(object, "offset", x->steps * x->n_channels, &x->offset, e));
    return get_numbers(object, "factor", x->steps * x->n_channels, &x->factor, e);
}

enum status features_of_json(const struct json_t *object, struct features *out, struct error *e)
{
    *out = (struct features){0};
    enum status status = parse(object, out, e);
    if (status != STATUS_OK)
        features_fini(out);
    return status;
}

enum status features_from_json(const char *text, struct features *out, struct error *e)
{
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    enum status status = features_of_json(object, out, e);
    json_decref(object);
    return status;
}
