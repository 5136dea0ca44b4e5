/* A table of typed cells: what query verbs and descriptions hand to whoever prints them.
 *
 * Rows are added cell by cell, left to right. The table owns its text. Formats (aligned text, csv, json) are cli/'s. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/value.h"

struct table_column {
    char *name;
    int decimals; /* of numbers in the aligned format; -1: as they are */
};

struct table {
    char *title; /* or NULL: a line above the aligned format, not part of the data */
    struct table_column *columns;
    int n_columns;
    struct value *cells; /* n_cells = rows * n_columns once whole; VALUE_NONE is an empty cell */
    int n_cells;
    char *note; /* or NULL: a line below the aligned format */
};

void table_fini(struct table *t);
void table_column(struct table *t, const char *name, int decimals);
int table_rows(const struct table *t);
const struct value *table_cell(const struct table *t, int row, int column);
int table_find(const struct table *t, const char *column); /* index, or -1 */

void table_none(struct table *t);
void table_int(struct table *t, int64_t x);
void table_real(struct table *t, double x); /* NaN is an empty cell */
void table_float(struct table *t, float x); /* printed with the digits that tell it from other floats, not those of a double */
void table_text(struct table *t, const char *x); /* NULL is an empty cell */
void table_value(struct table *t, const struct value *v);

#endif
