#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/query_verbs.h"
#include "storage/query.h"

enum { LIST_MAX = 64 };

static const struct verb_option options[] = {{"state", 0, "STATE", "only trials in this state"},
                                             {"filter", 0, "'COLUMN OP VALUE'", "only rows that hold this; may be repeated (= != < <= > >=)"},
                                             {"sort", 0, "COLUMN", "by this column; -COLUMN: falling"},
                                             {"columns", 0, "A,B,..", "these columns"},
                                             {"limit", 0, "K", "at most so many rows"},
                                             {0}};

static enum status run(const struct arguments *a, struct error *e)
{
    const char *filters[LIST_MAX], *columns[LIST_MAX];
    long limit = 0;
    TRY(argument_int(a, "limit", 0, 1000000000, &limit, e));
    struct query_ls q = {.state = argument_text(a, "state", NULL), .sort = argument_text(a, "sort", NULL), .filters = filters,
                         .columns = columns, .limit = (int)limit};
    TRY(argument_texts(a, "filter", filters, LIST_MAX, &q.n_filters, e));
    char *list = memory_text(argument_text(a, "columns", "")), *save = NULL, *c = strtok_r(list, ",", &save);
    for (; c && q.n_columns < LIST_MAX; c = strtok_r(NULL, ",", &save))
        columns[q.n_columns++] = c;
    struct table t = {0};
    enum status s = c ? error_set(e, STATUS_USAGE, "--columns: at most %d are taken", LIST_MAX)
                      : print_and_free(a, &t, query_ls(a->positional[0], &q, &t, e), e);
    free(list);
    return s;
}

const struct verb verb_ls = {"ls", "DB", "trials, one a line", options, 1, 1, true, run};
