#include "flows/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

#define SHARE(name, fallback, help)                                                                          \
    {                                                                                                        \
        name, PARAM_REAL, 0, 0.99, NULL, fallback, help                                                      \
    }

const struct param split_params[] = {
    {"method", PARAM_WORD, 0, 0, "stratified|ordered|time|grouped|file", "\"stratified\"",
     "how rows are dealt: shares of every label, by row, by a time, groups kept together, or by a file"},
    SHARE("stop", "0.05", "share of rows for early stopping and pruning; 0: validation does both"),
    SHARE("validation", "0.1", "share of rows for choosing and ensembles"),
    SHARE("test", "0.2", "share of rows that stays sealed"),
    {"train_rows", PARAM_INT, 0, 2147483647, NULL, "0",
     "at most so many training rows after labels are kept; 0: all"},
    {"train_rows_from", PARAM_WORD, 0, 0, "stratified|latest|random", "\"stratified\"",
     "which training rows are taken"},
    {"by", PARAM_TEXT | PARAM_LIST | PARAM_LONE, 0, 0, NULL, NULL,
     "meta columns: one number for time (\"start\" unless given), those that make a group for grouped (none: "
     "equal sequences)"},
    {"path", PARAM_TEXT, 0, 0, NULL, NULL, "for file: one line a row, train, stop, validation or test"},
    {0},
};

enum { KEY_TEST = 0x74657374, KEY_REST = 0x72657374 }; /* "test", "rest" */

static int compare_items(const void *a, const void *b)
{
    const struct split_item *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

void split_sort(struct split_item *items, size_t n)
{
    qsort(items, n, sizeof *items, compare_items);
}

int64_t split_quota(double share, int64_t n)
{
    return (int64_t)floor(share * (double)n + 0.5);
}

enum status split_meta(const struct flows *f, const char *name, int *column, struct error *e)
{
    struct buffer known = {0};
    for (int i = 0; i < f->n_meta; i++) {
        if (strcmp(f->meta_names[i], name) == 0) {
            *column = i;
            buffer_fini(&known);
            return STATUS_OK;
        }
        buffer_printf(&known, "%s%s", i ? ", " : "", f->meta_names[i]);
    }
    if (f->n_meta == 0)
        error_set(e, STATUS_CONFIG, "split.by: the column \"%s\" is one of data.meta, which is not given",
                  name);
    else
        error_set(e, STATUS_CONFIG, "split.by: data.meta has no column \"%s\"; it has %s", name, known.data);
    buffer_fini(&known);
    return STATUS_CONFIG;
}

/* Sets the part of the next items that are still in training, up to quota, at least one stays. */
static void take(struct split *s, const struct split_item *items, int64_t n, int64_t quota, enum part part,
                 int64_t *left)
{
    for (int64_t i = 0; i < n && quota > 0 && *left > 1; i++)
        if (s->part[items[i].index] == PART_TRAIN) {
            s->part[items[i].index] = (uint8_t)part;
            quota--;
            --*left;
        }
}

static void shuffle_items(const struct split *s, struct split_item *items, uint64_t key)
{
    for (int i = 0; i < s->n; i++)
        items[i] =
            (struct split_item){(uint64_t)s->flows->label[i], random_key(key, (uint64_t)s->flows->row[i]), i};
    split_sort(items, (size_t)s->n);
}

/* Deals shares of every label, in the order of items, to n_parts parts. */
static void deal_labels(struct split *s, const struct split_item *items, const enum part *parts, int n_parts)
{
    for (int64_t i = 0, end; i < s->n; i = end) {
        int64_t left = 0;
        for (end = i; end < s->n && items[end].group == items[i].group; end++)
            left += s->part[items[end].index] == PART_TRAIN;
        for (int p = 0; p < n_parts; p++)
            take(s, items + i, end - i, split_quota(s->share[parts[p]], end - i), parts[p], &left);
    }
}

static void split_stratified(struct split *s)
{
    struct split_item *items = memory_new((size_t)s->n * sizeof *items);
    shuffle_items(s, items, s->test_key);
    deal_labels(s, items, (const enum part[]){PART_TEST}, 1);
    shuffle_items(s, items, s->rest_key);
    deal_labels(s, items, (const enum part[]){PART_VALIDATION, PART_STOP}, 2);
    free(items);
}

/* Bits of a double as a number that sorts alike. */
static uint64_t sortable(double x)
{
    uint64_t bits;
    x += 0.0; /* -0 becomes 0 */
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

/* Train, stop, validation, test in the order of s->order; ties keep the file's. */
static void split_by_order(struct split *s)
{
    struct split_item *items = memory_new((size_t)s->n * sizeof *items);
    for (int i = 0; i < s->n; i++)
        items[i] = (struct split_item){0, sortable(s->order[i]), i};
    split_sort(items, (size_t)s->n);
    int64_t at = s->n;
    for (int part = PART_TEST; part > PART_TRAIN; part--)
        for (int64_t quota = split_quota(s->share[part], s->n); quota > 0 && at > 0; quota--)
            s->part[items[--at].index] = (uint8_t)part;
    free(items);
}

static enum status read_times(struct split *s, struct error *e)
{
    const struct flows *f = s->flows;
    const struct value *by = params_get(s->data, "split.by");
    int column;
    if (by && by->kind == VALUE_LIST && by->n != 1)
        return error_set(e, STATUS_CONFIG, "split.by: a split by time goes by one column, not %d", by->n);
    const struct value *name = by && by->kind == VALUE_LIST ? &by->items[0] : by;
    TRY(split_meta(f, name ? name->text : "start", &column, e));
    for (int i = 0; i < s->n; i++) {
        const char *text = f->meta[(size_t)i * f->n_meta + column];
        char *end = NULL;
        double t = text ? strtod(text, &end) : NAN;
        if (!text || end == text || *end || !isfinite(t))
            return error_set(e, STATUS_DATA,
                             "data.meta, row %d: column %s: \"%.40s\" is no number to order by", f->row[i],
                             f->meta_names[column], text ? text : "");
        s->order[i] = t;
    }
    return STATUS_OK;
}

static enum status deal(struct split *s, struct error *e)
{
    if (params_is(s->data, "split.method", "grouped"))
        return split_grouped(s, e);
    if (params_is(s->data, "split.method", "file"))
        return split_file(s, e);
    if (params_is(s->data, "split.method", "stratified")) {
        split_stratified(s);
        return STATUS_OK;
    }
    if (params_is(s->data, "split.method", "time"))
        TRY(read_times(s, e));
    split_by_order(s);
    return STATUS_OK;
}

static enum status read_shares(struct split *s, struct error *e)
{
    double total = 0;
    for (int part = PART_STOP; part < PART_COUNT; part++) {
        char *name = memory_format("split.%s", part_names[part]);
        s->share[part] = params_real(s->data, name);
        free(name);
    }
    if (s->n < s->flows->n && s->share[PART_TEST] > 0) {
        s->share[PART_TEST] = 0;
        buffer_puts(&s->note, "test is data.test_path, split.test does not count; ");
    }
    for (int part = PART_STOP; part < PART_COUNT; part++)
        total += s->share[part];
    if (params_is(s->data, "split.method", "file"))
        return STATUS_OK;
    if (total >= 1)
        return error_set(
            e, STATUS_CONFIG,
            "split: stop, validation and test make %.4g of all rows, which leaves none to train on", total);
    if (s->share[PART_STOP] <= 0 && s->share[PART_VALIDATION] <= 0)
        return error_set(e, STATUS_CONFIG,
                         "split: stop and validation are both 0, so nothing is left to choose by");
    return STATUS_OK;
}

enum status split_new(struct split *s, const struct flows *f, const struct params *data, uint64_t seed,
                      int repeat, struct error *e)
{
    *s = (struct split){.flows = f, .data = data, .n = f->n_first};
    s->test_key = random_key(seed, KEY_TEST);
    s->rest_key = random_key(random_key(seed, KEY_REST), (uint64_t)repeat);
    s->part = memory_new((size_t)f->n);
    s->order = memory_new((size_t)s->n * sizeof *s->order);
    for (int i = 0; i < s->n; i++)
        s->order[i] = f->row[i];
    enum status status = read_shares(s, e);
    if (status == STATUS_OK)
        status = deal(s, e);
    for (int i = s->n; i < f->n; i++)
        s->part[i] = PART_TEST;
    if (status != STATUS_OK)
        split_fini(s);
    return status;
}

void split_fini(struct split *s)
{
    free(s->part);
    free(s->order);
    buffer_fini(&s->note);
    *s = (struct split){0};
}
