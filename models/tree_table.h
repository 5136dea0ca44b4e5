/* Columns of a larger node by tables (tree_table.c). */
#ifndef MODELS_TREE_TABLE_H
#define MODELS_TREE_TABLE_H

#include "models/tree_split.h"

/* Is the node looked at last, of n samples, one for tables? */
bool tree_table_take(const struct tree_splitter *s, int n);
/* Of such a node that has planes: which of some columns, bit by bit, are counted as their planes have them. */
uint32_t tree_table_placed(const struct tree_splitter *s, const int *column, int n_columns, int n);
/* Of such a node: some columns, up to TREE_AT_ONCE; those that are not placed by their codes (s->codes). *best is replaced by what gains more. Returns those
 * that tables are good for, bit by bit, all that are placed among them; *differ: those of them that are not constant. */
uint32_t tree_table_try(struct tree_splitter *s, const int *column, int n_columns, const tree_sample *samples, int n, uint32_t placed, uint32_t *differ,
                        struct tree_split *best);
void tree_table_cut(struct tree_table_room *r, struct slab *slab);

#endif
