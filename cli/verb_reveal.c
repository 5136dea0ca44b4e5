#include <string.h>

#include "cli/query_verbs.h"
#include "storage/query.h"

static const struct verb_option options[] = {{"all", 0, NULL, "every finished trial"}, {0}};

static enum status run(const struct arguments *a, struct error *e)
{
    bool all = argument_given(a, "all");
    const char *what = a->n_positional > 1 ? a->positional[1] : all ? "--all" : NULL;
    if (all && a->n_positional > 1) /* a look at the sealed part cannot be taken back: ask rather than guess */
        return error_set(e, STATUS_USAGE, "reveal: either %s or --all, not both", what);
    if (!what)
        return error_set(e, STATUS_USAGE, "reveal: say what: ensemble, best, a trial's number, or --all");
    struct table t = {0};
    return print_and_free(a, &t, query_reveal(a->positional[0], what, &t, e), e);
}

const struct verb verb_reveal = {"reveal", "DB ensemble|best|TRIAL|--all", "reads the sealed test split, and records that it was read", options,
                                 1, 2, true, run};
