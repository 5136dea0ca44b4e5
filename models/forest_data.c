#include "models/forest_data.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fault.h"
#include "base/memory.h"
#include "models/shard.h"
#include "models/tree_lanes.h"

enum { TOGETHER = 16 }; /* columns that are read and written at a time: half a line of the cache */

/* --- a set --- */

struct work { /* what the ranks of a node share out: blocks of TOGETHER columns */
    _Atomic int taken, done;
};

struct set {
    _Atomic uint64_t *word;
    struct work *work;
    uint32_t *distinct; /* (columns) */
    uint8_t *wide;      /* (columns) */
    uint8_t *joined;    /* (columns) values are followed by the largest of each code */
    int32_t *order;     /* (rows) the row of each record: they stand by class */
    uint16_t *records;  /* (rows, 2 * columns): room for columns that are all wide; where none is, the second half holds planes */
    float *values;      /* (columns, rows + 1): room for columns without equal values, or for twice half as many bins */
};

static struct set cut(struct slab *s, size_t rows, size_t columns)
{
    struct set set;
    set.word = slab_take(s, sizeof *set.word);
    set.work = slab_take(s, sizeof *set.work);
    set.distinct = slab_take(s, columns * sizeof *set.distinct);
    set.wide = slab_take(s, columns * sizeof *set.wide);
    set.joined = slab_take(s, columns * sizeof *set.joined);
    set.order = slab_take(s, rows * sizeof *set.order);
    set.records = slab_take(s, 2 * columns * rows * sizeof *set.records);
    set.values = slab_take(s, columns * (rows + 1) * sizeof *set.values);
    return set;
}

static struct set set_of(const struct forest_data *d)
{
    struct slab s = {d->set, 0, SIZE_MAX};
    return cut(&s, (size_t)d->tree.n, (size_t)d->tree.n_columns);
}

uint64_t forest_data_bytes(int64_t rows, int columns)
{
    struct slab s = {0};
    cut(&s, (size_t)rows, (size_t)columns);
    return s.used;
}

static void cut_scratch(struct forest_data *d)
{
    d->values = slab_take(&d->scratch, TOGETHER * (size_t)d->tree.n * sizeof *d->values);
    d->places = slab_take(&d->scratch, FOREST_CODES_TABLE * sizeof *d->places);
    forest_codes_cut(&d->codes, &d->scratch);
}

enum status forest_data_init(struct forest_data *d, const struct model_spec *spec, int max_bins, struct error *e)
{
    int columns = features_columns(spec->features), n = spec->train->n;
    size_t bytes = (size_t)forest_data_bytes(n, columns);
    *d = (struct forest_data){.tree = {.n = n, .n_columns = columns, .n_classes = spec->n_classes, .y = spec->train->y}};
    d->owned = !spec->node.memory;
    d->codes = (struct forest_codes){.n = n, .max_bins = max_bins};
    d->columns = memory_new((size_t)columns * sizeof *d->columns);
    d->tree.columns = d->columns;
    cut_scratch(d);
    enum status s = slab_new(&d->scratch, "coding the columns of a forest", e);
    d->set = d->owned ? aligned_alloc(SLAB_ALIGNMENT, bytes) : spec->node.memory;
    if (s == STATUS_OK && !d->set)
        s = error_set(e, STATUS_MEMORY, "no memory for the codes of %d rows of %d columns (%zu MB)", n, columns, bytes >> 20);
    if (s != STATUS_OK) {
        forest_data_fini(d);
        return s;
    }
    cut_scratch(d);
    return STATUS_OK;
}

void forest_data_fini(struct forest_data *d)
{
    slab_fini(&d->scratch);
    if (d->owned)
        free(d->set);
    free(d->columns);
    *d = (struct forest_data){0};
}

/* --- filling --- */

enum { BEGUN, OPEN, STANDS, STATES }; /* of a set of some version; open: others may help */

static uint64_t word_of(const struct model_spec *spec, int state)
{
    return STATES * spec->node.version + (uint64_t)state;
}

/* Does what is found of a set say so of the version that is wanted? */
static bool is_in(const struct forest_data *d, const struct model_spec *spec, int state)
{
    return atomic_load(set_of(d).word) == word_of(spec, state);
}

/* Is the set this rank's to make? */
static bool claim(const struct forest_data *d, const struct model_spec *spec)
{
    if (d->owned)
        return true;
    _Atomic uint64_t *word = set_of(d).word;
    uint64_t found = atomic_load(word);
    while (spec->node.first && found / STATES != spec->node.version)
        if (atomic_compare_exchange_weak(word, &found, word_of(spec, BEGUN)))
            return true;
    return false;
}

static float *values_of(const struct forest_data *d, const struct set *s, int column)
{
    return s->values + (size_t)column * ((size_t)d->tree.n + 1);
}

/* Where the codes of every column lie in a record. */
static void place_columns(struct forest_data *d)
{
    struct set s = set_of(d);
    d->tree.stride = 0;
    for (int c = 0; c < d->tree.n_columns; c++) {
        const float *values = values_of(d, &s, c);
        d->columns[c] = (struct tree_column){.at = (uint32_t)d->tree.stride,
                                             .wide = s.wide[c],
                                             .n_values = s.distinct[c],
                                             .values = values,
                                             .most = s.joined[c] ? values + s.distinct[c] : values};
        d->tree.stride += s.wide[c] ? 2 : 1;
    }
}

static int together(const struct forest_data *d, int first)
{
    return d->tree.n_columns - first < TOGETHER ? d->tree.n_columns - first : TOGETHER;
}

/* May there be columns that need codes of more than 16 bits? */
static bool may_be_wide(const struct forest_data *d)
{
    return d->tree.n > UINT16_MAX + 1 && !d->codes.max_bins;
}

/* Which channels may hold such columns, as the rows say that are at hand. */
static void look(const struct forest_data *d, const struct model_spec *spec, bool *wide)
{
    int first, last;
    shard_held(spec, &first, &last);
    for (int c = 0; c < spec->features->n_channels; c++)
        wide[c] = may_be_wide(d) && !features_whole(spec->features, c, spec->train->row + first, last - first);
}

/* Which columns are wide, by their channels. */
static void put_wide(const struct forest_data *d, const struct model_spec *spec, const bool *wide)
{
    struct set s = set_of(d);
    for (int c = 0; c < d->tree.n_columns; c++) {
        int block = features_block(spec->features, c);
        s.wide[c] = block < CHANNEL_COUNT ? wide[block] : may_be_wide(d); /* of statistics */
    }
}

/* Where codes stand column by column, if they do. */
static uint16_t *planes_of(const struct forest_data *d, uint16_t *records)
{
    return d->tree.stride == (size_t)d->tree.n_columns ? records + (size_t)d->tree.n * d->tree.stride : NULL;
}

/* Rows by class, of each class as they stand. */
static void order_rows(const struct forest_data *d, int32_t *order)
{
    const struct tree_data *t = &d->tree;
    int32_t *next = memory_new(((size_t)t->n_classes + 1) * sizeof *next);
    for (int i = 0; i < t->n; i++)
        next[t->y[i] + 1]++;
    for (int c = 0; c < t->n_classes; c++)
        next[c + 1] += next[c];
    for (int i = 0; i < t->n; i++)
        order[next[t->y[i]]++] = i;
    free(next);
}

/* Codes (count, rows) of columns, in the order of records, into the records. */
static void put_records(const struct forest_data *d, uint16_t *records, const struct tree_column *columns, int count, const uint32_t *codes)
{
    size_t n = (size_t)d->tree.n;
    bool wide = false;
    for (int c = 0; c < count; c++)
        wide |= columns[c].wide;
    for (size_t i = 0; i < n; i++) {
        uint16_t *record = records + i * d->tree.stride, *from = record + columns[0].at;
        for (int c = 0; c < count && !wide; c++)
            from[c] = (uint16_t)codes[(size_t)c * n + i];
        for (int c = 0; c < count && wide; c++) {
            uint16_t *at = record + columns[c].at;
            uint32_t code = codes[(size_t)c * n + i];
            at[0] = (uint16_t)code;
            if (columns[c].wide)
                at[1] = (uint16_t)(code >> 16);
        }
    }
}

/* A column's codes, in the order of records, into its plane. */
static void put_plane(const struct forest_data *d, uint32_t n_values, const uint32_t *codes, uint16_t *plane)
{
    for (uint32_t v = 0; v < n_values; v++)
        d->places[v] = (uint16_t)tree_table_place(v, n_values);
    for (int i = 0; i < d->tree.n; i++)
        plane[i] = d->places[codes[i]];
}

/* A column's x (rows) into the set, but for the records: its codes, in their order, take its place. */
static void code_into(struct forest_data *d, struct set *s, int column, float *x)
{
    uint32_t *codes = (uint32_t *)x;
    uint16_t *planes = planes_of(d, s->records);
    bool joined;
    s->distinct[column] = forest_codes_make(&d->codes, x, values_of(d, s, column), &joined);
    s->joined[column] = joined;
    for (int i = 0; i < d->tree.n; i++)
        codes[i] = d->codes.codes[s->order[i]];
    if (planes)
        put_plane(d, s->distinct[column], codes, planes + (size_t)column * (size_t)d->tree.n);
}

/* The columns at hand. */
static void code(struct forest_data *d, struct set *s, int first, int count)
{
    size_t n = (size_t)d->tree.n;
    for (int c = 0; c < count; c++)
        code_into(d, s, first + c, d->values + (size_t)c * n);
    put_records(d, s->records, d->columns + first, count, (const uint32_t *)d->values);
}

/* Who makes a set does this before others may help. */
static void begin(const struct forest_data *d, const struct model_spec *spec)
{
    struct set s = set_of(d);
    bool wide[CHANNEL_COUNT], dealt = spec->n_shards > 1;
    fault_at(FAULT_CODES);
    order_rows(d, s.order);
    if (!dealt) {
        look(d, spec, wide);
        put_wide(d, spec, wide);
    }
    atomic_store(&s.work->taken, 0);
    atomic_store(&s.work->done, 0);
    atomic_store(s.word, word_of(spec, dealt ? BEGUN : OPEN));
}

static void end(const struct forest_data *d, const struct model_spec *spec)
{
    atomic_store(set_of(d).word, word_of(spec, STANDS));
}

/* --- where rows are dealt: a gang's ranks bring their values of every column, and one makes the set --- */

static enum status make_of_dealt(struct forest_data *d, const struct model_spec *spec, struct gang *g, bool mine, struct error *e)
{
    struct set s = set_of(d);
    bool wide[CHANNEL_COUNT];
    look(d, spec, wide);
    for (int c = 0; c < spec->features->n_channels && may_be_wide(d); c++)
        TRY(gang_any(g, wide[c], &wide[c], e));
    if (mine) {
        put_wide(d, spec, wide);
        place_columns(d);
    }
    for (int first = 0; first < d->tree.n_columns; first += TOGETHER) {
        TRY(shard_columns(spec, g, first, together(d, first), d->values, e));
        if (mine)
            code(d, &s, first, together(d, first));
    }
    if (mine)
        end(d, spec);
    return STATUS_OK;
}

/* --- where all rows are at hand: whoever comes takes a block --- */

static int blocks_of(const struct forest_data *d)
{
    return (d->tree.n_columns + TOGETHER - 1) / TOGETHER;
}

/* The i-th block to be taken: two that are worked on at a time lie far apart in a record. */
static int block_at(int i, int blocks)
{
    return i % 2 ? (blocks + 1) / 2 + i / 2 : i / 2;
}

static const struct timespec moment = {0, 200000};

/* Blocks of a set that is open, until all are taken, or, where that is not its own duty, this rank is told to stop. */
static enum status take_blocks(struct forest_data *d, const struct model_spec *spec, struct gang *g, bool mine, struct error *e)
{
    struct set s = set_of(d);
    int blocks = blocks_of(d), i;
    place_columns(d);
    while ((mine || !g->stop(g)) && (i = atomic_fetch_add(&s.work->taken, 1)) < blocks) {
        int first = block_at(i, blocks) * TOGETHER, count = together(d, first);
        TRY(shard_columns(spec, g, first, count, d->values, e));
        code(d, &s, first, count);
        gang_look(g);
        if (atomic_fetch_add(&s.work->done, 1) + 1 == blocks)
            end(d, spec);
    }
    return STATUS_OK;
}

/* --- */

/* Waits for a set that others make; false where told to stop first. */
static bool stands(const struct forest_data *d, const struct model_spec *spec, struct gang *g)
{
    while (!is_in(d, spec, STANDS)) {
        if (g->stop(g))
            return false;
        nanosleep(&moment, NULL);
    }
    return true;
}

/* Makes a set, or helps. */
static enum status make(struct forest_data *d, const struct model_spec *spec, struct gang *g, bool mine, bool any, struct error *e)
{
    if (mine)
        begin(d, spec);
    if (spec->n_shards > 1)
        return any ? make_of_dealt(d, spec, g, mine, e) : STATUS_OK;
    while (!is_in(d, spec, OPEN) && !is_in(d, spec, STANDS) && !g->stop(g))
        nanosleep(&moment, NULL);
    return is_in(d, spec, OPEN) ? take_blocks(d, spec, g, mine, e) : STATUS_OK;
}

enum status forest_data_fill(struct forest_data *d, const struct model_spec *spec, struct gang *g, bool *stopped, struct error *e)
{
    bool mine, any;
    *stopped = false;
    if (d->filled)
        return STATUS_OK;
    mine = claim(d, spec);
    TRY(gang_any(g, mine, &any, e));
    TRY(make(d, spec, g, mine, any, e));
    TRY(gang_any(g, !stands(d, spec, g), stopped, e));
    d->filled = !*stopped;
    slab_fini(&d->scratch);
    if (d->filled) {
        d->tree.records = set_of(d).records;
        place_columns(d);
        d->tree.order = set_of(d).order;
        d->tree.planes = planes_of(d, set_of(d).records);
    }
    return STATUS_OK;
}
