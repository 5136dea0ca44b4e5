#include "base/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void table_fini(struct table *t)
{
    for (int i = 0; i < t->n_cells; i++)
        value_fini(&t->cells[i]);
    for (int i = 0; i < t->n_columns; i++)
        free(t->columns[i].name);
    free(t->cells);
    free(t->columns);
    free(t->title);
    free(t->note);
    *t = (struct table){0};
}

void table_column(struct table *t, const char *name, int decimals)
{
    t->columns = memory_resize(t->columns, (size_t)(t->n_columns + 1) * sizeof *t->columns);
    t->columns[t->n_columns++] = (struct table_column){memory_text(name), decimals};
}

int table_rows(const struct table *t)
{
    return t->n_columns ? t->n_cells / t->n_columns : 0;
}

const struct value *table_cell(const struct table *t, int row, int column)
{
    return &t->cells[row * t->n_columns + column];
}

int table_find(const struct table *t, const char *column)
{
    for (int i = 0; i < t->n_columns; i++)
        if (strcmp(t->columns[i].name, column) == 0)
            return i;
    return -1;
}

void table_value(struct table *t, const struct value *v)
{
    if ((t->n_cells & (t->n_cells - 1)) == 0) {
        size_t room = t->n_cells ? 2 * (size_t)t->n_cells : 1;
        t->cells = memory_resize(t->cells, room * sizeof *t->cells);
    }
    t->cells[t->n_cells++] = value_copy(v);
}

void table_none(struct table *t)
{
    struct value v = value_none();
    table_value(t, &v);
}

void table_int(struct table *t, int64_t x)
{
    struct value v = value_int(x);
    table_value(t, &v);
}

void table_real(struct table *t, double x)
{
    struct value v = isnan(x) ? value_none() : value_real(x);
    table_value(t, &v);
}

void table_float(struct table *t, float x)
{
    table_real(t, value_of_float(x));
}

void table_text(struct table *t, const char *x)
{
    if (!x) {
        table_none(t);
        return;
    }
    struct value v = {.kind = VALUE_TEXT, .text = (char *)(uintptr_t)x};
    table_value(t, &v);
}
