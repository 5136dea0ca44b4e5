/* Reading flow CSV: both layouts of the format, plain or gzip, streaming, hostile until parsed.
 *
 * data_params is the table of the configuration's group `data` (without split; see flows/split.h). flows_read takes a
 * complete, checked set of them (names "path", "layout", "blocks", .., no "data." before them) with paths already resolved. */
#ifndef FLOWS_FLOWS_READ_H
#define FLOWS_FLOWS_READ_H

#include "base/param.h"
#include "flows/flows.h"

extern const struct param data_params[];

struct flows_bad_row {
    int64_t line; /* 1-based */
    char *message;
};

struct flows_report { /* what on_bad_row = "skip" left out, and what was found of the form */
    int64_t n_bad;
    struct flows_bad_row *bad; /* the first 100; owned */
    int n_listed;
    bool has_header, padded_front; /* padded_front: where the file's padding stood, by majority of rows */
    int64_t bytes;                 /* unpacked */
};

void flows_report_fini(struct flows_report *r);

/* Reads data.path (and test_path, meta), or makes flows where source is "synthetic". report may be NULL.
 * STATUS_NO_INPUT, STATUS_DATA ("flows.csv:17: column 4: \"12x\" is no number"), STATUS_IO, STATUS_MEMORY. */
enum status flows_read(const struct params *data, struct flows *out, struct flows_report *report, struct error *e);

/* The same for flows whose label column may be absent and whose labels are ignored or few (predict, score): one class is no error. */
enum status flows_read_unlabelled(const struct params *data, struct flows *out, struct flows_report *report, struct error *e);

/* What a file shows beside its form. */
struct flows_signs {
    bool sure;    /* whether there is a column of labels: the header counts packets from the first column on, or that holds words */
    /* Columns behind the label, from 0; -1: there is none. */
    int negative; /* the first that holds a number below 0 */
    int no_direction, not_0; /* the last that holds another number than -1, 0 and 1; than 0 */
};

/* Finds out layout, blocks, steps and header of a file by looking at its first rows, and sets path, layout, blocks and steps in *data,
 * a set completed with defaults. labelled: its first column is to be the label, which may be a number: STATUS_DATA where a header names it as the first of
 * the packets; else names and values tell, and unlabelled: how many columns a file has that holds no more than packets, or 0. signs may be NULL. */
enum status flows_detect(const char *path, bool labelled, int unlabelled, struct params *data, struct flows_signs *signs, struct error *e);

#endif
