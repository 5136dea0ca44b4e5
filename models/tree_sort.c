#include "models/tree_sort.h"

#include <stdbool.h>
#include <string.h>

enum { FEW = 24, DIGIT_MAX = 11 };

/* Bits a pass takes: few for few keys, since every pass looks at all its counters. */
static int digit_of(int n, int bits)
{
    int most = n < 256 ? 6 : n < 8192 ? 8 : DIGIT_MAX, passes = (bits + most - 1) / most;
    return (bits + passes - 1) / passes;
}

#define SORT(name, key_t)                                                                   \
    static void name##_few(key_t *x, int n)                                                 \
    {                                                                                       \
        for (int i = 1; i < n; i++) {                                                       \
            key_t key = x[i];                                                               \
            int j = i;                                                                      \
            for (; j > 0 && x[j - 1] > key; j--)                                            \
                x[j] = x[j - 1];                                                            \
            x[j] = key;                                                                     \
        }                                                                                   \
    }                                                                                       \
    /* One pass of a radix sort, stable; start: how many of each digit there are. */        \
    static void name##_pass(const key_t *from, key_t *to, int n, int shift, uint32_t mask, uint32_t *start) \
    {                                                                                       \
        uint32_t sum = 0;                                                                   \
        for (uint32_t b = 0; b <= mask; b++) {                                              \
            uint32_t count = start[b];                                                      \
            start[b] = sum;                                                                 \
            sum += count;                                                                   \
        }                                                                                   \
        for (int i = 0; i < n; i++)                                                         \
            to[start[(uint32_t)(from[i] >> shift) & mask]++] = from[i];                     \
    }                                                                                       \
    key_t *name(key_t *keys, key_t *room, int n, int low, int bits)                         \
    {                                                                                       \
        uint32_t counts[2][1 << DIGIT_MAX];                                                 \
        if (n <= FEW) {                                                                     \
            name##_few(keys, n);                                                            \
            return keys;                                                                    \
        }                                                                                   \
        int digit = digit_of(n, bits);                                                      \
        uint32_t mask = (1u << digit) - 1;                                                  \
        for (int done = 0; done < bits; done += 2 * digit) { /* two passes, counted together */ \
            int first = low + done, second = first + digit;                                 \
            bool both = done + digit < bits;                                                \
            memset(counts[0], 0, ((size_t)mask + 1) * sizeof *counts[0]);                   \
            memset(counts[1], 0, ((size_t)mask + 1) * sizeof *counts[1]);                   \
            for (int i = 0; i < n; i++) {                                                   \
                counts[0][(uint32_t)(keys[i] >> first) & mask]++;                           \
                counts[1][(uint32_t)((uint64_t)keys[i] >> second) & mask]++;                \
            }                                                                               \
            name##_pass(keys, room, n, first, mask, counts[0]);                             \
            if (both)                                                                       \
                name##_pass(room, keys, n, second, mask, counts[1]);                        \
            else                                                                            \
                return room;                                                                \
        }                                                                                   \
        return keys;                                                                        \
    }

SORT(tree_sort_32, uint32_t)
SORT(tree_sort_64, uint64_t)
