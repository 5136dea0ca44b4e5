#include "flows/csv_rows.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "flows/csv_align.h"
#include "flows/number.h"

bool csv_form_has(const struct csv_form *f, enum channel c)
{
    for (int k = 0; k < f->n_blocks; k++)
        if (f->block[k] == c)
            return true;
    return false;
}

static enum status blocks_of(const struct value *blocks, struct csv_form *out, struct error *e)
{
    for (int k = 0; k < blocks->n; k++) {
        int c = 0;
        while (c < CHANNEL_COUNT && strcmp(channel_names[c], blocks->items[k].text) != 0)
            c++;
        if (c == CHANNEL_COUNT || csv_form_has(out, (enum channel)c))
            return error_set(e, STATUS_CONFIG, "data.blocks: \"%s\" stands twice", blocks->items[k].text);
        out->block[out->n_blocks++] = (enum channel)c;
        out->channels |= 1u << c;
    }
    if (!csv_form_has(out, CHANNEL_SIZE))
        return error_set(e, STATUS_CONFIG, "data.blocks: must name size");
    if (csv_form_has(out, CHANNEL_DIRECTION))
        out->channels |= 1u << CHANNEL_SIGNED_SIZE;
    return STATUS_OK;
}

enum status csv_form_of(const struct params *data, struct csv_form *out, struct error *e)
{
    *out = (struct csv_form){.is_signed = params_is(data, "layout", "signed"), .steps = (int)params_int(data, "steps")};
    if (out->is_signed) {
        out->block[out->n_blocks++] = CHANNEL_SIGNED_SIZE;
        out->channels = 1u << CHANNEL_SIGNED_SIZE | 1u << CHANNEL_SIZE | 1u << CHANNEL_DIRECTION;
    } else {
        TRY(blocks_of(params_get(data, "blocks"), out, e));
    }
    out->columns = out->n_blocks * out->steps;
    return STATUS_OK;
}

/* --- one record --- */

struct row_reader {
    struct csv_file *file;
    struct flows_builder *b;
    double *cells; /* (columns) */
    int64_t line;
    bool labelled;
};

static enum status bad(const struct row_reader *r, int column, struct error *e, const char *format, const char *text)
{
    char what[160];
    snprintf(what, sizeof what, format, text);
    return error_set(e, STATUS_DATA, "%s:%lld: column %d: %s", r->file->path, (long long)r->line, column, what);
}

static enum status wrong_count(const struct row_reader *r, int found, struct error *e)
{
    const struct csv_form *f = r->file->form;
    char form[80];
    if (f->is_signed)
        snprintf(form, sizeof form, "%d signed sizes", f->steps);
    else
        snprintf(form, sizeof form, "%d block%s of %d", f->n_blocks, f->n_blocks == 1 ? "" : "s", f->steps);
    int packets = (found - r->labelled) / f->n_blocks, over = (found - r->labelled) % f->n_blocks;
    if (r->file->n_rows > 1 || over || packets < 1) /* other rows have another number, or blocks cannot have it */
        return error_set(e, STATUS_DATA, "%s:%lld: %d columns, expected %d (%s%s; see data.layout, data.blocks, data.steps)", r->file->path,
                         (long long)r->line, found, f->columns + r->labelled, r->labelled ? "the label and " : "", form);
    return error_set(e, STATUS_DATA, "%s:%lld: %d columns, expected %d (%s%s); for flows of %d packet%s: data.steps = %d; models that see fewer of them: task.steps",
                     r->file->path, (long long)r->line, found, f->columns + r->labelled, r->labelled ? "the label and " : "", form, packets,
                     packets == 1 ? "" : "s", packets);
}

static int commas(const char *p)
{
    int n = 0;
    for (; *p; p++)
        n += *p == ',';
    return n;
}

static bool is_infinite_word(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    return strcasecmp(text, "nan") == 0 || strcasecmp(text, "inf") == 0 || strcasecmp(text, "infinity") == 0;
}

static enum status bad_number(const struct row_reader *r, const char *at, int column, struct error *e)
{
    char text[48];
    snprintf(text, sizeof text, "%.*s", (int)(strcspn(at, ",") < 40 ? strcspn(at, ",") : 40), at);
    if (*text == '\0')
        return bad(r, column, e, "%s", "a number is missing");
    return bad(r, column, e, is_infinite_word(text) ? "\"%s\" is no finite number" : "\"%s\" is no number", text);
}

/* A number with spaces around it; *at is left at the comma or the end. */
static inline bool scan_cell(char **at, double *x)
{
    const char *p = *at;
    while (*p == ' ')
        p++;
    if (!number_scan(&p, x))
        return false;
    while (*p == ' ')
        p++;
    if (*p != ',' && *p != '\0')
        return false;
    *at = (char *)(uintptr_t)p;
    return true;
}

static enum status scan_cells(struct row_reader *r, char *at, struct error *e)
{
    int columns = r->file->form->columns;
    for (int c = 0; c < columns; c++) {
        if (!at)
            return wrong_count(r, c + r->labelled, e);
        if (*at == '"' && strchr(at + 1, '"')) { /* a quoted number: its quotes become spaces */
            *strchr(at + 1, '"') = ' ';
            *at = ' ';
        }
        if (!scan_cell(&at, &r->cells[c]))
            return bad_number(r, at, c + 1 + r->labelled, e);
        if (!(fabs(r->cells[c]) <= (double)FLT_MAX))
            return bad(r, c + 1 + r->labelled, e, "%s", "the number is too large");
        at = *at == ',' ? at + 1 : NULL;
    }
    return at ? wrong_count(r, columns + r->labelled + 1 + commas(at), e) : STATUS_OK;
}

/* Source of the ranges: RFC 3629, section 4. */
static bool is_utf8(const unsigned char *s)
{
    while (*s) {
        unsigned char c = *s++;
        int more = c < 0x80 ? 0 : c >= 0xC2 && c < 0xE0 ? 1 : (c & 0xF0) == 0xE0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : -1;
        if (more < 0 || (c == 0xE0 && *s < 0xA0) || (c == 0xED && *s > 0x9F) || (c == 0xF0 && *s < 0x90) || (c == 0xF4 && *s > 0x8F))
            return false;
        for (; more > 0; more--)
            if ((*s++ & 0xC0) != 0x80)
                return false;
    }
    return true;
}

static enum status take_label(struct row_reader *r, char **at, int32_t *label, struct error *e)
{
    size_t n;
    char *text = record_field(at, &n);
    if (!text)
        return bad(r, 1, e, "%s", "text stands behind a closing quote");
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        text[--n] = '\0';
    while (n && (*text == ' ' || *text == '\t'))
        text++, n--;
    if (n == 0)
        return bad(r, 1, e, "%s", "the label is empty");
    if (!is_utf8((const unsigned char *)text))
        return bad(r, 1, e, "%s", "the label is no UTF-8 text");
    return label_set_add(&r->b->labels, text, n, label, e);
}

/* What a block's numbers must be. */
static enum status check_block(const struct row_reader *r, int k, struct error *e)
{
    const struct csv_form *f = r->file->form;
    const double *x = r->cells + (size_t)k * (size_t)f->steps;
    enum channel c = f->block[k];
    for (int t = 0; t < f->steps; t++) {
        int column = k * f->steps + t + 1 + r->labelled;
        char text[40];
        if ((c == CHANNEL_SIZE || c == CHANNEL_PAYLOAD) && x[t] < 0) {
            snprintf(text, sizeof text, "%.10g", x[t]);
            return bad(r, column, e, "a negative size, %s; in layout \"blocks\" the direction stands in a block of its own", text);
        }
        if (c == CHANNEL_DIRECTION && x[t] != 0 && x[t] != 1 && x[t] != -1) {
            snprintf(text, sizeof text, "%.10g", x[t]);
            return bad(r, column, e, "%s is no direction (1, -1, or 0 for padding)", text);
        }
    }
    return STATUS_OK;
}

static enum status check_cells(const struct row_reader *r, struct error *e)
{
    for (int k = 0; !r->file->form->is_signed && k < r->file->form->n_blocks; k++)
        TRY(check_block(r, k, e));
    return STATUS_OK;
}

/* Into row b->n, as the cells stand. */
static void put_cells(const struct row_reader *r)
{
    const struct csv_form *f = r->file->form;
    struct flows_builder *b = r->b;
    size_t at = (size_t)b->n * (size_t)f->steps;
    for (int k = 0; k < f->n_blocks; k++) {
        const double *x = r->cells + (size_t)k * (size_t)f->steps;
        for (int t = 0; t < f->steps; t++) {
            size_t i = at + (size_t)t;
            switch (f->block[k]) {
            case CHANNEL_PAYLOAD: b->payload[i] = (float)x[t]; break;
            case CHANNEL_IAT: b->iat[i] = (float)x[t]; break;
            case CHANNEL_DIRECTION: b->direction[i] = (int8_t)x[t]; break;
            default: b->size[i] = (float)x[t]; break;
            }
        }
    }
    bool directed = csv_form_has(f, CHANNEL_DIRECTION);
    for (size_t i = at; i < at + (size_t)f->steps; i++)
        if (f->is_signed)
            b->direction[i] = (int8_t)((b->size[i] > 0) - (b->size[i] < 0));
        else if (directed)
            b->size[i] *= b->direction[i] < 0 ? -1.0f : 1.0f;
}

static enum status take_record(struct row_reader *r, const struct record *record, struct error *e)
{
    int32_t label = -1;
    char *at = record->text;
    r->line = record->line;
    if (memchr(record->text, '\0', record->n))
        return error_set(e, STATUS_DATA, "%s:%lld: a zero byte: this is no text", r->file->path, (long long)r->line);
    if (r->labelled) {
        char *end = at + strcspn(at, *at == '"' ? "" : ",");
        if (*end == '\0' && *at != '"')
            return wrong_count(r, 1, e);
        TRY(take_label(r, &at, &label, e));
    }
    TRY(scan_cells(r, at, e));
    TRY(check_cells(r, e));
    TRY(flows_builder_room(r->b, e));
    put_cells(r);
    r->b->label[r->b->n] = label;
    return STATUS_OK;
}

/* --- a file --- */

bool csv_is_header(const struct record *r)
{
    int fields = 0, numbers = 0, counted = 0, from = 0;
    bool first_is_number = false;
    for (const char *p = r->text;; p++) {
        double x = 0;
        const char *end = p;
        size_t n = strcspn(p, ",");
        char word[12] = "";
        if (n < sizeof word)
            memcpy(word, p, n);
        bool number = n == 0 || (number_scan(&end, &x) && end == p + n) || is_infinite_word(word);
        first_is_number |= fields == 0 && number;
        if (fields == 0)
            from = x == 1;
        if (fields == 1 && !first_is_number)
            from = x == 0 ? -1 : 0;
        counted += number && n && x == fields + from;
        numbers += fields > 0 && number;
        fields++;
        p += n;
        if (*p == '\0')
            break;
    }
    if (counted == fields - !first_is_number && fields > 1 + !first_is_number)
        return true; /* 0,1,2,.. or label,0,1,2,.. as pandas writes */
    return numbers == 0 && fields > 1;
}

static void list_bad(struct flows_report *report, int64_t line, const struct error *why)
{
    enum { LISTED = 100 };
    report->n_bad++;
    if (report->n_listed >= LISTED)
        return;
    report->bad = memory_resize(report->bad, (size_t)(report->n_listed + 1) * sizeof *report->bad);
    report->bad[report->n_listed++] = (struct flows_bad_row){line, memory_text(why->message)};
}

static enum status take_row(struct row_reader *r, const struct record *record, struct error *e)
{
    struct error why = {0};
    if (r->file->n_rows == INT32_MAX - r->file->first_row)
        return error_set(e, STATUS_DATA, "%s: more than %d rows", r->file->path, INT32_MAX);
    int32_t row = r->file->first_row + r->file->n_rows++;
    enum status s = take_record(r, record, &why);
    if (s == STATUS_OK)
        r->b->row[r->b->n++] = row;
    else if (s == STATUS_DATA && r->file->skip_bad)
        list_bad(r->file->report, record->line, &why);
    else
        return error_set(e, s, "%s", why.message);
    return STATUS_OK;
}

static enum status read_records(struct row_reader *r, struct source *in, struct error *e)
{
    struct record record;
    int columns = r->file->form->columns;
    TRY(source_next(in, &record, e));
    if (record.text && csv_is_header(&record)) {
        r->file->report->has_header = true;
        TRY(source_next(in, &record, e));
    }
    if (!record.text)
        return error_set(e, STATUS_DATA, "%s: no rows%s", r->file->path, r->file->report->has_header ? " below the header" : ": the file is empty");
    r->labelled = !(r->file->label_optional && record_fields(&record) == columns);
    r->b->labelled &= r->labelled;
    while (record.text) {
        TRY(take_row(r, &record, e));
        TRY(source_next(in, &record, e));
    }
    return STATUS_OK;
}

enum status csv_rows_read(struct csv_file *file, struct flows_builder *b, struct error *e)
{
    struct source in;
    struct row_reader r = {.file = file, .b = b};
    int64_t first = b->n;
    file->n_rows = 0;
    TRY(source_open(&in, file->path, e));
    r.cells = memory_new((size_t)file->form->columns * sizeof *r.cells);
    enum status s = read_records(&r, &in, e);
    file->report->bytes += in.bytes;
    free(r.cells);
    source_close(&in);
    if (s == STATUS_OK && b->n == first)
        s = error_set(e, STATUS_DATA, "%s: no rows are left: all %d are bad, the first: %.700s", file->path, file->n_rows,
                      file->report->n_listed ? file->report->bad[0].message : "");
    if (s == STATUS_OK)
        csv_align(b, first, csv_form_has(file->form, CHANNEL_DIRECTION), &file->report->padded_front);
    return s;
}
