/* Whole numbers among floats. */
#ifndef BASE_WHOLE_H
#define BASE_WHOLE_H

#include <stdint.h>
#include <string.h>

/* x where it is a whole number of 16 bits; else some number, and *others becomes 1. Without a branch, so that a loop over it becomes vector operations. */
static inline int32_t whole_of(float x, int32_t *others)
{
    int32_t bits, there = (x >= INT16_MIN) & (x <= INT16_MAX);
    memcpy(&bits, &x, sizeof bits);
    bits &= -there;
    memcpy(&x, &bits, sizeof x);
    int32_t whole = (int32_t)x;
    *others |= (there ^ 1) | (x != (float)whole);
    return whole;
}

#endif
