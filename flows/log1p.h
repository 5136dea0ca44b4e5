/* Times as the models see them, many at once. */
#ifndef FLOWS_LOG1P_H
#define FLOWS_LOG1P_H

/* out[i] = (float)log1p(x[i] * 1e6), as the C library computes it, of whatever is above 0; else 0. In place too. x (n), finite. */
void log1p_micro(const float *x, int n, float *out);

#endif
