#include "models/shard.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flows/piece.h"

enum { CHUNK = 1024 }; /* rows of a pass: some 100 kB */

void shard_held(const struct model_spec *spec, int *first, int *last)
{
    int n = spec->train->n, shards = spec->n_shards > 1 ? spec->n_shards : 1;
    *first = gang_first(n, spec->shard, shards);
    *last = gang_first(n, spec->shard + 1, shards);
}

static int within(int x, int low, int high)
{
    return x < low ? low : x > high ? high : x;
}

/* Collective: what each holder has put into its own part of data, which stands for samples [first, first + n), for all. */
static enum status share_held(const struct model_spec *spec, struct gang *g, int first, int n, size_t item, void *data, struct error *e)
{
    if (spec->n_shards <= 1)
        return STATUS_OK;
    size_t *offset = memory_new(((size_t)g->size + 1) * sizeof *offset);
    for (int r = 0; r <= g->size; r++)
        offset[r] = (size_t)(within(gang_first(spec->train->n, r, g->size), first, first + n) - first) * item;
    enum status s = g->share(g, data, offset, e);
    free(offset);
    return s;
}

enum status shard_rows(const struct model_spec *spec, struct gang *g, int first, int n, float *out, struct error *e)
{
    const struct features *x = spec->features;
    size_t width = (size_t)x->steps * (size_t)x->n_channels;
    int from, to;
    shard_held(spec, &from, &to);
    from = within(from, first, first + n);
    to = within(to, first, first + n);
    features_gather(x, spec->train->row + from, to - from, out + (size_t)(from - first) * width);
    return share_held(spec, g, first, n, width * sizeof *out, out, e);
}

enum status shard_columns(const struct model_spec *spec, struct gang *g, int first, int count, float *out, struct error *e)
{
    size_t n = (size_t)spec->train->n;
    int from, to;
    shard_held(spec, &from, &to);
    features_gather_columns(spec->features, spec->train->row + from, to - from, first, count, out + from, n);
    for (int c = 0; c < count; c++)
        TRY(share_held(spec, g, 0, spec->train->n, sizeof *out, out + (size_t)c * n, e));
    return STATUS_OK;
}

/* --- the rows of an epoch --- */

struct exchange {
    const struct model_spec *spec;
    int batch;
    struct features features; /* those of spec over piece; scaling is spec's own */
    struct piece piece;
    int n; /* rows of piece that are filled */
    struct slab slab;
    int32_t *row;        /* (training rows) */
    int32_t *owed, *due; /* (CHUNK) places in the order */
    int32_t *count;      /* (n_shards, n_shards) rows that pass from holder to user */
    char *out, *in;      /* (CHUNK, bytes of a row) */
};

/* The places of an order whose rows one rank computes, in batches one after the other. */
struct walk {
    int n, batch, rank, size;
    int at, next, last;
};

static struct walk walk_of(const struct exchange *x, int rank)
{
    return (struct walk){.n = x->spec->train->n, .batch = x->batch, .rank = rank, .size = x->spec->n_shards};
}

static bool step(struct walk *w, int *place)
{
    while (w->next == w->last) {
        if (w->at >= w->n)
            return false;
        int rows = w->n - w->at < w->batch ? w->n - w->at : w->batch;
        gang_rows(rows, w->rank, w->size, &w->next, &w->last);
        w->next += w->at;
        w->last += w->at;
        w->at += rows;
    }
    *place = w->next++;
    return true;
}

static int rows_computed(const struct exchange *x)
{
    struct walk w = walk_of(x, x->spec->shard);
    int n = 0, place;
    while (step(&w, &place))
        n++;
    return n;
}

static void cut(struct exchange *x, size_t row_bytes)
{
    size_t shards = (size_t)x->spec->n_shards;
    x->row = slab_take(&x->slab, (size_t)x->spec->train->n * sizeof *x->row);
    x->owed = slab_take(&x->slab, CHUNK * sizeof *x->owed);
    x->due = slab_take(&x->slab, CHUNK * sizeof *x->due);
    x->count = slab_take(&x->slab, shards * shards * sizeof *x->count);
    x->out = slab_take(&x->slab, CHUNK * row_bytes);
    x->in = slab_take(&x->slab, CHUNK * row_bytes);
}

static enum status allocate(struct exchange *x, struct error *e)
{
    const struct flows *f = x->spec->features->flows;
    size_t row_bytes = piece_row_bytes(f->steps, f->channels);
    cut(x, row_bytes);
    TRY(slab_new(&x->slab, "exchanging rows", e));
    cut(x, row_bytes);
    return piece_new(&x->piece, rows_computed(x), f->steps, f->channels, e);
}

enum status shard_epoch_init(struct shard_epoch *s, const struct model_spec *spec, int batch, struct error *e)
{
    *s = (struct shard_epoch){.features = spec->features};
    if (spec->n_shards <= 1)
        return STATUS_OK;
    struct exchange *x = s->exchange = memory_new(sizeof *x);
    *x = (struct exchange){.spec = spec, .batch = batch, .features = *spec->features};
    enum status status = allocate(x, e);
    if (status != STATUS_OK) {
        shard_epoch_fini(s);
        return status;
    }
    x->features.flows = &x->piece.flows;
    s->features = &x->features;
    s->row = x->row;
    return STATUS_OK;
}

void shard_epoch_fini(struct shard_epoch *s)
{
    if (s->exchange) {
        piece_fini(&s->exchange->piece);
        slab_fini(&s->exchange->slab);
    }
    free(s->exchange);
    *s = (struct shard_epoch){0};
}

static int holder_of(const struct exchange *x, int sample)
{
    return gang_owner(sample, x->spec->train->n, x->spec->n_shards);
}

static void count_pairs(struct exchange *x, const int32_t *order)
{
    int size = x->spec->n_shards, place;
    memset(x->count, 0, (size_t)size * (size_t)size * sizeof *x->count);
    for (int user = 0; user < size; user++) {
        struct walk w = walk_of(x, user);
        while (step(&w, &place))
            x->count[holder_of(x, order[place]) * size + user]++;
    }
}

/* Passes that the k-th round takes: the same on every rank. */
static int passes(const struct exchange *x, int k)
{
    int most = 0, size = x->spec->n_shards;
    for (int r = 0; r < size; r++) {
        int n = x->count[r * size + (r + k) % size];
        most = n > most ? n : most;
    }
    return (most + CHUNK - 1) / CHUNK;
}

/* The next places of w, up to CHUNK, whose rows that holder has. */
static int collect(const struct exchange *x, const int32_t *order, int holder, struct walk *w, int32_t *places)
{
    int n = 0, place;
    while (n < CHUNK && step(w, &place))
        if (holder_of(x, order[place]) == holder)
            places[n++] = place;
    return n;
}

static enum status round_of(struct exchange *x, const int32_t *order, int k, struct gang *g, struct error *e)
{
    const struct model_spec *spec = x->spec;
    const struct flows *f = spec->features->flows;
    int to = (spec->shard + k) % spec->n_shards, from = (spec->shard + spec->n_shards - k) % spec->n_shards;
    struct walk theirs = walk_of(x, to), ours = walk_of(x, spec->shard);
    size_t bytes = piece_row_bytes(f->steps, f->channels);
    for (int pass = passes(x, k); pass > 0; pass--) {
        int n_out = collect(x, order, spec->shard, &theirs, x->owed), n_in = collect(x, order, from, &ours, x->due);
        for (int i = 0; i < n_out; i++)
            x->owed[i] = spec->train->row[order[x->owed[i]]];
        piece_pack(f, f->steps, f->channels, x->owed, n_out, x->out);
        TRY(g->pass(g, to, x->out, (size_t)n_out * bytes, from, x->in, (size_t)n_in * bytes, e));
        TRY(piece_unpack(&x->piece, x->n, n_in, x->in, e));
        for (int i = 0; i < n_in; i++)
            x->row[x->due[i]] = x->n++;
    }
    return STATUS_OK;
}

enum status shard_epoch_gather(struct shard_epoch *s, const int32_t *order, struct gang *g, struct error *e)
{
    struct exchange *x = s->exchange;
    if (!x)
        return STATUS_OK;
    count_pairs(x, order);
    for (int i = 0; i < x->spec->train->n; i++)
        x->row[i] = -1;
    x->n = 0;
    for (int k = 0; k < x->spec->n_shards; k++)
        TRY(round_of(x, order, k, g, e));
    return STATUS_OK;
}

uint64_t shard_epoch_bytes(int64_t train_rows, int n_shards, size_t row_bytes)
{
    if (n_shards <= 1)
        return 0;
    return (uint64_t)train_rows * sizeof(int32_t) + ((uint64_t)train_rows / (uint64_t)n_shards + 2 * CHUNK) * row_bytes;
}
