/* What engines do for trees. The columns of a small node side by side, one a lane, so that sorting and sweeping them are vector operations without a branch.
 *
 * Keys stand sample by sample, a lane each of TREE_LANES columns. A key holds, from its highest bits, code, times, class (tree_class_in_key). What a place gains is a float here, off by less than 2^-13 of it: products of numbers below 2^8 and 2^16 are exact, one sum is
 * rounded, one quotient perhaps by 2^-14. tree_small.c computes those that come as near to the best again. */
#ifndef MODELS_TREE_LANES_H
#define MODELS_TREE_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TREE_LANES = 16,
    TREE_LANES_SAMPLES = 160,  /* at most */
    TREE_LANES_CLASS_BITS = 5,
    TREE_LANES_WHOLE_BITS = 8 /* of a class's weight, and of all weights together */
};

/* Classes are counted in words, four of them in each. Where in its word a class stands, times 8, and the word's number, backwards: so the first two words'
 * classes are told apart by three bits side by side. */
static inline uint32_t tree_word_in_key(uint32_t word) { return (word & 1) << 2 | (word & 2) | word >> 2; }
static inline uint32_t tree_class_in_key(uint32_t c) { return tree_word_in_key(c >> 2) | (c & 3) << 3; }

struct tree_lanes {
    uint32_t keys[TREE_LANES_SAMPLES][TREE_LANES] __attribute__((aligned(64)));
    float gain[TREE_LANES_SAMPLES][TREE_LANES] __attribute__((aligned(64))); /* about, of the place behind each sample, where leaf allows one; 0: there is none */
    uint32_t squares_at[TREE_LANES_SAMPLES][TREE_LANES] __attribute__((aligned(64))); /* of such a place: sums of squares of weights, left and, shifted by 16, right */
    uint32_t weights_at[TREE_LANES_SAMPLES][TREE_LANES] __attribute__((aligned(64))); /* right of it and, shifted by 16, left */
    float most[TREE_LANES] __attribute__((aligned(64)));                     /* of each lane */
    uint32_t labels[TREE_LANES_SAMPLES];                                     /* what a sample's keys have in common */
    uint8_t whole[1 << TREE_LANES_CLASS_BITS];                               /* weights of classes in the node, by class as in a key */
    int label_bits;                                                          /* of them */
    double gain_of[TREE_LANES] __attribute__((aligned(64)));                 /* where classes weigh more than 1: the most that a lane gains; -INFINITY: nothing */
    int64_t place_of[TREE_LANES] __attribute__((aligned(64)));               /* and the sample before that place */
    uint16_t best[TREE_LANES_SAMPLES * TREE_LANES]; /* sample * TREE_LANES + lane of places that may gain most of all lanes */
    uint32_t weight, squares;                                                /* of the node: all weights, all squares of classes' weights */
    int n, n_classes, leaf;                                                  /* leaf: samples that either side keeps, at least */
};

struct tree_weights { /* of a small node whose classes weigh more than 1 */
    const int64_t *unit;     /* (n_classes) of a sample drawn once */
    const int64_t *weights;  /* (n_classes) of all in the node */
    int64_t weight, squares; /* of all, below 2^31; of their squares */
};

/* Samples (n) of a node, which stand by class, counted; every class that occurs has a number, from 0. */
struct tree_counts {
    const uint64_t *samples; /* record, class, times drawn: 32, 16 and 16 bits */
    uint32_t *labels;        /* (n) the class's number, times: 16 and 16 bits */
    uint32_t *classes;       /* (classes) each with room for TREE_LANES more, as the next two */
    int *first;              /* (classes) their first samples */
    uint32_t *drawn;         /* (classes + 1) times of all samples before them; of all */
    uint32_t *all_times;     /* of all samples, ored */
};

enum { TREE_MARKS = 32 }; /* of codes that occur, looked at together */
enum { TREE_TABLE_VALUES = 1 << 13 /* codes of a column, at most */, TREE_TABLE_ROOM = 2 * TREE_LANES /* behind what is listed of them */ };

/* Where in a table the i-th of n codes is counted, row * TREE_LANES + lane: each lane has a run of codes, so sums over neighbours are sums over rows. */
static inline uint32_t tree_table_rows(uint32_t n) { return (n + TREE_LANES - 1) / TREE_LANES; }
static inline uint32_t tree_table_place(uint32_t i, uint32_t n) { return i % tree_table_rows(n) * TREE_LANES + i / tree_table_rows(n); }
static inline uint32_t tree_table_code(uint32_t place, uint32_t n) { return place % TREE_LANES * tree_table_rows(n) + place / TREE_LANES; }

enum { TREE_DIFFER_LEAST = 16, TREE_DIFFER_MOST = 128 }; /* codes of a record whose columns are compared all at once */

/* Asks for a record of so many codes, that of a sample which will be looked at soon: those of larger nodes come from far away. */
enum { TREE_AHEAD = 16 /* samples */ };
static inline void tree_fetch(const uint16_t *record, size_t stride)
{
    const char *from = (const char *)record;
    for (size_t at = 0; at < stride * sizeof *record; at += 64)
        __builtin_prefetch(from + at);
}

/* Codes of a node's samples, as struct tree_data has them. */
struct tree_codes {
    const uint16_t *records;
    size_t stride;
    const uint64_t *samples;  /* (n) records' numbers in the upper halves */
    uint32_t at[TREE_LANES];  /* (n_columns) places in a record */
    int n_columns;
    uint32_t wide;            /* which columns, bit by bit, are so: their upper halves stand behind the lower */
};

/* Columns of a node, of any size, side by side, each split at one threshold (models/tree_random.c). Of few samples the values are at hand too: to look them
 * up takes less than to look for the code of a threshold. */
enum { TREE_SIDES_FEW = 32 };
struct tree_sides {
    uint32_t (*codes)[TREE_LANES]; /* (n) room; starts at 64 bytes */
    float values[TREE_SIDES_FEW][TREE_LANES] __attribute__((aligned(64)));
    uint32_t least[TREE_LANES] __attribute__((aligned(64))), most[TREE_LANES] __attribute__((aligned(64))); /* of a lane's codes */
    uint32_t last[TREE_LANES] __attribute__((aligned(64)));                                                 /* codes up to this go left, */
    float threshold[TREE_LANES] __attribute__((aligned(64)));                                               /* or values up to this, */
    int64_t *squares, *across, *weight; /* (TREE_LANES) and this comes of light nodes: sum over classes of its square, of it times the class's weight, of it; */
    uint32_t (*left)[TREE_LANES];       /* (n_classes) of others this, times drawn, and of all classes together */
    uint32_t rows[TREE_LANES] __attribute__((aligned(64))); /* so many samples */
};

struct tree_side_classes { /* of the node's samples */
    const uint32_t *labels; /* (n) the class's number, times: 16 and 16 bits */
    const int *first;       /* (n_classes + 1) samples of each; n */
    const int64_t *weights; /* (n_classes) */
    int n_classes;
    bool light;             /* of classes that weigh 1, all weights together are below 2^16 */
    bool by_value;          /* are values at hand? */
};

/* One column's counts by class and code (models/tree_table.c), summed up. Codes that occur, or all, have places (tree_table_place). Classes stand two by
 * two, in the halves of 32 bits, whose products and sums are one operation. What a place gains is a float here, off by less than 2^-20 of it: squares, and
 * what stands left times right, are rounded, then products, a sum and a quotient. */
struct tree_table {
    uint16_t (*counts)[2];   /* (n_pairs, apart: rows * TREE_LANES and perhaps more) how often samples of a code were drawn; 0 afterwards. Starts at 64 bytes */
    int n_pairs, apart, rows;
    uint32_t *left;          /* (n_pairs, TREE_LANES) room */
    const uint32_t *whole;   /* (n_pairs) weights of two classes each, low half and high half; */
    uint32_t all, all_squares; /* the sum of all, below 32768, and that of their squares */
    uint32_t *squares, *across, *weight; /* (rows, TREE_LANES) of what has up to such a code: sum over classes of its square, of it times the class's weight, of it */
    float *gain;             /* (rows, TREE_LANES) about, of the place behind each; 0: there is none, or no sample has the code */
};

#endif
