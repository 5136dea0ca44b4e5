/* The engine: products, layers and activations of networks, distances of neighbours, sorting in trees; compiled once for each kind of processor - AVX-512,
 * AVX2 with FMA, plain C.
 *
 * The files of models/engine/ make one. All give the same bits (models/engine/lanes.h), so the fastest that this processor runs is taken, and a gang may
 * mix them. In them ENGINE(name) is this engine's own `name`. No state. */
#ifndef MODELS_ENGINE_H
#define MODELS_ENGINE_H

#include <stddef.h>

#include "models/engine/distances.h"
#include "models/engine/gemm.h"
#include "models/layer.h"
#include "models/tree_lanes.h"

struct engine {
    const char *name;
    void (*gemm)(const struct gemm *g);
    /* In place; errors: models/engine/lanes.h. */
    void (*exp)(float *x, size_t n);
    void (*tanh)(float *x, size_t n);
    void (*sigmoid)(float *x, size_t n);
    /* Counts a node's samples (n) by class. Returns how many classes. */
    int (*tree_count)(const struct tree_counts *c, int n);
    /* Moves samples (n) whose codes (n) are up to `left` to the front, others behind them, all in the order that they had. room (n). Returns how many went. */
    int (*tree_part)(uint64_t *samples, uint64_t *room, int n, const uint32_t *codes, uint32_t left);
    /* NULL, all of them, where trees do better without. Labels of samples, by those of tree_count and the weights of classes. Each lane: its keys; in
     * ascending order; what its places gain; then which of them may be the best: returns how many, *differ: the lanes, bit by bit, that have different codes. */
    void (*tree_lanes_label)(struct tree_lanes *o, const uint32_t *labels, const int64_t *weights);
    void (*tree_lanes_fill)(struct tree_lanes *o, const struct tree_codes *codes);
    void (*tree_lanes_sort)(struct tree_lanes *o, int n_columns);
    void (*tree_lanes_sweep)(struct tree_lanes *o, int n_columns);
    uint32_t (*tree_lanes_weigh)(struct tree_lanes *o, const struct tree_weights *weights, int n_columns); /* instead of sweep and best; lanes that differ */
    int (*tree_lanes_best)(struct tree_lanes *o, int n_columns, uint32_t *differ);
    /* NULL where trees do better without: of plain C. Sets the bits of places in a record, of which there are TREE_DIFFER_LEAST to TREE_DIFFER_MOST, where the
     * samples (n, up to tree_differ_samples: with more it costs more than it saves) have not all the same code. */
    int tree_differ_samples;
    void (*tree_lanes_differ)(const struct tree_codes *codes, int n, uint64_t *differ);
    /* NULL, both of them, where trees do better without: of plain C. Codes of a node's samples (n), and their range; what goes left. */
    void (*tree_sides_fill)(struct tree_sides *o, const struct tree_codes *codes, int n);
    void (*tree_sides_count)(struct tree_sides *o, const struct tree_side_classes *classes, int n_columns);
    /* Lists codes (n_values, up to TREE_TABLE_VALUES) that are marked in ascending order, takes the marks away and gives these codes their places; marks NULL: all
     * of them, unlisted. Marks have room for TREE_MARKS more, places and codes for TREE_TABLE_ROOM. Returns how many. */
    int (*tree_table_places)(uint8_t *marks, int n_values, uint16_t *places, int32_t *codes);
    float (*tree_table_sum)(const struct tree_table *t); /* returns the largest gain */
    int (*tree_table_near)(const struct tree_table *t, float floor, int32_t *places); /* places that gain so much or more; returns how many */
    const struct layer_kind *layers[LAYER_COUNT];
    const struct batch_norm *batch_norm;
    const struct distances *distances;
};

extern const struct engine *const engines[]; /* the fastest first; ends with NULL; the last one runs everywhere */
bool engine_runs(const struct engine *engine); /* here */
const struct engine *engine_best(void);

#if defined(ENGINE_AVX512)
#define ENGINE(name) name##_avx512
#define ENGINE_NAME "avx512"
#elif defined(ENGINE_AVX2)
#define ENGINE(name) name##_avx2
#define ENGINE_NAME "avx2"
#elif defined(ENGINE_PLAIN)
#define ENGINE(name) name##_plain
#define ENGINE_NAME "plain"
#endif

#if defined(ENGINE)
int ENGINE(tree_count)(const struct tree_counts *c, int n);
int ENGINE(tree_part)(uint64_t *samples, uint64_t *room, int n, const uint32_t *codes, uint32_t left);
void ENGINE(tree_lanes_label)(struct tree_lanes *o, const uint32_t *labels, const int64_t *weights);
void ENGINE(tree_lanes_differ)(const struct tree_codes *codes, int n, uint64_t *differ);
void ENGINE(tree_lanes_fill)(struct tree_lanes *o, const struct tree_codes *codes);
void ENGINE(tree_lanes_sort)(struct tree_lanes *o, int n_columns);
void ENGINE(tree_lanes_sweep)(struct tree_lanes *o, int n_columns);
uint32_t ENGINE(tree_lanes_weigh)(struct tree_lanes *o, const struct tree_weights *weights, int n_columns);
int ENGINE(tree_lanes_best)(struct tree_lanes *o, int n_columns, uint32_t *differ);
void ENGINE(tree_sides_fill)(struct tree_sides *o, const struct tree_codes *codes, int n);
void ENGINE(tree_sides_count)(struct tree_sides *o, const struct tree_side_classes *classes, int n_columns);
int ENGINE(tree_table_places)(uint8_t *marks, int n_values, uint16_t *places, int32_t *codes);
float ENGINE(tree_table_sum)(const struct tree_table *t);
int ENGINE(tree_table_near)(const struct tree_table *t, float floor, int32_t *places);
void ENGINE(gemm)(const struct gemm *g);
/* out (gemm_packed(k, n)) = B packed; element (p,j) lies at b[p * b_row + j * b_col]. */
void ENGINE(gemm_pack)(const float *b, size_t b_row, size_t b_col, int k, int n, float *out);
extern const struct layer_kind ENGINE(layer_input), ENGINE(layer_dense), ENGINE(layer_activation), ENGINE(layer_conv1d), ENGINE(layer_conv1d_tokens), ENGINE(layer_pooling),
    ENGINE(layer_batch_norm), ENGINE(layer_dropout), ENGINE(layer_lstm), ENGINE(layer_gru), ENGINE(layer_flatten);
extern const struct batch_norm ENGINE(batch_norm);
extern const struct distances ENGINE(distances);
#endif

#endif
