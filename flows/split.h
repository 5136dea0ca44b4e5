/* Dealing rows into the four parts: what flows/task.c stands on.
 *
 * Rows are dealt once over all rows of the file, before any label is chosen, so a test row is a test row in every task. Chance enters only as
 * a keyed hash of the row's number in the file: layout, padding and the order of computation do not matter. The test part hangs on
 * the seed alone; the rest on seed and repeat. ordered, time and file leave nothing to chance: every repeat is dealt alike.
 * Rows of data.test_path, where there are some, are the test part, and no row of data.path is then. */
#ifndef FLOWS_SPLIT_H
#define FLOWS_SPLIT_H

#include "flows/task.h"

struct split {
    const struct flows *flows;
    const struct params *data;
    int n;                     /* rows to deal: those of data.path */
    double share[PART_COUNT];  /* of them; train is what is left */
    uint64_t test_key, rest_key;
    uint8_t *part;             /* (flows->n) enum part of each row; owned */
    double *order;             /* (n) where the split has one (row number, or time): train_rows_from = "latest"; owned */
    struct buffer note;        /* sentences, each ended by "; " */
};

/* Reads the parameters and deals. STATUS_CONFIG where flows lack what is asked for, STATUS_DATA for bad values or files. */
enum status split_new(struct split *s, const struct flows *f, const struct params *data, uint64_t seed, int repeat, struct error *e);
void split_fini(struct split *s);
/* Cuts rows (of n_classes) to split.train_rows of them. */
void split_cap(struct split *s, struct rows *rows, int n_classes);

/* One dealing each; part is all PART_TRAIN when they begin. */
enum status split_grouped(struct split *s, struct error *e);
enum status split_file(struct split *s, struct error *e);

/* Index of a meta column; STATUS_CONFIG names those there are. */
enum status split_meta(const struct flows *f, const char *name, int *column, struct error *e);
/* Rows that a share of n comes to. */
int64_t split_quota(double share, int64_t n);

/* Items to be sorted by group, then key, then index: a total order. */
struct split_item {
    uint64_t group, key;
    int32_t index;
};
void split_sort(struct split_item *items, size_t n);

#endif
