/* How rows of flows become what a model reads: channels, clipping, scaling; and statistics (flows/statistics.h), which forests may read beside or instead.
 *
 * Fitted once, on training rows only (scaling_fit = "all" replays the seed's leak); then a pure function of a row. Numbers are made on the fly
 * from the node's one copy of the flows; nothing is copied per trial.
 * Sizes are clipped to [-clip, clip] (clip 0: not) before anything. iat enters as log1p(iat / 1 us), or data.iat = "log_nonzero": log where non-zero.
 * Padded steps are 0 after scaling, except under align = "end" with "minmax" (per column, as the seed had it), where zeros are values
 * like others. Scaling: "symmetric" (per channel by the largest magnitude among training rows), "standard" (per channel), "minmax" (per column), "none". */
#ifndef FLOWS_FEATURES_H
#define FLOWS_FEATURES_H

#include "base/param.h"
#include "flows/task.h"

struct features {
    const struct flows *flows; /* not owned; may be exchanged for others of the same form (predict) */
    int steps, n_channels;
    enum channel channel[CHANNEL_COUNT];
    int clip;
    bool align_end;       /* replay of the seed: packets at the end, padding in front */
    bool iat_log_nonzero;
    bool scale_padding;   /* zeros of padding are scaled as values */
    float *offset, *factor; /* (steps * n_channels): x' = (x - offset) * factor; owned */
    unsigned statistics;    /* groups, as of statistics_of; 0: none. Never scaled */
    float *room;            /* (steps) for computing them, by one thread at a time; owned */
};

/* channels: value list of names, or NULL: none. fit: the rows to fit on. STATUS_CONFIG where the flows lack a channel. */
enum status features_fit(struct features *out, const struct flows *f, const struct params *data, const struct value *channels, int steps,
                         const struct rows *fit, struct error *e);
/* Adds what statistics the flows allow; a forest then reads them behind the channels. STATUS_CONFIG where the flows have no sizes. */
enum status features_add_statistics(struct features *x, struct error *e);
void features_fini(struct features *x);

/* Numbers that a forest reads of a row: (steps, n_channels), then statistics. */
int features_columns(const struct features *x);
/* Bits as in struct flows of the channels that they are made of. */
unsigned features_channels(const struct features *x);
/* "iat[3]" (of the third packet), "out_size_q25"; appended. */
void features_column_name(const struct features *x, int column, struct buffer *out);
/* Which block a column belongs to, in [0, FEATURES_BLOCKS): a channel, or the statistics of a kind; and its name, appended: "iat", "statistics of size". */
enum { FEATURES_BLOCKS = 2 * CHANNEL_COUNT };
int features_block(const struct features *x, int column);
void features_block_name(const struct features *x, int block, struct buffer *out);

/* x (n, steps, n_channels), scaled; there must be no statistics. rows (n): indices into flows. Does not allocate. */
void features_gather(const struct features *x, const int32_t *rows, int n, float *out);
/* Unscaled (clipped, iat transformed), statistics with it: out (n, features_columns). What forests read. */
void features_gather_raw(const struct features *x, const int32_t *rows, int n, float *out);
/* Some of the columns of that, [first, first + count), one after another: column first + c begins at out + c * apart. */
void features_gather_columns(const struct features *x, const int32_t *rows, int n, int first, int count, float *out, size_t apart);
/* Are all numbers of a channel, the c-th of x, in these rows whole and of 16 bits? Of times never. */
bool features_whole(const struct features *x, int c, const int32_t *rows, int n);
/* Signed clipped sizes as words: out (n, steps) in [0, features_vocabulary): 0 is padding, size s is s + clip + 1. Needs clip > 0. */
void features_tokens(const struct features *x, const int32_t *rows, int n, int32_t *out);
int features_vocabulary(const struct features *x); /* 2 * clip + 2 */
int features_find(const struct features *x, enum channel c); /* position among its channels, or -1 */

/* As JSON object text for the bundle's manifest (floats with 9 digits, exact), and back. */
void features_to_json(const struct features *x, struct buffer *out);
/* Hostile input, parsed (jansson.h; NULL is no object) or as text; flows stays NULL. */
struct json_t;
enum status features_of_json(const struct json_t *object, struct features *out, struct error *e);
enum status features_from_json(const char *text, struct features *out, struct error *e);

#endif
