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
 *     +---------------+
 *
 * A rank holds a run of leaves and hands in their parts: the largest nodes of the tree that lie whole in the run, from left to right. The run 1 2 3 4 has
 * the parts {1} {2 3} {4}; the whole tree is one part. A run of n leaves has at most about 2 log2(n) parts.
 *
 * Who computes leaf after leaf needs as little room. Leaf i goes to slot gang_slot; gang_merge then adds the slots that have become one node:
 *
 *     leaf           0     1     2     3     4
 *     its slot       0     1     1     2     1
 *     then slots     0     01    01,2  0123  01234          and after the last leaf they are the parts */
#ifndef MODELS_GANG_H
#define MODELS_GANG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { LEAF_ROWS = 32 };

struct gang_slab { /* a sum's two sides on a rank */
    const float *mine; /* (gang_parts of the own run of leaves, width) row-major */
    float *total;      /* (width) the same on every rank in the end; does not overlap mine, but in a gang of one, which has a single part, may be mine */
    size_t width;
    int n_leaves;      /* of all ranks */
};

struct gang {
    int rank, size; /* MPI's meaning */
    void *context;
    /* Collective. Leaves are dealt in runs: rank r holds leaves [gang_first(n_leaves, r, size), gang_first(n_leaves, r + 1, size)).
     * mine (gang_parts of that run, width) row-major; total (width) on every rank, must not overlap mine. */
    enum status (*sum)(struct gang *g, const float *mine, float *total, size_t width, int n_leaves, struct error *e);
    /* The same in pieces, so that it goes on while the rest is computed. sum_begin: the floats [from, to) of all parts are final, and stay untouched until
     * sum_end; it does not wait, and what it does costs no more than adding up. Every member begins the same pieces in the same order; together they
     * are all floats, once. sum_end waits until total is there; a failure is told by it. In between no other call than stop and sum (of batch statistics, say). */
    void (*sum_begin)(struct gang *g, const struct gang_slab *s, size_t from, size_t to);
    enum status (*sum_end)(struct gang *g, const struct gang_slab *s, struct error *e);
    uint64_t moved_bytes; /* that this rank has handed to others so far */
    double waited_s;      /* that it has waited for them */
    /* Collective. data holds size pieces, piece r in bytes [offset[r], offset[r+1]); each rank has filled its own, all get all. */
    enum status (*share)(struct gang *g, void *data, const size_t *offset, struct error *e);
    /* Collective. n_out bytes to rank `to`, n_in from rank `from`, which gives just as many; 0 is none, and to itself is a copy. */
    enum status (*pass)(struct gang *g, int to, const void *out, size_t n_out, int from, void *in, size_t n_in, struct error *e);
    /* gang_take where members can hand numbers to each other without a message; else NULL, and they are dealt in runs. */
    int (*take)(struct gang *g, int n);
    int taken;            /* of this rank's run */
    /* Not collective: has this rank been told to stop? Models sum the answers (with a gradient, or by gang_any) and leave together. */
    bool (*stop)(struct gang *g);
    void *stop_context; /* of stop */
    size_t *offset;     /* (size + 1) room for gang_share_rows; of whoever makes the gang; NULL where size is 1 */
};

/* First of n items that rank takes when they are dealt in runs: floor(n * rank / size). */
int gang_first(int n, int rank, int size);
int gang_owner(int item, int n, int size); /* the rank that takes it */
/* Of the numbers 0 .. n - 1, each of which goes to one member, the next: where members can, to whoever comes first. -1 where all are gone; every member
 * goes on until then, and what it asks for afterwards are numbers anew. */
int gang_take(struct gang *g, int n);
int gang_leaves(int rows); /* ceil(rows / LEAF_ROWS) */

/* Parts of the run of leaves [first, end). */
int gang_parts(int first, int end, int n_leaves);
/* Where leaf i of a run that begins at first is written, when the leaves before it are there and merged. */
int gang_slot(int first, int i, int n_leaves);
/* After leaf i: adds what it completes. x: (slots, stride), or the floats of it that are worked on; n of each slot are added. */
void gang_merge(float *x, size_t stride, size_t n, int first, int i, int n_leaves);
/* Who adds a leaf's floats to those of the slot before as it makes them saves its own: is this what gang_merge would do first? It then does the rest. */
bool gang_joins_before(int first, int i, int n_leaves);
void gang_merge_rest(float *x, size_t stride, size_t n, int first, int i, int n_leaves);
/* Slots that the run [first, end) needs at any moment, and what no run of so many leaves exceeds. */
int gang_slots(int first, int end, int n_leaves);
int gang_slots_most(int count);

/* The additions that make the sum of the parts of all ranks, numbered from left to right: part `into` takes in part `from`. Part 0 is the sum in the end. */
struct gang_join {
    int into, from;
};
enum { GANG_PARTS_EACH = 64 }; /* no rank has more */
/* out (parts of all ranks - 1, or NULL); returns how many. */
int gang_joins(int n_leaves, int size, struct gang_join *out);
/* Parts of the ranks below rank: the number of its first one. */
int gang_part_offset(int n_leaves, int rank, int size);

/* into (n) += x (n). */
void gang_add(float *restrict into, const float *restrict x, size_t n);

/* A gang of one; stop may be NULL (never). */
struct gang gang_alone(bool (*stop)(struct gang *), void *stop_context);

/* Looks up from a long computation, so that others see that this rank lives (budget.silence). What it is told to, the next sum of answers finds out. */
void gang_look(struct gang *g);

/* The rows [*first, *last) of n that a rank predicts: whole leaves. */
void gang_rows(int n, int rank, int size, int *first, int *last);
/* Collective: x (n, width), each rank has filled its own rows (gang_rows), all get all. Does not allocate. */
enum status gang_share_rows(struct gang *g, float *x, int n, int width, struct error *e);

/* Collective: true on every rank where mine is true on any. */
enum status gang_any(struct gang *g, bool mine, bool *any, struct error *e);

struct gang_cost {
    double waited_s;     /* that an average member has waited for others */
    int64_t moved_bytes; /* that all have handed to others */
    int64_t peak_bytes;  /* memory of the member that needed most; 0: not known */
};
/* Collective: what it has cost. peak_bytes: of this member. */
enum status gang_cost(struct gang *g, int64_t peak_bytes, struct gang_cost *out, struct error *e);

#endif
