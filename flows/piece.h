/* Some rows of flows, away from the others: what a rank holds where rows are dealt over a gang, and rows on their way from rank to rank.
 *
 * A piece is a block of flows (flows/build.h) without labels, file numbers and meta columns, with as many packets and channels as its user
 * needs. On the way a row is its length, then its packets of each array, row after row, without gaps: any number of them can follow each other. */
#ifndef FLOWS_PIECE_H
#define FLOWS_PIECE_H

#include "base/memory.h"
#include "flows/build.h"

struct piece {
    struct flows flows;        /* a view that owns the block */
    struct block_layout place; /* where rows are written */
};

/* n rows of zeros. channels: bits as in struct flows. STATUS_MEMORY. */
enum status piece_new(struct piece *out, int n, int steps, unsigned channels, struct error *e);
void piece_fini(struct piece *p);

/* Of a row: on its way, and in a piece, about. */
size_t piece_row_bytes(int steps, unsigned channels);
/* out (n, piece_row_bytes): rows (n) of f, their first steps packets. f must have the channels. Does not allocate. */
void piece_pack(const struct flows *f, int steps, unsigned channels, const int32_t *rows, int n, void *out);
/* Into rows [first, first + n) of p. STATUS_BUG where a length cannot be. */
enum status piece_unpack(struct piece *p, int first, int n, const void *in, struct error *e);

#endif
