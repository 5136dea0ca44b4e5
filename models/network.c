#include "models/network.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "models/network_run.h"

/* --- building --- */

const struct layer_kind *network_kind(const struct network *net, int layer)
{
    return net->engine->layers[net->layers[layer].type];
}

static bool is_convolution(const struct layer *l)
{
    return l->type == LAYER_CONV1D || l->type == LAYER_CONV1D_TOKENS;
}

static void place(struct network *net, struct layer *l)
{
    const struct layer_kind *kind = net->engine->layers[l->type];
    l->number = net->numbers++;
    net->numbers += is_convolution(l) && l->activation; /* it may as well stand behind, as a layer */
    kind->shape(l);
    l->weights = net->n_weights;
    l->packed = net->n_packed;
    l->stats = net->n_stats;
    l->active = l->in_active;
    if (kind->length) {
        l->active = net->n_active;
        net->n_active += l->steps;
    }
    net->n_weights += l->n_weights;
    net->n_packed += l->n_packed;
    net->n_stats += l->type == LAYER_BATCH_NORM ? 2 * (size_t)l->width : 0;
    net->layers[net->n_layers++] = *l;
}

void network_init(struct network *net, const struct network_input *in)
{
    struct layer l = {.type = LAYER_INPUT,
                      .in_steps = in->steps,
                      .in_width = in->n_channels,
                      .channels = in->n_channels,
                      .token_channel = in->token_channel,
                      .embedding = in->embedding,
                      .vocabulary = 2 * in->clip + 2,
                      .flat = in->flat};
    *net = (struct network){.engine = engine_best(), .masking = in->masking, .n_active = in->steps};
    place(net, &l);
}

/* A convolution that reads nothing but an embedding needs each token's vector once. Not worth it where most steps are left out. */
static bool reads_tokens(const struct network *net, const struct layer *conv)
{
    const struct layer *input = &net->layers[0];
    return net->n_layers == 1 && input->embedding && input->channels == 1 && !input->flat && conv->type == LAYER_CONV1D &&
           conv->kernel_size <= CONV_TOKENS_TAPS && 2 * conv->steps >= conv->in_steps;
}

bool network_add(struct network *net, struct layer layer)
{
    const struct layer *last = &net->layers[net->n_layers - 1];
    struct layer trial = layer;
    if (net->n_layers == NETWORK_LAYERS_MAX)
        return false;
    trial.in_steps = layer.in_steps = last->steps;
    trial.in_width = layer.in_width = last->width;
    layer.in_active = last->active;
    net->engine->layers[layer.type]->shape(&trial);
    if (trial.steps < 1 || (layer.type == LAYER_DENSE && layer.in_steps > 1))
        return false;
    if (reads_tokens(net, &trial)) {
        layer.type = LAYER_CONV1D_TOKENS;
        layer.vocabulary = net->layers[0].vocabulary;
        net->layers[0].by_token = true;
    }
    place(net, &layer);
    return true;
}

double network_products(const struct network *net)
{
    double n = 0;
    for (int i = 1; i < net->n_layers; i++) {
        const struct layer *l = &net->layers[i];
        bool recurrent = l->type == LAYER_LSTM || l->type == LAYER_GRU;
        n += (double)l->n_weights * (recurrent ? l->in_steps : is_convolution(l) ? l->steps : 1);
    }
    return n;
}

void network_start(const struct network *net, float *weights, float *stats, uint64_t key)
{
    memset(weights, 0, net->n_weights * sizeof *weights);
    for (int i = 0; i < net->n_layers; i++) {
        const struct layer *l = &net->layers[i];
        if (network_kind(net, i)->init)
            network_kind(net, i)->init(l, weights + l->weights, random_key(key, (uint64_t)l->number));
        for (int j = 0; l->type == LAYER_BATCH_NORM && j < l->width; j++) {
            stats[l->stats + (size_t)j] = 0;
            stats[l->stats + (size_t)l->width + (size_t)j] = 1;
        }
    }
}

/* --- memory --- */

static void cut_training(struct run *r, struct slab *s, const struct network *net, size_t widest_norm)
{
    size_t rows = (size_t)r->resident * LEAF_ROWS, slots = (size_t)r->max_slots;
    r->dout = slab_take(s, rows * r->widest * sizeof(float));
    r->din = slab_take(s, rows * r->widest * sizeof(float));
    r->grad = slab_take(s, slots * (net->n_weights + EXTRA_COUNT) * sizeof(float));
    r->sums = slab_take(s, slots * 2 * widest_norm * sizeof(float));
    r->sum = slab_take(s, 2 * widest_norm * sizeof(float));
    r->batch_stats = slab_take(s, net->n_stats * sizeof(float));
}

static void cut(struct run *r, struct slab *s, const struct network *net, bool training)
{
    size_t rows = (size_t)r->resident * LEAF_ROWS, widest_norm = 1;
    const struct layer *input = &net->layers[0];
    r->leaves = slab_take(s, (size_t)r->resident * sizeof *r->leaves);
    r->numbers = slab_take(s, rows * (size_t)input->in_steps * (size_t)input->channels * sizeof(float));
    size_t places = input->embedding ? (size_t)input->in_steps * sizeof(int32_t) : 0; /* bytes a row */
    r->row_tokens = slab_take(s, LEAF_ROWS * places);
    r->tokens = slab_take(s, rows * places);
    r->which = slab_take(s, rows * places);
    r->number = slab_take(s, input->embedding ? (size_t)input->vocabulary * sizeof(int32_t) : 0);
    r->rows = slab_take(s, rows * sizeof(int32_t));
    r->samples = slab_take(s, rows * sizeof(int32_t));
    r->active = slab_take(s, net->masking ? (size_t)r->resident * (size_t)net->n_active * sizeof(int32_t) : 0);
    r->packed = slab_take(s, net->n_packed * sizeof(float));
    size_t room = 0;
    r->widest = 0;
    for (int i = 0; i < net->n_layers; i++) {
        const struct layer *l = &net->layers[i];
        r->out[i] = slab_take(s, rows * layer_floats(l) * sizeof(float));
        r->cache[i] = slab_take(s, rows * l->cache * sizeof(float));
        room = l->room > room ? l->room : room;
        r->widest = layer_floats(l) > r->widest ? layer_floats(l) : r->widest;
        if (l->type == LAYER_BATCH_NORM && (size_t)l->width > widest_norm)
            widest_norm = (size_t)l->width;
    }
    r->room = slab_take(s, room * sizeof(float));
    if (training)
        cut_training(r, s, net, widest_norm);
}

struct run *run_cut(struct slab *s, const struct network *net, int max_leaves, bool training)
{
    struct run counted, *there = slab_take(s, sizeof *there), *r = there ? there : &counted;
    *r = (struct run){.max_leaves = max_leaves > 0 ? max_leaves : 1};
    r->max_slots = gang_slots_most(r->max_leaves);
    r->resident = training && net->n_stats ? r->max_leaves : 1;
    cut(r, s, net, training);
    return there;
}

float *run_total(struct run *r)
{
    return r->grad; /* the first slot */
}

enum status run_new(struct run **out, const struct network *net, int max_leaves, bool training, struct error *e)
{
    struct slab slab = {0};
    *out = NULL;
    run_cut(&slab, net, max_leaves, training);
    TRY(slab_new(&slab, "a network's batches", e));
    *out = run_cut(&slab, net, max_leaves, training);
    (*out)->slab = slab;
    return STATUS_OK;
}

void run_free(struct run *r)
{
    struct slab slab = r ? r->slab : (struct slab){0}; /* r lies in it */
    slab_fini(&slab);
}
