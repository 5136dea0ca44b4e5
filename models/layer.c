/* Starting values of weights. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "models/layer.h"

void layer_glorot(float *w, size_t n, int fan_in, int fan_out, uint64_t key)
{
    struct random r = random_of(key, 0);
    double limit = sqrt(6.0 / ((double)fan_in + fan_out));
    for (size_t i = 0; i < n; i++)
        w[i] = (float)((2 * random_double(&r) - 1) * limit);
}

static double dot(const double *a, const double *b, int n)
{
    double s = 0;
    for (int i = 0; i < n; i++)
        s += a[i] * b[i];
    return s;
}

void layer_orthogonal(float *w, int rows, int columns, uint64_t key)
{
    struct random r = random_of(key, 0);
    double *q = memory_new((size_t)rows * (size_t)columns * sizeof *q);
    for (int i = 0; i < rows; i++) {
        double *row = q + (size_t)i * (size_t)columns;
        for (int j = 0; j < columns; j++)
            row[j] = random_normal(&r);
        for (int pass = 0; pass < 2; pass++) /* twice is enough: Giraud et al. 2005 */
            for (int k = 0; k < i; k++) {
                const double *other = q + (size_t)k * (size_t)columns;
                double along = dot(row, other, columns);
                for (int j = 0; j < columns; j++)
                    row[j] -= along * other[j];
            }
        double norm = sqrt(dot(row, row, columns));
        for (int j = 0; j < columns; j++) {
            row[j] /= norm;
            w[(size_t)i * (size_t)columns + (size_t)j] = (float)row[j];
        }
    }
    free(q);
}
