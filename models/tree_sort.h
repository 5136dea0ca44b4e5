/* Sorting a node's samples by one column: keys are code << 32 | payload, codes from 0 to range. */
#ifndef MODELS_TREE_SORT_H
#define MODELS_TREE_SORT_H

#include <stdint.h>

/* Sorts keys (n) by code, using room (n). Returns the one of the two that holds the result. */
uint64_t *tree_sort(uint64_t *keys, uint64_t *room, int n, uint32_t range);

#endif
