/* What the query verbs show: each fills a struct table in one short read transaction, and lets go of the database before anyone prints.
 * No figure of the sealed test part leaves here but through query_reveal and predictions of part "test", both recorded in test_reading. */
#ifndef STORAGE_QUERY_H
#define STORAGE_QUERY_H

#include "base/table.h"
#include "storage/db.h"

enum status query_status(const char *path, double now, struct table *out, struct error *e);
struct query_ls {
    const char *state, *sort;      /* or NULL; "-column" sorts falling */
    const char *const *filters;    /* "column op value", op one of = != < <= > >= */
    int n_filters;
    const char *const *columns;    /* or none: a sensible choice */
    int n_columns;
    int limit;                     /* 0: all */
};
/* STATUS_USAGE names an unknown column, with the nearest. */
enum status query_ls(const char *path, const struct query_ls *q, struct table *out, struct error *e);
/* Best configurations of every task by the study's metric, mean over repeats. */
enum status query_best(const char *path, int k, struct table *out, struct error *e);
/* Everything about one trial, for people (several tables), and as one JSON object. */
enum status query_show(const char *path, int64_t trial, bool whole, struct table **tables, int *n, struct error *e);
enum status query_show_json(const char *path, int64_t trial, struct buffer *out, struct error *e);
/* Seconds that epochs of a trial took with so many ranks, over all attempts that ended by themselves. out (n): sorted by
 * identity, owned by the caller. STATUS_NO_INPUT where there is no database. */
struct query_speed {
    char identity[HASH_HEX];
    int ranks;
    double seconds;
    int64_t epochs;
};
enum status query_speeds(const char *path, struct query_speed **out, int *n, struct error *e);
/* row, label, one column a class (and true label first). part: "validation", "stop", "test" (recorded). */
enum status query_predictions(const char *path, int64_t trial, const char *part, struct table *out, struct error *e);

/* Selects the best ensemble of every task (task 0: all), and records it where the database can be written: unrecorded says why it cannot, as when a run
 * holds it; else its message is "". */
enum status query_ensemble(const char *path, int64_t task, struct error *unrecorded, struct table *out, struct error *e);
/* what: "ensemble", "best", "--all", or a trial's id. One row a model and task: accuracy, macro_f1, .., on seen and unseen sequences, shares. Appends to test_reading. */
enum status query_reveal(const char *path, const char *what, struct table *out, struct error *e);

#endif
