#include "flows/features.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/kernels.h"
#include "base/memory.h"
#include "base/whole.h"
#include "flows/log1p.h"
#include "flows/statistics.h"

int features_vocabulary(const struct features *x)
{
    return 2 * x->clip + 2;
}

int features_columns(const struct features *x)
{
    return x->steps * x->n_channels + statistics_count(x->statistics);
}

unsigned features_channels(const struct features *x)
{
    unsigned channels = x->statistics;
    for (int c = 0; c < x->n_channels; c++)
        channels |= 1u << x->channel[c];
    return channels;
}

void features_column_name(const struct features *x, int column, struct buffer *out)
{
    int width = x->steps * x->n_channels;
    if (column < width)
        buffer_printf(out, "%s[%d]", channel_names[x->channel[column % x->n_channels]], column / x->n_channels + 1);
    else
        statistics_name(x->statistics, column - width, out);
}

int features_block(const struct features *x, int column)
{
    int behind = column - x->steps * x->n_channels;
    return behind < 0 ? column % x->n_channels : CHANNEL_COUNT + (int)statistics_channel(x->statistics, behind);
}

void features_block_name(const struct features *x, int block, struct buffer *out)
{
    if (block < CHANNEL_COUNT)
        buffer_puts(out, channel_names[x->channel[block]]);
    else
        buffer_printf(out, "statistics of %s", block - CHANNEL_COUNT == CHANNEL_DIRECTION ? "packets" : channel_names[block - CHANNEL_COUNT]);
}

int features_find(const struct features *x, enum channel c)
{
    for (int i = 0; i < x->n_channels; i++)
        if (x->channel[i] == c)
            return i;
    return -1;
}

/* Where the packets of a row lie among the steps: [first, last); the rest is padding. */
static void span(const struct features *x, int row, int *first, int *last)
{
    int n = x->flows->length[row] < x->steps ? x->flows->length[row] : x->steps;
    *first = x->align_end ? x->steps - n : 0;
    *last = *first + n;
}

/* The largest size that is left as it is. */
static float size_limit(const struct features *x)
{
    return x->clip ? (float)x->clip : INFINITY;
}

static inline float clipped(float size, float limit)
{
    size = size > limit ? limit : size;
    return size < -limit ? -limit : size;
}

/* Times (n), in place. Those that captures out of order make negative count as none. */
static void take_logs(const struct features *x, float *times, int n)
{
    if (!x->iat_log_nonzero)
        log1p_micro(times, n, times);
    else
        for (int i = 0; i < n; i++)
            times[i] = times[i] > 0 ? (float)log((double)times[i]) : 0;
}

/* Times of n packets; logarithms of them, `apart` floats from each other. */
static void fill_times(const struct features *x, const float *times, int n, float *out, size_t apart)
{
    enum { TOGETHER = 64 };
    float logs[TOGETHER];
    for (int at = 0; at < n; at += TOGETHER) {
        int m = n - at < TOGETHER ? n - at : TOGETHER;
        memcpy(logs, times + at, (size_t)m * sizeof *logs);
        take_logs(x, logs, m);
        for (int i = 0; i < m; i++)
            out[(size_t)(at + i) * apart] = logs[i];
    }
}

/* n packets' values of a channel, `apart` floats from each other. */
static inline void fill(const struct features *x, enum channel channel, size_t packet, int n, float *out, size_t apart)
{
    const struct flows *f = x->flows;
    const float limit = size_limit(x);
    switch (channel) {
    case CHANNEL_SIGNED_SIZE:
        for (int i = 0; i < n; i++)
            out[(size_t)i * apart] = clipped(f->size[packet + (size_t)i], limit);
        break;
    case CHANNEL_SIZE:
        for (int i = 0; i < n; i++)
            out[(size_t)i * apart] = fabsf(clipped(f->size[packet + (size_t)i], limit));
        break;
    case CHANNEL_PAYLOAD:
        for (int i = 0; i < n; i++)
            out[(size_t)i * apart] = clipped(f->payload[packet + (size_t)i], limit);
        break;
    case CHANNEL_IAT:
        fill_times(x, f->iat + packet, n, out, apart);
        break;
    case CHANNEL_DIRECTION:
        for (int i = 0; i < n; i++)
            out[(size_t)i * apart] = (float)f->direction[packet + (size_t)i];
        break;
    default:
        assert(false);
    }
}

static void raw_row(const struct features *x, int row, float *out)
{
    int first, last;
    size_t channels = (size_t)x->n_channels;
    span(x, row, &first, &last);
    memset(out, 0, (size_t)x->steps * channels * sizeof *out);
    for (size_t c = 0; c < channels; c++)
        fill(x, x->channel[c], (size_t)row * (size_t)x->flows->steps, last - first, out + (size_t)first * channels + c, channels);
}

/* Rows in random order are far away: asks for one ahead. */
static void fetch(const struct features *x, int row)
{
    const float *size = x->flows->size;
    for (size_t i = (size_t)row * (size_t)x->flows->steps, end = i + (size_t)x->steps; size && i < end; i += 16)
        __builtin_prefetch(size + i);
}

enum { AHEAD = 4 };

void features_gather_raw(const struct features *x, const int32_t *rows, int n, float *out)
{
    size_t width = (size_t)x->steps * (size_t)x->n_channels, all = (size_t)features_columns(x);
    for (int i = 0; i < n; i++, out += all) {
        if (i + AHEAD < n)
            fetch(x, rows[i + AHEAD]);
        raw_row(x, rows[i], out);
        if (x->statistics)
            statistics_row(x->flows, x->statistics, rows[i], x->steps, x->clip, x->room, out + width);
    }
}

/* Columns [first, first + count) of the statistics. */
static void gather_statistics(const struct features *x, const int32_t *rows, int n, int first, int count, float *out, size_t apart)
{
    float all[STATISTICS_MOST];
    for (int i = 0; i < n; i++) {
        statistics_row(x->flows, x->statistics, rows[i], x->steps, x->clip, x->room, all);
        for (int c = 0; c < count; c++)
            out[(size_t)c * apart + (size_t)i] = all[first + c];
    }
}

/* Those of one channel, the first of which is packet `step`'s, `apart` floats from each other; a row of them stands at out. */
static void fill_run(const struct features *x, int row, enum channel channel, int step, int n, float *out, size_t apart)
{
    int from, to;
    span(x, row, &from, &to);
    int first = from > step ? from - step : 0, last = to - step < n ? to - step : n;
    for (int i = 0; i < n && i < first; i++)
        out[(size_t)i * apart] = 0;
    for (int i = last > first ? last : first; i < n; i++)
        out[(size_t)i * apart] = 0;
    size_t packet = (size_t)row * (size_t)x->flows->steps + (size_t)(step + first - from);
    if (channel != CHANNEL_IAT)
        fill(x, channel, packet, last - first, out + (size_t)first * apart, apart);
    else
        for (int i = first; i < last; i++)
            out[(size_t)i * apart] = x->flows->iat[packet + (size_t)(i - first)]; /* logarithms are taken side by side */
}

/* `count` packet columns from column `first` on. */
static void gather_packets(const struct features *x, const int32_t *rows, int n, int first, int count, float *out, size_t apart)
{
    enum { FAR_AHEAD = 16 }; /* few columns of a row are a line of the cache or two, which no processor foresees */
    int channels = x->n_channels, step = first / channels;
    for (int i = 0; i < n; i++) {
        if (i + FAR_AHEAD < n && x->flows->size)
            __builtin_prefetch(x->flows->size + (size_t)rows[i + FAR_AHEAD] * (size_t)x->flows->steps + step);
        for (int c = 0; c < channels && c < count; c++) { /* every channels-th column */
            int column = first + c, of_channel = (count - c + channels - 1) / channels;
            fill_run(x, rows[i], x->channel[column % channels], column / channels, of_channel, out + (size_t)c * apart + (size_t)i, apart * (size_t)channels);
        }
    }
    for (int c = 0; c < count; c++)
        if (x->channel[(first + c) % channels] == CHANNEL_IAT)
            take_logs(x, out + (size_t)c * apart, n);
}

void features_gather_columns(const struct features *x, const int32_t *rows, int n, int first, int count, float *out, size_t apart)
{
    int width = x->steps * x->n_channels, packets = first >= width ? 0 : first + count > width ? width - first : count;
    if (packets > 0)
        gather_packets(x, rows, n, first, packets, out, apart);
    if (packets < count)
        gather_statistics(x, rows, n, first + packets - width, count - packets, out + (size_t)packets * apart, apart);
}

KERNEL static bool all_whole(const float *sizes, int n, float limit)
{
    int32_t others = 0;
    for (int i = 0; i < n; i++)
        whole_of(clipped(sizes[i], limit), &others);
    return others == 0;
}

bool features_whole(const struct features *x, int c, const int32_t *rows, int n)
{
    const struct flows *f = x->flows;
    enum channel channel = x->channel[c];
    const float *sizes = channel == CHANNEL_PAYLOAD ? f->payload : f->size;
    if (channel == CHANNEL_DIRECTION || channel == CHANNEL_IAT)
        return channel == CHANNEL_DIRECTION;
    for (int i = 0; i < n; i++) {
        int first, last;
        span(x, rows[i], &first, &last);
        if (!all_whole(sizes + (size_t)rows[i] * (size_t)f->steps, last - first, size_limit(x)))
            return false;
    }
    return true;
}

void features_gather(const struct features *x, const int32_t *rows, int n, float *out)
{
    int width = x->steps * x->n_channels;
    assert(!x->statistics);
    features_gather_raw(x, rows, n, out);
    for (int i = 0; i < n; i++, out += width) {
        int first = 0, last = x->steps;
        if (!x->scale_padding)
            span(x, rows[i], &first, &last);
        for (int j = first * x->n_channels; j < last * x->n_channels; j++)
            out[j] = (out[j] - x->offset[j]) * x->factor[j];
    }
}

void features_tokens(const struct features *x, const int32_t *rows, int n, int32_t *out)
{
    assert(x->clip > 0);
    for (int i = 0; i < n; i++, out += x->steps) {
        int first, last;
        if (i + AHEAD < n)
            fetch(x, rows[i + AHEAD]);
        span(x, rows[i], &first, &last);
        memset(out, 0, (size_t)x->steps * sizeof *out);
        const float *size = x->flows->size + (size_t)rows[i] * (size_t)x->flows->steps;
        for (int t = first; t < last; t++)
            out[t] = (int32_t)lroundf(clipped(size[t - first], size_limit(x))) + x->clip + 1;
    }
}

/* Of one channel or column over the rows that scaling is fitted on. */
struct moments {
    double n, sum, squares; /* of "standard" */
    float least, most;      /* of others; where there are none, least is above most */
};

enum pass { PASS_SUM, PASS_SPREAD }; /* the second goes over squared differences from the first's mean */

static void moments_add(struct moments *m, double v, enum pass pass)
{
    if (pass == PASS_SPREAD) {
        double d = v - m->sum / m->n;
        m->squares += d * d;
        return;
    }
    m->sum += v;
    m->n++;
}

/* A row's numbers that scaling goes by: [first, last). */
static void span_of_numbers(const struct features *x, int row, int *first, int *last)
{
    *first = 0;
    *last = x->steps;
    if (!x->scale_padding)
        span(x, row, first, last);
    *first *= x->n_channels;
    *last *= x->n_channels;
}

/* m: one a channel; rows in order, so the sums have one order. */
static void add_up(const struct features *x, const int32_t *rows, int n, enum pass pass, float *row, struct moments *m)
{
    for (int i = 0; i < n; i++) {
        int first, last;
        raw_row(x, rows[i], row);
        span_of_numbers(x, rows[i], &first, &last);
        for (int j = first; j < last; j++)
            moments_add(&m[j % x->n_channels], row[j], pass);
    }
}

KERNEL static void widen(const float *restrict row, int n, float *restrict least, float *restrict most)
{
    for (int j = 0; j < n; j++) {
        least[j] = row[j] < least[j] ? row[j] : least[j];
        most[j] = row[j] > most[j] ? row[j] : most[j];
    }
}

/* m: one a column, or one a channel where by_channel. */
static void find_range(const struct features *x, const int32_t *rows, int n, bool by_channel, float *row, struct moments *m)
{
    int width = x->steps * x->n_channels;
    float *least = memory_new((size_t)width * sizeof *least), *most = memory_new((size_t)width * sizeof *most);
    for (int j = 0; j < width; j++) {
        m[j].least = least[j] = INFINITY;
        m[j].most = most[j] = -INFINITY;
    }
    for (int i = 0; i < n; i++) {
        int first, last;
        raw_row(x, rows[i], row);
        span_of_numbers(x, rows[i], &first, &last);
        widen(row + first, last - first, least + first, most + first);
    }
    for (int j = 0; j < width; j++) {
        struct moments *to = &m[by_channel ? j % x->n_channels : j];
        to->least = fminf(to->least, least[j]);
        to->most = fmaxf(to->most, most[j]);
    }
    free(least);
    free(most);
}

static float inverse(double x)
{
    float r = x > 0 ? (float)(1.0 / x) : 1.0f;
    return isfinite(r) ? r : 1.0f;
}

static void set_column(struct features *x, int j, const struct moments *m, const char *scaling)
{
    x->offset[j] = 0;
    x->factor[j] = 1;
    if (strcmp(scaling, "standard") == 0 && m->n > 0) {
        x->offset[j] = (float)(m->sum / m->n);
        x->factor[j] = inverse(sqrt(m->squares / m->n));
    } else if (strcmp(scaling, "symmetric") == 0 && m->least <= m->most) {
        x->factor[j] = inverse(fmax(fabs((double)m->least), fabs((double)m->most)));
    } else if (strcmp(scaling, "minmax") == 0 && m->least <= m->most) {
        x->offset[j] = m->least;
        x->factor[j] = inverse((double)m->most - (double)m->least);
    }
}

static void fit_scaling(struct features *x, const char *scaling, const int32_t *rows, int n)
{
    int width = x->steps * x->n_channels;
    bool by_channel = strcmp(scaling, "minmax") != 0;
    struct moments *m = memory_new((size_t)width * sizeof *m);
    float *row = memory_new((size_t)width * sizeof *row);
    if (strcmp(scaling, "standard") == 0) {
        add_up(x, rows, n, PASS_SUM, row, m);
        add_up(x, rows, n, PASS_SPREAD, row, m);
    } else if (strcmp(scaling, "none") != 0) {
        find_range(x, rows, n, by_channel, row, m);
    }
    for (int j = 0; j < width; j++)
        set_column(x, j, &m[by_channel ? j % x->n_channels : j], scaling);
    free(row);
    free(m);
}

/* Every row of the labels that occur in fit, whatever part it is in: the seed's leak. */
static int32_t *rows_of_task(const struct flows *f, const struct rows *fit, int *n)
{
    bool *kept = memory_new((size_t)f->n_labels);
    int32_t *rows = memory_new((size_t)f->n * sizeof *rows);
    *n = 0;
    for (int i = 0; i < fit->n; i++)
        if (f->label[fit->row[i]] >= 0)
            kept[f->label[fit->row[i]]] = true;
    for (int i = 0; i < f->n; i++)
        if (f->label[i] >= 0 && kept[f->label[i]])
            rows[(*n)++] = i;
    free(kept);
    return rows;
}

static enum status set_channels(struct features *x, const struct value *channels, struct error *e)
{
    if (channels->kind != VALUE_LIST || channels->n < 1 || channels->n > CHANNEL_COUNT)
        return error_set(e, STATUS_CONFIG, "channels: must be a list of 1 to %d channels", CHANNEL_COUNT);
    for (int i = 0; i < channels->n; i++) {
        const char *name = channels->items[i].kind == VALUE_TEXT ? channels->items[i].text : "";
        int c = 0;
        while (c < CHANNEL_COUNT && strcmp(channel_names[c], name) != 0)
            c++;
        if (c == CHANNEL_COUNT)
            return error_set(e, STATUS_CONFIG,
                             "channels: \"%s\" is none of signed_size, size, payload, iat, direction", name);
        if (features_find(x, (enum channel)c) >= 0)
            return error_set(e, STATUS_CONFIG, "channels: %s is named twice", name);
        if (!(x->flows->channels & 1u << c))
            return error_set(e, STATUS_CONFIG, "channels: the flows have no %s", name);
        x->channel[x->n_channels++] = (enum channel)c;
    }
    return STATUS_OK;
}

enum status features_fit(struct features *out, const struct flows *f, const struct params *data,
                         const struct value *channels, int steps, const struct rows *fit, struct error *e)
{
    *out = (struct features){.flows = f, .steps = steps, .clip = (int)params_int(data, "clip")};
    out->align_end = params_is(data, "align", "end");
    out->iat_log_nonzero = params_is(data, "iat", "log_nonzero");
    out->scale_padding = out->align_end && params_is(data, "scaling", "minmax");
    if (steps < 1 || steps > f->steps)
        return error_set(e, STATUS_CONFIG, "steps: must be from 1 to %d, the packets of a flow, not %d",
                         f->steps, steps);
    if (channels)
        TRY(set_channels(out, channels, e));
    size_t width = (size_t)steps * (size_t)out->n_channels;
    out->offset = memory_new(width * sizeof *out->offset);
    out->factor = memory_new(width * sizeof *out->factor);
    int n = fit->n;
    bool all = params_is(data, "scaling_fit", "all");
    int32_t *rows = all ? rows_of_task(f, fit, &n) : fit->row;
    fit_scaling(out, params_text(data, "scaling"), rows, n);
    if (all)
        free(rows);
    return STATUS_OK;
}

enum status features_add_statistics(struct features *x, struct error *e)
{
    x->statistics = statistics_of(x->flows->channels);
    if (!x->statistics)
        return error_set(e, STATUS_CONFIG, "features: the flows have no size to make statistics of");
    x->room = memory_new((size_t)x->steps * sizeof *x->room);
    return STATUS_OK;
}

void features_fini(struct features *x)
{
    free(x->offset);
    free(x->factor);
    free(x->room);
    *x = (struct features){0};
}
