/* One arithmetic: what this machine's kernels and libraries make of a fixed computation, as a short word.
 *
 * Products are chains of fused multiply-adds in order and kernels never reorder (gemm.h, kernels.h), so processors of any kind give the same bits; what
 * is left to the system is libm. Ranks compare their words at the start, a study keeps the one that it began with: where words are
 * equal, bits are. */
#ifndef MODELS_ARITHMETIC_H
#define MODELS_ARITHMETIC_H

enum { ARITHMETIC_WORD = 24 };

/* 16 hexadecimal digits. Pure: takes some microseconds, allocates nothing. */
void arithmetic_of(char word[ARITHMETIC_WORD]);

#endif
