#include <stdio.h>
#include <stdlib.h>

#include "cli/query_verbs.h"
#include "storage/db.h"

static enum status run_check(const struct arguments *a, struct error *e)
{
    struct table t = {0};
    return print_and_free(a, &t, db_check(a->positional[0], &t, e), e);
}

static enum status run_digest(const struct arguments *a, struct error *e)
{
    char hex[HASH_HEX];
    TRY(db_digest(a->positional[0], hex, e));
    puts(hex); /* main sees whether it arrives */
    return STATUS_OK;
}

static enum status run_snapshot(const struct arguments *a, struct error *e)
{
    return db_snapshot(a->positional[0], a->positional[1], e);
}

static enum status run_upgrade(const struct arguments *a, struct error *e)
{
    char *line;
    TRY(db_upgrade(a->positional[0], &line, e));
    puts(line);
    free(line);
    return STATUS_OK;
}

const struct verb verb_db_check = {"db check", "DB", "looks for damage: pages, references, checksums, states", NULL, 1, 1, true, run_check};
const struct verb verb_db_digest = {"db digest", "DB", "one sha256 over all results: equal bits, equal digests", NULL, 1, 1, false, run_digest};
const struct verb verb_db_snapshot = {"db snapshot", "DB OUT", "a copy that is whole, also while a run writes", NULL, 2, 2, false, run_snapshot};
const struct verb verb_db_upgrade = {"db upgrade", "DB", "brings a database of an older flowsweep to this one's schema, and keeps it as it was", NULL, 1, 1, false, run_upgrade};
