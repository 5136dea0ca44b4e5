/* CNN-LSTM, or CNN-GRU or a plain CNN by `cell`: convolutions over packets, a recurrent cell over what they give, a dense layer, softmax. */
#include "models/train.h"

static const struct param cnn_lstm_params[] = {
    {"embedding", PARAM_INT, 0, 1024, NULL, "32",
     "numbers learnt for every signed size; 0: sizes enter as scaled numbers"},
    {"filters", PARAM_INT | PARAM_LIST | PARAM_LONE, 1, 65536, NULL, "[64]", "filters of the convolutions"},
    {"kernel_size", PARAM_INT, 1, 4096, NULL, "3", "steps that a filter sees"},
    {"padding", PARAM_WORD | PARAM_LATER, 0, 0, "valid|same", "\"valid\"", "same: zeros around, so that a convolution gives as many steps as it reads"},
    {"strides", PARAM_INT | PARAM_LATER, 1, 4096, NULL, "1", "steps from one place of a filter to the next"},
    {"dilation_rate", PARAM_INT | PARAM_LATER, 1, 4096, NULL, "1", "steps between those that a filter sees"},
    {"pool_size", PARAM_INT, 1, 4096, NULL, "2", "steps that pooling joins; 1: no pooling"},
    {"pooling", PARAM_WORD | PARAM_LATER, 0, 0, "max|average", "\"max\"", "what pooling makes of them", "pool_size!=1"},
    {"batch_norm", PARAM_BOOL, 0, 0, NULL, "false", "batch normalization after each convolution"},
    {"cell", PARAM_WORD, 0, 0, "lstm|gru|flatten|global_max|global_average", "\"lstm\"",
     "the recurrent cell, or what else makes one of all steps: side by side, the largest, the average"},
    {"units", PARAM_INT, 1, 65536, NULL, "64", "of the cell", "cell=lstm|gru"},
    {"bidirectional", PARAM_BOOL | PARAM_LATER, 0, 0, NULL, "false", "a second cell reads the steps from last to first; both outputs stand side by side",
     "cell=lstm|gru"},
    {"reset_after", PARAM_BOOL, 0, 0, NULL, "true",
     "of gru: the reset gate after the product, as Keras and cuDNN do by default"},
    {"recurrent_activation", PARAM_WORD, 0, 0, "sigmoid|hard_sigmoid", "\"sigmoid\"",
     "of the gates; hard_sigmoid: 0.2 x + 0.5, cut to [0, 1] (Keras 2)"},
    {"dense", PARAM_INT, 0, 65536, NULL, "64", "units of the dense layer behind the cell; 0: none"},
    {"dense_activation", PARAM_WORD, 0, 0, "relu|sigmoid|tanh", "\"relu\"", "of the dense layer"},
    {"dropout", PARAM_REAL, 0, 0.95, NULL, "0.3",
     "share of units left out before and after the cell in training"},
    {"masking", PARAM_BOOL | PARAM_LATER, 0, 0, NULL, "false", "steps behind the end of a flow take no part, and cost nothing"},
    {0},
};

static enum status add_convolutions(struct network *net, const struct params *p, struct error *e)
{
    const struct value *filters = params_get(p, "cnn_lstm.filters");
    int kernel = (int)params_int(p, "cnn_lstm.kernel_size"), pool = (int)params_int(p, "cnn_lstm.pool_size");
    struct layer conv = {.type = LAYER_CONV1D,
                         .kernel_size = kernel,
                         .same = params_is(p, "cnn_lstm.padding", "same"),
                         .strides = (int)params_int(p, "cnn_lstm.strides"),
                         .dilation_rate = (int)params_int(p, "cnn_lstm.dilation_rate"),
                         .activation = 'r'};
    for (int i = 0; i < filters->n; i++) {
        conv.width = (int)filters->items[i].integer;
        bool good = network_add(net, conv);
        if (good && params_bool(p, "cnn_lstm.batch_norm"))
            good = network_add(net, (struct layer){.type = LAYER_BATCH_NORM});
        if (good && pool > 1)
            good = network_add(net, (struct layer){.type = LAYER_POOLING, .pool_size = pool, .average = params_is(p, "cnn_lstm.pooling", "average")});
        if (!good)
            return error_set(e, STATUS_CONFIG, "cnn_lstm: no steps are left at convolution %d (kernel_size %d, dilation_rate %d, strides %d, pool_size %d)",
                             i + 1, kernel, conv.dilation_rate, conv.strides, pool);
    }
    return STATUS_OK;
}

/* What makes one of all steps. */
static void add_cell(struct network *net, const struct params *p)
{
    bool gru = params_is(p, "cnn_lstm.cell", "gru");
    if (gru || params_is(p, "cnn_lstm.cell", "lstm"))
        network_add(net, (struct layer){.type = gru ? LAYER_GRU : LAYER_LSTM,
                                        .units = (int)params_int(p, "cnn_lstm.units"),
                                        .bidirectional = params_bool(p, "cnn_lstm.bidirectional"),
                                        .reset_after = params_bool(p, "cnn_lstm.reset_after"),
                                        .hard_sigmoid = params_is(p, "cnn_lstm.recurrent_activation", "hard_sigmoid")});
    else if (params_is(p, "cnn_lstm.cell", "flatten"))
        network_add(net, (struct layer){.type = LAYER_FLATTEN});
    else
        network_add(net, (struct layer){.type = LAYER_POOLING, .average = params_is(p, "cnn_lstm.cell", "global_average")});
}

static void add_dropout(struct network *net, const struct params *p)
{
    if (params_real(p, "cnn_lstm.dropout") > 0)
        network_add(
            net, (struct layer){.type = LAYER_DROPOUT, .rate = (float)params_real(p, "cnn_lstm.dropout")});
}

static enum status build(struct network *net, const struct params *p, const struct model_shape *shape,
                         int token_channel, struct error *e)
{
    int embedding = (int)params_int(p, "cnn_lstm.embedding"), dense = (int)params_int(p, "cnn_lstm.dense");
    if (embedding && (token_channel < 0 || shape->clip <= 0))
        return error_set(e, STATUS_CONFIG,
                         "cnn_lstm.embedding needs the channel signed_size and data.clip above 0");
    if (4 * params_get(p, "cnn_lstm.filters")->n + 8 > NETWORK_LAYERS_MAX)
        return error_set(e, STATUS_CONFIG, "cnn_lstm.filters: too many layers");
    network_init(net, &(struct network_input){.steps = shape->steps, .n_channels = shape->n_channels, .token_channel = token_channel,
                                              .clip = shape->clip, .embedding = embedding, .masking = params_bool(p, "cnn_lstm.masking")});
    TRY(add_convolutions(net, p, e));
    add_dropout(net, p);
    add_cell(net, p);
    add_dropout(net, p);
    if (dense) {
        network_add(net, (struct layer){.type = LAYER_DENSE, .width = dense});
        network_add(net, (struct layer){.type = LAYER_ACTIVATION,
                                        .activation = params_text(p, "cnn_lstm.dense_activation")[0]});
    }
    network_add(net, (struct layer){.type = LAYER_DENSE, .width = shape->n_classes});
    return STATUS_OK;
}

extern const struct model_kind model_cnn_lstm;

static enum status check(const struct params *p, const struct model_shape *shape, struct error *e)
{
    return train_check(build, p, shape, e);
}

static struct model_bytes bytes(const struct params *p, const struct model_shape *shape)
{
    return train_bytes(build, p, shape);
}

static double flops(const struct params *p, const struct model_shape *shape)
{
    return train_flops(build, p, shape);
}

static enum status fit_new(struct model **out, const struct model_spec *spec, struct error *e)
{
    return train_new(out, &model_cnn_lstm, build, spec, e);
}

static enum status read_cnn_lstm(struct model **out, const struct params *p, const struct model_shape *shape,
                                 const void *data, size_t n, struct error *e)
{
    return train_read(out, &model_cnn_lstm, build, p, shape, data, n, e);
}

const struct model_kind model_cnn_lstm = {
    .name = "cnn_lstm",
    .help = "convolutions, then an LSTM or GRU",
    .params = cnn_lstm_params,
    .by_epochs = true,
    .extension = "safetensors",
    .check = check,
    .bytes = bytes,
    .flops = flops,
    .fit_new = fit_new,
    .fit_step = train_step,
    .state_write = train_state_write,
    .state_read = train_state_read,
    .predict = train_predict,
    .write = train_write,
    .read = read_cnn_lstm,
    .free = train_free,
};
