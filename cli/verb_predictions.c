#include "cli/query_verbs.h"
#include "storage/query.h"

static const struct verb_option options[] = {{"part", 0, "PART", "stop, validation (default) or test (recorded as a reading)"}, {0}};

static enum status run(const struct arguments *a, struct error *e)
{
    long trial;
    TRY(positional_int(a->positional[1], "TRIAL", 1, 2147483647, &trial, e));
    struct table t = {0};
    return print_and_free(a, &t, query_predictions(a->positional[0], trial, argument_text(a, "part", "validation"), &t, e), e);
}

const struct verb verb_predictions = {"predictions", "DB TRIAL", "probabilities of a trial: row, label, one column a class", options, 2, 2, true,
                                      run};
