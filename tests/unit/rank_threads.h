/* A gang of threads for tests: every rank a thread, sums and shares through memory. The sum walks the whole tree,
 * so a rank that hands in wrong parts shows. */
#ifndef TESTS_RANK_THREADS_H
#define TESTS_RANK_THREADS_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "models/gang.h"

struct meeting {
    int size;
    pthread_barrier_t barrier;
    float *all;   /* parts of all ranks, in a sum: each where its first leaf is */
    bool *begins; /* (leaves) whether a part begins there */
    size_t all_bytes, begins_bytes; /* kept for the next sum */
    void *data; /* rank 0's, in a share */
    const void *out[8]; /* what each passes on */
    pthread_mutex_t lock;
};

static bool threads_stop(struct gang *g)
{
    (void)g;
    return false;
}

/* By the definition of the tree, stride by stride; a step between leaves of one part has been done. */
static void threads_fold(struct meeting *m, size_t width, int n_leaves)
{
    for (int stride = 1; stride < n_leaves; stride *= 2)
        for (int i = 0; i + stride < n_leaves; i += 2 * stride)
            if (m->begins[i + stride])
                gang_add(m->all + (size_t)i * width, m->all + (size_t)(i + stride) * width, width);
}

/* A leaf begins a part where one part more is needed up to it: the run [first, leaf] has the parts of [first, leaf) and another. */
static void threads_put(struct meeting *m, const struct gang *g, const float *mine, size_t width, int n_leaves)
{
    int first = gang_first(n_leaves, g->rank, g->size), end = gang_first(n_leaves, g->rank + 1, g->size);
    for (int leaf = first, part = 0; leaf < end; leaf++) {
        m->begins[leaf] = gang_parts(first, leaf, n_leaves) + gang_parts(leaf, end, n_leaves) == gang_parts(first, end, n_leaves);
        if (m->begins[leaf])
            memcpy(m->all + (size_t)leaf * width, mine + (size_t)part++ * width, width * sizeof *mine);
    }
}

/* n zeroed bytes, in memory that stays where it suffices. */
static void *threads_room(void *p, size_t *bytes, size_t n)
{
    if (n > *bytes) {
        free(p);
        p = malloc(n);
        *bytes = n;
    }
    return memset(p, 0, n);
}

static enum status threads_sum(struct gang *g, const float *mine, float *total, size_t width, int n_leaves, struct error *e)
{
    struct meeting *m = g->context;
    (void)e;
    if (g->rank == 0) {
        m->all = threads_room(m->all, &m->all_bytes, ((size_t)n_leaves + 1) * width * sizeof *m->all);
        m->begins = threads_room(m->begins, &m->begins_bytes, ((size_t)n_leaves + 1) * sizeof *m->begins);
    }
    pthread_barrier_wait(&m->barrier);
    threads_put(m, g, mine, width, n_leaves);
    pthread_barrier_wait(&m->barrier);
    if (g->rank == 0)
        threads_fold(m, width, n_leaves);
    pthread_barrier_wait(&m->barrier);
    memcpy(total, m->all, width * sizeof *total);
    pthread_barrier_wait(&m->barrier);
    return STATUS_OK;
}

/* All of it at the end. */
static void threads_sum_begin(struct gang *g, const struct gang_slab *s, size_t from, size_t to)
{
    (void)g, (void)s, (void)from, (void)to;
}

static enum status threads_sum_end(struct gang *g, const struct gang_slab *s, struct error *e)
{
    return threads_sum(g, s->mine, s->total, s->width, s->n_leaves, e);
}

static enum status threads_share(struct gang *g, void *data, const size_t *offset, struct error *e)
{
    struct meeting *m = g->context;
    (void)e;
    for (int r = 0; r < g->size; r++) {
        if (g->rank == r)
            m->data = data;
        pthread_barrier_wait(&m->barrier);
        if (g->rank != r)
            memcpy((char *)data + offset[r], (char *)m->data + offset[r], offset[r + 1] - offset[r]);
        pthread_barrier_wait(&m->barrier);
    }
    return STATUS_OK;
}

static enum status threads_pass(struct gang *g, int to, const void *out, size_t n_out, int from, void *in, size_t n_in, struct error *e)
{
    struct meeting *m = g->context;
    (void)to, (void)n_out, (void)e;
    m->out[g->rank] = out;
    pthread_barrier_wait(&m->barrier);
    if (n_in)
        memcpy(in, m->out[from], n_in);
    pthread_barrier_wait(&m->barrier);
    return STATUS_OK;
}

struct rank_thread {
    struct gang gang;
    void (*work)(struct gang *g, void *context);
    void *context; /* of this rank */
};

static void *rank_main(void *thread)
{
    struct rank_thread *t = thread;
    t->work(&t->gang, t->context);
    return NULL;
}

/* Runs work on size ranks; contexts (size) one each. */
static void run_ranks(int size, void (*work)(struct gang *g, void *context), void **contexts)
{
    struct meeting m = {.size = size};
    struct rank_thread t[8];
    pthread_t id[8];
    size_t offset[8][9];
    pthread_barrier_init(&m.barrier, NULL, (unsigned)size);
    for (int r = 0; r < size; r++) {
        t[r] = (struct rank_thread){{.rank = r, .size = size, .context = &m, .sum = threads_sum, .sum_begin = threads_sum_begin, .sum_end = threads_sum_end, .share = threads_share,
                                     .pass = threads_pass, .stop = threads_stop, .offset = offset[r]},
                                    work, contexts[r]};
        pthread_create(&id[r], NULL, rank_main, &t[r]);
    }
    for (int r = 0; r < size; r++)
        pthread_join(id[r], NULL);
    pthread_barrier_destroy(&m.barrier);
    free(m.all);
    free(m.begins);
}

#endif
