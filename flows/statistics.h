/* Statistics of a flow's first packets: the 42 of Bayat, Jackson, Liu (arXiv 2106.12693, after Shbair et al. 2016), as their programs compute them.
 *
 *     client to server (out), server to client (in), each:  packets;  sizes and payloads: quartiles, largest, mean, standard deviation;  gaps: quartiles
 *     both ways (all):                                      packets;  sizes: the same;  gaps: quartiles
 *
 * What the flows lack is left out: without payloads 30 remain, without times 33, with sizes alone 21, without directions too 7. Quartiles and deviation are
 * numpy's (percentile with linear interpolation, std), where theirs are nearest ranks and variance. A gap is the time since the packet before of the
 * same direction [s]; what is of no packet, or of no gap, is 0. Pure. */
#ifndef FLOWS_STATISTICS_H
#define FLOWS_STATISTICS_H

#include "flows/flows.h"

enum { STATISTICS_MOST = 42 };

/* Which groups there are of what flows have (bits as in struct flows): those of SIZE, PAYLOAD, IAT, DIRECTION; 0 without sizes. */
unsigned statistics_of(unsigned channels);
int statistics_count(unsigned groups);
/* What statistic i is of: PAYLOAD, IAT, or SIZE; DIRECTION where it counts packets. */
enum channel statistics_channel(unsigned groups, int i);
/* "out_size_q25", "in_packets", "all_gap_q75", ..; appended. */
void statistics_name(unsigned groups, int i, struct buffer *out);

/* Of the first steps packets of a row, sizes and payloads clipped (0: not). out (statistics_count); room (steps). Does not allocate. */
void statistics_row(const struct flows *f, unsigned groups, int row, int steps, int clip, float *room, float *out);

#endif
