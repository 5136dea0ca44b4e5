#include "models/forest_data.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fault.h"
#include "base/memory.h"
#include "models/shard.h"

struct forest_cell {
    float value;
    uint32_t row;
};

static int by_value(const void *a, const void *b)
{
    const struct forest_cell *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

/* Codes of one column, its distinct values in order. */
static void code_column(const float *x, int n, struct forest_cell *cells, uint32_t *codes, float *values)
{
    size_t distinct = 0;
    for (int i = 0; i < n; i++)
        cells[i] = (struct forest_cell){x[i] + 0.0f, (uint32_t)i}; /* -0 becomes 0 */
    qsort(cells, (size_t)n, sizeof *cells, by_value);
    for (int i = 0; i < n; i++) {
        if (i == 0 || cells[i].value != cells[i - 1].value)
            values[distinct++] = cells[i].value;
        codes[cells[i].row] = (uint32_t)distinct - 1;
    }
}

/* --- a set --- */

struct set {
    _Atomic uint64_t *word;
    size_t *first;   /* (columns + 1) */
    uint32_t *codes; /* (columns, rows) */
    float *values;   /* (columns, rows): room for columns without equal values */
};

static struct set cut(struct slab *s, size_t rows, size_t columns)
{
    struct set set;
    set.word = slab_take(s, sizeof *set.word);
    set.first = slab_take(s, (columns + 1) * sizeof *set.first);
    set.codes = slab_take(s, columns * rows * sizeof *set.codes);
    set.values = slab_take(s, columns * rows * sizeof *set.values);
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

enum status forest_data_init(struct forest_data *d, const struct model_spec *spec, struct error *e)
{
    int columns = spec->features->steps * spec->features->n_channels, n = spec->train->n;
    size_t bytes = (size_t)forest_data_bytes(n, columns);
    *d = (struct forest_data){.tree = {.n = n, .n_columns = columns, .n_classes = spec->n_classes, .y = spec->train->y}};
    d->owned = !spec->node.memory;
    bool refused = fault_at(FAULT_ALLOCATE) == FAULT_ACTION_FAIL;
    d->set = d->owned ? aligned_alloc(SLAB_ALIGNMENT, bytes) : spec->node.memory;
    d->column = refused ? NULL : malloc((size_t)n * sizeof *d->column + 1);
    d->cells = malloc((size_t)n * sizeof *d->cells + 1);
    if (!d->set || !d->column || !d->cells) {
        forest_data_fini(d);
        return error_set(e, STATUS_MEMORY, "random_forest: no memory for %d rows of %d columns (%zu MB)", n, columns, bytes >> 20);
    }
    struct set s = set_of(d);
    d->tree.codes = s.codes;
    d->tree.values = s.values;
    d->tree.first = s.first;
    return STATUS_OK;
}

static void drop_scratch(struct forest_data *d)
{
    free(d->column);
    free(d->cells);
    d->column = NULL;
    d->cells = NULL;
}

void forest_data_fini(struct forest_data *d)
{
    drop_scratch(d);
    if (d->owned)
        free(d->set);
    *d = (struct forest_data){0};
}

/* --- filling --- */

/* Is the set this rank's to make? */
static bool claim(const struct forest_data *d, const struct model_spec *spec)
{
    uint64_t making = 2 * spec->node.version;
    if (d->owned)
        return true;
    _Atomic uint64_t *word = set_of(d).word;
    uint64_t found = atomic_load(word);
    while (spec->node.first && found != making && found != making + 1)
        if (atomic_compare_exchange_weak(word, &found, making))
            return true;
    return false;
}

/* Collective where rows are dealt: every rank's values of a column are needed by whoever makes a set. */
static enum status make(struct forest_data *d, const struct model_spec *spec, struct gang *g, bool mine, struct error *e)
{
    struct set s = set_of(d);
    size_t n = (size_t)d->tree.n;
    for (int c = 0; c < d->tree.n_columns; c++) {
        size_t at = (size_t)c * n;
        if (mine || spec->n_shards > 1)
            TRY(shard_column(spec, g, c, d->column, e));
        if (!mine)
            continue;
        code_column(d->column, d->tree.n, d->cells, s.codes + at, s.values + at);
        s.first[c] = at;
    }
    if (!mine)
        return STATUS_OK;
    s.first[d->tree.n_columns] = (size_t)d->tree.n_columns * n;
    atomic_store(s.word, 2 * spec->node.version + 1);
    return STATUS_OK;
}

/* Waits for a set that another rank makes; false where told to stop first. */
static bool stands(const struct forest_data *d, const struct model_spec *spec, struct gang *g)
{
    _Atomic uint64_t *word = set_of(d).word;
    const struct timespec moment = {0, 200000};
    while (atomic_load(word) != 2 * spec->node.version + 1) {
        if (g->stop(g))
            return false;
        nanosleep(&moment, NULL);
    }
    return true;
}

enum status forest_data_fill(struct forest_data *d, const struct model_spec *spec, struct gang *g, bool *stopped, struct error *e)
{
    bool mine, any;
    *stopped = false;
    if (d->filled)
        return STATUS_OK;
    mine = claim(d, spec);
    TRY(gang_any(g, mine, &any, e));
    if (any)
        TRY(make(d, spec, g, mine, e));
    TRY(gang_any(g, !stands(d, spec, g), stopped, e));
    d->filled = !*stopped;
    drop_scratch(d);
    return STATUS_OK;
}
