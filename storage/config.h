/* The configuration: a libconfig file and --set, checked against the parameter tables of all rooms, defaults filled in. */
#ifndef STORAGE_CONFIG_H
#define STORAGE_CONFIG_H

#include "flows/flows_read.h"
#include "flows/task.h"
#include "sweep/scheduler.h"
#include "sweep/plan.h"
#include "sweep/space.h"

struct config {
    char *path;              /* as the user gave it, for messages */
    char *text;              /* the file's bytes, recorded per job */
    struct params study;     /* "name", "database" (resolved), "seed", "metric" */
    struct params data;      /* "path", "layout", .., "split.method", .., "synth.rows", ..: paths resolved */
    struct params search, budget, ranks, keep;
    struct task_spec *tasks; /* top_n (or min_flows) crossed with steps */
    int n_tasks;
    struct space space;
};

extern const struct param study_params[], task_params[], keep_params[];

/* path: a regular file of at most 1 MiB. sets: n texts "path=value". Errors name file and line.
 * STATUS_NO_INPUT, STATUS_CONFIG, STATUS_USAGE for a malformed --set. */
enum status config_read(const char *path, const char *const *sets, int n, struct config *out, struct error *e);
void config_fini(struct config *c);
/* Everything a rank needs, as bytes, and back: workers get the coordinator's. */
void config_write(const struct config *c, struct buffer *out);
enum status config_decode(const void *bytes, size_t n, struct config *out, struct error *e);
/* What the study's hash covers besides the parsed rows, as canonical text, one "key = value" a line, so that differences can be told. */
void config_study_text(const struct config *c, const char *data_hash, struct buffer *out);
/* Gang size for a model. */
int config_ranks(const struct config *c, const struct model_kind *kind);

/* The groups of the configuration, for help, man page and completion: name, table, one line. */
struct config_group {
    const char *name, *help;
    const struct param *params;
};
int config_groups(struct config_group *out, int max);

/* Reads flows and makes the plan: what `run` and `plan` begin with. */
enum status config_plan(const struct config *c, const struct flows *f, struct plan **out, struct error *e);

#endif
