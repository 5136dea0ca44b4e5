/* Small nodes, most of a tree: their columns are sorted and swept side by side (models/tree_lanes.h), then the few places that may be the best are
 * computed exactly. */
#include "models/engine.h"
#include "models/tree_split.h"

static const float nearly = 1 - 0x1p-11F;

bool tree_small_take(struct tree_splitter *s, int n, uint32_t all_times)
{
    const struct tree_node_facts *f = &s->node;
    struct tree_lanes *o = s->lanes;
    int label_bits = TREE_LANES_TIMES_AT + tree_bits_of(all_times);
    if (!s->small || n > TREE_LANES_SAMPLES || f->n_classes > 1 << TREE_LANES_CLASS_BITS || f->weight >= 1 << TREE_LANES_WHOLE_BITS ||
        label_bits + s->code_bits > 32)
        return false;
    o->label_bits = label_bits;
    o->weight = (uint32_t)f->weight;
    o->squares = (uint32_t)f->squares;
    o->n = n;
    o->n_classes = f->n_classes;
    for (int c = 0; c < f->n_classes; c++)
        for (int i = f->first[c]; i < f->first[c + 1]; i++)
            o->labels[i] = (s->labels[i] & 0xffff) << TREE_LANES_TIMES_AT | (uint32_t)f->weights[c] << TREE_LANES_CLASS_BITS | (uint32_t)c;
    return true;
}

static void gather(struct tree_splitter *s, const int *column, int n_columns, const tree_sample *samples)
{
    struct tree_lanes *o = s->lanes;
    const struct tree_data *d = s->data;
    uint32_t at[TREE_LANES];
    int label_bits = o->label_bits;
    for (int c = 0; c < n_columns; c++)
        at[c] = d->columns[column[c]].at;
    for (int i = 0; i < o->n; i++) {
        const uint16_t *record = d->records + sample_record(samples[i]) * d->stride;
        uint32_t label = o->labels[i], *to = o->keys[i];
        for (int c = 0; c < n_columns; c++)
            to[c] = (uint32_t)record[at[c]] << label_bits | label;
    }
}

/* What the place behind sample `at` of a lane gains, exactly as of larger nodes. */
static double exact_gain(const struct tree_lanes *o, int lane, int at)
{
    uint32_t left = o->sides[at][lane] & 0xffff, right = o->sides[at][lane] >> 16, weight = o->weights[at][lane];
    return (double)left / (double)weight + (double)right / (double)(o->weight - weight);
}

struct place {
    int lane, at;
};

/* The best place of a lane, where it is better than *best; floor: what a float comes to at least there. */
static void best_of_lane(const struct tree_lanes *o, int lane, int column, float floor, struct tree_split *best, struct place *found)
{
    for (int i = 0; i + 1 < o->n; i++) {
        if (o->gain[i][lane] < floor)
            continue;
        double gain = exact_gain(o, lane, i);
        if (gain > best->gain || (gain == best->gain && column < best->feature)) {
            best->gain = gain;
            best->feature = column;
            *found = (struct place){lane, i};
        }
    }
}

uint32_t tree_small_try(struct tree_splitter *s, const int *column, int n_columns, const tree_sample *samples, struct tree_split *best)
{
    const struct tree_lanes *o = s->lanes;
    uint32_t differ = 0;
    float most = 0;
    struct place found = {-1, 0};
    gather(s, column, n_columns, samples);
    s->engine->tree_lanes_sort(s->lanes);
    s->engine->tree_lanes_sweep(s->lanes);
    for (int c = 0; c < n_columns; c++) {
        differ |= (uint32_t)(o->most[c] > 0) << c;
        most = o->most[c] > most ? o->most[c] : most;
    }
    for (int c = 0; c < n_columns; c++)
        if (o->most[c] > 0 && o->most[c] >= most * nearly)
            best_of_lane(o, c, column[c], most * nearly, best, &found);
    if (found.lane >= 0)
        *best = tree_splitter_between(s, best->feature, o->keys[found.at][found.lane] >> o->label_bits, o->keys[found.at + 1][found.lane] >> o->label_bits,
                                      best->gain);
    return differ;
}
