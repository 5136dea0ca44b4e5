/* Every verb, in the order that help shows them. */
#include "cli/verb.h"

#define VERBS(X)                                                                                             \
    X(init) X(run) X(plan) X(submit) X(status) X(ls) X(show) X(best) X(ensemble) X(reveal) X(export) X(predict) X(score) X(predictions)             \
        X(data_inspect) X(data_synth) X(db_check) X(db_digest) X(db_snapshot) X(db_upgrade) X(help)

#define X(name) extern const struct verb verb_##name;
VERBS(X)
#undef X

#define X(name) &verb_##name,
const struct verb *const verbs[] = {VERBS(X) 0};
#undef X
