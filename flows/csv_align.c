#include "flows/csv_align.h"

#include <string.h>

static bool is_zero(const struct flows_builder *b, size_t packet)
{
    return b->size[packet] == 0 && b->direction[packet] == 0 && !(b->payload && b->payload[packet] != 0) &&
           !(b->iat && b->iat[packet] != 0);
}

static bool is_padding(const struct flows_builder *b, size_t packet, bool directed)
{
    return directed ? b->direction[packet] == 0 : is_zero(b, packet);
}

/* Moves n items of a row to its start; zeros behind. */
static void shift(void *row, size_t item, int first, int n, int steps)
{
    char *x = row;
    memmove(x, x + (size_t)first * item, (size_t)n * item);
    memset(x + (size_t)n * item, 0, (size_t)(steps - n) * item);
}

static void align_row(struct flows_builder *b, int64_t i, bool directed, bool front)
{
    size_t at = (size_t)i * (size_t)b->steps;
    int first = 0, last = b->steps;
    while ((directed || front) && first < last && is_padding(b, at + (size_t)first, directed))
        first++;
    while ((directed || !front) && first < last && is_padding(b, at + (size_t)last - 1, directed))
        last--;
    int n = b->length[i] = last - first;
    if (n == b->steps)
        return;
    shift(b->size + at, sizeof *b->size, first, n, b->steps);
    shift(b->direction + at, sizeof *b->direction, first, n, b->steps);
    if (b->payload)
        shift(b->payload + at, sizeof *b->payload, first, n, b->steps);
    if (b->iat)
        shift(b->iat + at, sizeof *b->iat, first, n, b->steps);
}

void csv_align(struct flows_builder *b, int64_t first, bool directed, bool *padded_front)
{
    int64_t at_front = 0, at_end = 0;
    for (int64_t i = first; i < b->n; i++) {
        size_t at = (size_t)i * (size_t)b->steps;
        at_front += is_padding(b, at, directed);
        at_end += is_padding(b, at + (size_t)b->steps - 1, directed);
    }
    bool front = *padded_front = at_front > at_end;
    for (int64_t i = first; i < b->n; i++)
        align_row(b, i, directed, front);
}
