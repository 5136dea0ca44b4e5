/* Taking at most train_rows of a task's training rows. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "flows/split.h"

enum { KEY_CAP = 0x636170 };

static void count_classes(const struct rows *rows, int64_t *counts)
{
    for (int i = 0; i < rows->n; i++)
        counts[rows->y[i]]++;
}

/* Shares cap rows among classes by largest remainder (Hamilton), ties to the earlier class. counts become quotas. */
static void quotas_of(int64_t *counts, int n_classes, int64_t total, int64_t cap)
{
    struct split_item *rest = memory_new((size_t)n_classes * sizeof *rest);
    int64_t given = 0;
    for (int c = 0; c < n_classes; c++) {
        int64_t product = counts[c] * cap;
        rest[c] = (struct split_item){0, (uint64_t)(total - product % total), c};
        counts[c] = product / total;
        given += counts[c];
    }
    split_sort(rest, (size_t)n_classes);
    for (int c = 0; given < cap; c++, given++)
        counts[rest[c].index]++;
    free(rest);
}

static int compare_latest(const void *a, const void *b, void *order)
{
    int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;
    const double *x = order;
    if (x[i] != x[j])
        return x[i] > x[j] ? -1 : 1;
    return (i < j) - (i > j);
}

/* Marks the rows to keep, in flows' numbering. */
static void keep_latest(struct split *s, const struct rows *rows, int cap, bool *keep)
{
    int32_t *sorted = memory_new((size_t)rows->n * sizeof *sorted);
    memcpy(sorted, rows->row, (size_t)rows->n * sizeof *sorted);
    qsort_r(sorted, (size_t)rows->n, sizeof *sorted, compare_latest, s->order);
    for (int i = 0; i < cap; i++)
        keep[sorted[i]] = true;
    free(sorted);
}

static void keep_by_hash(const struct split *s, const struct rows *rows, int cap, const int64_t *quotas,
                         bool *keep)
{
    uint64_t key = random_key(s->rest_key, KEY_CAP);
    struct split_item *items = memory_new((size_t)rows->n * sizeof *items);
    for (int i = 0; i < rows->n; i++)
        items[i] = (struct split_item){quotas ? (uint64_t)rows->y[i] : 0,
                                       random_key(key, (uint64_t)s->flows->row[rows->row[i]]), rows->row[i]};
    split_sort(items, (size_t)rows->n);
    int64_t taken = 0;
    for (int i = 0; i < rows->n; i++) {
        taken = i && items[i].group != items[i - 1].group ? 0 : taken;
        if (taken < (quotas ? quotas[items[i].group] : cap))
            keep[items[i].index] = true;
        taken++;
    }
    free(items);
}

void split_cap(struct split *s, struct rows *rows, int n_classes)
{
    int64_t cap = params_int(s->data, "split.train_rows");
    if (cap == 0 || rows->n <= cap)
        return;
    bool *keep = memory_new((size_t)s->flows->n);
    int64_t *quotas = memory_new((size_t)n_classes * sizeof *quotas);
    bool latest = params_is(s->data, "split.train_rows_from", "latest"),
         stratified = params_is(s->data, "split.train_rows_from", "stratified");
    count_classes(rows, quotas);
    quotas_of(quotas, n_classes, rows->n, cap);
    if (latest)
        keep_latest(s, rows, (int)cap, keep);
    else
        keep_by_hash(s, rows, (int)cap, stratified ? quotas : NULL, keep);
    int n = 0;
    for (int i = 0; i < rows->n; i++)
        if (keep[rows->row[i]]) {
            rows->row[n] = rows->row[i];
            rows->y[n++] = rows->y[i];
        }
    buffer_printf(&s->note, "%d of %d training rows taken, %s; ", n, rows->n,
                  latest       ? "the latest"
                  : stratified ? "the same share of every class"
                               : "at random");
    rows->n = n;
    free(keep);
    free(quotas);
}
