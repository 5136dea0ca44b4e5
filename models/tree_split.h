/* The best split of a node: its samples sorted by one column after another, and swept.
 *
 * Weights and their squares are whole numbers, exact in any order. A sweep only adds them up and notes where the code changes; what such a place gains is
 * computed for all of them together afterwards. */
#ifndef MODELS_TREE_SPLIT_H
#define MODELS_TREE_SPLIT_H

#include <stdint.h>

#include "base/memory.h"
#include "models/tree.h"
#include "models/tree_entropy.h"
#include "models/tree_lanes.h"

enum { TREE_AT_ONCE = TREE_LANES };

/* A sample of the tree: record, class, times drawn. */
typedef uint64_t tree_sample;
static inline uint32_t sample_record(tree_sample s) { return (uint32_t)(s >> 32); }
static inline uint32_t sample_class(tree_sample s) { return (uint32_t)s >> 16; }
static inline uint32_t sample_times(tree_sample s) { return (uint32_t)s & 0xffff; }

struct tree_split {
    int feature;                    /* -1: none found */
    uint32_t left_code, right_code; /* the largest that goes left, the smallest that goes right */
    float threshold;                /* where it is random; else of tree_splitter_threshold */
    double gain;                    /* minus weight * impurity, both sides, less what all splits of the node have in common */
    double decrease;                /* of weight * impurity, from the node to its sides; 0 where it is no more than rounding */
    const uint32_t *codes;          /* (n, apart) of its column, of the node's samples, until others are gathered; NULL: they are not at hand */
    int apart;
};

struct tree_node_facts { /* of the classes in a node */
    int n_classes;
    uint32_t *classes;   /* (n_classes) ascending */
    int *first;          /* (n_classes + 1) their first samples; n */
    int64_t *weights;    /* (n_classes) their weights */
    int64_t weight;
    int64_t squares;     /* of weights */
    uint32_t *drawn;     /* (n_classes + 1) times that samples of classes before each were drawn */
    uint32_t all_times;  /* that samples were drawn, ored */
};

/* Room of tree_count.c, for all samples; marks and counts are 0 between calls. */
struct tree_count {
    uint8_t *marks;   /* of codes that occur */
    uint32_t *ranks;  /* of these, in ascending order */
    uint32_t *counts; /* by rank */
    uint32_t *left;   /* summed up */
};

enum { TREE_TABLE_BESIDE = 4, TREE_TABLE_CLASSES = 512 };

/* Room of tree_table.c; counts are 0 between calls. */
struct tree_table_room {
    uint16_t (*counts)[2];
    uint32_t *whole, *left, *squares, *across, *weight;
    float *gain;
    int32_t *near;
    uint16_t *places[TREE_TABLE_BESIDE]; /* (TREE_TABLE_VALUES) of a column's codes */
    int32_t *codes[TREE_TABLE_BESIDE];   /* (TREE_TABLE_VALUES) that have places, ascending, where not all have */
};

struct tree_splitter {
    const struct tree_data *data;
    const struct tree_params *params;
    struct random *random;
    bool plain;          /* every class weighs 1 */
    int64_t *unit;       /* (n_classes) weight of a sample drawn once */
    struct tree_logs logs; /* of entropy */
    struct tree_node_facts node;
    /* room */
    uint32_t *labels;    /* (n) local class and times */
    uint32_t *codes;     /* (TREE_AT_ONCE, n) of columns looked at together, or, side by side, (n, TREE_LANES) */
    void *keys, *sorted; /* (n) of 64 bits */
    int64_t *left;       /* (n_classes) */
    int64_t *unit_of;    /* (n_classes) of local classes */
    int64_t *count;      /* (n_classes) of local classes: how often drawn; of entropy, as is: */
    const int64_t **logs_of; /* (n_classes) of local classes: w log2 w by how often drawn */
    double own;          /* gain of the node as it stands */
    int64_t *left_squares, *across, *left_weight; /* (n) of places to split; across: sum over classes of left times whole weight. Of entropy the first
                                                     is the sum of w log2 w over both sides' classes, and there is no across */
    double *gain;        /* (n) */
    int32_t *place;      /* (n) the sample before each */
    struct tree_count count_room;
    struct tree_table_room table_room;
    const struct engine *engine;
    struct tree_lanes *lanes; /* of tree_small.c */
    struct tree_sides *sides; /* of tree_random.c */
    uint32_t (*left_of)[TREE_LANES]; /* (n_classes) */
    bool small;          /* may it be used at all? */
    int code_bits;       /* that the largest code of all columns needs */
    int *columns;        /* (n_columns) in the order drawn */
    int *turn;           /* (n_columns) of columns that are equally good, the one of the lowest turn is taken */
};

/* Is a column taken that is as good as the best one so far? */
static inline bool tree_splitter_prefers(const struct tree_splitter *s, int column, const struct tree_split *best)
{
    return best->feature < 0 || s->turn[column] < s->turn[best->feature];
}

/* Is a place of a column better than the best one so far? */
static inline bool tree_splitter_gains_more(const struct tree_splitter *s, int column, double gain, const struct tree_split *best)
{
    return gain > best->gain || (gain == best->gain && tree_splitter_prefers(s, column, best));
}

/* The squares of both sides over their weights. left_squares, left_weight: of the left side; across: sum over classes of left times whole weight. */
static inline double tree_gini_gain(const struct tree_node_facts *f, int64_t left_squares, int64_t across, int64_t left_weight)
{
    return (double)left_squares / (double)left_weight + (double)(f->squares - 2 * across + left_squares) / (double)(f->weight - left_weight);
}

/* Takes its room from a slab (base/memory.h: measured first, then cut). rows: of a tree, at most. */
void tree_splitter_cut(struct tree_splitter *s, struct slab *slab, size_t rows);
/* When s->unit is set. times (data->n): how often each row was drawn. */
void tree_splitter_begin(struct tree_splitter *s, const int32_t *times);
/* Counts a node's samples (n >= 1), which stand by class; true where they are all of one class, whose weight is then not counted: it is said to be 1. */
bool tree_splitter_look(struct tree_splitter *s, const tree_sample *samples, int n);
/* Codes (n) of a split's column, of its node's samples; until others are gathered. */
const uint32_t *tree_splitter_codes(struct tree_splitter *s, const struct tree_split *split, const tree_sample *samples, int n);
/* Of the node looked at last. constant: bits (n_columns) of columns known to be constant here; those found are added. */
struct tree_split tree_splitter_find(struct tree_splitter *s, const tree_sample *samples, int n, uint64_t *constant);

/* Are columns at random thresholds looked at by tree_random_try? Of the node looked at last, n >= 2 samples of several classes: some columns, up to
 * TREE_AT_ONCE. *best is replaced by what gains more. Returns which of them, bit by bit, are not constant. */
bool tree_random_take(const struct tree_splitter *s);
uint32_t tree_random_try(struct tree_splitter *s, const int *column, int n_columns, const tree_sample *samples, int n, struct tree_split *best);
/* Of that node: a column, by its codes (n), at a random threshold (tree_random.c). *best is replaced by what gains more; false where the column is constant. */
bool tree_splitter_try_random(struct tree_splitter *s, int column, const uint32_t *codes, int n, struct tree_split *best);
/* A column, by its keys (n), sorted: code, class's number, times, from the highest bits; so many of times, and of times and class. *best is replaced likewise. */
void tree_splitter_try_sorted(struct tree_splitter *s, int column, const uint32_t *keys, int n, int times_bits, int label_bits, struct tree_split *best);
/* s->gain of the first n places noted in s->left_squares, s->across and s->left_weight. */
void tree_splitter_gains(const struct tree_splitter *s, int n);
/* The best of the places noted of a column, by their s->gain, or -1 where it gains less than *best. */
int tree_splitter_best(const struct tree_splitter *s, int column, int places, const struct tree_split *best);
/* Which side keeps fewer samples than min_samples_leaf, where so many of the node's (n) are left: below 0 the left one, above 0 the right one, 0 neither. */
static inline int tree_splitter_short_side(const struct tree_splitter *s, int left, int n)
{
    return (n - left < s->params->min_samples_leaf) - (left < s->params->min_samples_leaf);
}
/* Places to split (places), in ascending order: where `at` leaves that side too few samples, the first place that leaves the left one enough, or the right one
 * too few. left: how many of the node's samples (n) are left of a place. */
int tree_splitter_enough(const struct tree_splitter *s, int side, int at, int places, int n, int (*left)(const void *of, int place), const void *of);
/* How many codes (n) are `last` at most. */
int tree_codes_up_to(const uint32_t *codes, int n, uint32_t last);
/* A column, by its codes (n), counted instead of sorted (tree_count.c); *best is replaced by what gains more. */
enum tree_counted { TREE_CONSTANT, TREE_DIFFERS, TREE_NOT_COUNTED /* sorting is better */ };
enum tree_counted tree_count_try(struct tree_splitter *s, int column, const uint32_t *codes, int n, struct tree_split *best);
/* Codes that are marked, ascending; none is afterwards. Returns how many. */
int tree_count_list(const struct tree_count *c, uint32_t n_values, int32_t *codes);
void tree_count_cut(struct tree_count *c, struct slab *slab, size_t values, size_t rows);
/* Is the node looked at last, of n samples, one for tree_small_try (tree_small.c)? */
bool tree_small_take(struct tree_splitter *s, int n);
/* Of a node of n samples: adds all columns that are constant, where it costs less to know than to draw them. */
void tree_small_constant(const struct tree_splitter *s, const tree_sample *samples, int n, uint64_t *constant);
/* Of such a node: some columns at once, up to TREE_AT_ONCE. *best is replaced by what gains more. Returns which of them, bit by bit, are not constant. */
uint32_t tree_small_try(struct tree_splitter *s, const int *column, int n_columns, const tree_sample *samples, struct tree_split *best);
/* A split between neighbouring codes of a node. */
static inline struct tree_split tree_splitter_between(const struct tree_splitter *s, int column, uint32_t left, uint32_t right, double gain)
{
    return (struct tree_split){.feature = column, .left_code = left, .right_code = right, .gain = gain, .decrease = gain - s->own};
}

/* Where it lies. */
float tree_splitter_threshold(const struct tree_data *d, int column, uint32_t left, uint32_t right);
static inline int tree_bits_of(uint32_t x) /* that x needs */
{
    return x ? 32 - __builtin_clz(x) : 0;
}

/* The smallest and the largest of codes (n). */
void tree_codes_range(const uint32_t *codes, int n, uint32_t *least, uint32_t *most);

#endif
