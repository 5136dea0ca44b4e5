#include "cli/query_verbs.h"
#include "mpi/launch.h"
#include "storage/plan_table.h"

enum { SETS_MAX = 256 };

static const struct verb_option options[] = {{"set", 0, "PATH=VALUE", "replaces a value of the configuration; may be repeated"}, {0}};

static enum status run(const struct arguments *a, struct error *e)
{
    const char *sets[SETS_MAX];
    int n;
    TRY(argument_texts(a, "set", sets, SETS_MAX, &n, e));
    struct table t[3] = {{0}};
    struct error unfit = {0};
    enum status s = plan_tables(a->positional[0], sets, n, launch_workers(), t, &unfit, e);
    if (s == STATUS_OK)
        s = print_tables(a, t, table_rows(&t[2]) > 0 ? 3 : 2, e); /* gangs gain nothing where no network trains */
    if (s == STATUS_OK && unfit.code != STATUS_OK)
        s = error_set(e, unfit.code, "%s", unfit.message);
    for (int i = 0; i < 3; i++)
        table_fini(&t[i]);
    return s;
}

const struct verb verb_plan = {"plan", "CONFIG", "what run would do; touches nothing", options, 1, 1, true, run};
