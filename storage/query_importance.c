/* What a trial's features were worth: of every column and block, and as a profile over packets.
 *
 * MDI comes out of the model's file, that of a block is the sum of its columns'. Permutation importances stand beside the trial's metrics, where they
 * were asked for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flows/statistics.h"
#include "storage/query_private.h"

enum { BAR = 30, STATISTICS_SHOWN = 15 };

struct importances {
    struct db *d;
    int64_t trial;
    bool permuted;     /* there are such, too */
    struct features x; /* without flows */
    int n;             /* columns; 0: its model tells nothing */
    double *mdi;       /* (n) owned */
};

static void importances_fini(struct importances *i)
{
    features_fini(&i->x);
    free(i->mdi);
    *i = (struct importances){0};
}

static enum status read_mdi(struct db *d, int64_t trial, const struct model_kind *kind, struct importances *out, struct error *e)
{
    struct buffer model = {0};
    bool found;
    int epoch;
    enum status s = db_artifact_read(d, trial, "model", &model, &epoch, &found, e);
    if (s == STATUS_OK && found) {
        out->n = features_columns(&out->x);
        out->mdi = memory_new((size_t)out->n * sizeof *out->mdi);
        s = kind->importances(model.data, model.size, out->n, out->mdi, e);
    }
    buffer_fini(&model);
    return s;
}

static enum status read_trial(struct db *d, int64_t trial, struct importances *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    *out = (struct importances){0};
    TRY(sql_query(d, &s, e, "SELECT c.model, t.features FROM trial t JOIN configuration c ON c.id = t.configuration WHERE t.id = ? AND t.state = 'done'",
                  "i", trial));
    enum status status = sql_step(d, s, &row, e);
    const struct model_kind *kind = status == STATUS_OK && row ? model_find(sql_text(s, 0)) : NULL;
    if (kind && kind->importances && sqlite3_column_type(s, 1) != SQLITE_NULL) {
        status = features_from_json(sql_text(s, 1), &out->x, e);
        if (status == STATUS_OK)
            status = read_mdi(d, trial, kind, out, e);
    }
    sql_end(s);
    if (status != STATUS_OK)
        importances_fini(out);
    return status;
}

/* --- permutation --- */

static enum status read_permutation(const struct importances *i, const char *kind, const char *name, double *out, struct error *e)
{
    sqlite3_stmt *s;
    bool row;
    *out = NAN;
    TRY(sql_query(i->d, &s, e, "SELECT value FROM metric WHERE trial = ? AND part = 'validation' AND name = ? || ':' || ? AND epoch IS NULL", "itt", i->trial,
                  kind, name));
    enum status status = sql_step(i->d, s, &row, e);
    if (status == STATUS_OK && row)
        *out = sql_real(s, 0);
    sql_end(s);
    return status;
}

static void name_columns(const struct importances *i, struct table *out, int decimals)
{
    if (!i->permuted)
        return;
    table_column(out, "permutation", decimals);
    table_column(out, "permutation_sd", decimals);
}

static enum status any_permuted(struct importances *i, struct error *e)
{
    double mean;
    struct buffer name = {0};
    features_column_name(&i->x, 0, &name);
    enum status s = read_permutation(i, "permutation", name.data, &mean, e);
    i->permuted = !isnan(mean);
    buffer_fini(&name);
    return s;
}

/* Empty cells where the database says nothing of it. */
static void put_permutation(const struct importances *i, const char *name, struct table *out)
{
    double mean, sd;
    if (!i->permuted)
        return;
    bool told = read_permutation(i, "permutation", name, &mean, NULL) == STATUS_OK && read_permutation(i, "permutation_sd", name, &sd, NULL) == STATUS_OK;
    table_real(out, told ? mean : NAN);
    table_real(out, told ? sd : NAN);
}

/* --- blocks --- */

static int packet_columns(const struct importances *i)
{
    return i->x.steps * i->x.n_channels;
}

static void put_bar(struct table *out, double x, double most)
{
    char bar[BAR + 1];
    int n = most > 0 ? (int)lrint(BAR * x / most) : 0;
    memset(bar, '#', sizeof bar);
    bar[n] = '\0';
    table_text(out, bar);
}

static double largest(const double *x, int n)
{
    double most = 0;
    for (int k = 0; k < n; k++)
        most = x[k] > most ? x[k] : most;
    return most;
}

static void put_blocks(const struct importances *i, bool bars, struct table *out)
{
    double mdi[FEATURES_BLOCKS] = {0};
    int columns[FEATURES_BLOCKS] = {0};
    for (int c = 0; c < i->n; c++) {
        mdi[features_block(&i->x, c)] += i->mdi[c];
        columns[features_block(&i->x, c)]++;
    }
    table_column(out, "block", -1);
    table_column(out, "columns", -1);
    table_column(out, "mdi", bars ? 3 : -1);
    name_columns(i, out, bars ? 3 : -1);
    if (bars)
        table_column(out, "profile", -1);
    for (int b = 0; b < FEATURES_BLOCKS; b++) {
        if (columns[b] == 0)
            continue;
        struct buffer name = {0};
        features_block_name(&i->x, b, &name);
        table_text(out, name.data);
        table_int(out, columns[b]);
        table_real(out, mdi[b]);
        put_permutation(i, name.data, out);
        if (bars)
            put_bar(out, mdi[b], largest(mdi, FEATURES_BLOCKS));
        buffer_fini(&name);
    }
}

/* --- columns --- */

static void put_columns(const struct importances *i, struct table *out)
{
    static const char *const names[] = {"column", "block", "packet", "mdi"};
    for (int k = 0; k < 4; k++)
        table_column(out, names[k], -1);
    name_columns(i, out, -1);
    for (int c = 0; c < i->n; c++) {
        struct buffer name = {0}, block = {0};
        features_block_name(&i->x, features_block(&i->x, c), &block);
        features_column_name(&i->x, c, &name);
        table_text(out, name.data);
        table_text(out, block.data);
        if (c < packet_columns(i))
            table_int(out, c / i->x.n_channels + 1);
        else
            table_none(out);
        table_real(out, i->mdi[c]);
        put_permutation(i, name.data, out);
        buffer_fini(&name);
        buffer_fini(&block);
    }
}

/* A line a packet: each channel, where there are several; their sum. */
static void put_packets(const struct importances *i, struct table *out)
{
    int channels = i->x.n_channels;
    double *sums = memory_new((size_t)i->x.steps * sizeof *sums);
    for (int c = 0; c < packet_columns(i); c++)
        sums[c / channels] += i->mdi[c];
    table_column(out, "packet", -1);
    for (int c = 0; c < channels && channels > 1; c++)
        table_column(out, channel_names[i->x.channel[c]], 3);
    table_column(out, "mdi", 3);
    name_columns(i, out, 3);
    table_column(out, "profile", -1);
    for (int t = 0; t < i->x.steps; t++) {
        table_int(out, t + 1);
        for (int c = 0; c < channels && channels > 1; c++)
            table_real(out, i->mdi[t * channels + c]);
        table_real(out, sums[t]);
        char *name = channels > 1 ? memory_format("packet %d", t + 1) : memory_format("%s[%d]", channel_names[i->x.channel[0]], t + 1);
        put_permutation(i, name, out);
        free(name);
        put_bar(out, sums[t], largest(sums, i->x.steps));
    }
    free(sums);
}

/* The next smaller one: behind `last` in falling order, ties by number; -1 at first. */
static int next_smaller(const double *x, int n, int last)
{
    int best = -1;
    for (int k = 0; k < n; k++) {
        bool behind = last < 0 || x[k] < x[last] || (x[k] == x[last] && k > last);
        if (behind && (best < 0 || x[k] > x[best]))
            best = k;
    }
    return best;
}

/* The largest ones. */
static void put_statistics(const struct importances *i, struct table *out)
{
    const double *mdi = i->mdi + packet_columns(i);
    int n = i->n - packet_columns(i), k = -1;
    double shown = 0, all = 0;
    table_column(out, "statistic", -1);
    table_column(out, "mdi", 3);
    name_columns(i, out, 3);
    table_column(out, "profile", -1);
    for (int j = 0; j < n; j++)
        all += mdi[j];
    for (int j = 0; j < n && j < STATISTICS_SHOWN; j++) {
        struct buffer name = {0};
        k = next_smaller(mdi, n, k);
        statistics_name(i->x.statistics, k, &name);
        table_text(out, name.data);
        table_real(out, mdi[k]);
        put_permutation(i, name.data, out);
        put_bar(out, mdi[k], largest(mdi, n));
        shown += mdi[k];
        buffer_fini(&name);
    }
    if (n > STATISTICS_SHOWN)
        out->note = memory_format("%d others: %.3f together", n - STATISTICS_SHOWN, all - shown);
}

static void put_people(const struct importances *i, struct table *out, int *n)
{
    out[*n].title = memory_text(i->permuted ? "importances (mdi and its profile: share of the impurity that splits take away; permutation: validation accuracy that is lost without)"
                                             : "importances (mdi: share of the impurity that splits take away)");
    put_blocks(i, true, &out[(*n)++]);
    if (i->x.n_channels) {
        out[*n].title = memory_text("importances by packet");
        put_packets(i, &out[(*n)++]);
    }
    if (i->x.statistics) {
        out[*n].title = memory_text("importances of statistics");
        put_statistics(i, &out[(*n)++]);
    }
}

enum status query_importances(struct db *d, int64_t trial, bool whole, struct table *out, int *n, struct error *e)
{
    struct importances i;
    struct error why = {0};
    *n = 0;
    enum status s = read_trial(d, trial, &i, &why);
    i.d = d;
    i.trial = trial;
    if (s == STATUS_OK && i.n)
        s = any_permuted(&i, &why);
    if (s == STATUS_BUG || s == STATUS_MEMORY) {
        importances_fini(&i);
        return error_set(e, s, "%s", why.message);
    }
    if (s != STATUS_OK && whole) {
        out[0].title = memory_text("importances_error");
        table_column(&out[0], "why", -1);
        table_text(&out[(*n)++], why.message);
    } else if (s != STATUS_OK) {
        out[(*n)++].title = memory_format("importances cannot be told: %s", why.message);
    } else if (i.n && whole) {
        out[0].title = memory_text("importances");
        put_columns(&i, &out[0]);
        out[1].title = memory_text("importance_blocks");
        put_blocks(&i, false, &out[1]);
        *n = 2;
    } else if (i.n) {
        put_people(&i, out, n);
    }
    importances_fini(&i);
    return STATUS_OK;
}
