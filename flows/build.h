/* Rows of flows on their way into a block: a table that grows while rows are read or made, then one block.
 *
 * The reader and the generator both end here. Arrays whose size follows from a user's data grow by array_grow, which says no where there is no more
 * memory. flows_builder_finish copies array by array into the block and frees each as it goes, so the peak is little
 * above one copy. */
#ifndef FLOWS_BUILD_H
#define FLOWS_BUILD_H

#include "flows/flows.h"
#include "flows/label_set.h"

enum { FLOWS_STEPS_MAX = 65536, FLOWS_META_MAX = 4096 };

/* Makes *p (items of `item` bytes, *capacity of them) hold at least `need`, doubling. STATUS_MEMORY. */
enum status array_grow(void *p, size_t *capacity, size_t need, size_t item, struct error *e);

struct flows_meta { /* text of data.meta */
    int n;            /* columns */
    int64_t rows;     /* without the header */
    char *text;       /* owned; every cell ends with NUL */
    size_t text_size, text_capacity;
    uint64_t *offset; /* owned: n names, then rows * n cells */
    size_t n_offsets, offset_capacity;
};

void flows_meta_fini(struct flows_meta *m);

struct flows_builder {
    int steps;
    unsigned channels; /* as in struct flows */
    int64_t n;
    size_t capacity; /* rows that fit */
    int32_t *label, *row, *length;
    float *size, *payload, *iat; /* payload, iat: NULL where channels lacks them */
    int8_t *direction;
    int32_t n_first;
    bool labelled;
    struct label_set labels;
};

void flows_builder_init(struct flows_builder *b, int steps, unsigned channels);
void flows_builder_fini(struct flows_builder *b);
/* Room for one more row at index b->n, its packets zeroed; the caller fills it and counts b->n up. */
enum status flows_builder_room(struct flows_builder *b, struct error *e);
/* Makes the block and the view, labels in byte order, and empties b. meta may be NULL; its rows are those of the file. */
enum status flows_builder_finish(struct flows_builder *b, const struct flows_meta *meta, struct flows *out,
                                 struct error *e);

/* Head of a block, and where its arrays lie: a function of the counts alone. */
struct block_header {
    char magic[8];
    uint64_t size;
    int32_t n, steps, n_labels, n_first, n_meta;
    uint32_t channels;
    uint64_t text_size;
};

struct block_layout {
    int32_t *label, *row, *length;
    float *size, *payload, *iat;
    int8_t *direction;
    uint64_t *label_offset, *meta_name_offset, *meta_offset;
    char *text;
    size_t total;
};

extern const char block_magic[8];
/* base NULL: only total is set. */
struct block_layout block_lay_out(const struct block_header *h, char *base);

#endif
