/* What every model is: one file, one struct model_kind, one line in models/registry.c.
 *
 * A model is fitted in steps (an epoch of a network, a block of trees of a forest; one step where there is nothing to divide), so that
 * whoever drives it (models/training.h) can record curves, take checkpoints and stop between them. It is a function of its
 * specification alone: random numbers come from spec->key, sums over rows go through the gang. Models do not print, read files, or look at a clock.
 * struct model is the head of each kind's own struct, which is private to its file. */
#ifndef MODELS_MODEL_H
#define MODELS_MODEL_H

#include "base/buffer.h"
#include "base/param.h"
#include "flows/features.h"
#include "models/gang.h"

struct model_kind;

struct model {
    const struct model_kind *kind;
};

struct model_shape { /* what can be known before the data is touched: for validity, memory and cost */
    int steps, n_channels, n_statistics, n_classes, clip;
    bool has_signed_size;
    int token_channel; /* place of signed_size among the channels; of a finished model alone */
    int64_t train_rows, stop_rows, validation_rows;
};

struct model_bytes {        /* memory of a rank, about, without what model_kind.node_bytes tells */
    uint64_t fit;           /* while fitting: all that stays */
    uint64_t state, file;   /* what state_write gives at most, and write; 0 where fit has it */
    uint64_t sum;           /* what the ranks of a gang add up for a batch, once */
};

/* Memory that the ranks of this node share, for what each would else have to make for itself (model_kind.node_bytes). */
struct model_node {
    void *memory;     /* NULL: there is none */
    uint64_t version; /* of what lies or shall lie there; above 0, and another one whenever it is for something else */
    bool first;       /* of this gang's ranks on this node */
};

struct model_spec {
    const struct model_kind *kind;
    const struct params *params;     /* active parameters, complete: "dnn.dropout", "train.epochs", .. */
    const struct features *features; /* fitted, bound to the flows */
    const struct rows *train, *stop; /* stop: rows that early stopping watches */
    int n_classes;
    const char *metric;              /* study.metric: what early stopping watches unless train.monitor says otherwise */
    uint64_t key;                    /* names all random numbers of this trial */
    /* Training rows may be dealt over the gang's ranks (models/shard.h): this one holds run `shard` of n_shards, and train->row is -1 for what it lacks.
     * n_shards 0 or 1: it holds all. Of other rows it holds those that gang_rows has it predict. */
    int shard, n_shards;
    struct model_node node;
};

struct model_progress { /* what one step did; equal on every rank */
    int epoch;         /* finished so far (1 after the first); blocks of trees for a forest */
    bool epoch_ended;  /* false: stopped in the middle of one */
    bool stopped;      /* told to stop: save the state and leave */
    bool done;         /* nothing more to fit */
    bool has_loss, has_stop, has_oob;
    double train_loss, train_accuracy, stop_loss, stop_metric;
    double oob_accuracy; /* of a finished forest, where it was asked for (models/forest_oob.h) */
};

/* Called by long work between two rounds of it, collective, when state_write tells of all that was done so far, of how much: whoever waits may take a
 * checkpoint. */
struct model_between {
    enum status (*call)(void *context, int done, int all, struct error *e);
    void *context;
};

struct model_kind {
    const char *name, *help;
    const struct param *params; /* its group, named as it is; ends with a NULL name */
    bool by_epochs;             /* the group `train` is active for it */
    bool baseline;              /* runs once in every task without being asked for */
    bool blind;                 /* looks at labels alone, at no features */
    /* A parameter of its group, a whole number: the file of a finished model with less of it, all else equal, is a state that one with more goes on from,
     * to the same bits. NULL: there is none. A step adds so much of it, which so many ranks at most can share. */
    const char *grows;
    int grows_by;
    const char *extension;      /* of its file in a bundle: "safetensors", "forest", .. */
    /* STATUS_CONFIG, in words, where the parameters cannot work with this shape: an invalid point. */
    enum status (*check)(const struct params *p, const struct model_shape *shape, struct error *e);
    struct model_bytes (*bytes)(const struct params *p, const struct model_shape *shape);
    /* What the ranks of a node can share: a function of rows, steps, channels and statistics, and of what node_key appends, which names what is made of them (kinds
     * that say the same share it). NULL: nothing. */
    uint64_t (*node_bytes)(const struct model_shape *shape);
    void (*node_key)(const struct params *p, struct buffer *out);
    double (*flops)(const struct params *p, const struct model_shape *shape);   /* work of a whole fit, about; */
    double (*permute_flops)(const struct params *p, const struct model_shape *shape); /* that of permute, in the same unit. NULL: none */
    /* Allocates and initializes; not collective. *out = NULL on error. */
    enum status (*fit_new)(struct model **out, const struct model_spec *spec, struct error *e);
    /* Collective over the gang: one step. */
    enum status (*fit_step)(struct model *m, const struct model_spec *spec, struct gang *g, struct model_progress *progress, struct error *e);
    /* Everything fit_step needs to go on to the same bits; equal on every rank. state_read: into a model fresh from fit_new. */
    void (*state_write)(const struct model *m, struct buffer *out);
    enum status (*state_read)(struct model *m, const void *bytes, size_t n, struct error *e);
    /* Collective: probabilities (n, n_classes) of rows, on every rank; rows of a leaf are computed whole by one rank. */
    enum status (*predict)(const struct model *m, const struct features *x, const int32_t *rows, int n, struct gang *g, float *proba,
                           struct error *e);
    /* The finished model as a file's bytes (self-contained but for its params), and back; hostile bytes give STATUS_DATA. */
    void (*write)(const struct model *m, struct buffer *out);
    enum status (*read)(struct model **out, const struct params *p, const struct model_shape *shape, const void *bytes, size_t n,
                        struct error *e);
    /* Out of its file: how much each column takes of impurity (MDI, scikit-learn's feature_importances_), summing to 1, or all 0 where nothing was split.
     * out (columns). NULL where a model has none. STATUS_DATA. */
    enum status (*importances)(const void *bytes, size_t n, int columns, double *out, struct error *e);
    /* Collective: permutation importances of a finished model on rows, where its parameters ask for them: a name (string), mean and standard deviation of
     * the accuracy lost (f64) of each, appended on every rank. A rank holds the rows that gang_rows has it predict; y of all. STATUS_STOPPED, on every
     * rank: told to stop; what it has counted is kept in m, and state_write's. between may be NULL. NULL: has none. */
    enum status (*permute)(struct model *m, const struct model_spec *spec, const struct rows *rows, struct gang *g, const struct model_between *between,
                           struct buffer *out, struct error *e);
    void (*free)(struct model *m); /* NULL is fine */
};

/* What a point's model reads of a flow: its channels, packet by packet, or statistics (flows/statistics.h), or both. The majority class reads nothing. */
struct model_reads {
    bool channels, statistics;
};

/* models/registry.c */
extern const struct model_kind *const model_kinds[]; /* ends with NULL */
const struct model_kind *model_find(const char *name);
struct model_reads model_reads(const struct params *point); /* whose "model" is known */

/* The group `train`, shared by models that train by epochs (models/train_params.c). */
extern const struct param train_params[];

#endif
