/* Dealing whole groups: rows that share meta columns, or whose signed sizes are equal. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "flows/split.h"

/* Rows of one group are items[first .. first + n), the first of them the lowest in the file, whose number names the group. */
struct group {
    int64_t first, n;
    enum part part;
};

/* FNV-1a (Fowler, Noll, Vo), over the text and its end, so that ("a","bc") and ("ab","c") differ. */
static uint64_t add_text(uint64_t h, const char *text)
{
    for (;; text++) {
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
        if (*text == '\0')
            return h;
    }
}

static enum status name_groups(const struct split *s, struct split_item *items, struct error *e)
{
    const struct flows *f = s->flows;
    const struct value *by = params_get(s->data, "split.by");
    int n_columns = !by ? 0 : by->kind == VALUE_LIST ? by->n : 1;
    const struct value *names = n_columns && by->kind == VALUE_LIST ? by->items : by;
    for (int i = 0; i < s->n; i++)
        items[i] = (struct split_item){
            n_columns ? UINT64_C(0xcbf29ce484222325) : task_sequence_hash(f, i, f->steps), 0, i};
    for (int c = 0; c < n_columns; c++) {
        int column;
        TRY(split_meta(f, names[c].text, &column, e));
        for (int i = 0; i < s->n; i++) {
            const char *text = f->meta[(size_t)i * f->n_meta + column];
            items[i].group = add_text(items[i].group, text ? text : "");
        }
    }
    return STATUS_OK;
}

static int64_t find_groups(const struct split_item *items, int64_t n, struct group *groups)
{
    int64_t n_groups = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || items[i].group != items[i - 1].group)
            groups[n_groups++] = (struct group){.first = i, .part = PART_TRAIN};
        groups[n_groups - 1].n++;
    }
    return n_groups;
}

/* Walks the groups in random order and takes each that brings the part nearer to its share of rows. */
static void take_groups(const struct split *s, const struct split_item *items, struct group *groups,
                        int64_t n, uint64_t key, enum part part)
{
    struct split_item *order = memory_new((size_t)n * sizeof *order);
    for (int64_t g = 0; g < n; g++)
        order[g] = (struct split_item){
            0, random_key(key, (uint64_t)s->flows->row[items[groups[g].first].index]), (int32_t)g};
    split_sort(order, (size_t)n);
    int64_t missing = split_quota(s->share[part], s->n);
    for (int64_t i = 0; i < n && missing > 0; i++) {
        struct group *g = &groups[order[i].index];
        if (g->part == PART_TRAIN && g->n - missing < missing) {
            g->part = part;
            missing -= g->n;
        }
    }
    free(order);
}

enum status split_grouped(struct split *s, struct error *e)
{
    struct split_item *items = memory_new((size_t)s->n * sizeof *items);
    struct group *groups = memory_new((size_t)s->n * sizeof *groups);
    enum status status = name_groups(s, items, e);
    if (status == STATUS_OK) {
        split_sort(items, (size_t)s->n);
        int64_t n = find_groups(items, s->n, groups);
        take_groups(s, items, groups, n, s->test_key, PART_TEST);
        take_groups(s, items, groups, n, random_key(s->rest_key, PART_VALIDATION), PART_VALIDATION);
        take_groups(s, items, groups, n, random_key(s->rest_key, PART_STOP), PART_STOP);
        for (int64_t g = 0; g < n; g++)
            for (int64_t i = 0; i < groups[g].n; i++)
                s->part[items[groups[g].first + i].index] = (uint8_t)groups[g].part;
        buffer_printf(&s->note, "%lld groups kept together; ", (long long)n);
    }
    free(groups);
    free(items);
    return status;
}
