/* What the words of a tree_walk hold. For tree_walk.c, which knows `wide` when this is compiled into its loops, and tree_walk_make.c. */
#ifndef MODELS_TREE_WALK_WORDS_H
#define MODELS_TREE_WALK_WORDS_H

#include "models/tree_walk.h"

static inline uint64_t tree_walk_word(const struct tree_walk *w, uint32_t at, bool wide)
{
    return w->nodes[wide ? 2 * (size_t)at : at];
}

static inline uint32_t tree_walk_child(const struct tree_walk *w, uint64_t node, bool wide)
{
    uint32_t high = (uint32_t)(node >> 32);
    return wide ? high : high & (UINT32_MAX >> w->bits);
}

static inline size_t tree_walk_column(const struct tree_walk *w, uint32_t at, bool wide)
{
    return wide ? w->nodes[2 * (size_t)at + 1] : w->nodes[at] >> (64 - w->bits);
}

static inline uint32_t tree_walk_threshold(const struct tree_walk *w, uint32_t at)
{
    return ~(uint32_t)tree_walk_word(w, at, w->wide);
}

static inline uint32_t tree_walk_child_at(const struct tree_walk *w, uint32_t at)
{
    return tree_walk_child(w, tree_walk_word(w, at, w->wide), w->wide);
}

#endif
