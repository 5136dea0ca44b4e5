/* One attempt at one trial, on one rank of its gang: fit step by step, then predict the parts.
 *
 * The caller says where things go (struct training_sink); it is also who knows the time. Only the gang's rank 0 is asked and told, but for `peak`.
 * Collective over the gang. */
#ifndef MODELS_TRAINING_H
#define MODELS_TRAINING_H

#include "models/metrics.h"
#include "models/model.h"

struct training_result { /* valid on every rank; owned by the caller after training_run */
    int epochs;                       /* finished; of a failed attempt too */
    struct gang_cost cost;            /* of a finished or stopped one */
    struct buffer model;              /* the model's file */
    struct buffer importances;        /* what model_kind.permute says of validation rows */
    float *proba[PART_COUNT];         /* (rows, n_classes) for stop, validation and test; NULL for train */
};

struct training_sink {
    void *context;
    /* A finished epoch or block. */
    enum status (*epoch)(void *context, const struct model_progress *p, struct error *e);
    /* So many rounds of the work behind the last step (model_kind.permute's) are done. */
    enum status (*rounds)(void *context, int done, int all, struct error *e);
    /* Asked after each epoch, by rank 0 alone, its answer is shared: is a checkpoint due? */
    bool (*due)(void *context);
    /* Takes what m->kind->state_write gives, straight to where it wants it: it may be large. */
    enum status (*checkpoint)(void *context, int epoch, const struct model *m, struct error *e);
    /* Before the first step: the memory that a checkpoint will take, now that it can still be refused, and the state to go on from is no longer needed.
     * After the last step, with NULL: there will be none, and the last one has gone. */
    enum status (*room)(void *context, const struct model *m, struct error *e);
    /* Of this rank, and asked on all: bytes of memory at their most. */
    int64_t (*peak)(void *context);
};

/* state: on the gang's rank 0 a checkpoint to go on from, or NULL with n = 0; other ranks get it from there. STATUS_STOPPED: told to stop; the last checkpoint call holds the state.
 * task: whose rows spec trains on; test probabilities are computed too (they are stored sealed). */
enum status training_run(const struct model_spec *spec, const struct task *task, struct gang *g, const struct training_sink *sink,
                         const void *state, size_t n, struct training_result *out, struct error *e);
void training_result_fini(struct training_result *r);

#endif
