/* Small nodes whose classes weigh more than 1: weights are whole numbers of up to 31 bits, so sums of squares need 64, and what every place gains is computed
 * exactly, as of larger nodes (tree_gini_gain), half a vector of lanes at a time. */
#include <math.h>

#include "models/engine.h"
#include "models/engine/tree_vectors.h"

#if !defined(ENGINE_PLAIN)
enum { CLASSES = 1 << TREE_LANES_CLASS_BITS };

struct weights { /* of classes, by class as in a key */
    struct numbers unit, all; /* of a sample drawn once, of all in the node */
    int64_t weight, squares;  /* of the node */
};

INLINE longs chosen(longs which, longs a, longs b)
{
    return (a & which) | (b & ~which);
}

/* Half of a vector of lanes: what stands left, and the best place so far. */
struct half {
    longs squares, across, place, most; /* most: bits of doubles */
};

INLINE void move(struct half *o, longs w, longs twice, longs all)
{
    o->squares += product(w, twice);
    o->across += product(w, all);
}

/* Where the code changes (not 0) behind sample i. */
INLINE void keep_better(struct half *o, const struct weights *s, longs left, longs changes, int i)
{
    doubles gain = doubles_of(o->squares) / doubles_of(left) + doubles_of(s->squares - 2 * o->across + o->squares) / doubles_of(s->weight - left);
    longs better = (longs)(gain > (doubles)o->most) & (longs)(changes != 0);
    o->most = chosen(better, (longs)gain, o->most);
    o->place = chosen(better, (longs){0} + i, o->place);
}

/* The v-th vector of lanes, of classes in so many words. */
INLINE void weigh(struct tree_lanes *o, const struct weights *s, int v, uint32_t words)
{
    const whole *keys = (const whole *)o->keys + v;
    const int n = o->n, leaf = o->leaf, label_bits = o->label_bits;
    const uint32_t times_mask = (1u << (label_bits - TREE_LANES_CLASS_BITS)) - 1;
    const longs none = (longs)((doubles){0} - INFINITY);
    whole drawn[8], left = {0};
    struct half half[2] = {{.most = none}, {.most = none}};
    for (uint32_t j = 0; j < words; j++)
        drawn[j] = (whole){0};
    for (int i = 0; i + leaf < n; i++) {
        whole key = keys[i * TREE_VECTORS], shift = key & 24, times = key >> TREE_LANES_CLASS_BITS & times_mask, before = {0};
        for (uint32_t j = 0; j < words; j++)
            put_where(key & 7, tree_word_in_key(j), times << shift, &before, &drawn[j]);
        whole unit = number_of(&s->unit, key), w = unit * times, twice = 2 * unit * (before >> shift & 255) + w, all = number_of(&s->all, key);
        whole changes = (key ^ keys[(i + 1) * TREE_VECTORS]) >> label_bits;
        left += w;
        for (int h = 0; h < 2; h++)
            move(&half[h], half_of(w, h), half_of(twice, h), half_of(all, h));
        for (int h = 0; h < 2 && i + 1 >= leaf; h++)
            keep_better(&half[h], s, half_of(left, h), half_of(changes, h), i);
    }
    for (int h = 0; h < 2; h++) {
        ((longs *)o->gain_of)[2 * v + h] = half[h].most;
        ((longs *)o->place_of)[2 * v + h] = half[h].place;
    }
}

uint32_t ENGINE(tree_lanes_weigh)(struct tree_lanes *o, const struct tree_weights *of, int n_columns)
{
    uint32_t unit_of[CLASSES] = {0}, all_of[CLASSES] = {0};
    for (int c = 0; c < o->n_classes; c++) {
        unit_of[tree_class_in_key((uint32_t)c)] = (uint32_t)of->unit[c];
        all_of[tree_class_in_key((uint32_t)c)] = (uint32_t)of->weights[c];
    }
    const struct weights s = {numbers_of(unit_of), numbers_of(all_of), of->weight, of->squares};
    for (int v = 0; v < vectors_of(n_columns); v++)
        switch ((o->n_classes + 3) / 4) {
        case 1:
            weigh(o, &s, v, 1);
            break;
        case 2:
            weigh(o, &s, v, 2);
            break;
        case 3:
        case 4:
            weigh(o, &s, v, 4);
            break;
        default:
            weigh(o, &s, v, 8);
        }
    return lanes_differ(o, n_columns);
}
#endif
