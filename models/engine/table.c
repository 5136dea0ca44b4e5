#include "models/engine.h"
#include "models/engine/lanes.h"

#define EACH(name)                                                    \
    static void name##_each(float *x, size_t n)                       \
    {                                                                 \
        size_t i = 0;                                                 \
        for (; i + LANES <= n; i += LANES)                            \
            lanes_store(x + i, lanes_##name(lanes_load(x + i)));      \
        if (i < n) {                                                  \
            int rest = (int)(n - i);                                  \
            lanes_store_n(x + i, lanes_##name(lanes_load_n(x + i, rest)), rest); \
        }                                                             \
    }
EACH(exp)
EACH(tanh)
EACH(sigmoid)

const struct engine ENGINE(engine) = {
    .name = ENGINE_NAME,
    .gemm = ENGINE(gemm),
    .exp = exp_each,
    .tanh = tanh_each,
    .sigmoid = sigmoid_each,
    .tree_part = ENGINE(tree_part),
    .tree_count = ENGINE(tree_count),
#if defined(ENGINE_AVX512)
    .tree_differ_samples = 4,
#elif defined(ENGINE_AVX2)
    .tree_differ_samples = TREE_LANES_SAMPLES,
#endif
#if !defined(ENGINE_PLAIN)
    .tree_lanes_differ = ENGINE(tree_lanes_differ),
    .tree_lanes_label = ENGINE(tree_lanes_label),
    .tree_lanes_fill = ENGINE(tree_lanes_fill),
    .tree_lanes_sort = ENGINE(tree_lanes_sort),
    .tree_lanes_sweep = ENGINE(tree_lanes_sweep),
    .tree_lanes_weigh = ENGINE(tree_lanes_weigh),
    .tree_lanes_best = ENGINE(tree_lanes_best),
    .tree_sides_fill = ENGINE(tree_sides_fill),
    .tree_sides_count = ENGINE(tree_sides_count),
    .tree_table_places = ENGINE(tree_table_places),
    .tree_table_sum = ENGINE(tree_table_sum),
    .tree_table_near = ENGINE(tree_table_near),
#endif
    .layers =
        {
            [LAYER_INPUT] = &ENGINE(layer_input),
            [LAYER_DENSE] = &ENGINE(layer_dense),
            [LAYER_ACTIVATION] = &ENGINE(layer_activation),
            [LAYER_CONV1D] = &ENGINE(layer_conv1d),
            [LAYER_CONV1D_TOKENS] = &ENGINE(layer_conv1d_tokens),
            [LAYER_POOLING] = &ENGINE(layer_pooling),
            [LAYER_BATCH_NORM] = &ENGINE(layer_batch_norm),
            [LAYER_DROPOUT] = &ENGINE(layer_dropout),
            [LAYER_LSTM] = &ENGINE(layer_lstm),
            [LAYER_GRU] = &ENGINE(layer_gru),
            [LAYER_FLATTEN] = &ENGINE(layer_flatten),
        },
    .batch_norm = &ENGINE(batch_norm),
    .distances = &ENGINE(distances),
};
