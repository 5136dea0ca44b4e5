/* Sorting a node's samples by one column. Keys of 32 bits where code, class and times fit, else of 64. Only the bits from `low` on count, `bits` of
 * them: the order of keys that are equal there is left open. */
#ifndef MODELS_TREE_SORT_H
#define MODELS_TREE_SORT_H

#include <stdint.h>

/* Sort keys (n), using room (n). Return the one of the two that holds the result. */
uint32_t *tree_sort_32(uint32_t *keys, uint32_t *room, int n, int low, int bits);
uint64_t *tree_sort_64(uint64_t *keys, uint64_t *room, int n, int low, int bits);

#endif
