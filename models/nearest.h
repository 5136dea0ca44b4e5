/* The nearest of many rows, exactly: what a look at every one of them would find, without most of the looking.
 *
 * The distance of a row b to x is the sum over columns, in order, of (b - x)^2, every operation rounded to float; nothing is fused. Squared: nobody needs the
 * root. Equal distances: the earlier row.
 *
 * Rows that are the same number for number are kept once (-0 is 0), with the list of who they are. What is kept is dealt into blocks of 64 rows that resemble
 * each other: halves by the column that varies most, then halves of each half, as in a k-d tree.
 *
 *     block     64 rows, transposed (width, 64)
 *     group     16 blocks: the smallest and the largest value of each column of each block, its box, (width, 2, 16)
 *
 * A search begins in the block where x would stand, goes on with that block's group, and then through all groups; a block is looked into only if its box is not
 * farther than the k-th so far, and only for as many columns as one of its rows may be near. That skips no row that belongs to the answer: sums of squares never
 * fall from column to column, and rounding keeps order, so a box is never farther in floats than a row in it, nor a row after some columns than after all. */
#ifndef MODELS_NEAREST_H
#define MODELS_NEAREST_H

#include <stdint.h>

#include "base/status.h"

struct nearest; /* owned by whoever made it */

/* Room for n rows of so many columns, all that nearest_fill needs. STATUS_MEMORY. */
enum status nearest_new(struct nearest **out, int n, int width, struct error *e);
void nearest_free(struct nearest *s); /* NULL is fine */
/* Rows (n, width), finite, are copied. Once. */
void nearest_fill(struct nearest *s, const float *rows);
/* Bytes that a filled one takes at most, and what filling takes besides. */
uint64_t nearest_bytes(int64_t n, int64_t width);

int nearest_distinct(const struct nearest *s);
/* One of the n rows, as it was given but for the sign of zeros: out (width). */
void nearest_row(const struct nearest *s, int row, float *out);

enum { NEAREST_QUERIES = 64 }; /* in one call, at most */

/* The k nearest of what is kept, or all where there are fewer, for each row of x (n, width), n <= NEAREST_QUERIES. Returns how many: k' <= k.
 * out, with room for (n, 2 k): (n, k') keys by distance, then by the first of the rows that are the same. Does not allocate. */
int nearest_search(const struct nearest *s, const float *x, int n, int k, uint64_t *out);

/* Of a key: the squared distance; the rows, which are the same, in order, and how many. */
float nearest_distance(uint64_t key);
int nearest_members(const struct nearest *s, uint64_t key, const int32_t **rows);

#endif
