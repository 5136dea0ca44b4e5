#include "flows/statistics.h"

#include <math.h>

/* --- which there are --- */

static const char *const ways[] = {"out", "in", "all"};
static const char *const of_values[] = {"q25", "q50", "q75", "max", "mean", "std"};
enum { WAY_OUT, WAY_IN, WAY_ALL, WAYS };
enum { OF_VALUES = 6, QUARTILES = 3 };

static bool has(unsigned groups, enum channel c)
{
    return groups >> c & 1;
}

/* Numbers of a way's statistics of a kind: packets (DIRECTION), SIZE, PAYLOAD, IAT. */
static int count_of(unsigned groups, int way, enum channel kind)
{
    if (way != WAY_ALL && !has(groups, CHANNEL_DIRECTION))
        return 0;
    switch (kind) {
    case CHANNEL_DIRECTION: return 1;
    case CHANNEL_SIZE: return OF_VALUES;
    case CHANNEL_PAYLOAD: return way != WAY_ALL && has(groups, kind) ? OF_VALUES : 0;
    case CHANNEL_IAT: return has(groups, kind) ? QUARTILES : 0;
    default: return 0;
    }
}

static const enum channel kinds[] = {CHANNEL_DIRECTION, CHANNEL_SIZE, CHANNEL_PAYLOAD, CHANNEL_IAT};
static const char *const kind_names[] = {"packets", "size", "payload", "gap"};
enum { KINDS = 4 };

struct place { /* of a statistic */
    int way, kind, which;
};

static struct place place_of(unsigned groups, int i)
{
    for (int way = 0; way < WAYS; way++)
        for (int k = 0; k < KINDS; k++) {
            int n = count_of(groups, way, kinds[k]);
            if (i < n)
                return (struct place){way, k, i};
            i -= n;
        }
    return (struct place){WAY_ALL, 0, 0};
}

unsigned statistics_of(unsigned channels)
{
    unsigned all = 1u << CHANNEL_SIZE | 1u << CHANNEL_PAYLOAD | 1u << CHANNEL_IAT | 1u << CHANNEL_DIRECTION;
    return has(channels, CHANNEL_SIZE) ? channels & all : 0;
}

int statistics_count(unsigned groups)
{
    int n = 0;
    for (int way = 0; groups && way < WAYS; way++)
        for (int k = 0; k < KINDS; k++)
            n += count_of(groups, way, kinds[k]);
    return n;
}

enum channel statistics_channel(unsigned groups, int i)
{
    return kinds[place_of(groups, i).kind];
}

void statistics_name(unsigned groups, int i, struct buffer *out)
{
    struct place p = place_of(groups, i);
    buffer_printf(out, "%s_%s", ways[p.way], kind_names[p.kind]);
    if (p.kind > 0)
        buffer_printf(out, "_%s", of_values[p.which]);
}

/* --- numbers --- */

/* Shell's, with gaps 1, 4, 13, ..: flows are short. */
static void sort(float *x, int n)
{
    int gap = 1;
    while (gap < n / 9)
        gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3)
        for (int i = gap; i < n; i++) {
            float v = x[i];
            int k = i;
            for (; k >= gap && x[k - gap] > v; k -= gap)
                x[k] = x[k - gap];
            x[k] = v;
        }
}

/* numpy.percentile, to its last bit: interpolated from the nearer of both neighbours. x (n) rises. */
static float quantile(const float *x, int n, double q)
{
    double at = q * (n - 1);
    int below = (int)at;
    double t = at - below, low = x[below], high = x[below + 1 < n ? below + 1 : below];
    return (float)(t < 0.5 ? low + (high - low) * t : high - (high - low) * (1 - t));
}

/* Sorts x (n). Zeros of none. */
static float *put_quartiles(float *x, int n, float *out)
{
    sort(x, n);
    for (int k = 1; k <= QUARTILES; k++)
        *out++ = n ? quantile(x, n, 0.25 * k) : 0;
    return out;
}

static float *put_values(float *x, int n, float *out)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i];
    double mean = n ? sum / n : 0;
    for (int i = 0; i < n; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    out = put_quartiles(x, n, out);
    *out++ = n ? x[n - 1] : 0;
    *out++ = (float)mean;
    *out++ = n ? (float)sqrt(squares / n) : 0;
    return out;
}

/* --- of a flow --- */

struct packets {
    const float *size, *payload, *iat;
    const int8_t *direction;
    int n, clip;
};

static bool goes(const struct packets *p, int t, int way)
{
    return way == WAY_ALL || (way == WAY_OUT ? p->direction[t] > 0 : p->direction[t] < 0);
}

static int take_clipped(const struct packets *p, const float *from, int way, float *to)
{
    int n = 0;
    for (int t = 0; t < p->n; t++) {
        float x = fabsf(from[t]);
        if (goes(p, t, way))
            to[n++] = p->clip > 0 && x > (float)p->clip ? (float)p->clip : x;
    }
    return n;
}

/* Times that captures out of order make negative count as none. */
static int take_gaps(const struct packets *p, int way, float *to)
{
    int n = 0;
    bool begun = false;
    double gap = 0;
    for (int t = 0; t < p->n; t++) {
        gap += p->iat[t] > 0 ? (double)p->iat[t] : 0;
        if (!goes(p, t, way))
            continue;
        if (begun)
            to[n++] = (float)gap;
        begun = true;
        gap = 0;
    }
    return n;
}

static float *put_way(const struct packets *p, unsigned groups, int way, float *room, float *out)
{
    int n = take_clipped(p, p->size, way, room);
    *out++ = (float)n;
    out = put_values(room, n, out);
    if (count_of(groups, way, CHANNEL_PAYLOAD))
        out = put_values(room, take_clipped(p, p->payload, way, room), out);
    if (count_of(groups, way, CHANNEL_IAT))
        out = put_quartiles(room, take_gaps(p, way, room), out);
    return out;
}

void statistics_row(const struct flows *f, unsigned groups, int row, int steps, int clip, float *room, float *out)
{
    size_t at = (size_t)row * (size_t)f->steps;
    struct packets p = {.size = f->size + at, .n = f->length[row] < steps ? f->length[row] : steps, .clip = clip};
    p.direction = has(groups, CHANNEL_DIRECTION) ? f->direction + at : NULL;
    p.payload = has(groups, CHANNEL_PAYLOAD) ? f->payload + at : NULL;
    p.iat = has(groups, CHANNEL_IAT) ? f->iat + at : NULL;
    for (int way = has(groups, CHANNEL_DIRECTION) ? WAY_OUT : WAY_ALL; way < WAYS; way++)
        out = put_way(&p, groups, way, room, out);
}
