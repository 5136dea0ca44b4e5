/* Seconds of epochs that were trained. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "storage/query_private.h"

/* Before version 3 seconds waited were those before the gang began, and no part of the attempt. */
static const char *text_of(const struct db *d)
{
    return d->version < 3 ? "SELECT t.identity, a.gang, sum(a.computed_s), sum(a.epoch_to - a.epoch_from) FROM attempt a JOIN trial t ON t.id = a.trial"
                            " WHERE a.outcome IN ('done', 'stopped') AND a.epoch_to > a.epoch_from AND a.computed_s > 0 GROUP BY 1, 2 ORDER BY 1, 2"
                          : "SELECT t.identity, a.gang, sum(a.computed_s + ifnull(a.waited_s, 0)), sum(a.epoch_to - a.epoch_from) FROM attempt a"
                            " JOIN trial t ON t.id = a.trial WHERE a.outcome IN ('done', 'stopped') AND a.epoch_to > a.epoch_from AND a.computed_s > 0"
                            " GROUP BY 1, 2 ORDER BY 1, 2";
}

static enum status take(struct db *d, struct query_speed **out, int *n, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    int capacity = 0;
    TRY(sql_query(d, &s, e, text_of(d), ""));
    enum status status;
    while ((status = sql_step(d, s, &row, e)) == STATUS_OK && row) {
        if (*n == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            *out = memory_resize(*out, (size_t)capacity * sizeof **out);
        }
        struct query_speed *speed = &(*out)[(*n)++];
        *speed = (struct query_speed){.ranks = (int)sqlite3_column_int64(s, 1), .seconds = sql_real(s, 2), .epochs = sqlite3_column_int64(s, 3)};
        snprintf(speed->identity, sizeof speed->identity, "%s", sql_text(s, 0));
    }
    sql_end(s);
    return status;
}

enum status query_speeds(const char *path, struct query_speed **out, int *n, struct error *e)
{
    struct db *d;
    *out = NULL;
    *n = 0;
    TRY(query_open(&d, path, e));
    enum status s = take(d, out, n, e);
    db_close(d);
    if (s != STATUS_OK) {
        free(*out);
        *out = NULL;
        *n = 0;
    }
    return s;
}
