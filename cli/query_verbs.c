#include "cli/query_verbs.h"

enum status print_and_free(const struct arguments *a, struct table *t, enum status s, struct error *e)
{
    if (s == STATUS_OK)
        s = print_table(a, t, e);
    table_fini(t);
    return s;
}
