#include "flows/flows_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flows/csv_rows.h"
#include "flows/synth.h"

const struct param data_params[] = {
    {"source", PARAM_WORD, 0, 0, "csv|synthetic", "\"csv\"", "where flows come from: a file, or the generator with the keys of data.synth"},
    {"path", PARAM_TEXT, 0, 0, NULL, NULL, "the flow CSV, plain or gzip; relative to the configuration"},
    {"meta", PARAM_TEXT, 0, 0, NULL, NULL, "CSV with a header and one row a flow: columns that splits and scores can name"},
    {"test_path", PARAM_TEXT, 0, 0, NULL, NULL, "a second file, all of it the test part"},
    {"layout", PARAM_WORD, 0, 0, "blocks|signed", "\"blocks\"", "label, then blocks of columns; or label, then signed sizes"},
    {"blocks", PARAM_WORD | PARAM_LIST | PARAM_LONE, 0, 0, "size|payload|iat|direction", "[\"size\",\"payload\",\"iat\",\"direction\"]",
     "the blocks of layout \"blocks\", in order"},
    {"steps", PARAM_INT, 1, FLOWS_STEPS_MAX, NULL, "25", "packets a row holds, padding included"},
    {"on_bad_row", PARAM_WORD, 0, 0, "error|skip", "\"error\"", "what a row that cannot be read does: end the run, or be counted and listed"},
    {"clip", PARAM_INT, 0, 1000000, NULL, "1500", "sizes above are cut [bytes]; 0: not"},
    {"scaling", PARAM_WORD, 0, 0, "symmetric|standard|minmax|none", "\"symmetric\"",
     "symmetric: by a channel's largest magnitude; standard: by its mean and deviation; minmax: every column by its range"},
    {"scaling_fit", PARAM_WORD, 0, 0, "train|all", "\"train\"", "rows that scaling is fitted on; all replays the seed's leak and is marked"},
    {"align", PARAM_WORD, 0, 0, "start|end", "\"start\"", "packet 1 in column 1; end replays the seed"},
    {"iat", PARAM_WORD, 0, 0, "log1p|log_nonzero", "\"log1p\"", "log1p(time / 1 us); log_nonzero: the paper's form"},
    {"placement", PARAM_WORD, 0, 0, "node|sharded", "\"node\"", "node: one copy of the flows per node; sharded: rows dealt over the ranks of a gang"},
    {0},
};

void flows_report_fini(struct flows_report *r)
{
    for (int i = 0; i < r->n_listed; i++)
        free(r->bad[i].message);
    free(r->bad);
    *r = (struct flows_report){0};
}

/* --- meta --- */

static enum status meta_cell(struct flows_meta *m, const char *text, size_t n, struct error *e)
{
    TRY(array_grow(&m->text, &m->text_capacity, m->text_size + n + 1, 1, e));
    TRY(array_grow(&m->offset, &m->offset_capacity, m->n_offsets + 1, sizeof *m->offset, e));
    memcpy(m->text + m->text_size, text, n);
    m->text[m->text_size + n] = '\0';
    m->offset[m->n_offsets++] = m->text_size;
    m->text_size += n + 1;
    return STATUS_OK;
}

static enum status meta_record(struct flows_meta *m, const char *path, struct record *r, struct error *e)
{
    int cells = 0;
    if (memchr(r->text, '\0', r->n))
        return error_set(e, STATUS_DATA, "%s:%lld: a zero byte: this is no text", path, (long long)r->line);
    for (char *at = r->text; at; cells++) {
        size_t n;
        const char *text = record_field(&at, &n);
        if (!text)
            return error_set(e, STATUS_DATA, "%s:%lld: text stands behind a closing quote", path, (long long)r->line);
        if (cells == FLOWS_META_MAX)
            return error_set(e, STATUS_DATA, "%s:%lld: more than %d columns", path, (long long)r->line, FLOWS_META_MAX);
        TRY(meta_cell(m, text, n, e));
    }
    if (m->n == 0)
        m->n = cells;
    if (cells != m->n) /* the table of cells is read by m->n: one more or less would move all that follow */
        return error_set(e, STATUS_DATA, "%s:%lld: %d column%s, expected %d as in its header", path, (long long)r->line, cells, cells == 1 ? "" : "s",
                         m->n);
    return STATUS_OK;
}

static enum status meta_records(struct flows_meta *m, struct source *in, const char *path, struct error *e)
{
    struct record r;
    TRY(source_next(in, &r, e));
    for (m->rows = -1; r.text; m->rows++) {
        TRY(meta_record(m, path, &r, e));
        TRY(source_next(in, &r, e));
    }
    return m->n ? STATUS_OK : error_set(e, STATUS_DATA, "%s: the file is empty; a header of column names was expected", path);
}

static enum status meta_read(struct flows_meta *m, const char *path, int32_t n_rows, struct error *e)
{
    struct source in;
    TRY(source_open(&in, path, e));
    enum status s = meta_records(m, &in, path, e);
    source_close(&in);
    if (s == STATUS_OK && m->rows != n_rows)
        return error_set(e, STATUS_DATA, "%s: %lld rows under its header, but the flows have %d; they must stand row by row", path,
                         (long long)m->rows, n_rows);
    return s;
}

/* --- flows --- */

static enum status read_files(const struct params *data, bool labels_needed, struct flows_builder *b, struct flows_meta *meta,
                              struct flows_report *report, struct error *e)
{
    const struct value *path = params_get(data, "path"), *test = params_get(data, "test_path"), *meta_path = params_get(data, "meta");
    struct csv_form form;
    if (!path)
        return error_set(e, STATUS_CONFIG, "data.path: missing: which file holds the flows?");
    TRY(csv_form_of(data, &form, e));
    flows_builder_init(b, form.steps, form.channels);
    struct csv_file file = {.path = path->text, .form = &form, .label_optional = !labels_needed,
                            .skip_bad = params_is(data, "on_bad_row", "skip"), .report = report};
    TRY(csv_rows_read(&file, b, e));
    b->n_first = (int32_t)b->n;
    if (meta_path)
        TRY(meta_read(meta, meta_path->text, file.n_rows, e));
    if (!test)
        return STATUS_OK;
    file.path = test->text;
    file.first_row = file.n_rows;
    return csv_rows_read(&file, b, e);
}

static enum status read_csv(const struct params *data, bool labels_needed, struct flows *out, struct flows_report *report, struct error *e)
{
    struct flows_builder b = {0};
    struct flows_meta meta = {0};
    enum status s = read_files(data, labels_needed, &b, &meta, report, e);
    if (s == STATUS_OK && labels_needed && b.labels.n < 2)
        s = error_set(e, STATUS_DATA, "%s: all %lld rows have one label, \"%.80s\": there is nothing to tell apart",
                      params_text(data, "path"), (long long)b.n, b.labels.text);
    if (s == STATUS_OK)
        s = flows_builder_finish(&b, &meta, out, e);
    flows_builder_fini(&b);
    flows_meta_fini(&meta);
    return s;
}

static enum status make_synthetic(const struct params *data, struct flows *out, struct error *e)
{
    static const char prefix[] = "synth.";
    struct params p = {0};
    for (int i = 0; i < data->n; i++)
        if (strncmp(data->entries[i].name, prefix, sizeof prefix - 1) == 0)
            params_set(&p, data->entries[i].name + sizeof prefix - 1, &data->entries[i].value);
    params_complete(&p, NULL, synth_params);
    enum status s = synth_flows(&p, out, e);
    params_fini(&p);
    return s;
}

static enum status read_any(const struct params *data, bool labels_needed, struct flows *out, struct flows_report *report, struct error *e)
{
    struct flows_report own = {0};
    *out = (struct flows){0};
    if (report)
        *report = own;
    if (params_is(data, "source", "synthetic"))
        return make_synthetic(data, out, e);
    enum status s = read_csv(data, labels_needed, out, report ? report : &own, e);
    flows_report_fini(&own);
    return s;
}

enum status flows_read(const struct params *data, struct flows *out, struct flows_report *report, struct error *e)
{
    return read_any(data, true, out, report, e);
}

enum status flows_read_unlabelled(const struct params *data, struct flows *out, struct flows_report *report, struct error *e)
{
    return read_any(data, false, out, report, e);
}
