#include <time.h>

#include "cli/query_verbs.h"
#include "storage/query.h"

static enum status run(const struct arguments *a, struct error *e)
{
    struct table t = {0};
    return print_and_free(a, &t, query_status(a->positional[0], (double)time(NULL), &t, e), e);
}

const struct verb verb_status = {"status", "DB", "states, throughput, time left, best so far", NULL, 1, 1, true, run};
