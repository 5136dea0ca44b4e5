/* What the query files share. */
#ifndef STORAGE_QUERY_PRIVATE_H
#define STORAGE_QUERY_PRIVATE_H

#include "storage/db_private.h"
#include "storage/query.h"

/* Appends the rows of a statement to a table; columns are made where the table has none. */
enum status query_table(struct db *d, struct table *out, struct error *e, const char *text, const char *types, ...);
enum status query_step_table(struct db *d, sqlite3_stmt *s, struct table *out, struct error *e);
/* Opens for reading, with the study's metric, inside one read transaction. */
enum status query_open(struct db **out, const char *path, struct error *e);
/* One line: "seal: read 2 times". */
enum status query_readings(struct db *d, char **note, struct error *e);
enum status query_record_reading(struct db *d, const char *what, int64_t task, int64_t trial, int64_t ensemble, struct error *e);

/* What a trial's features were worth, where its model tells (models/model.h: importances): *n tables of QUERY_IMPORTANCES at most. whole: for programs, every
 * column, and blocks, each named by its title; else for people. Where the model cannot be read a title says why. */
enum { QUERY_IMPORTANCES = 3 };
enum status query_importances(struct db *d, int64_t trial, bool whole, struct table *out, int *n, struct error *e);

/* A member of the plain average, or of an ensemble: a trial and its share. */
struct query_member {
    int64_t trial;
    double weight;
};
/* Probabilities of a mix of trials on a part; *rows holds truth, seen, rows of the first. n at least 1.
 * STATUS_USAGE where one has none left, or other rows. */
enum status query_mix(struct db *d, const struct query_member *members, int n, const char *part, struct db_prediction *out, struct error *e);
/* Of as many classes too. */
bool query_same_rows(const struct db_prediction *a, const struct db_prediction *b);
/* The best finished configuration's trials of a model (NULL: any that is no baseline) on a task; n 0 where there is none. Owned by the caller. */
enum status query_best_members(struct db *d, int64_t task, const char *model, struct query_member **out, int *n, struct error *e);
/* The newest ensemble of a task; *id 0 where there is none. STATUS_IO where it has no members, or weights that do not sum to 1. */
enum status query_ensemble_members(struct db *d, int64_t task, int64_t *id, struct query_member **out, int *n, struct error *e);
/* Ids of the tasks; owned by the caller. task above 0: that one alone (STATUS_USAGE where it is none). */
enum status query_tasks(struct db *d, int64_t task, int64_t **out, int *n, struct error *e);

#endif
