#include "cli/query_verbs.h"
#include "storage/query.h"

static const struct verb_option options[] = {{"top", 'k', "K", "so many of each task (default 5)"}, {0}};

static enum status run(const struct arguments *a, struct error *e)
{
    long k = 5;
    TRY(argument_int(a, "top", 1, 100000, &k, e));
    struct table t = {0};
    return print_and_free(a, &t, query_best(a->positional[0], (int)k, &t, e), e);
}

const struct verb verb_best = {"best", "DB", "best configurations of every task", options, 1, 1, true, run};
