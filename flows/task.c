#include "flows/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "flows/split.h"

const char *const part_names[PART_COUNT] = {"train", "stop", "validation", "test"};

uint64_t task_sequence_hash(const struct flows *f, int row, int steps)
{
    int n = f->length[row] < steps ? f->length[row] : steps;
    const float *size = f->size + (size_t)row * f->steps;
    uint64_t h = random_key(0, (uint64_t)n);
    for (int t = 0; t < n; t++) {
        float x = size[t] + 0.0f; /* -0 becomes 0 */
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        h = random_key(h, bits);
    }
    return h;
}

struct counted {
    int64_t count;
    int32_t label;
};

/* Most frequent first; labels stand in byte order, so the index breaks ties by name. */
static int by_count(const void *a, const void *b)
{
    const struct counted *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

static struct counted *count_labels(const struct flows *f)
{
    struct counted *counted = memory_new((size_t)f->n_labels * sizeof *counted);
    for (int l = 0; l < f->n_labels; l++)
        counted[l].label = l;
    for (int i = 0; i < f->n_first; i++)
        if (f->label[i] >= 0)
            counted[f->label[i]].count++;
    qsort(counted, (size_t)f->n_labels, sizeof *counted, by_count);
    return counted;
}

/* How many of the sorted classes the task keeps. */
static int classes_kept(const struct counted *counted, int n, const struct task_spec *spec)
{
    int64_t least = spec->min_flows > 0 ? spec->min_flows : 1;
    int kept = 0;
    while (kept < n && counted[kept].count >= least)
        kept++;
    return spec->top_n > 0 && spec->top_n < kept ? spec->top_n : kept;
}

static void note_cut(const struct flows *f, const struct counted *counted, int kept,
                     const struct task_spec *spec, struct buffer *note)
{
    if (spec->top_n > kept)
        buffer_printf(note, "top_n = %d, but there are %d classes; ", spec->top_n, kept);
    if (spec->top_n != kept || kept >= f->n_labels || counted[kept].count != counted[kept - 1].count)
        return;
    int tied = 0;
    for (int i = kept; i < f->n_labels && counted[i].count == counted[kept].count; i++)
        tied++;
    buffer_printf(
        note, "tie at the cut: \"%s\" is kept by its name, \"%s\"%s with as many rows (%lld) %s left out; ",
        f->labels[counted[kept - 1].label], f->labels[counted[kept].label], tied > 1 ? " and others" : "",
        (long long)counted[kept].count, tied > 1 ? "are" : "is");
}

static void describe_spec(const struct task_spec *spec, char *out, size_t size)
{
    if (spec->min_flows > 0)
        snprintf(out, size, "min_flows = %d", spec->min_flows);
    else
        snprintf(out, size, "top_n = %d", spec->top_n > 0 ? spec->top_n : 0);
}

/* A new task with its classes, and what there is to say of them in note. */
static enum status keep_labels(struct task **out, const struct flows *f, const struct task_spec *spec,
                               struct buffer *note, struct error *e)
{
    *out = NULL;
    struct counted *counted = count_labels(f);
    int kept = classes_kept(counted, f->n_labels, spec);
    if (kept < 2) {
        char words[64];
        describe_spec(spec, words, sizeof words);
        free(counted);
        return error_set(e, STATUS_DATA, "%s keeps %d of %d labels; a task needs at least two", words, kept,
                         f->n_labels);
    }
    struct task *t = memory_new(sizeof *t);
    t->spec = *spec;
    t->n_classes = kept;
    t->classes = memory_new((size_t)kept * sizeof *t->classes);
    t->labels = memory_new((size_t)kept * sizeof *t->labels);
    t->counts = memory_new((size_t)kept * sizeof *t->counts);
    for (int c = 0; c < kept; c++) {
        t->classes[c] = counted[c].label;
        t->labels[c] = f->labels[counted[c].label];
        t->counts[c] = counted[c].count;
    }
    note_cut(f, counted, kept, spec, note);
    free(counted);
    *out = t;
    return STATUS_OK;
}

/* The note is a line: sentences joined by "; ", none at its end. */
static char *finish_note(struct buffer *note)
{
    char *text = NULL;
    if (note->size >= 2) {
        note->data[note->size - 2] = '\0';
        text = memory_text(note->data);
    }
    buffer_fini(note);
    return text;
}

enum status task_labels(struct task **out, const struct flows *f, const struct task_spec *spec,
                        struct error *e)
{
    struct buffer note = {0};
    enum status status = keep_labels(out, f, spec, &note, e);
    char *text = finish_note(&note);
    if (status == STATUS_OK)
        (*out)->note = text;
    else
        free(text);
    return status;
}

static struct rows rows_new(int n)
{
    return (struct rows){.row = memory_new((size_t)n * sizeof(int32_t)),
                         .y = memory_new((size_t)n * sizeof(int32_t))};
}

static void collect_parts(struct task *t, const struct flows *f, const struct split *s)
{
    int32_t *class_of = memory_new((size_t)f->n_labels * sizeof *class_of);
    int n[PART_COUNT] = {0};
    memset(class_of, 0xff, (size_t)f->n_labels * sizeof *class_of); /* -1: not kept */
    for (int c = 0; c < t->n_classes; c++)
        class_of[t->classes[c]] = c;
    for (int i = 0; i < f->n; i++)
        n[s->part[i]] += f->label[i] >= 0 && class_of[f->label[i]] >= 0;
    for (int part = 0; part < PART_COUNT; part++)
        t->parts[part] = rows_new(n[part]);
    for (int i = 0; i < f->n; i++) {
        struct rows *rows = &t->parts[s->part[i]];
        int32_t class = f->label[i] >= 0 ? class_of[f->label[i]] : -1;
        if (class < 0)
            continue;
        rows->row[rows->n] = i;
        rows->y[rows->n++] = class;
    }
    free(class_of);
}

static void copy_rows(struct rows *to, const struct rows *from)
{
    free(to->row);
    free(to->y);
    *to = rows_new(from->n);
    to->n = from->n;
    memcpy(to->row, from->row, (size_t)from->n * sizeof *to->row);
    memcpy(to->y, from->y, (size_t)from->n * sizeof *to->y);
}

/* Was this part asked for? A file says so by naming rows. */
static bool part_wanted(const struct split *s, enum part part)
{
    if (params_is(s->data, "split.method", "file")) {
        for (int i = 0; i < s->n; i++)
            if (s->part[i] == part)
                return true;
        return false;
    }
    return part == PART_TRAIN || s->share[part] > 0;
}

/* stop and validation stand in for each other; what was asked for must have rows. */
static enum status check_parts(struct task *t, struct split *s, struct error *e)
{
    bool stop = part_wanted(s, PART_STOP), validation = part_wanted(s, PART_VALIDATION);
    if (!stop && !validation)
        return error_set(e, STATUS_DATA,
                         "the split has neither validation nor stop rows, so nothing is left to choose by");
    t->stop_is_validation = !stop || !validation;
    for (int part = 0; part < PART_COUNT; part++)
        if (t->parts[part].n == 0 &&
            (part == PART_TRAIN || part_wanted(s, part) || (part == PART_TEST && s->n < s->flows->n)))
            return error_set(e, STATUS_DATA, "the %s part has no rows of the %d labels kept (%d rows dealt)",
                             part_names[part], t->n_classes, s->n);
    if (!stop) {
        copy_rows(&t->parts[PART_STOP], &t->parts[PART_VALIDATION]);
        buffer_puts(&s->note, "no stop rows: validation is used both for stopping and for choosing; ");
    } else if (!validation) {
        copy_rows(&t->parts[PART_VALIDATION], &t->parts[PART_STOP]);
        buffer_puts(&s->note, "no validation rows: stop rows are used both for stopping and for choosing; ");
    }
    return STATUS_OK;
}

enum { NAMED_MAX = 5 };

static void note_missing(const struct task *t, enum part part, struct buffer *note)
{
    bool *seen = memory_new((size_t)t->n_classes);
    int missing = 0;
    for (int i = 0; i < t->parts[part].n; i++)
        seen[t->parts[part].y[i]] = true;
    for (int c = 0; c < t->n_classes; c++) {
        if (seen[c])
            continue;
        if (missing < NAMED_MAX)
            buffer_printf(note, "%s\"%s\"",
                          missing              ? ", "
                          : part == PART_TRAIN ? "not in train (their rows elsewhere count as wrong): "
                                               : "",
                          t->labels[c]);
        missing++;
    }
    if (missing > NAMED_MAX)
        buffer_printf(note, " and %d others", missing - NAMED_MAX);
    if (missing && part == PART_TRAIN)
        buffer_puts(note, "; ");
    else if (missing)
        buffer_printf(note, " %s no rows in %s; ", missing > 1 ? "have" : "has", part_names[part]);
    free(seen);
}

static enum status make_parts(struct task *t, struct split *s, struct error *e)
{
    collect_parts(t, s->flows, s);
    TRY(check_parts(t, s, e));
    split_cap(s, &t->parts[PART_TRAIN], t->n_classes);
    for (int part = 0; part < PART_COUNT; part++)
        if (t->parts[part].n > 0 && !(part == PART_STOP && t->stop_is_validation))
            note_missing(t, part, &s->note);
    return STATUS_OK;
}

enum status task_new(struct task **out, const struct flows *f, const struct params *data,
                     const struct task_spec *spec, uint64_t seed, int repeat, struct error *e)
{
    struct split s;
    struct buffer note = {0};
    *out = NULL;
    enum status status = split_new(&s, f, data, seed, repeat, e);
    if (status != STATUS_OK)
        return status;
    status = keep_labels(out, f, spec, &note, e);
    if (status == STATUS_OK)
        status = make_parts(*out, &s, e);
    if (s.note.size)
        buffer_puts(&note, s.note.data);
    split_fini(&s);
    char *text = finish_note(&note);
    if (status != STATUS_OK) {
        free(text);
        task_free(*out);
        *out = NULL;
        return status;
    }
    (*out)->note = text;
    return STATUS_OK;
}

void task_free(struct task *t)
{
    if (!t)
        return;
    for (int part = 0; part < PART_COUNT; part++) {
        free(t->parts[part].row);
        free(t->parts[part].y);
    }
    free(t->classes);
    free(t->labels);
    free(t->counts);
    free(t->note);
    free(t);
}

/* --- repeats --- */

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint8_t *task_seen(const struct flows *f, const struct task *t)
{
    const struct rows *train = &t->parts[PART_TRAIN], *test = &t->parts[PART_TEST];
    uint64_t *known = memory_new((size_t)train->n * sizeof *known);
    uint8_t *seen = memory_new((size_t)test->n);
    for (int i = 0; i < train->n; i++)
        known[i] = task_sequence_hash(f, train->row[i], t->spec.steps);
    qsort(known, (size_t)train->n, sizeof *known, by_hash);
    for (int i = 0; i < test->n; i++) {
        uint64_t h = task_sequence_hash(f, test->row[i], t->spec.steps);
        seen[i] = bsearch(&h, known, (size_t)train->n, sizeof *known, by_hash) != NULL;
    }
    free(known);
    return seen;
}
