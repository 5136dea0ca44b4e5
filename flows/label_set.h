/* Labels by number: each distinct text once, found by hash (open addressing). */
#ifndef FLOWS_LABEL_SET_H
#define FLOWS_LABEL_SET_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct label_set {
    char *text; /* all labels, each with its NUL; owned */
    size_t text_size, text_capacity;
    uint64_t *offset; /* (n) into text; owned */
    size_t n, offset_capacity;
    int32_t *slot; /* (n_slots) label or -1; owned */
    size_t n_slots;
};

void label_set_fini(struct label_set *s);
/* The number of a label of n bytes, new ones counted up from 0. STATUS_MEMORY. */
enum status label_set_add(struct label_set *s, const char *label, size_t n, int32_t *number, struct error *e);
/* order (n): the numbers in byte order of their text. */
void label_set_sort(const struct label_set *s, int32_t *order);

#endif
