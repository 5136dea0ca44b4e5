/* The group `train`: what can be said about training a network, and what of it does not go together. */
#include "models/train.h"

/* Studies from before there were conditions count momentum for adam, and beta_1, beta_2 and epsilon for sgd: these stay active there. */
const struct param train_params[] = {
    {"learning_rate", PARAM_REAL | PARAM_OPEN, 0, 100, NULL, "0.001", "size of a step; of a schedule: the largest"},
    {"batch_size", PARAM_INT, 1, 65536, NULL, "64", "rows a step is computed from"},
    {"epochs", PARAM_INT, 1, 100000, NULL, "20", "passes over the training rows, at most"},
    {"optimizer", PARAM_WORD, 0, 0, "adam|adamw|sgd|rmsprop", "\"adam\"", "how weights move"},
    {"momentum", PARAM_REAL, 0, 0.9999999, NULL, "0.0", "of sgd and rmsprop", "optimizer=adam|sgd|rmsprop"},
    {"nesterov", PARAM_BOOL | PARAM_LATER, 0, 0, NULL, "false", "of sgd: Nesterov's momentum", "optimizer=sgd"},
    {"beta_1", PARAM_REAL, 0, 0.9999999, NULL, "0.9", "of adam and adamw: decay of the mean", "optimizer=adam|adamw|sgd"},
    {"beta_2", PARAM_REAL, 0, 0.9999999, NULL, "0.999", "of adam and adamw: decay of the variance", "optimizer=adam|adamw|sgd"},
    {"rho", PARAM_REAL, 0, 0.9999999, NULL, "0.9", "of rmsprop: decay of the mean square", "optimizer=rmsprop"},
    {"centered", PARAM_BOOL, 0, 0, NULL, "false", "of rmsprop: by the variance, not the mean square", "optimizer=rmsprop"},
    {"epsilon", PARAM_REAL | PARAM_OPEN, 0, 1, NULL, "1e-7",
     "of adam and adamw: beside the root of the corrected variance; of rmsprop: under the root"},
    {"weight_decay", PARAM_REAL | PARAM_NONE | PARAM_LATER, 0, 1, NULL, "\"none\"",
     "times the rate: share that every weight loses in a step, apart from its gradient; none: 0.004 with adamw, otherwise 0"},
    {"clipvalue", PARAM_REAL | PARAM_OPEN | PARAM_NONE | PARAM_LATER, 0, 1e9, NULL, "\"none\"", "largest magnitude of a gradient's component"},
    {"global_clipnorm", PARAM_REAL | PARAM_OPEN | PARAM_NONE | PARAM_LATER, 0, 1e9, NULL, "\"none\"",
     "largest norm of the whole gradient: longer ones are scaled"},
    {"schedule", PARAM_WORD | PARAM_LATER, 0, 0, "constant|step|cosine|one_cycle|reduce_on_plateau", "\"constant\"",
     "how the rate goes on from learning_rate"},
    {"warmup_epochs", PARAM_INT | PARAM_LATER, 0, 100000, NULL, "0", "epochs in which the rate rises to learning_rate, before the schedule begins",
     "schedule!=one_cycle"},
    {"warmup_start", PARAM_REAL | PARAM_OPEN, 0, 1, NULL, "0.01", "share of learning_rate that warm-up begins with", "warmup_epochs!=0"},
    {"decay_epochs", PARAM_INT, 1, 100000, NULL, "10", "of step: epochs from one fall to the next", "schedule=step"},
    {"decay_rate", PARAM_REAL | PARAM_OPEN, 0, 1, NULL, "0.1", "of step: what the rate is multiplied by", "schedule=step"},
    {"alpha", PARAM_REAL, 0, 1, NULL, "0.0", "of cosine: share of learning_rate at the end of the last epoch", "schedule=cosine"},
    {"pct_start", PARAM_REAL, 0, 1, NULL, "0.3", "of one_cycle: share of the steps in which the rate rises", "schedule=one_cycle"},
    {"div_factor", PARAM_REAL, 1, 1e9, NULL, "25.0", "of one_cycle: learning_rate over the first rate", "schedule=one_cycle"},
    {"final_div_factor", PARAM_REAL, 1, 1e9, NULL, "10000.0", "of one_cycle: the first rate over the last", "schedule=one_cycle"},
    {"plateau_factor", PARAM_REAL | PARAM_OPEN, 0, 0.9999999, NULL, "0.1", "of reduce_on_plateau: what the rate is multiplied by",
     "schedule=reduce_on_plateau"},
    {"plateau_patience", PARAM_INT, 1, 100000, NULL, "2", "of reduce_on_plateau: epochs without a better one before the rate falls",
     "schedule=reduce_on_plateau"},
    {"plateau_min_delta", PARAM_REAL, 0, 100, NULL, "0.0001", "of reduce_on_plateau: a better epoch is better by more than this",
     "schedule=reduce_on_plateau"},
    {"plateau_cooldown", PARAM_INT, 0, 100000, NULL, "0", "of reduce_on_plateau: epochs after a fall before waiting begins anew",
     "schedule=reduce_on_plateau"},
    {"plateau_min_lr", PARAM_REAL, 0, 100, NULL, "0.0", "of reduce_on_plateau: no smaller rate than this", "schedule=reduce_on_plateau"},
    {"patience", PARAM_INT, 0, 100000, NULL, "5",
     "epochs without a better one before training ends, the best restored; 0: off"},
    {"monitor", PARAM_WORD | PARAM_NONE, 0, 0,
     "accuracy|balanced_accuracy|macro_precision|macro_recall|macro_f1|weighted_precision|weighted_recall|"
     "weighted_f1|log_loss|top3_accuracy|top5_accuracy",
     "\"none\"", "metric on the stop rows that patience and reduce_on_plateau watch; none: study.metric"},
    {"class_weight", PARAM_WORD | PARAM_NONE, 0, 0, "balanced", "\"none\"", "balanced: classes weigh alike"},
    {"label_smoothing", PARAM_REAL | PARAM_LATER, 0, 1, NULL, "0.0", "share of a label that is spread over all classes in the loss of training"},
    {0},
};

static bool given(const struct params *p, const char *name)
{
    const struct value *v = params_get(p, name);
    return v && v->kind != VALUE_NONE;
}

static enum status check_schedule(const struct params *p, struct error *e)
{
    double rate = params_real(p, "train.learning_rate");
    int64_t epochs = params_int(p, "train.epochs"), warmup = given(p, "train.warmup_epochs") ? params_int(p, "train.warmup_epochs") : 0;
    if (warmup >= epochs)
        return error_set(e, STATUS_CONFIG, "train.warmup_epochs = %lld leaves no epoch of train.epochs = %lld for the full rate",
                         (long long)warmup, (long long)epochs);
    if (given(p, "train.plateau_min_lr") && params_real(p, "train.plateau_min_lr") >= rate)
        return error_set(e, STATUS_CONFIG, "train.plateau_min_lr = %g must be below train.learning_rate = %g",
                         params_real(p, "train.plateau_min_lr"), rate);
    return STATUS_OK;
}

enum status train_params_check(const struct params *p, struct error *e)
{
    if (given(p, "train.clipvalue") && given(p, "train.global_clipnorm"))
        return error_set(e, STATUS_CONFIG, "train.clipvalue and train.global_clipnorm exclude each other: one of them must be none");
    if (given(p, "train.nesterov") && params_bool(p, "train.nesterov") && params_real(p, "train.momentum") <= 0)
        return error_set(e, STATUS_CONFIG, "train.nesterov needs train.momentum above 0");
    return check_schedule(p, e);
}
