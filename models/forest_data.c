#include "models/forest_data.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/kernels.h"
#include "models/shard.h"
#include "models/tree_lanes.h"

struct forest_cell {
    uint32_t key, row;
};

/* --- codes of one column --- */

enum { TOGETHER = 16 }; /* columns that are read and written at a time: half a line of the cache */

enum { WHOLE = 1 << 15 };  /* numbers from -WHOLE to WHOLE - 1 may be told apart by a table, */
enum { SPARSE = 16 };      /* which has up to so many places for each */

struct range {
    int32_t least, most; /* no whole numbers that a table may tell apart where least is above most */
};

/* The smallest and largest of x (n), all of which must be whole. */
KERNEL static struct range whole_range(const float *x, int n)
{
    int32_t others = 0, least = WHOLE - 1, most = -WHOLE;
    for (int i = 0; i < n; i++) {
        float v = x[i] < -WHOLE ? -WHOLE : x[i];
        v = v > WHOLE - 1 ? WHOLE - 1 : v;
        int32_t whole = (int32_t)v;
        others += x[i] != (float)whole;
        least = whole < least ? whole : least;
        most = whole > most ? whole : most;
    }
    return others == 0 ? (struct range){least, most} : (struct range){1, 0};
}

static bool all_whole(const float *x, int n)
{
    struct range r = whole_range(x, n);
    return r.least <= r.most;
}

/* Of whole numbers: which there are, then their places. */
static uint32_t code_whole(const float *x, int n, struct range r, uint32_t *table, uint32_t *places, float *values)
{
    uint32_t distinct = 0;
    int32_t least = r.least, size = r.most - least + 1;
    memset(table, 0, (size_t)size * sizeof *table);
    for (int i = 0; i < n; i++)
        table[(int32_t)x[i] - least] = 1;
    for (int32_t v = 0; v < size; v++) { /* without a branch: which there are cannot be foreseen */
        uint32_t there = table[v];
        table[v] = distinct;
        values[distinct] = (float)(v + least); /* with room for one more */
        distinct += there;
    }
    for (int i = 0; i < n; i++)
        places[i] = table[(int32_t)x[i] - least];
    return distinct;
}

/* Bits that order as the float does; x is no NaN, -0 is 0. */
static uint32_t bits_in_order(float x)
{
    uint32_t bits;
    x += 0.0f;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* Three passes of a radix sort. */
static struct forest_cell *sort_cells(struct forest_cell *from, struct forest_cell *to, int n)
{
    enum { DIGIT = 11, BUCKETS = 1 << DIGIT };
    for (int shift = 0; shift < 32; shift += DIGIT) {
        uint32_t start[BUCKETS] = {0}, sum = 0;
        for (int i = 0; i < n; i++)
            start[from[i].key >> shift & (BUCKETS - 1)]++;
        for (int b = 0; b < BUCKETS; b++) {
            uint32_t count = start[b];
            start[b] = sum;
            sum += count;
        }
        for (int i = 0; i < n; i++)
            to[start[from[i].key >> shift & (BUCKETS - 1)]++] = from[i];
        struct forest_cell *other = from;
        from = to;
        to = other;
    }
    return from;
}

static uint32_t code_any(const float *x, int n, struct forest_cell *cells, uint32_t *places, float *values)
{
    uint32_t distinct = 0;
    for (int i = 0; i < n; i++)
        cells[i] = (struct forest_cell){bits_in_order(x[i]), (uint32_t)i};
    struct forest_cell *sorted = sort_cells(cells, cells + n, n);
    for (int i = 0; i < n; i++) {
        if (i == 0 || sorted[i].key != sorted[i - 1].key)
            values[distinct++] = x[sorted[i].row] + 0.0f;
        places[sorted[i].row] = distinct - 1;
    }
    return distinct;
}

/* Places (n) of values x (n), and the distinct ones; returns how many. */
static uint32_t code_column(struct forest_data *d, const float *x, uint32_t *places, float *distinct)
{
    int n = d->tree.n;
    struct range r = whole_range(x, n);
    if (r.least <= r.most && (r.most - r.least) / SPARSE < n)
        return code_whole(x, n, r, d->table, places, distinct);
    return code_any(x, n, d->cells, places, distinct);
}

/* --- bins --- */

struct forest_bins { /* room, for as many as there are rows */
    uint32_t *rows;   /* of each distinct value */
    uint32_t *bin_of;
    float *most;
};

struct lone { /* values so frequent that each has a bin for itself: as many rows as the others have a bin, on average, or more */
    uint64_t least; /* rows */
    uint32_t n;
    uint64_t others; /* rows of the other values */
};

/* The more have a bin for themselves, the less is left for each of the other bins, and the more such values there are. */
static struct lone find_lone(const uint32_t *rows, uint32_t n_values, uint32_t wanted, uint32_t n_rows)
{
    struct lone l = {UINT64_MAX, 0, n_rows};
    for (uint32_t before = 1; l.n != before && l.others > 0;) {
        before = l.n;
        l = (struct lone){(l.others + wanted - l.n - 1) / (wanted - l.n), 0, n_rows};
        for (uint32_t v = 0; v < n_values; v++)
            if (rows[v] >= l.least) {
                l.n++;
                l.others -= rows[v];
            }
    }
    return l;
}

/* Deals distinct values to at most `wanted` bins, in turn: a bin ends before and behind a value that has one for itself, and where one value more would take
 * it further beyond its share of the rows that are left than it falls short of that. values: the least of each bin from here on. Returns how many. */
static uint32_t deal_values(const struct forest_bins *b, float *values, uint32_t n_values, uint32_t wanted, uint32_t n_rows)
{
    const struct lone lone = find_lone(b->rows, n_values, wanted, n_rows);
    uint64_t left = lone.others, held = 0, bins = wanted - lone.n; /* of values that share one */
    uint32_t bin = 0;
    bool alone = false;
    for (uint32_t v = 0; v < n_values; v++) {
        uint64_t rows = b->rows[v];
        bool is_lone = rows >= lone.least;
        if (held && (is_lone || (alone ? bins > 0 : bins > 1 && (2 * held + rows) * bins > 2 * left))) {
            left -= alone ? 0 : held;
            bins -= !alone;
            bin++;
            held = 0;
        }
        if (!held) {
            values[bin] = values[v];
            alone = is_lone;
        }
        held += rows;
        b->bin_of[v] = bin;
        b->most[bin] = values[v];
    }
    return bin + 1;
}

/* Joins the values (n_values) of a column: then values holds the least of each bin and, behind them, the largest of each. Returns how many bins. */
static uint32_t join_values(const struct forest_data *d, uint32_t *places, float *values, uint32_t n_values)
{
    const struct forest_bins *b = d->bins;
    uint32_t n = (uint32_t)d->tree.n, room = (n + 1) / 2, wanted = (uint32_t)d->max_bins < room ? (uint32_t)d->max_bins : room;
    memset(b->rows, 0, n_values * sizeof *b->rows);
    for (uint32_t i = 0; i < n; i++)
        b->rows[places[i]]++;
    uint32_t bins = deal_values(b, values, n_values, wanted, n);
    for (uint32_t i = 0; i < n; i++)
        places[i] = b->bin_of[places[i]];
    memcpy(values + bins, b->most, bins * sizeof *values);
    return bins;
}

/* --- a set --- */

enum { LOOK, CODE, PHASES };

struct work { /* what the ranks of a node share out: blocks of TOGETHER columns, first to be looked at, then to be coded */
    _Atomic int taken[PHASES], done[PHASES];
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
    size_t n = (size_t)d->tree.n;
    d->values = slab_take(&d->scratch, TOGETHER * n * sizeof *d->values);
    d->cells = slab_take(&d->scratch, 2 * n * sizeof *d->cells);
    d->places = slab_take(&d->scratch, n * sizeof *d->places);
    d->table = slab_take(&d->scratch, 2 * WHOLE * sizeof *d->table);
    d->bins = d->max_bins ? slab_take(&d->scratch, sizeof *d->bins) : NULL;
    struct forest_bins bins = {0};
    if (d->max_bins)
        bins = (struct forest_bins){slab_take(&d->scratch, n * 4), slab_take(&d->scratch, n * 4), slab_take(&d->scratch, n * 4)};
    if (d->bins)
        *d->bins = bins;
}

enum status forest_data_init(struct forest_data *d, const struct model_spec *spec, int max_bins, struct error *e)
{
    int columns = features_columns(spec->features), n = spec->train->n;
    size_t bytes = (size_t)forest_data_bytes(n, columns);
    *d = (struct forest_data){.tree = {.n = n, .n_columns = columns, .n_classes = spec->n_classes, .y = spec->train->y}};
    d->owned = !spec->node.memory;
    d->max_bins = max_bins;
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

/* May columns need codes of more than 16 bits? */
static bool may_be_wide(const struct forest_data *d)
{
    return d->tree.n > UINT16_MAX + 1 && !d->max_bins;
}

/* Which of the columns at hand are so. */
static void look(const struct forest_data *d, const struct set *s, int first, int count)
{
    size_t n = (size_t)d->tree.n;
    for (int c = 0; c < count; c++)
        s->wide[first + c] = !all_whole(d->values + (size_t)c * n, d->tree.n);
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
        d->table[v] = tree_table_place(v, n_values);
    for (int i = 0; i < d->tree.n; i++)
        plane[i] = (uint16_t)d->table[codes[i]];
}

/* Codes (count, rows) of columns [first, first + count) into the set. */
static void put_codes(const struct forest_data *d, const struct set *s, int first, int count, const uint32_t *codes)
{
    size_t n = (size_t)d->tree.n;
    uint16_t *planes = planes_of(d, s->records);
    put_records(d, s->records, d->columns + first, count, codes);
    for (int c = 0; c < count && planes; c++)
        put_plane(d, s->distinct[first + c], codes + (size_t)c * n, planes + (size_t)(first + c) * n);
}

/* A column's x (rows) into the set, but for the records: its codes, in their order, take its place. */
static void code_into(struct forest_data *d, struct set *s, int column, float *x)
{
    float *values = values_of(d, s, column);
    uint32_t distinct = code_column(d, x, d->places, values), *codes = (uint32_t *)x;
    s->joined[column] = d->max_bins > 0 && distinct > (uint32_t)d->max_bins;
    s->distinct[column] = s->joined[column] ? join_values(d, d->places, values, distinct) : distinct;
    for (int i = 0; i < d->tree.n; i++)
        codes[i] = d->places[s->order[i]];
}

/* The columns at hand. */
static void code(struct forest_data *d, struct set *s, int first, int count)
{
    size_t n = (size_t)d->tree.n;
    for (int c = 0; c < count; c++)
        code_into(d, s, first + c, d->values + (size_t)c * n);
    put_codes(d, s, first, count, (const uint32_t *)d->values);
}

/* Who makes a set does this before others may help. */
static void begin(const struct forest_data *d, const struct model_spec *spec)
{
    struct set s = set_of(d);
    fault_at(FAULT_CODES);
    memset(s.wide, 0, (size_t)d->tree.n_columns);
    order_rows(d, s.order);
    for (int phase = 0; phase < PHASES; phase++) {
        atomic_store(&s.work->taken[phase], 0);
        atomic_store(&s.work->done[phase], 0);
    }
    atomic_store(s.word, word_of(spec, spec->n_shards > 1 ? BEGUN : OPEN));
}

static void end(const struct forest_data *d, const struct model_spec *spec)
{
    atomic_store(set_of(d).word, word_of(spec, STANDS));
}

/* --- where rows are dealt: a gang's ranks bring their values of every column, and one makes the set --- */

static enum status make_of_dealt(struct forest_data *d, const struct model_spec *spec, struct gang *g, bool mine, struct error *e)
{
    struct set s = set_of(d);
    for (int phase = may_be_wide(d) ? LOOK : CODE; phase < PHASES; phase++) {
        if (mine)
            place_columns(d);
        for (int first = 0; first < d->tree.n_columns; first += TOGETHER) {
            TRY(shard_columns(spec, g, first, together(d, first), d->values, e));
            if (mine)
                phase == LOOK ? look(d, &s, first, together(d, first)) : code(d, &s, first, together(d, first));
        }
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

/* Blocks of a phase, until all are taken, or, where that is not its own duty, this rank is told to stop. */
static enum status take_blocks(struct forest_data *d, const struct model_spec *spec, struct gang *g, bool mine, int phase, struct error *e)
{
    struct set s = set_of(d);
    int blocks = blocks_of(d), i;
    while ((mine || !g->stop(g)) && (i = atomic_fetch_add(&s.work->taken[phase], 1)) < blocks) {
        int first = block_at(i, blocks) * TOGETHER, count = together(d, first);
        TRY(shard_columns(spec, g, first, count, d->values, e));
        phase == LOOK ? look(d, &s, first, count) : code(d, &s, first, count);
        gang_look(g);
        if (atomic_fetch_add(&s.work->done[phase], 1) + 1 == blocks && phase == CODE)
            end(d, spec);
    }
    return STATUS_OK;
}

/* Work on a set that is open. */
static enum status work_on(struct forest_data *d, const struct model_spec *spec, struct gang *g, bool mine, struct error *e)
{
    const struct work *work = set_of(d).work;
    if (may_be_wide(d))
        TRY(take_blocks(d, spec, g, mine, LOOK, e));
    while (may_be_wide(d) && atomic_load(&work->done[LOOK]) < blocks_of(d)) {
        if (g->stop(g) && !mine)
            return STATUS_OK;
        nanosleep(&moment, NULL);
    }
    place_columns(d);
    return take_blocks(d, spec, g, mine, CODE, e);
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
    return is_in(d, spec, OPEN) ? work_on(d, spec, g, mine, e) : STATUS_OK;
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
