/* Synthetic flows.
 *
 * Providers (few, by Zipf) have a certificate chain, a segment size and a round trip; sites inherit from their provider. A site answers by one of a few
 * templates: a handshake, then requests and responses of its own sizes. A flow replays a template, exactly (repeats) or with noise: jittered
 * sizes, retransmissions, an early end. At a moment of its own within four days a site is released anew, with probability `drift`: its responses change size.
 * Every draw is named by what it is for, so flow i is the same in any longer file. */
#include "flows/synth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "flows/build.h"

const struct param synth_params[] = {
    {"rows", PARAM_INT, 2, 100000000, NULL, "6000", "flows to make"},
    {"sites", PARAM_INT, 2, 100000, NULL, "20", "labels"},
    {"providers", PARAM_INT, 1, 10000, NULL, "8", "hosting companies that sites share certificates and habits with"},
    {"seed", PARAM_INT, 0, 2147483647, NULL, "1", "of the generator"},
    {"steps", PARAM_INT, 1, 1000, NULL, "25", "packets of a flow, at most"},
    {"templates", PARAM_INT, 1, 100, NULL, "6", "ways in which a site answers, at most"},
    {"repeats", PARAM_REAL, 0, 1, NULL, "0.4", "share of flows that repeat a template to the byte"},
    {"noise", PARAM_REAL, 0, 1, NULL, "0.6", "share of the other flows' packets whose size moves"},
    {"drift", PARAM_REAL, 0, 1, NULL, "0.3", "share of sites whose responses change at some moment of the first four days (a flow every 10 s)"},
    {0},
};

enum { HEADER = 66, PACKETS_MAX = 64, EXCHANGES_MAX = 6, FLOWS_A_DAY = 8640 }; /* a flow every 10 s */
enum { FOR_SITE = 1, FOR_TEMPLATE, FOR_FLOW, FOR_PROVIDER, FOR_NOISE };

struct maker {
    uint64_t seed;
    int sites, providers, steps, templates;
    double repeats, noise, drift;
    double *weight; /* (sites) cumulative share of flows */
};

struct packet {
    int size; /* signed frame size [bytes] */
};

static struct random draw(const struct maker *m, int what, uint64_t who, uint64_t more)
{
    return random_of(random_key(random_key(m->seed, (uint64_t)what), who), more);
}

static int between(struct random *r, int low, int high)
{
    return low + (int)random_below(r, (uint32_t)(high - low + 1));
}

/* Lower numbers more often: 1/1, 1/2, 1/3 .. */
static int zipf(struct random *r, int n)
{
    double sum = 0, at;
    for (int i = 1; i <= n; i++)
        sum += 1.0 / i;
    at = random_double(r) * sum;
    for (int i = 1; i < n; i++)
        if ((at -= 1.0 / i) < 0)
            return i - 1;
    return n - 1;
}

static int emit(struct packet *p, int n, int payload, int sign)
{
    if (n < PACKETS_MAX)
        p[n++].size = sign * (payload + HEADER);
    return n;
}

/* A message cut into segments. */
static int emit_message(struct packet *p, int n, int bytes, int segment, int sign)
{
    for (; bytes > 0 && n < PACKETS_MAX; bytes -= segment)
        n = emit(p, n, bytes < segment ? bytes : segment, sign);
    return n;
}

static int site_provider(const struct maker *m, int site)
{
    struct random r = draw(m, FOR_SITE, (uint64_t)site, 0);
    return zipf(&r, m->providers);
}

/* The packets of a site's template; released: after its responses have changed. */
static int make_template(const struct maker *m, int site, int template, bool released, struct packet *p)
{
    struct random of_provider = draw(m, FOR_PROVIDER, (uint64_t)site_provider(m, site), 0), of_site = draw(m, FOR_SITE, (uint64_t)site, 1);
    struct random own = draw(m, FOR_TEMPLATE, (uint64_t)site, (uint64_t)template * 2 + released), r = own;
    if (between(&own, 1, 10) <= 7) /* most ways to answer are the provider's: siblings look alike */
        r = draw(m, FOR_TEMPLATE, UINT64_C(1) << 32 | (uint64_t)site_provider(m, site), (uint64_t)template * 2 + released);
    int segment = between(&of_provider, 0, 2) ? 1448 : between(&of_provider, 1300, 1440), chain = between(&of_provider, 2400, 5200);
    int name = between(&of_site, 10, 22), hello = 230 + name, n = 0;
    bool padded = between(&of_provider, 0, 1); /* the hello hides the name's length */
    n = emit(p, n, padded ? 517 : hello, 1);
    n = emit_message(p, n, chain + 8 * between(&of_site, 0, 3), segment, -1);
    n = emit(p, n, between(&of_provider, 0, 1) ? 80 : 126, 1);
    n = emit(p, n, between(&of_provider, 200, 280), -1);
    for (int x = between(&r, 1, EXCHANGES_MAX); x > 0; x--) {
        n = emit(p, n, between(&r, 60, 700), 1);
        n = emit_message(p, n, between(&r, 0, 3) ? between(&r, 80, 1400) : between(&r, 1400, 12000), segment, -1);
        if (between(&r, 0, 2) == 0)
            n = emit(p, n, 0, 1); /* a bare acknowledgement */
    }
    return n;
}

/* Jitter, retransmissions, an early end. */
static int disturb(const struct maker *m, struct random *r, struct packet *p, int n)
{
    for (int i = 0; i < n; i++) {
        if (random_double(r) >= m->noise || abs(p[i].size) <= HEADER)
            continue;
        int size = abs(p[i].size) + between(r, -120, 120);
        p[i].size = (p[i].size < 0 ? -1 : 1) * (size < HEADER ? HEADER : size > 1514 ? 1514 : size);
    }
    if (n > 4 && random_double(r) < 0.1 * m->noise && n < PACKETS_MAX) {
        int at = between(r, 1, n - 1);
        memmove(p + at + 1, p + at, (size_t)(n - at) * sizeof *p);
        n++;
    }
    if (n > 6 && random_double(r) < 0.3 * m->noise)
        n = between(r, 6, n);
    return n;
}

/* when [days] */
static bool is_released(const struct maker *m, int site, double when)
{
    struct random r = draw(m, FOR_SITE, (uint64_t)site, 2);
    bool drifts = random_double(&r) < m->drift;
    return 4 * random_double(&r) < when && drifts;
}

static int draw_site(const struct maker *m, struct random *r)
{
    double at = random_double(r);
    int low = 0, high = m->sites - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (m->weight[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Seconds since the packet before, to the microsecond. */
static float waiting(struct random *r, double round_trip, int before, int size)
{
    double t = (before > 0) != (size > 0) ? round_trip * exp(0.25 * random_normal(r)) : 2e-4 * exp(0.8 * random_normal(r));
    return (float)(floor(t * 1e6 + 0.5) / 1e6);
}

static void put_flow(const struct maker *m, struct flows_builder *b, struct random *r, const struct packet *p, int n, double round_trip)
{
    size_t at = (size_t)b->n * (size_t)b->steps;
    b->length[b->n] = n < m->steps ? n : m->steps;
    for (int t = 0; t < b->length[b->n]; t++, at++) {
        b->size[at] = (float)p[t].size;
        b->payload[at] = (float)(abs(p[t].size) - HEADER);
        b->direction[at] = p[t].size < 0 ? -1 : 1;
        b->iat[at] = t ? waiting(r, round_trip, p[t - 1].size, p[t].size) : 0;
    }
}

static enum status make_flow(const struct maker *m, struct flows_builder *b, int64_t i, double when, struct error *e)
{
    struct random r = draw(m, FOR_FLOW, (uint64_t)i, 0), noise = draw(m, FOR_NOISE, (uint64_t)i, 0);
    struct packet p[PACKETS_MAX];
    char name[32];
    int site = draw_site(m, &r);
    struct random of_site = draw(m, FOR_SITE, (uint64_t)site, 3);
    int n = make_template(m, site, zipf(&r, between(&of_site, 1, m->templates)), is_released(m, site, when), p);
    struct random of_provider = draw(m, FOR_PROVIDER, (uint64_t)site_provider(m, site), 1);
    double round_trip = 0.02 * exp(0.7 * random_normal(&of_provider));
    if (random_double(&r) >= m->repeats)
        n = disturb(m, &noise, p, n);
    TRY(flows_builder_room(b, e));
    put_flow(m, b, &noise, p, n, round_trip);
    snprintf(name, sizeof name, "site%03d.example", site + 1);
    b->row[b->n] = (int32_t)i;
    TRY(label_set_add(&b->labels, name, strlen(name), &b->label[b->n], e));
    b->n++;
    return STATUS_OK;
}

/* Meta columns: start [s] and one of 40 clients. */
static enum status put_meta(struct flows_meta *meta, const char *text, struct error *e)
{
    size_t n = strlen(text) + 1;
    TRY(array_grow(&meta->text, &meta->text_capacity, meta->text_size + n, 1, e));
    TRY(array_grow(&meta->offset, &meta->offset_capacity, meta->n_offsets + 1, sizeof *meta->offset, e));
    memcpy(meta->text + meta->text_size, text, n);
    meta->offset[meta->n_offsets++] = meta->text_size;
    meta->text_size += n;
    return STATUS_OK;
}

static enum status make_flows(const struct maker *m, int64_t rows, struct flows_builder *b, struct flows_meta *meta, struct error *e)
{
    char text[32];
    meta->n = 2;
    meta->rows = rows;
    TRY(put_meta(meta, "start", e));
    TRY(put_meta(meta, "client", e));
    for (int64_t i = 0; i < rows; i++) {
        struct random r = draw(m, FOR_FLOW, (uint64_t)i, 1);
        TRY(make_flow(m, b, i, (double)i / FLOWS_A_DAY, e));
        snprintf(text, sizeof text, "%lld", (long long)i * 10 + between(&r, 0, 9));
        TRY(put_meta(meta, text, e));
        snprintf(text, sizeof text, "client%02d", between(&r, 1, 40));
        TRY(put_meta(meta, text, e));
    }
    return STATUS_OK;
}

/* Shares of sites fall as 1 / (rank + 34)^0.92 (notes on traffic: the law of the paper's class counts). */
static void weigh_sites(struct maker *m)
{
    double sum = 0;
    m->weight = memory_new((size_t)m->sites * sizeof *m->weight);
    for (int i = 0; i < m->sites; i++)
        m->weight[i] = sum += pow(i + 35, -0.92);
    for (int i = 0; i < m->sites; i++)
        m->weight[i] /= sum;
    m->weight[m->sites - 1] = 1;
}

enum status synth_flows(const struct params *p, struct flows *out, struct error *e)
{
    struct maker m = {.seed = (uint64_t)params_int(p, "seed"), .sites = (int)params_int(p, "sites"), .providers = (int)params_int(p, "providers"),
                      .steps = (int)params_int(p, "steps"), .templates = (int)params_int(p, "templates"), .repeats = params_real(p, "repeats"),
                      .noise = params_real(p, "noise"), .drift = params_real(p, "drift")};
    struct flows_builder b;
    struct flows_meta meta = {0};
    *out = (struct flows){0};
    weigh_sites(&m);
    flows_builder_init(&b, m.steps, (1u << CHANNEL_COUNT) - 1);
    enum status s = make_flows(&m, params_int(p, "rows"), &b, &meta, e);
    if (s == STATUS_OK)
        s = flows_builder_finish(&b, &meta, out, e);
    flows_builder_fini(&b);
    flows_meta_fini(&meta);
    free(m.weight);
    return s;
}
