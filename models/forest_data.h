/* Training rows as trees want them: every column's values replaced by their place among its sorted distinct ones.
 *
 * A set of codes is large, needs all rows, and depends on the rows, channels and bins alone, so the ranks of a node share one where there is memory for it
 * (spec->node): whoever comes first begins to make it, of whatever gang; whoever comes before it stands takes some of its columns (where rows are dealt over
 * a gang, one rank codes all of them). Its first word says what it is:
 *
 *     3 * version    somebody begins it    3 * version + 1    it is open: others may help    3 * version + 2    it stands    (anything else: an older one)
 *
 * Who has begun to make a set, or taken columns, always ends without waiting for another set, so no two gangs wait for each other. Without shared
 * memory a rank makes its own. */
#ifndef MODELS_FOREST_DATA_H
#define MODELS_FOREST_DATA_H

#include "base/memory.h"
#include "models/forest_codes.h"
#include "models/model.h"
#include "models/tree.h"

struct forest_data {
    struct tree_data tree;     /* columns point into a set */
    struct tree_column *columns; /* owned */
    void *set;                 /* this rank's own or the node's */
    bool owned, filled;
    struct slab scratch;       /* until it is filled: */
    float *values;             /* (TOGETHER, rows) of some columns */
    uint16_t *places;          /* of a column's codes in tables (tree_table_place), fewer than FOREST_CODES_TABLE */
    struct forest_codes codes;
};

/* Bytes of a set. */
uint64_t forest_data_bytes(int64_t rows, int columns);
/* Memory; not collective. spec->train must outlive it. max_bins, 0 or at least 2: as in models/forest_codes.h.
 * STATUS_MEMORY. */
enum status forest_data_init(struct forest_data *d, const struct model_spec *spec, int max_bins, struct error *e);
/* Collective: makes what is not there yet, from raw (unscaled) features. *stopped, equal on every rank: a rank was told to stop while it waited. */
enum status forest_data_fill(struct forest_data *d, const struct model_spec *spec, struct gang *g, bool *stopped, struct error *e);
void forest_data_fini(struct forest_data *d);

#endif
