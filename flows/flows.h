/* Flows in memory: one form whatever the file looked like.
 *
 * A flow is its first packets, packet 1 in column 0, then padding; length says how many are real. Reading has already stripped the
 * padding wherever it stood (flows/flows_read.h). All arrays lie in one block of memory without pointers inside, so that a node's ranks
 * can look at one copy: flows_view makes a struct flows of such a block, flows_block hands it out.
 * Rows keep the number they have in the file (skipped rows keep theirs): splits are dealt by that number.
 * Read-only once read; any number of threads or processes may look. */
#ifndef FLOWS_FLOWS_H
#define FLOWS_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"
#include "base/table.h"

/* What a packet is described by. SIGNED_SIZE and DIRECTION are derived: size times sign, sign. */
enum channel { CHANNEL_SIGNED_SIZE, CHANNEL_SIZE, CHANNEL_PAYLOAD, CHANNEL_IAT, CHANNEL_DIRECTION, CHANNEL_COUNT };
extern const char *const channel_names[CHANNEL_COUNT]; /* "signed_size", "size", "payload", "iat", "direction" */

struct flows {
    int n;          /* rows */
    int steps;      /* packets kept of each, padding included */
    int n_labels;   /* distinct labels; 0 where the file has no label column */
    unsigned channels; /* bit 1 << enum channel for what the file can give */
    const char **labels;     /* (n_labels), in byte order; owned by this view */
    const int32_t *label;    /* (n) index into labels, -1 without labels */
    const int32_t *row;      /* (n) 0-based number in the file; rows of data.test_path go on after those of data.path */
    const int32_t *length;   /* (n) real packets, 0..steps */
    const float *size;       /* (n,steps) signed size as in the file [bytes]: + client to server; 0 for padding */
    const float *payload;    /* (n,steps) [bytes], or NULL where channels lacks it */
    const float *iat;        /* (n,steps) [s], or NULL */
    const int8_t *direction; /* (n,steps) +1, -1, 0 for padding */
    int n_first;             /* rows of data.path; those from here on are data.test_path's */
    int n_meta;              /* columns of data.meta, 0 without */
    const char **meta_names; /* (n_meta); owned by this view */
    const char **meta;       /* (n, n_meta) text of each; owned by this view (the text lies in the block) */
    const void *block;       /* all the above in one piece */
    size_t block_size;
    void *owned;             /* block to free, or NULL for a view of someone else's */
};

/* Lays a view over a block that flows_read made (in this or another process). The block must outlive it.
 * STATUS_BUG where the block is none. */
enum status flows_view(struct flows *out, const void *block, size_t size, struct error *e);
void flows_fini(struct flows *f);

/* sha256 of the parsed rows (lengths, channels, labels, row numbers), whatever layout, padding or compression they came in. The
 * channels that only one layout has (payload, iat) take part where present. */
void flows_hash(const struct flows *f, char hex[HASH_HEX]);

#endif
