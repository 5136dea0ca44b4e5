/* Columns of a larger node by tables (tree_table.c). */
#ifndef MODELS_TREE_TABLE_H
#define MODELS_TREE_TABLE_H

#include "models/tree_split.h"

/* Of the node looked at last, whose samples are n: some columns, up to TREE_AT_ONCE, by their codes (n_columns, n), or NULL: by their planes. *best is
 * replaced by what gains more. Returns those that tables are good for, bit by bit; *differ: those of them that are not constant. */
uint32_t tree_table_try(struct tree_splitter *s, const int *column, int n_columns, const tree_sample *samples, int n, const uint32_t *codes, uint32_t *differ,
                        struct tree_split *best);
void tree_table_cut(struct tree_table_room *r, struct slab *slab);

#endif
