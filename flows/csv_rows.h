/* Rows of flow CSV into a table of flows: what one line means in either layout, and where the padding stands.
 *
 * "blocks": label, then for every block `steps` columns. "signed": label, then `steps` signed sizes. Rows are stored as they stand, then moved to
 * the first packet when the whole file is known (csv_rows_align), since in "signed" the file as a whole tells which end is padded. */
#ifndef FLOWS_CSV_ROWS_H
#define FLOWS_CSV_ROWS_H

#include "flows/build.h"
#include "flows/flows_read.h"
#include "flows/source.h"

struct csv_form {
    bool is_signed;
    int n_blocks; /* 1 where is_signed */
    enum channel block[CHANNEL_COUNT];
    int steps, columns; /* columns without the label's */
    unsigned channels;  /* that flows of this form can give */
};

/* Out of data.layout, data.blocks and data.steps. STATUS_CONFIG. */
enum status csv_form_of(const struct params *data, struct csv_form *out, struct error *e);
bool csv_form_has(const struct csv_form *f, enum channel c);

struct csv_file {
    const char *path;
    const struct csv_form *form;
    bool label_optional, skip_bad;
    int32_t first_row;           /* number of its first row */
    struct flows_report *report; /* added to */
    int32_t n_rows;              /* out: rows in the file, bad ones too */
};

/* Appends a file's rows to b, aligned. STATUS_NO_INPUT, STATUS_DATA (place and what was expected), STATUS_IO, STATUS_MEMORY. */
enum status csv_rows_read(struct csv_file *file, struct flows_builder *b, struct error *e);

/* Is a record the names of columns? No field after the first is a number, or they count up. */
bool csv_is_header(const struct record *r);

#endif
