#include "models/forest_codes.h"

#include <string.h>

#include "base/kernels.h"
#include "base/whole.h"

/* --- distinct values --- */

struct range {
    int32_t least, most; /* no whole numbers of 16 bits where least is above most */
};

/* The smallest and largest of x (n), all of which must be whole. */
KERNEL static struct range whole_range(const float *x, int n)
{
    int32_t others = 0, least = INT16_MAX, most = INT16_MIN;
    for (int i = 0; i < n; i++) {
        int32_t whole = whole_of(x[i], &others);
        least = whole < least ? whole : least;
        most = whole > most ? whole : most;
    }
    return others ? (struct range){1, 0} : (struct range){least, most};
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

struct forest_cell {
    uint32_t key, row;
};

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

/* Whole numbers are told apart by a table that has up to so many places for each row, others by sorting. */
enum { PLACES = 16 };

static uint32_t find_distinct(const struct forest_codes *o, const float *x, float *values)
{
    struct range r = whole_range(x, o->n);
    if (r.least <= r.most && (r.most - r.least) / PLACES < o->n)
        return code_whole(x, o->n, r, o->table, o->codes, values);
    return code_any(x, o->n, o->cells, o->codes, values);
}

/* --- bins --- */

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

/* Deals distinct values, each of so many rows (o->rows), to at most `wanted` bins, in turn: a bin ends before and behind a value that has one for itself, and
 * where one value more would take it further beyond its share of the rows that are left than it falls short of that. values: the least of each bin from here
 * on. Returns how many. */
static uint32_t deal_values(const struct forest_codes *o, float *values, uint32_t n_values, uint32_t wanted, uint32_t n_rows)
{
    const struct lone lone = find_lone(o->rows, n_values, wanted, n_rows);
    uint64_t left = lone.others, held = 0, bins = wanted - lone.n; /* of values that share one */
    uint32_t bin = 0;
    bool alone = false;
    for (uint32_t v = 0; v < n_values; v++) {
        uint64_t rows = o->rows[v];
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
        o->bin_of[v] = bin;
        o->most[bin] = values[v];
    }
    return bin + 1;
}

/* Joins the values (n_values) of a column: then values holds the least of each bin and, behind them, the largest of each. Returns how many bins. */
static uint32_t join_values(const struct forest_codes *o, float *values, uint32_t n_values)
{
    uint32_t n = (uint32_t)o->n, room = (n + 1) / 2, wanted = (uint32_t)o->max_bins < room ? (uint32_t)o->max_bins : room;
    memset(o->rows, 0, n_values * sizeof *o->rows);
    for (uint32_t i = 0; i < n; i++)
        o->rows[o->codes[i]]++;
    uint32_t bins = deal_values(o, values, n_values, wanted, n);
    for (uint32_t i = 0; i < n; i++)
        o->codes[i] = o->bin_of[o->codes[i]];
    memcpy(values + bins, o->most, bins * sizeof *values);
    return bins;
}

/* --- */

void forest_codes_cut(struct forest_codes *o, struct slab *s)
{
    size_t n = (size_t)o->n;
    o->codes = slab_take(s, n * sizeof *o->codes);
    o->cells = slab_take(s, 2 * n * sizeof *o->cells);
    o->table = slab_take(s, FOREST_CODES_TABLE * sizeof *o->table);
    if (!o->max_bins)
        return;
    o->rows = slab_take(s, n * sizeof *o->rows);
    o->bin_of = slab_take(s, n * sizeof *o->bin_of);
    o->most = slab_take(s, n * sizeof *o->most);
}

uint32_t forest_codes_make(const struct forest_codes *o, const float *x, float *values, bool *joined)
{
    uint32_t distinct = find_distinct(o, x, values);
    *joined = o->max_bins > 0 && distinct > (uint32_t)o->max_bins;
    return *joined ? join_values(o, values, distinct) : distinct;
}
