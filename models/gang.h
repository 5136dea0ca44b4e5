/* The ranks that train one trial together, as models see them: a rank, a size, and three collective operations.
 *
 * Models know no MPI. What they need is passed in: sums up a fixed tree, everyone's piece for everyone, and bytes from each to
 * another. Alone, a gang has
 * size 1 (gang_alone). All calls marked collective must be made by every member in the same order; on failure every member gets an error.
 *
 * The fixed tree over n leaves: at stride 1, 2, 4, .. leaf i (a multiple of 2*stride) takes in leaf i+stride where there is one.
 * Its shape depends on n alone, so sums have the same bits whatever the number of ranks:
 *
 *     0   1   2   3   4          leaves (32 rows of a batch each, the last one may be short)
 *     +---+   +---+   |
 *     +-------+       |
 *     +---------------+ */
#ifndef MODELS_GANG_H
#define MODELS_GANG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { LEAF_ROWS = 32 };

struct gang {
    int rank, size; /* MPI's meaning */
    void *context;
    /* Collective. Leaves are dealt in runs: rank r holds leaves [gang_first(n_leaves, r, size), gang_first(n_leaves, r + 1, size)).
     * mine (own leaves, width) row-major, overwritten; total (width) on every rank, must not overlap mine. */
    enum status (*sum)(struct gang *g, float *mine, float *total, size_t width, int n_leaves, struct error *e);
    /* Collective. data holds size pieces, piece r in bytes [offset[r], offset[r+1]); each rank has filled its own, all get all. */
    enum status (*share)(struct gang *g, void *data, const size_t *offset, struct error *e);
    /* Collective. n_out bytes to rank `to`, n_in from rank `from`, which gives just as many; 0 is none, and to itself is a copy. */
    enum status (*pass)(struct gang *g, int to, const void *out, size_t n_out, int from, void *in, size_t n_in, struct error *e);
    /* Not collective: has this rank been told to stop? Models sum the answers (with a gradient, or by gang_any) and leave together. */
    bool (*stop)(struct gang *g);
    void *stop_context; /* of stop */
};

/* First of n items that rank takes when they are dealt in runs: floor(n * rank / size). */
int gang_first(int n, int rank, int size);
int gang_owner(int item, int n, int size); /* the rank that takes it */
int gang_leaves(int rows); /* ceil(rows / LEAF_ROWS) */

/* Is the step "leaf i takes in leaf i + stride" (i a multiple of 2 * stride, i + stride < n_leaves) one that the run of leaves
 * [first, first + count) can do alone? Only where all leaves below both lie in the run: with 4 leaves the run [0, 3) must not add leaf 2 to
 * leaf 0, since leaf 2 still lacks leaf 3. A transport does exactly the steps for which this is false, between ranks. */
static inline bool gang_step_inside(int i, int stride, int first, int count, int n_leaves)
{
    int end = n_leaves - i < 2 * stride ? n_leaves : i + 2 * stride;
    return i >= first && end <= first + count;
}
/* Folds the leaves that lie within [first, first + count) up the tree as far as they alone go (gang_step_inside); used by every transport.
 * x (count, width). After it, what other ranks need is in the leaves listed by the same tree. */
void gang_fold(float *x, size_t width, int first, int count, int n_leaves);

/* A gang of one; stop may be NULL (never). */
struct gang gang_alone(bool (*stop)(struct gang *), void *stop_context);

/* Looks up from a long computation, so that others see that this rank lives (budget.silence). What it is told to, the next sum of answers finds out. */
void gang_look(struct gang *g);

/* The rows [*first, *last) of n that a rank predicts: whole leaves. */
void gang_rows(int n, int rank, int size, int *first, int *last);
/* Collective: x (n, width), each rank has filled its own rows (gang_rows), all get all. */
enum status gang_share_rows(struct gang *g, float *x, int n, int width, struct error *e);

/* Collective: true on every rank where mine is true on any. */
enum status gang_any(struct gang *g, bool mine, bool *any, struct error *e);

#endif
