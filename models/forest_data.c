#include "models/forest_data.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

struct cell {
    float value;
    uint32_t row;
};

static int by_value(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

/* Codes of one column; how many distinct values there are, written to values. */
static size_t code_column(const float *x, int n, int stride, struct cell *cells, uint32_t *codes, float *values)
{
    size_t distinct = 0;
    for (int i = 0; i < n; i++)
        cells[i] = (struct cell){x[(size_t)i * (size_t)stride] + 0.0f, (uint32_t)i}; /* -0 becomes 0 */
    qsort(cells, (size_t)n, sizeof *cells, by_value);
    for (int i = 0; i < n; i++) {
        if (i == 0 || cells[i].value != cells[i - 1].value)
            values[distinct++] = cells[i].value;
        codes[cells[i].row] = (uint32_t)distinct - 1;
    }
    return distinct;
}

static enum status allocate(struct forest_data *d, size_t n, size_t columns, float **x, struct cell **cells, struct error *e)
{
    bool refused = fault_at(FAULT_ALLOCATE) == FAULT_ACTION_FAIL;
    d->codes = refused ? NULL : malloc(n * columns * sizeof *d->codes + 1);
    d->values = malloc(n * columns * sizeof *d->values + 1);
    d->first = calloc(columns + 1, sizeof *d->first);
    *x = malloc(n * columns * sizeof **x + 1);
    *cells = malloc(n * sizeof **cells + 1);
    return d->codes && d->values && d->first && *x && *cells ? STATUS_OK
                                                              : error_set(e, STATUS_MEMORY, "random_forest: no memory for %zu rows of %zu columns", n, columns);
}

enum status forest_data_init(struct forest_data *d, const struct features *x, const struct rows *rows, int n_classes, struct error *e)
{
    int columns = x->steps * x->n_channels;
    float *raw = NULL;
    struct cell *cells = NULL;
    *d = (struct forest_data){.tree = {.n = rows->n, .n_columns = columns, .n_classes = n_classes, .y = rows->y}};
    enum status s = allocate(d, (size_t)rows->n, (size_t)columns, &raw, &cells, e);
    if (s == STATUS_OK) {
        features_gather_raw(x, rows->row, rows->n, raw);
        for (int c = 0; c < columns; c++)
            d->first[c + 1] = d->first[c] + code_column(raw + c, rows->n, columns, cells, d->codes + (size_t)c * (size_t)rows->n,
                                                        d->values + d->first[c]);
        d->tree.codes = d->codes;
        d->tree.values = d->values;
        d->tree.first = d->first;
    } else {
        forest_data_fini(d);
    }
    free(raw);
    free(cells);
    return s;
}

void forest_data_fini(struct forest_data *d)
{
    free(d->codes);
    free(d->values);
    free(d->first);
    *d = (struct forest_data){0};
}
