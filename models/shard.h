/* Training rows that are dealt over a gang (data.placement = "sharded"), and how models read them.
 *
 * Rank r of a gang of n holds the training samples [gang_first(N, r, n), gang_first(N, r + 1, n)) and no others; classes all ranks know. Models read
 * training rows through this file alone and so need not know the placement: where all rows are at hand (a spec of one shard: node placement, or a
 * gang of one) the same calls read them where they lie.
 *
 * Networks: before an epoch its rows are exchanged, once; a rank gets those of the leaves that it computes.
 *
 *     held by rank     0 0 0 0 0 1 1 1 1 1 2 2 2 2 2    samples in file order
 *     order            7 1 12 4 9  0 14 3 8 11  ..      of an epoch
 *     computed by      0 0  1 1 2  0  0 1 1  2          gang_rows of each batch
 *
 * Every rank knows the order, so each knows what it owes to whom and what comes. In round k rank r passes rows to r + k and gets some from
 * r - k, CHUNK at a time. So a rank holds its own rows, those of the epoch, and two chunks; never all. */
#ifndef MODELS_SHARD_H
#define MODELS_SHARD_H

#include "models/model.h"

/* The training samples that this rank holds: [*first, *last). */
void shard_held(const struct model_spec *spec, int *first, int *last);

/* Collective: samples [first, first + n), scaled: out (n, steps * n_channels) on every rank. */
enum status shard_rows(const struct model_spec *spec, struct gang *g, int first, int n, float *out, struct error *e);
/* Collective: one column of all training rows, unscaled: out (training rows) on every rank. */
enum status shard_columns(const struct model_spec *spec, struct gang *g, int first, int count, float *out, struct error *e);

struct shard_epoch {
    const struct features *features; /* over the rows of the epoch that are at hand */
    const int32_t *row;              /* (training rows) where each of the order lies in features->flows, -1 where another rank has it; NULL: where the
                                        training part says */
    struct exchange *exchange;       /* NULL where all rows are at hand; owned */
};

/* Memory for the rows of an epoch in batches of so many rows. Not collective. spec must outlive it. STATUS_MEMORY. */
enum status shard_epoch_init(struct shard_epoch *s, const struct model_spec *spec, int batch, struct error *e);
void shard_epoch_fini(struct shard_epoch *s);
/* Collective: gets the rows of this rank's leaves. order (training rows): the epoch's samples. Does not allocate. */
enum status shard_epoch_gather(struct shard_epoch *s, const int32_t *order, struct gang *g, struct error *e);
/* What shard_epoch_init takes, about. */
uint64_t shard_epoch_bytes(int64_t train_rows, int n_shards, size_t row_bytes);

#endif
