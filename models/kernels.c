#include "models/kernels.h"

#include <stdint.h>
#include <string.h>

enum { ROWS = 64 };

KERNEL void kernel_distances(const float *restrict block, const float *restrict x, int width, float *restrict out)
{
    float sum[ROWS] = {0};
    for (int j = 0; j < width; j++)
        for (int i = 0; i < ROWS; i++) {
            float d = block[j * ROWS + i] - x[j];
            sum[i] += d * d;
        }
    memcpy(out, sum, sizeof sum);
}

KERNEL void kernel_axpy(float *restrict y, const float *restrict x, float a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

/* 2^k * p(r), k the nearest whole number to x / ln 2 and |r| <= ln 2 / 2. Source of the coefficients: Cephes, expf (Moshier 1992). */
static inline float exp_of(float x)
{
    x = x > 88.0f ? 88.0f : x;
    x = x < -87.0f ? -87.0f : x;
    float t = x * 1.44269504088896341f + 12582912.0f; /* 1.5 * 2^23: rounds to a whole number */
    int32_t k;
    memcpy(&k, &t, sizeof k);
    float whole = t - 12582912.0f;
    float r = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits = (int32_t)(((uint32_t)k - 0x4b400000u + 127u) << 23);
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

KERNEL void kernel_exp(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = exp_of(x[i]);
}

KERNEL void kernel_sigmoid(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 1.0f / (1.0f + exp_of(-x[i]));
}

/* 2 / (1 + e^-2x) - 1 */
KERNEL void kernel_tanh(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 2.0f / (1.0f + exp_of(-2.0f * x[i])) - 1.0f;
}
