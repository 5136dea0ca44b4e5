/* Tables of what a bundle says of flows: labels, and how good they are. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flows/label_set.h"
#include "models/metrics.h"
#include "storage/bundle.h"

/* --- labels --- */

struct ranked {
    float p;
    int class;
};

/* By falling probability, ties to the lower class. */
static int by_probability(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->p != y->p)
        return x->p > y->p ? -1 : 1;
    return (x->class > y->class) - (x->class < y->class);
}

/* The classes of one row p (k), sorted; what is no number stands last. */
static void rank(const float *p, int k, struct ranked *out)
{
    for (int c = 0; c < k; c++)
        out[c] = (struct ranked){isnan(p[c]) ? -INFINITY : p[c], c};
    qsort(out, (size_t)k, sizeof *out, by_probability);
}

static void name_columns(const struct bundle *b, bool proba, int top, struct table *out)
{
    table_column(out, "row", -1);
    if (top == 0)
        table_column(out, "label", -1);
    if (top == 0 && !proba)
        table_column(out, "probability", 4);
    for (int k = 1; k <= top; k++) {
        char name[32];
        snprintf(name, sizeof name, "label_%d", k);
        table_column(out, name, -1);
        snprintf(name, sizeof name, "probability_%d", k);
        table_column(out, name, 4);
    }
    for (int c = 0; proba && c < bundle_classes(b); c++)
        table_column(out, bundle_label(b, c), 6);
}

static void put_top(const struct bundle *b, const float *p, int top, struct ranked *order, struct table *out)
{
    rank(p, bundle_classes(b), order);
    for (int t = 0; t < top; t++) {
        table_text(out, bundle_label(b, order[t].class));
        table_float(out, p[order[t].class]);
    }
}

static void put_best(const struct bundle *b, const float *p, bool proba, struct table *out)
{
    int32_t best;
    metrics_argmax(p, 1, bundle_classes(b), &best);
    table_text(out, bundle_label(b, best));
    if (!proba)
        table_float(out, p[best]);
}

void bundle_table(const struct bundle *b, const struct flows *f, const float *p, bool proba, int top, struct table *out)
{
    int k = bundle_classes(b);
    struct ranked *order = memory_new((size_t)k * sizeof *order);
    top = top > k ? k : top;
    name_columns(b, proba, top, out);
    for (int i = 0; i < f->n; i++) {
        const float *row = p + (size_t)i * (size_t)k;
        table_int(out, f->row[i]);
        if (top)
            put_top(b, row, top, order, out);
        else
            put_best(b, row, proba, out);
        for (int c = 0; proba && c < k; c++)
            table_float(out, row[c]);
    }
    free(order);
}

/* --- scores --- */

/* Class of each of the flows' labels, or -1; owned by the caller. */
static enum status classes_of(const struct bundle *b, const struct flows *f, int32_t **out, struct error *e)
{
    struct label_set known = {0};
    enum status s = STATUS_OK;
    int32_t number = -1, *class = *out = memory_new((size_t)f->n_labels * sizeof *class);
    for (int c = 0; s == STATUS_OK && c < bundle_classes(b); c++) /* they differ: the numbers are the classes */
        s = label_set_add(&known, bundle_label(b, c), strlen(bundle_label(b, c)), &number, e);
    for (int l = 0; s == STATUS_OK && l < f->n_labels; l++) {
        s = label_set_add(&known, f->labels[l], strlen(f->labels[l]), &number, e);
        class[l] = number < bundle_classes(b) ? number : -1;
    }
    label_set_fini(&known);
    return s;
}

static char *note_of(int unknown, bool of_study)
{
    struct buffer note = {0};
    if (unknown > 0)
        buffer_puts(&note, "unknown: flows left out of all of these figures, as the model does not know their labels");
    if (of_study)
        buffer_printf(&note, "%sthese are the flows that its study was made of, those that trained it among them: flowsweep reveal tells of others", note.size ? "\n" : "");
    return note.data;
}

static void put_summary(const double *m, int known, int unknown, bool of_study, struct table *out)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        table_column(out, metric_names[i], 4);
    table_column(out, "rows", -1);
    table_column(out, "unknown", -1);
    for (int i = 0; i < METRIC_COUNT; i++)
        table_real(out, m[i]);
    table_int(out, known);
    table_int(out, unknown);
    out->note = note_of(unknown, of_study);
}

static void put_classes(const struct bundle *b, const struct class_metrics *classes, struct table *out)
{
    static const char *const names[] = {"label", "support", "predicted", "precision", "recall", "f1"};
    out->title = memory_text("per class");
    for (int i = 0; i < 6; i++)
        table_column(out, names[i], i < 3 ? -1 : 4);
    for (int c = 0; c < bundle_classes(b); c++) {
        table_text(out, bundle_label(b, c));
        table_int(out, classes[c].support);
        table_int(out, classes[c].predicted);
        table_real(out, classes[c].precision);
        table_real(out, classes[c].recall);
        table_real(out, classes[c].f1);
    }
}

static void put_confusion(const struct bundle *b, const int64_t *confusion, struct table *out)
{
    static const char *const names[] = {"label", "predicted", "rows"};
    int k = bundle_classes(b);
    out->title = memory_text("confusion");
    for (int i = 0; i < 3; i++)
        table_column(out, names[i], -1);
    for (int y = 0; y < k; y++)
        for (int c = 0; c < k; c++)
            if (confusion[(size_t)y * (size_t)k + (size_t)c]) {
                table_text(out, bundle_label(b, y));
                table_text(out, bundle_label(b, c));
                table_int(out, confusion[(size_t)y * (size_t)k + (size_t)c]);
            }
}

enum status bundle_score(const struct bundle *b, const struct flows *f, const float *p, struct table *summary, struct table *per_class,
                         struct table *confusion, struct error *e)
{
    size_t k = (size_t)bundle_classes(b);
    int32_t *class, *y = memory_new((size_t)f->n * sizeof *y);
    float *known = memory_new((size_t)f->n * k * sizeof *known);
    struct class_metrics *classes = memory_new(k * sizeof *classes);
    int64_t *cells = memory_new(k * k * sizeof *cells);
    double m[METRIC_COUNT];
    int n = 0;
    enum status s = classes_of(b, f, &class, e);
    for (int i = 0; s == STATUS_OK && i < f->n; i++)
        if (f->label[i] >= 0 && class[f->label[i]] >= 0) {
            y[n] = class[f->label[i]];
            memcpy(known + (size_t)n++ * k, p + (size_t)i * k, k * sizeof *known);
        }
    if (s == STATUS_OK && n == 0)
        s = error_set(e, STATUS_DATA, "none of the %d flows has a label that the bundle knows", f->n);
    if (s == STATUS_OK) {
        metrics_of(known, y, n, (int)k, m, classes, cells);
        put_summary(m, n, f->n - n, bundle_is_of(b, f), summary);
        put_classes(b, classes, per_class);
        put_confusion(b, cells, confusion);
    }
    free(class);
    free(y);
    free(known);
    free(classes);
    free(cells);
    return s;
}
