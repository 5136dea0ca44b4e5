/* Strips padding: moves the packets of every row to column 0 and counts them. */
#ifndef FLOWS_CSV_ALIGN_H
#define FLOWS_CSV_ALIGN_H

#include "flows/build.h"

/* Rows [first, b->n) of one file, as they stood in it. directed: packets are where direction is not 0; else padding is the run of zeros at the end where more
 * rows of the file have one. *padded_front: where the padding stood. */
void csv_align(struct flows_builder *b, int64_t first, bool directed, bool *padded_front);

#endif
