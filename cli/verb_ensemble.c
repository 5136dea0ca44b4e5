#include <stdio.h>

#include "cli/query_verbs.h"
#include "storage/query.h"

static const struct verb_option options[] = {{"task", 0, "T", "only this task (its number in column task)"}, {0}};

static enum status run(const struct arguments *a, struct error *e)
{
    long task = 0;
    TRY(argument_int(a, "task", 1, 2147483647, &task, e));
    struct table t = {0};
    struct error unrecorded;
    enum status s = print_and_free(a, &t, query_ensemble(a->positional[0], task, &unrecorded, &t, e), e);
    if (s == STATUS_OK && unrecorded.message[0])
        fprintf(stderr, "not recorded: %s\n", unrecorded.message);
    return s;
}

const struct verb verb_ensemble = {"ensemble", "DB", "selects and records the best ensemble of every task", options, 1, 1, true, run};
