/* Columns of a larger node by tables: how often samples of each class and code were drawn, which is summed up, class by class, into what stands left of each
 * place to split; the few places that may be the best are computed exactly.
 *
 * Codes have places in a table: those that occur, or, where a node's samples are many beside a column's codes, all of them: these are what planes hold
 * (models/tree.h). Places are such that sums need no shuffles: 16 lanes side by side, each a run of codes (models/tree_lanes.h). Samples stand by class, so
 * to count one is an addition, into a row of counters that stays in the nearest cache. Several columns are counted at a time: samples of a class often share
 * a code, and an addition to a counter waits for the one before. */
#include "models/tree_table.h"

#include "models/engine.h"

enum { BESIDE = TREE_TABLE_BESIDE, VALUES = TREE_TABLE_VALUES, CLASSES = TREE_TABLE_CLASSES };
enum { COUNTERS = 1 << 14 /* of two classes each */, APART = COUNTERS + 32 /* no two tables begin at the same place of the cache */ };

void tree_table_cut(struct tree_table_room *r, struct slab *slab)
{
    r->counts = slab_take(slab, BESIDE * APART * sizeof *r->counts);
    r->left = slab_take(slab, CLASSES / 2 * TREE_LANES * sizeof *r->left);
    r->whole = slab_take(slab, CLASSES / 2 * sizeof *r->whole);
    r->squares = slab_take(slab, VALUES * sizeof *r->squares);
    r->across = slab_take(slab, VALUES * sizeof *r->across);
    r->weight = slab_take(slab, VALUES * sizeof *r->weight);
    r->gain = slab_take(slab, VALUES * sizeof *r->gain);
    r->near = slab_take(slab, VALUES * sizeof *r->near);
    for (int c = 0; c < BESIDE; c++) {
        r->places[c] = slab_take(slab, (VALUES + TREE_TABLE_ROOM) * sizeof *r->places[c]);
        r->codes[c] = slab_take(slab, (VALUES + TREE_TABLE_ROOM) * sizeof *r->codes[c]);
    }
}

/* Columns that are counted together. */
struct beside {
    int n, taken[BESIDE];        /* which of the columns at hand */
    int n_pairs, apart;          /* of classes; counters of a pair */
    int n_codes[BESIDE];         /* that have places */
    bool all[BESIDE];            /* all of the column's have, else room's codes say which */
    bool placed;                 /* they are counted as planes have them, */
    const uint16_t *planes[BESIDE]; /* (rows) by record; else */
    const uint32_t *codes[BESIDE];  /* (n) by sample */
};

static int n_pairs_of(const struct tree_splitter *s)
{
    return (s->node.n_classes + 1) / 2;
}

static int64_t counters(int n_codes, int n_pairs)
{
    return (int64_t)tree_table_rows((uint32_t)n_codes) * TREE_LANES * n_pairs;
}

/* Counters that a column may have: alone it may have the others' too. */
static int64_t room_beside(const struct beside *o)
{
    return o->n == 0 ? BESIDE * COUNTERS : COUNTERS;
}

/* --- places --- */

enum { ALL = 6, SOME = 8 /* counters a sample, at most */, SPARSE = 32 /* codes a sample, likewise */ };

/* Have all codes of a column places in a node of n samples? */
static bool has_all(const struct tree_column *column, int n_pairs, int n)
{
    return column->n_values <= VALUES && column->n_values * (int64_t)n_pairs <= ALL * (int64_t)n;
}

/* Makes a column, the c-th beside others, ready to be counted by its codes; false where tables are not good for it. */
static bool take(struct tree_splitter *s, struct beside *o, int c, const struct tree_column *column, int n)
{
    struct tree_table_room *r = &s->table_room;
    uint8_t *marks = s->count_room.marks;
    if (column->n_values > VALUES || column->n_values > SPARSE * (int64_t)n)
        return false;
    o->all[c] = has_all(column, o->n_pairs, n);
    for (int i = 0; i < n && !o->all[c]; i++)
        marks[o->codes[c][i]] = 1;
    o->n_codes[c] = s->engine->tree_table_places(o->all[c] ? NULL : marks, (int)column->n_values, r->places[c], r->codes[c]);
    return (int64_t)o->n_codes[c] * o->n_pairs <= (o->all[c] ? ALL : SOME) * (int64_t)n && counters(o->n_codes[c], o->n_pairs) <= room_beside(o);
}

/* The same of one that is placed; false where there is no room for it beside the others. */
static bool take_placed(const struct tree_splitter *s, struct beside *o, int c, int column, int n)
{
    o->all[c] = true;
    o->planes[c] = tree_plane(s->data, column, n);
    o->n_codes[c] = (int)s->data->columns[column].n_values;
    return counters(o->n_codes[c], o->n_pairs) <= room_beside(o);
}

/* --- counting --- */

/* Two classes at a time, where both have samples: their counters are not the same ones. */
static inline __attribute__((always_inline)) void count_as(const struct tree_splitter *s, const struct beside *o, const tree_sample *samples, int n_columns,
                                                           bool placed)
{
#define COUNT(i, sample, half) (counts[c][placed ? plane[c][sample_record(sample)] : places[c][codes[c][i]]][half] += (uint16_t)(sample))
    const struct tree_node_facts *f = &s->node;
    const uint16_t *plane[BESIDE], *places[BESIDE];
    const uint32_t *codes[BESIDE];
#pragma GCC unroll 4
    for (int c = 0; c < n_columns; c++) {
        plane[c] = o->planes[c];
        codes[c] = o->codes[c];
        places[c] = s->table_room.places[c];
    }
    for (int p = 0; p < o->n_pairs; p++) {
        uint16_t(*counts)[APART][2] = (uint16_t(*)[APART][2])(void *)(s->table_room.counts + (size_t)p * (size_t)o->apart);
        const int *first = f->first + 2 * p;
        int i = first[0], end = first[1], j = end, other_end = 2 * p + 1 < f->n_classes ? first[2] : end;
        for (; i < end && j < other_end; i++, j++) {
            tree_sample a = samples[i], b = samples[j];
#pragma GCC unroll 4
            for (int c = 0; c < n_columns; c++) {
                COUNT(i, a, 0);
                COUNT(j, b, 1);
            }
        }
        for (; i < end; i++) {
            tree_sample a = samples[i];
#pragma GCC unroll 4
            for (int c = 0; c < n_columns; c++)
                COUNT(i, a, 0);
        }
        for (; j < other_end; j++) {
            tree_sample b = samples[j];
#pragma GCC unroll 4
            for (int c = 0; c < n_columns; c++)
                COUNT(j, b, 1);
        }
    }
#undef COUNT
}

static void count(const struct tree_splitter *s, const struct beside *o, const tree_sample *samples)
{
    if (o->n == 4)
        o->placed ? count_as(s, o, samples, 4, true) : count_as(s, o, samples, 4, false);
    else if (o->n == 3)
        o->placed ? count_as(s, o, samples, 3, true) : count_as(s, o, samples, 3, false);
    else if (o->n == 2)
        o->placed ? count_as(s, o, samples, 2, true) : count_as(s, o, samples, 2, false);
    else
        o->placed ? count_as(s, o, samples, 1, true) : count_as(s, o, samples, 1, false);
}

/* --- the best place --- */

static struct tree_table table_of(const struct tree_splitter *s, const struct beside *o, int c)
{
    const struct tree_table_room *r = &s->table_room;
    const struct tree_node_facts *f = &s->node;
    return (struct tree_table){.counts = r->counts + c * APART,
                               .n_pairs = o->n_pairs,
                               .apart = o->apart,
                               .rows = (int)tree_table_rows((uint32_t)o->n_codes[c]),
                               .left = r->left,
                               .whole = r->whole,
                               .all = (uint32_t)f->weight,
                               .all_squares = (uint32_t)f->squares,
                               .squares = r->squares,
                               .across = r->across,
                               .weight = r->weight,
                               .gain = r->gain};
}

/* The code behind which there is most to gain, of places that gain nearly `most`; -1 where *gain, the most so far, is more. */
static int best_code(const struct tree_splitter *s, const struct tree_table *t, int n_codes, int column, double most, const struct tree_split *best, double *gain)
{
    const double near = 1 - 0x1p-19;
    const struct tree_table_room *r = &s->table_room;
    int at = -1, n = most > 0 && most >= *gain * near ? s->engine->tree_table_near(t, (float)(most * near), r->near) : 0;
    for (int i = 0; i < n; i++) {
        int place = r->near[i], code = (int)tree_table_code((uint32_t)place, (uint32_t)n_codes);
        double exact = tree_gini_gain(&s->node, r->squares[place], r->across[place], r->weight[place]);
        if (exact > *gain || (exact == *gain && (at < 0 ? tree_splitter_prefers(s, column, best) : code < at))) {
            *gain = exact;
            at = code;
        }
    }
    return at;
}

struct counted { /* a column, the c-th of those counted together, of the node's samples */
    const struct tree_splitter *s;
    const struct beside *o;
    const tree_sample *samples;
    int c, n;
};

static int left_of(const void *counted, int at)
{
    const struct counted *k = counted;
    const struct beside *o = k->o;
    int left = 0;
    if (!o->placed)
        return tree_codes_up_to(o->codes[k->c], k->n, o->all[k->c] ? (uint32_t)at : (uint32_t)k->s->table_room.codes[k->c][at]);
    for (int i = 0; i < k->n; i++)
        left += tree_table_code(o->planes[k->c][sample_record(k->samples[i])], (uint32_t)o->n_codes[k->c]) <= (uint32_t)at;
    return left;
}

/* tree_splitter_short_side of a column split behind a code. Samples are counted only where it does not follow from how often they were drawn. */
static int short_side(const struct counted *k, int at)
{
    const struct tree_splitter *s = k->s;
    uint32_t leaf = (uint32_t)s->params->min_samples_leaf, left = s->table_room.weight[tree_table_place((uint32_t)at, (uint32_t)k->o->n_codes[k->c])];
    uint32_t right = (uint32_t)s->node.weight - left, sure = leaf * s->node.all_times; /* none was drawn more often than all_times */
    return leaf <= 1 || (left >= sure && right >= sure) ? 0 : tree_splitter_short_side(s, left_of(k, at), k->n);
}

/* Takes away what is gained behind some codes; the most of what stays. */
static double forget(const struct tree_table *t, int n_codes, int first, int end)
{
    float most = 0;
    for (int code = first; code < end; code++)
        t->gain[tree_table_place((uint32_t)code, (uint32_t)n_codes)] = 0;
    for (int place = 0; place < t->rows * TREE_LANES; place++)
        most = t->gain[place] > most ? t->gain[place] : most;
    return (double)most;
}

/* The best place of a column counted; false where it is constant. Where a side would be too short, no place beyond is looked at again. */
static bool try_table(const struct tree_splitter *s, const struct beside *o, int c, int column, const tree_sample *samples, int n, struct tree_split *best)
{
    const struct tree_table_room *r = &s->table_room;
    const struct tree_table t = table_of(s, o, c);
    const struct counted k = {s, o, samples, c, n};
    int n_codes = o->n_codes[c], at, side = 0;
    double most = (double)s->engine->tree_table_sum(&t), gain;
    bool differs = most > 0;
    do {
        gain = best->gain;
        at = best_code(s, &t, n_codes, column, most, best, &gain);
        side = at < 0 ? 0 : short_side(&k, at);
        if (side) {
            int enough = tree_splitter_enough(s, side, at, n_codes, n, left_of, &k);
            most = side < 0 ? forget(&t, n_codes, 0, enough) : forget(&t, n_codes, enough, n_codes);
        }
    } while (side);
    if (at >= 0) {
        uint32_t left = r->weight[tree_table_place((uint32_t)at, (uint32_t)n_codes)];
        int next = at + 1;
        while (r->weight[tree_table_place((uint32_t)next, (uint32_t)n_codes)] == left)
            next++;
        const int32_t *codes = r->codes[c];
        *best = tree_splitter_between(s, column, (uint32_t)(o->all[c] ? at : codes[at]), (uint32_t)(o->all[c] ? next : codes[next]), gain);
    }
    return differs;
}

/* --- all columns --- */

bool tree_table_take(const struct tree_splitter *s, int n)
{
    enum { FEW = 64 };
    return s->engine->tree_table_sum && s->plain && s->node.weight <= INT16_MAX && s->node.n_classes <= CLASSES && n >= FEW &&
           s->params->criterion == TREE_GINI && !s->params->random_thresholds;
}

/* Weights of the node's classes, two by two. */
static void take_weights(const struct tree_splitter *s)
{
    const struct tree_node_facts *f = &s->node;
    for (int c = 0; c < f->n_classes; c += 2)
        s->table_room.whole[c / 2] = (uint32_t)f->weights[c] | (c + 1 < f->n_classes ? (uint32_t)f->weights[c + 1] << 16 : 0);
}

uint32_t tree_table_placed(const struct tree_splitter *s, const int *column, int n_columns, int n)
{
    uint32_t placed = 0;
    for (int c = 0; c < n_columns; c++) {
        const struct tree_column *of = &s->data->columns[column[c]];
        bool is = has_all(of, n_pairs_of(s), n) && counters((int)of->n_values, n_pairs_of(s)) <= BESIDE * COUNTERS;
        placed |= (uint32_t)is << c;
    }
    return placed;
}

/* The next columns that are counted together, from *next on: all placed, or none. */
static struct beside take_some(struct tree_splitter *s, const int *column, int n_columns, int n, uint32_t placed, bool of_placed, int *next)
{
    struct beside o = {.n_pairs = n_pairs_of(s), .placed = of_placed};
    for (; *next < n_columns && o.n < BESIDE && o.apart * o.n_pairs <= COUNTERS; (*next)++) {
        if ((placed >> *next & 1) != of_placed)
            continue;
        o.codes[o.n] = s->codes + (size_t)*next * (size_t)n;
        if (of_placed ? !take_placed(s, &o, o.n, column[*next], n) : !take(s, &o, o.n, &s->data->columns[column[*next]], n)) {
            if (of_placed)
                break; /* it is the first of the next ones */
            continue;
        }
        int apart = (int)tree_table_rows((uint32_t)o.n_codes[o.n]) * TREE_LANES;
        o.apart = apart > o.apart ? apart : o.apart;
        o.taken[o.n++] = *next;
    }
    return o;
}

uint32_t tree_table_try(struct tree_splitter *s, const int *column, int n_columns, const tree_sample *samples, int n, uint32_t placed, uint32_t *differ,
                        struct tree_split *best)
{
    uint32_t taken = 0;
    *differ = 0;
    take_weights(s);
    for (int of_placed = placed != 0; of_placed >= 0; of_placed--)
        for (int next = 0; next < n_columns;) {
            struct beside o = take_some(s, column, n_columns, n, placed, of_placed, &next);
            if (o.n > 0)
                count(s, &o, samples);
            for (int c = 0; c < o.n; c++) {
                *differ |= (uint32_t)try_table(s, &o, c, column[o.taken[c]], samples, n, best) << o.taken[c];
                taken |= (uint32_t)1 << o.taken[c];
            }
        }
    return taken;
}
