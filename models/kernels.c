#include "models/kernels.h"

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
