#include "models/tree_sort.h"

#include <string.h>

enum { FEW = 32, DIGIT = 8, BUCKETS = 1 << DIGIT };

static void insertion_sort(uint64_t *x, int n)
{
    for (int i = 1; i < n; i++) {
        uint64_t key = x[i];
        int j = i;
        for (; j > 0 && x[j - 1] >> 32 > key >> 32; j--)
            x[j] = x[j - 1];
        x[j] = key;
    }
}

/* One pass of a radix sort, stable. */
static void pass(const uint64_t *from, uint64_t *to, int n, int shift)
{
    int start[BUCKETS] = {0}, sum = 0;
    for (int i = 0; i < n; i++)
        start[from[i] >> shift & (BUCKETS - 1)]++;
    for (int b = 0; b < BUCKETS; b++) {
        int count = start[b];
        start[b] = sum;
        sum += count;
    }
    for (int i = 0; i < n; i++)
        to[start[from[i] >> shift & (BUCKETS - 1)]++] = from[i];
}

uint64_t *tree_sort(uint64_t *keys, uint64_t *room, int n, uint32_t range)
{
    if (n <= FEW) {
        insertion_sort(keys, n);
        return keys;
    }
    for (int shift = 32; range > 0; shift += DIGIT, range >>= DIGIT) {
        pass(keys, room, n, shift);
        uint64_t *other = keys;
        keys = room;
        room = other;
    }
    return keys;
}
