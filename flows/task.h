/* A task: which labels are kept and how many packets a model may see; and its four parts.
 *
 * Pure functions of flows, parameters and seed: every rank computes the same by itself.
 * split_params is the table of `data.split`; in struct params of data its names are "split.method", "split.stop", .. */
#ifndef FLOWS_TASK_H
#define FLOWS_TASK_H

#include "base/param.h"
#include "flows/flows.h"

extern const struct param split_params[]; /* "method", "stop", "validation", "test", "train_rows", "train_rows_from", "by", "path" */

enum part { PART_TRAIN, PART_STOP, PART_VALIDATION, PART_TEST, PART_COUNT };
extern const char *const part_names[PART_COUNT]; /* "train", "stop", "validation", "test" */

struct task_spec {
    int top_n;     /* most frequent classes; 0: all; -1 where min_flows rules */
    int min_flows; /* classes with at least so many; 0 where top_n rules */
    int steps;
};

struct rows { /* some rows of flows and the class of each within the task */
    int n;
    int32_t *row; /* (n) index into struct flows, in file order */
    int32_t *y;   /* (n) class, 0..n_classes-1 */
};

struct task {
    struct task_spec spec;
    int n_classes;
    int32_t *classes;    /* (n_classes) index into flows->labels: most frequent first, ties by name */
    const char **labels; /* (n_classes) names, pointing into flows */
    int64_t *counts;     /* (n_classes) rows of data.path */
    struct rows parts[PART_COUNT]; /* stop and validation are the same rows where split.stop = 0 */
    bool stop_is_validation;
    char *note; /* ties at the cut, classes that a part lacks, rows taken; or NULL */
};

/* data: the complete set of the group data, with split.*. seed: the study's; repeat deals training, stop and validation
 * anew (0 is the first dealing), test stays. STATUS_DATA where a part comes out empty or fewer than two classes are left,
 * STATUS_CONFIG where the split needs what the flows lack (meta column, time). */
enum status task_new(struct task **out, const struct flows *f, const struct params *data, const struct task_spec *spec, uint64_t seed,
                     int repeat, struct error *e);
void task_free(struct task *t);
/* Only n_classes, classes, labels, counts: for plans. Same errors. */
enum status task_labels(struct task **out, const struct flows *f, const struct task_spec *spec, struct error *e);

/* A flow's signed sizes, hashed: equal for flows that repeat (length and sizes of the first steps packets). */
uint64_t task_sequence_hash(const struct flows *f, int row, int steps);
/* Of each row of the test part: does its sequence occur in the training part? (rows of test) 0 or 1, owned by the caller. */
uint8_t *task_seen(const struct flows *f, const struct task *t);

#endif
