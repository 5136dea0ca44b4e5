/* Dense network: the packets side by side, hidden layers with dropout, softmax. */
#include "models/train.h"

static const struct param dnn_params[] = {
    {"embedding", PARAM_INT, 0, 1024, NULL, "0",
     "numbers learnt for every signed size; 0: sizes enter as scaled numbers"},
    {"hidden_layer_sizes", PARAM_INT | PARAM_LIST | PARAM_LONE, 1, 65536, NULL, "[256,128]",
     "units of the hidden layers"},
    {"activation", PARAM_WORD, 0, 0, "relu|sigmoid|tanh", "\"relu\"", "of the hidden layers"},
    {"dropout", PARAM_REAL, 0, 0.95, NULL, "0.3", "share of hidden units left out in training"},
    {0},
};

static enum status build(struct network *net, const struct params *p, const struct model_shape *shape,
                         int token_channel, struct error *e)
{
    int embedding = (int)params_int(p, "dnn.embedding");
    const struct value *sizes = params_get(p, "dnn.hidden_layer_sizes");
    if (embedding && (token_channel < 0 || shape->clip <= 0))
        return error_set(e, STATUS_CONFIG,
                         "dnn.embedding needs the channel signed_size and data.clip above 0");
    if (3 * sizes->n + 2 > NETWORK_LAYERS_MAX)
        return error_set(e, STATUS_CONFIG, "dnn.hidden_layer_sizes: too many layers");
    network_init(net, &(struct network_input){.steps = shape->steps, .n_channels = shape->n_channels, .token_channel = token_channel,
                                              .clip = shape->clip, .embedding = embedding, .flat = true});
    for (int i = 0; i < sizes->n; i++) {
        network_add(net, (struct layer){.type = LAYER_DENSE, .width = (int)sizes->items[i].integer});
        network_add(net, (struct layer){.type = LAYER_ACTIVATION,
                                        .activation = params_text(p, "dnn.activation")[0]});
        if (params_real(p, "dnn.dropout") > 0)
            network_add(net,
                        (struct layer){.type = LAYER_DROPOUT, .rate = (float)params_real(p, "dnn.dropout")});
    }
    network_add(net, (struct layer){.type = LAYER_DENSE, .width = shape->n_classes});
    return STATUS_OK;
}

extern const struct model_kind model_dnn;

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
    return train_new(out, &model_dnn, build, spec, e);
}

static enum status read_dnn(struct model **out, const struct params *p, const struct model_shape *shape,
                            const void *data, size_t n, struct error *e)
{
    return train_read(out, &model_dnn, build, p, shape, data, n, e);
}

const struct model_kind model_dnn = {
    .name = "dnn",
    .help = "dense network",
    .params = dnn_params,
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
    .read = read_dnn,
    .free = train_free,
};
