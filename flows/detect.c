/* Which layout has this file? By the number of columns and the values of its first rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flows/csv_rows.h"
#include "flows/number.h"

enum { ROWS_LOOKED_AT = 500, NAME_MAX_SHOWN = 32 };

struct sample {
    int columns, n;  /* fields of a row, the label's too; rows taken */
    double *cells;   /* (n, columns); NaN for what is no number */
    int label_words; /* rows whose first field is no number */
    char first[NAME_MAX_SHOWN], second[NAME_MAX_SHOWN]; /* names of the first columns, where these count up, as p1, p2 do; else "" */
};

static void take(struct sample *s, struct record *r)
{
    double *row = s->cells + (size_t)s->n * (size_t)s->columns;
    int c = 0;
    for (char *at = r->text; at && c < s->columns; c++) {
        size_t n;
        const char *text = record_field(&at, &n), *end = text;
        if (!text || !number_scan(&end, &row[c]) || *end)
            row[c] = NAN;
    }
    for (; c < s->columns; c++)
        row[c] = NAN;
    s->label_words += isnan(row[0]);
    s->n++;
}

/* Where the number begins that a name ends with. */
static size_t stem_of(const char *name)
{
    size_t n = strlen(name);
    while (n && name[n - 1] >= '0' && name[n - 1] <= '9')
        n--;
    return n;
}

/* Notes the first two names of a header (a copy, which is cut into fields) where the second is the first with a number that is one more. */
static void take_names(struct sample *s, char *header)
{
    size_t n[2] = {0}, stem;
    const char *first = record_field(&header, &n[0]), *second = header ? record_field(&header, &n[1]) : NULL;
    if (!first || !second || n[0] >= NAME_MAX_SHOWN || n[1] >= NAME_MAX_SHOWN)
        return;
    stem = stem_of(first);
    if (stem == 0 || !first[stem] || stem != stem_of(second) || memcmp(first, second, stem) != 0)
        return;
    if (strtoull(second + stem, NULL, 10) != strtoull(first + stem, NULL, 10) + 1)
        return;
    memcpy(s->first, first, n[0] + 1);
    memcpy(s->second, second, n[1] + 1);
}

/* Room for the rows, when it is known that their number of columns can be that of flows. */
static enum status make_room(struct sample *s, const struct source *in, const struct record *r, struct error *e)
{
    s->columns = record_fields(r);
    if (s->columns < 2 || s->columns > FLOWS_STEPS_MAX)
        return error_set(e, STATUS_DATA, "%s:%lld: %d column%s: a label and sizes of packets, separated by commas, were expected", in->path,
                         (long long)r->line, s->columns, s->columns == 1 ? "" : "s");
    s->cells = memory_new((size_t)s->columns * ROWS_LOOKED_AT * sizeof *s->cells);
    return STATUS_OK;
}

static enum status take_rows(struct sample *s, struct source *in, struct error *e)
{
    struct record r;
    TRY(source_next(in, &r, e));
    if (!r.text)
        return error_set(e, STATUS_DATA, "%s: no rows: the file is empty", in->path);
    char *first = memory_text(r.text);
    struct record kept = {first, strlen(first), r.line}; /* up to a zero byte, where there is one */
    enum status status = source_next(in, &r, e);
    bool alone = status == STATUS_OK && !r.text;
    if (status == STATUS_OK)
        status = make_room(s, in, alone ? &kept : &r, e);
    if (status == STATUS_OK && (alone || !csv_is_header(&kept)))
        take(s, &kept);
    else if (status == STATUS_OK)
        take_names(s, first);
    while (status == STATUS_OK && r.text && s->n < ROWS_LOOKED_AT) {
        take(s, &r);
        status = source_next(in, &r, e);
    }
    free(first);
    return status;
}

/* Do the columns [first, last) of all rows hold only what test allows? NaN is allowed: bad rows are the reader's to report. */
static bool columns_hold(const struct sample *s, int first, int last, bool (*test)(double))
{
    for (int i = 0; i < s->n; i++)
        for (int c = first; c < last; c++) {
            double x = s->cells[(size_t)i * (size_t)s->columns + (size_t)c];
            if (!isnan(x) && !test(x))
                return false;
        }
    return true;
}

static bool is_direction(double x)
{
    return x == 0 || x == 1 || x == -1;
}

static bool is_positive(double x)
{
    return x >= 0;
}

static bool is_whole(double x)
{
    return x == floor(x);
}

static bool is_zero(double x)
{
    return x == 0;
}

/* The first column from `first` on that holds a number below 0, counted from there; -1: none does. */
static int negative_column(const struct sample *s, int first)
{
    for (int c = first; c < s->columns; c++)
        if (!columns_hold(s, c, c + 1, is_positive))
            return c - first;
    return -1;
}

/* The last one that holds a number which test does not allow. */
static int last_column(const struct sample *s, int first, bool (*test)(double))
{
    int c = s->columns - 1;
    while (c >= first && columns_hold(s, c, c + 1, test))
        c--;
    return c < first ? -1 : c - first;
}

/* n blocks, the last of them directions, from column `first` on? */
static bool blocks_fit(const struct sample *s, int first, int n)
{
    int width = s->columns - first, steps = width / n;
    if (width % n || steps < 1)
        return false;
    int directions = s->columns - steps;
    return columns_hold(s, directions, s->columns, is_direction) && !columns_hold(s, directions, s->columns, is_zero) &&
           columns_hold(s, first, first + steps, is_positive);
}

static void set_form(struct params *data, const char *layout, const char *blocks, int steps)
{
    struct value v = value_text(layout), w;
    params_set(data, "layout", &v);
    value_fini(&v);
    v = value_int(steps);
    params_set(data, "steps", &v);
    if (blocks && value_from_json(blocks, &w, NULL) == STATUS_OK) {
        params_set(data, "blocks", &w);
        value_fini(&w);
    }
}

/* Does the header name the first column as a packet, while it holds numbers? */
static bool begins_with_packet(const struct sample *s)
{
    return s->first[0] && !s->label_words;
}

static bool has_label(const struct sample *s, bool labelled, int unlabelled)
{
    if (begins_with_packet(s))
        return false;
    return labelled || s->label_words || s->n == 0 || (s->columns % 2 && s->columns != unlabelled);
}

static void decide(const struct sample *s, int first, struct params *data)
{
    int width = s->columns - first;
    if (blocks_fit(s, first, 4))
        set_form(data, "blocks", "[\"size\",\"payload\",\"iat\",\"direction\"]", width / 4);
    else if (blocks_fit(s, first, 3))
        set_form(data, "blocks",
                 columns_hold(s, first + width / 3, first + 2 * (width / 3), is_whole) ? "[\"size\",\"payload\",\"direction\"]"
                                                                                       : "[\"size\",\"iat\",\"direction\"]",
                 width / 3);
    else if (blocks_fit(s, first, 2))
        set_form(data, "blocks", "[\"size\",\"direction\"]", width / 2);
    else
        set_form(data, "signed", NULL, width);
}

enum status flows_detect(const char *path, bool labelled, int unlabelled, struct params *data, struct flows_signs *signs, struct error *e)
{
    struct source in;
    struct sample s = {0};
    TRY(source_open(&in, path, e));
    enum status status = take_rows(&s, &in, e);
    if (status == STATUS_OK && labelled && begins_with_packet(&s))
        status = error_set(e, STATUS_DATA,
                           "%s:1: the first column is named %s, the second %s, so it holds a packet; a column of labels was expected before them", path,
                           s.first, s.second);
    if (status == STATUS_OK) {
        struct value v = value_text(path);
        params_set(data, "path", &v);
        value_fini(&v);
        int first = has_label(&s, labelled, unlabelled);
        decide(&s, first, data);
        if (signs)
            *signs = (struct flows_signs){.sure = begins_with_packet(&s) || s.label_words == s.n, .negative = negative_column(&s, first),
                                          .no_direction = last_column(&s, first, is_direction), .not_0 = last_column(&s, first, is_zero)};
        params_complete(data, NULL, data_params);
    }
    free(s.cells);
    source_close(&in);
    return status;
}
