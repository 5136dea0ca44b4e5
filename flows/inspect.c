#include "flows/inspect.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flows/task.h"

enum { TABLES = 5, LABELS_SHOWN = 25, FEW = 20 };

struct facts {
    int64_t zero, repeats_within, repeats_across, large, most;
    int n_few; /* labels with fewer than FEW flows */
};

struct sequence {
    uint64_t hash;
    int32_t label;
};

static int by_hash(const void *a, const void *b)
{
    const struct sequence *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

static struct sequence *sequences(const struct flows *f, int steps)
{
    struct sequence *s = memory_new((size_t)f->n * sizeof *s);
    for (int i = 0; i < f->n; i++)
        s[i] = (struct sequence){task_sequence_hash(f, i, steps), f->label[i]};
    qsort(s, (size_t)f->n, sizeof *s, by_hash);
    return s;
}

/* Share of rows that the best guess by equal sequences could name: of each sequence its most frequent label. */
static double ceiling(const struct flows *f, int steps)
{
    struct sequence *s = sequences(f, steps);
    int64_t right = 0;
    for (int i = 0, end; i < f->n; i = end) {
        int most = 0, run = 0;
        for (end = i; end < f->n && s[end].hash == s[i].hash; end++) {
            run = end > i && s[end].label == s[end - 1].label ? run + 1 : 1;
            most = run > most ? run : most;
        }
        right += most;
    }
    free(s);
    return (double)right / f->n;
}

static void count_repeats(const struct flows *f, struct facts *out)
{
    struct sequence *s = sequences(f, f->steps);
    for (int i = 1; i < f->n; i++) {
        if (s[i].hash != s[i - 1].hash)
            continue;
        if (s[i].label == s[i - 1].label)
            out->repeats_within++;
        else
            out->repeats_across++;
    }
    free(s);
}

static struct facts look(const struct flows *f, const struct task *all)
{
    struct facts out = {0};
    for (int i = 0; i < f->n; i++)
        out.zero += f->length[i] == 0;
    for (size_t i = 0; i < (size_t)f->n * (size_t)f->steps; i++)
        out.large += fabsf(f->size[i]) > 1500;
    count_repeats(f, &out);
    out.most = all->counts[0];
    for (int c = 0; c < all->n_classes; c++)
        out.n_few += all->counts[c] < FEW;
    return out;
}

static void fact(struct table *t, const char *what, const char *value)
{
    table_text(t, what);
    table_text(t, value);
}

static void fact_number(struct table *t, const char *what, int64_t n)
{
    table_text(t, what);
    table_int(t, n);
}

static void put_overview(const struct params *data, const struct flows *f, const struct flows_report *r, const struct facts *x, struct table *t)
{
    t->title = memory_text("overview");
    table_column(t, "what", -1);
    table_column(t, "value", -1);
    fact(t, "file", params_text(data, "path"));
    fact(t, "layout", params_text(data, "layout"));
    if (params_is(data, "layout", "blocks")) {
        struct buffer text = {0};
        value_print(params_get(data, "blocks"), &text);
        fact(t, "blocks", text.data);
        buffer_fini(&text);
    }
    fact_number(t, "packets a row holds (steps)", f->steps);
    fact(t, "header", r->has_header ? "yes" : "no");
    fact(t, "padding", r->padded_front ? "in front" : "at the end");
    fact_number(t, "rows", f->n);
    fact_number(t, "rows that could not be read", r->n_bad);
    fact_number(t, "labels", f->n_labels);
    fact_number(t, "rows without a packet", x->zero);
    fact_number(t, "rows that repeat another of their label (signed sizes)", x->repeats_within);
    fact_number(t, "rows that repeat one of another label", x->repeats_across);
}

static void put_labels(const struct flows *f, const struct task *all, struct table *t)
{
    t->title = memory_text("labels, most frequent first");
    table_column(t, "label", -1);
    table_column(t, "rows", -1);
    table_column(t, "share", 3);
    for (int c = 0; c < all->n_classes && c < LABELS_SHOWN; c++) {
        table_text(t, all->labels[c]);
        table_int(t, all->counts[c]);
        table_real(t, (double)all->counts[c] / f->n);
    }
    if (all->n_classes > LABELS_SHOWN)
        t->note = memory_format("and %d more, down to %lld rows", all->n_classes - LABELS_SHOWN, (long long)all->counts[all->n_classes - 1]);
}

static void put_ceiling(const struct flows *f, struct table *t)
{
    static const int steps[] = {3, 5, 10, 25, 100};
    t->title = memory_text("ceiling: share of rows that anything could name by its first signed sizes alone");
    table_column(t, "packets", -1);
    table_column(t, "accuracy", 3);
    for (int i = 0; i < 5 && steps[i] <= f->steps; i++) {
        table_int(t, steps[i]);
        table_real(t, ceiling(f, steps[i]));
    }
}

static void put_range(const struct flows *f, const char *name, const float *x, struct table *t)
{
    double least = INFINITY, most = -INFINITY, sum = 0;
    int64_t n = 0;
    for (int i = 0; x && i < f->n; i++)
        for (int k = 0; k < f->length[i]; k++) {
            double v = x[(size_t)i * (size_t)f->steps + (size_t)k];
            least = v < least ? v : least;
            most = v > most ? v : most;
            sum += v;
            n++;
        }
    if (n == 0)
        return;
    table_text(t, name);
    table_real(t, least);
    table_real(t, sum / (double)n);
    table_real(t, most);
}

static void put_ranges(const struct flows *f, struct table *t)
{
    t->title = memory_text("values of real packets");
    table_column(t, "channel", -1);
    table_column(t, "least", 3);
    table_column(t, "mean", 3);
    table_column(t, "most", 3);
    put_range(f, "signed_size [bytes]", f->size, t);
    put_range(f, "payload [bytes]", f->payload, t);
    put_range(f, "iat [s]", f->iat, t);
}

static void put_warnings(const struct flows *f, const struct task *all, const struct flows_report *r, const struct facts *x, struct table *t)
{
    char text[300];
    t->title = memory_text("what will hurt");
    table_column(t, "warning", -1);
    if (2 * x->most > f->n) {
        snprintf(text, sizeof text, "\"%.60s\" holds %.0f %% of the rows: accuracy says little, look at macro_f1", all->labels[0], 100.0 * (double)x->most / f->n);
        table_text(t, text);
    }
    if (x->n_few) {
        snprintf(text, sizeof text, "%d labels have fewer than %d flows: too few to train and test on; keep others by task.min_flows or task.top_n", x->n_few, FEW);
        table_text(t, text);
    }
    if (x->large) {
        snprintf(text, sizeof text, "%lld sizes are over 1,500 (segmentation offload): data.clip = 1500 cuts them", (long long)x->large);
        table_text(t, text);
    }
    if (x->repeats_within + x->repeats_across > f->n / 10)
        table_text(t, "many rows repeat others: test rows seen in training score higher; reveal tells both apart, split.method = \"grouped\" avoids it");
    if (r->n_bad) {
        snprintf(text, sizeof text, "%lld rows could not be read, the first: %.200s", (long long)r->n_bad, r->bad[0].message);
        table_text(t, text);
    }
    if (table_rows(t) == 0)
        table_text(t, "nothing found");
}

enum status inspect_flows(const struct params *data, const struct flows *f, const struct flows_report *r, struct table **tables, int *n,
                          struct error *e)
{
    struct task *all;
    struct task_spec spec = {.steps = f->steps};
    *tables = NULL;
    *n = 0;
    TRY(task_labels(&all, f, &spec, e));
    struct facts x = look(f, all);
    struct table *t = memory_new(TABLES * sizeof *t);
    put_overview(data, f, r, &x, &t[0]);
    put_labels(f, all, &t[1]);
    put_ceiling(f, &t[2]);
    put_ranges(f, &t[3]);
    put_warnings(f, all, r, &x, &t[4]);
    task_free(all);
    *tables = t;
    *n = TABLES;
    return STATUS_OK;
}

/* --- init --- */

static void put_quoted(struct buffer *out, const char *text)
{
    buffer_puts(out, "\"");
    for (; *text; text++)
        buffer_printf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    buffer_puts(out, "\"");
}

static int labels_with(const struct task *all, int64_t least)
{
    int n = 0;
    while (n < all->n_classes && all->counts[n] >= least)
        n++;
    return n;
}

static void put_data(const struct params *data, const struct flows *f, const char *path, struct buffer *out)
{
    buffer_puts(out, "data = {\n  path = ");
    put_quoted(out, path);
    buffer_printf(out, ";\n  layout = \"%s\"; steps = %d;", params_text(data, "layout"), f->steps);
    if (params_is(data, "layout", "blocks")) {
        buffer_puts(out, " blocks = ");
        value_to_json(params_get(data, "blocks"), out);
        buffer_puts(out, ";");
    }
    buffer_puts(out, "\n  clip = 1500;                        // sizes above are cut [bytes]\n"
                     "  split = { method = \"stratified\";      // \"ordered\": earlier rows train, later ones test - honest where rows are in order of time\n"
                     "            stop = 0.05; validation = 0.1; test = 0.2; };   // test stays sealed until: flowsweep reveal\n};\n");
}

/* "flows" of "some/where/flows.csv.gz", with letters that need no quotes anywhere; owned by the caller. */
static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = memory_text(slash ? slash + 1 : path);
    char *dot = strchr(name, '.');
    if (dot && dot > name)
        *dot = '\0';
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
            *c = '_';
    return name;
}

enum status inspect_config(const struct params *data, const struct flows *f, const struct flows_report *r, struct buffer *out, struct error *e)
{
    struct task *all;
    struct task_spec spec = {.steps = f->steps};
    (void)r;
    TRY(task_labels(&all, f, &spec, e));
    char *path = realpath(params_text(data, "path"), NULL);
    int enough = labels_with(all, FEW), small = enough > 10 ? 10 : 0;
    bool words = f->channels >> CHANNEL_SIGNED_SIZE & 1;
    buffer_printf(out, "// %d flows of %d labels (%d of them with at least %d flows). Run it with: flowsweep run FILE\n", f->n, f->n_labels, enough, FEW);
    char *name = stem_of(params_text(data, "path"));
    buffer_printf(out, "study = { name = \"%s\"; database = \"%s.db\"; seed = 42; metric = \"macro_f1\"; };\n", name, name);
    free(name);
    put_data(data, f, path ? path : params_text(data, "path"), out);
    if (enough >= 2)
        buffer_printf(out, "task = { top_n = [%s%d]; };             // most frequent labels to keep; every number is a task\n", small ? "10, " : "", enough);
    else
        buffer_puts(out, "task = { top_n = [0]; };              // all labels: few have enough flows\n");
    buffer_printf(out, "space = {\n  model = [\"dnn\", \"cnn_lstm\", \"random_forest\"];   // also \"extra_trees\"\n  channels = ( [\"%s\"] );\n", words ? "signed_size" : "size");
    buffer_puts(out, "  train = { learning_rate = 0.001; batch_size = 64; epochs = 20; patience = 5; };\n");
    buffer_printf(out, "  dnn = { embedding = %d; hidden_layer_sizes = ( [256, 128] ); dropout = [0.0, 0.3]; };\n", words ? 16 : 0);
    buffer_printf(out, "  cnn_lstm = { embedding = %d; filters = ( [64] ); kernel_size = %d; pool_size = %d; units = [64, 128]; };\n", words ? 32 : 0,
                  f->steps < 3 ? 1 : 3, f->steps < 8 ? 1 : 2);
    buffer_puts(out, "  random_forest = { n_estimators = 100; min_samples_leaf = [1, 2]; };\n};\n"
                     "search = { method = \"grid\"; };          // \"random\" with n_trials for large spaces\n"
                     "budget = { wall_time = \"00:30:00\"; };   // stops after half an hour; run it again to go on\n");
    free(path);
    task_free(all);
    return STATUS_OK;
}
