/* A logarithm that is good to 2^-42, side by side; where the float next to it might be another than that of the library's, the library is asked. That is one
 * number in thousands. */
#include "flows/log1p.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/kernels.h"

#define BITS(x) (((union number){.real = (x)}).bits)
#define REAL(x) (((union number){.bits = (x)}).real)
#define BITS_32(x) (((union number_32){.real = (x)}).bits)
#define REAL_32(x) (((union number_32){.bits = (x)}).real)

union number {
    double real;
    uint64_t bits;
};

union number_32 {
    float real;
    uint32_t bits;
};

/* log(1 + x), x >= 0: 1 + x = 2^k m, sqrt(1/2) <= m < sqrt(2), log m = 2 atanh((m - 1) / (m + 1)). Off by less than 2^-44 of it and 2^-53. */
static inline double log1p_about(double x)
{
    const uint64_t half = UINT64_C(0x3fe6a09e00000000), one = UINT64_C(0x3ff0000000000000), magic = UINT64_C(0x4330000000000000);
    uint64_t bits = BITS(1 + x) + (one - half);
    double k = REAL(bits >> 52 | magic) - (0x1p52 + 1023);
    double m = REAL((bits & UINT64_C(0x000fffffffffffff)) + half);
    double s = (m - 1) / (m + 1), z = s * s;
    double p = 1.0 / 3 + z * (1.0 / 5 + z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13 + z * (1.0 / 15))))));
    return k * 0.69314718055994530942 + (2 * s + 2 * s * z * p);
}

/* Not a number where that is not sure, as of less than a thousandth of a microsecond; returns whether there is any. */
KERNEL static bool some(const float *restrict x, int n, float *restrict out)
{
    const int32_t little = 0x30895000; /* 1e-9 */
    int32_t unsure = 0;
    for (int i = 0; i < n; i++) {
        int32_t bits = (int32_t)BITS_32(x[i]), above = bits & ~(bits >> 31);
        double y = log1p_about((double)REAL_32((uint32_t)above) * 1e6);
        float low = (float)(y * (1 - 0x1p-40)), high = (float)(y * (1 + 0x1p-40));
        int32_t differ = (BITS_32(low) != BITS_32(high)) | (above < little);
        differ &= above != 0;
        out[i] = REAL_32(BITS_32(low) | (uint32_t)-differ);
        unsure |= differ;
    }
    return unsure;
}

void log1p_micro(const float *x, int n, float *out)
{
    enum { TOGETHER = 64, SIDE_BY_SIDE = 16 };
    float here[TOGETHER], logs[TOGETHER];
    for (int at = 0; at < n; at += TOGETHER) {
        int m = n - at < TOGETHER ? n - at : TOGETHER, whole = (m + SIDE_BY_SIDE - 1) / SIDE_BY_SIDE * SIDE_BY_SIDE;
        memcpy(here, x + at, (size_t)m * sizeof *here);
        for (int i = m; i < whole; i++)
            here[i] = 0; /* whole vectors: the last few numbers would be done one by one */
        if (some(here, whole, logs))
            for (int i = 0; i < m; i++)
                if (isnan(logs[i]))
                    logs[i] = (float)log1p((double)here[i] * 1e6);
        memcpy(out + at, logs, (size_t)m * sizeof *logs);
    }
}
