/* The rings of mpi/ring.h between threads: the bits of the tree for any leaves, ranks and pieces, a sum within a sum, rings far smaller than what they
 * carry, numbers dealt to whoever comes first, and gangs that follow each other while some of their members still finish the last one. */
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "allocations.h"
#include "base/random.h"
#include "mpi/ring.h"

enum { RANKS = 5, PHASES = 7, SUMS = 12, LEAVES = 23, MOST = 70000 };

static struct ring_share shares[RANKS];

struct group { /* of a phase: ranks [first, end) */
    int first, end;
    uint64_t number[RANKS];
    pthread_barrier_t barrier;
};

static struct group groups[PHASES][2];
static int wrong[RANKS], sums[RANKS];

enum { ROUNDS = 60, NUMBERS = 20 };
static _Atomic int taken[PHASES][2][ROUNDS][NUMBERS]; /* by phase and group: how often each number was handed out */

static float value(int leaf, size_t j, uint64_t key)
{
    return (float)(1 + (leaf * 7 + (int)(j % 97) + (int)(key % 13)) % 31) / (float)(3 + leaf % 5) * (leaf % 3 == 1 ? 4096.0f : 1.0f);
}

static struct gang_slab slab_new(const struct ring *r, size_t width, int n_leaves, uint64_t key)
{
    int first = gang_first(n_leaves, r->rank, r->size), end = gang_first(n_leaves, r->rank + 1, r->size);
    float *mine = malloc(((size_t)gang_slots(first, end, n_leaves) + 1) * width * sizeof *mine);
    for (int leaf = first; leaf < end; leaf++) {
        for (size_t j = 0; j < width; j++)
            mine[(size_t)gang_slot(first, leaf, n_leaves) * width + j] = value(leaf, j, key);
        gang_merge(mine, width, width, first, leaf, n_leaves);
    }
    return (struct gang_slab){mine, malloc(width * sizeof *mine), width, n_leaves};
}

/* Counts what differs from the tree, and lets go of the slab. */
static int slab_check(struct gang_slab *s, uint64_t key)
{
    int differ = 0;
    for (size_t j = 0; j < s->width; j++) {
        float x[LEAVES + 1] = {0};
        for (int i = 0; i < s->n_leaves; i++)
            x[i] = value(i, j, key);
        for (int stride = 1; stride < s->n_leaves; stride *= 2)
            for (int i = 0; i + stride < s->n_leaves; i += 2 * stride)
                x[i] += x[i + stride];
        differ += memcmp(&x[0], &s->total[j], sizeof x[0]) != 0;
    }
    free((void *)(uintptr_t)s->mine);
    free(s->total);
    return differ;
}

static void wait_for(struct ring *r, int level)
{
    while (!ring_done(r, level))
        if (!ring_move(r))
            sched_yield();
}

/* As batch statistics within a batch. */
static int sum_inside(struct ring *r, int n_leaves, uint64_t key)
{
    struct gang_slab s = slab_new(r, 60, n_leaves, key);
    ring_add(r, 1, &s, 0, s.width);
    wait_for(r, 1);
    return slab_check(&s, key);
}

/* In pieces from the end to the start, as a backward pass makes them; some ranks come late. */
static int one_sum(struct ring *r, uint64_t key)
{
    struct random random = random_of(key, 0), own = random_of(key, (uint64_t)r->rank + 1);
    size_t width = random_below(&random, 3) ? 1 + random_below(&random, 300) : 1 + random_below(&random, MOST);
    int n_leaves = (int)random_below(&random, LEAVES + 1), inside = 0;
    struct gang_slab s = slab_new(r, width, n_leaves, key);
    for (size_t to = width, from; to > 0; to = from) {
        from = random_below(&random, 2) ? 0 : (size_t)random_below(&random, (uint32_t)to);
        ring_add(r, 0, &s, from, to);
        if (random_below(&own, 2))
            ring_move(r);
        if (random_below(&own, 4) == 0)
            sched_yield();
        if (random_below(&random, 4) == 0)
            inside += sum_inside(r, n_leaves, key + from);
    }
    wait_for(r, 0);
    return inside + slab_check(&s, key);
}

static int numbers_of(int round)
{
    return round % (NUMBERS + 1); /* none too */
}

/* Rounds follow each other as fast as they can: who comes late to one that is over gets nothing of the next. */
static int take_all(struct ring *r, _Atomic int (*counts)[NUMBERS])
{
    int beside = 0;
    for (int round = 0; round < ROUNDS; round++)
        for (int i, last = -1; (i = ring_take(r, numbers_of(round))) >= 0; last = i) {
            beside += i <= last || i >= numbers_of(round);
            counts[round][i]++;
            if (i % 3 == 0)
                sched_yield();
        }
    return beside;
}

static void in_group(int rank, struct group *g, int phase)
{
    struct ring_share *share[RANKS];
    struct ring r;
    uint64_t most = 0;
    for (int i = g->first; i < g->end; i++)
        share[i - g->first] = &shares[i];
    ring_init(&r, share, rank - g->first, g->end - g->first);
    g->number[rank] = ring_number(&r);
    pthread_barrier_wait(&g->barrier);
    for (int i = g->first; i < g->end; i++)
        most = g->number[i] > most ? g->number[i] : most;
    ring_start(&r, most);
    wrong[rank] += take_all(&r, taken[phase][g->first > 0]);
    for (int i = 0; i < SUMS; i++, sums[rank]++)
        wrong[rank] += one_sum(&r, random_key((uint64_t)phase * 2 + (uint64_t)(g->first > 0), (uint64_t)i));
    while (!ring_read(&r))
        sched_yield();
    CU_ASSERT(r.moved_bytes > 0);
    ring_fini(&r);
}

static void *rank_main(void *number)
{
    int rank = *(int *)number;
    for (int phase = 0; phase < PHASES; phase++)
        in_group(rank, &groups[phase][rank >= groups[phase][1].first], phase);
    return NULL;
}

static void test_gangs(void)
{
    pthread_t thread[RANKS];
    int number[RANKS];
    for (int phase = 0; phase < PHASES; phase++) { /* all, 1 and 4, 2 and 3, 3 and 2, .. */
        int cut = phase % RANKS ? phase % RANKS : RANKS;
        groups[phase][0] = (struct group){.first = 0, .end = cut};
        groups[phase][1] = (struct group){.first = cut, .end = RANKS};
        for (int i = 0; i < 2 && groups[phase][i].first < groups[phase][i].end; i++)
            pthread_barrier_init(&groups[phase][i].barrier, NULL, (unsigned)(groups[phase][i].end - groups[phase][i].first));
    }
    for (int rank = 0; rank < RANKS; rank++) {
        ring_clear(&shares[rank]);
        number[rank] = rank;
        pthread_create(&thread[rank], NULL, rank_main, &number[rank]);
    }
    for (int rank = 0; rank < RANKS; rank++) {
        pthread_join(thread[rank], NULL);
        CU_ASSERT_EQUAL(wrong[rank], 0);
        CU_ASSERT_EQUAL(sums[rank], PHASES * SUMS);
    }
    int others = 0; /* numbers that not exactly one rank of a group has got */
    for (int phase = 0; phase < PHASES; phase++)
        for (int i = 0; i < 2; i++)
            for (int round = 0; round < ROUNDS && groups[phase][i].first < groups[phase][i].end; round++)
                for (int n = 0; n < NUMBERS; n++)
                    others += taken[phase][i][round][n] != (n < numbers_of(round));
    CU_ASSERT_EQUAL(others, 0);
}

/* Nothing waits: a rank alone comes as far as its ring goes, and no further. */
static void test_full(void)
{
    struct ring_share *share[2] = {&shares[0], &shares[1]};
    struct ring r[2];
    struct gang_slab s[2];
    for (int i = 0; i < 2; i++) {
        ring_clear(share[i]);
        ring_init(&r[i], share, i, 2);
        ring_start(&r[i], 5);
        s[i] = slab_new(&r[i], (RING_CELLS + 9) * (size_t)RING_CELL, 2, 1);
    }
    ring_add(&r[0], 0, &s[0], 0, s[0].width);
    CU_ASSERT(ring_move(&r[0]));
    CU_ASSERT(!ring_move(&r[0]));
    CU_ASSERT_EQUAL(ring_number(&r[0]), 5 + RING_CELLS);
    CU_ASSERT(!ring_done(&r[0], 0) && !ring_read(&r[0]));
    ring_add(&r[1], 0, &s[1], 0, s[1].width);
    for (bool moved = true; moved && (r[0].n_blocks > 0 || r[1].n_blocks > 0);) {
        moved = ring_move(&r[1]) | ring_move(&r[0]);
        moved |= ring_done(&r[0], 0) | ring_done(&r[1], 0);
    }
    CU_ASSERT(r[0].n_blocks == 0 && r[1].n_blocks == 0); /* or they are stuck */
    CU_ASSERT(ring_read(&r[0]) && ring_read(&r[1]));
    CU_ASSERT_EQUAL(slab_check(&s[0], 1), 0);
    CU_ASSERT_EQUAL(slab_check(&s[1], 1), 0);
    ring_fini(&r[0]);
    ring_fini(&r[1]);
}

/* A batch's gradients in two pieces, batch statistics in between; the last batch of an epoch has fewer leaves. */
static void sum_batch(struct ring *r, const struct gang_slab *gradients, const struct gang_slab *statistics)
{
    for (int i = 0; i < 2; i++)
        ring_add(&r[i], 0, &gradients[i], MOST / 2, MOST);
    for (int i = 0; i < 2; i++)
        ring_add(&r[i], 1, &statistics[i], 0, 60);
    for (bool done = false; !done; done = ring_done(&r[0], 1) && ring_done(&r[1], 1))
        (void)(ring_move(&r[0]) | ring_move(&r[1]));
    for (int i = 0; i < 2; i++)
        ring_add(&r[i], 0, &gradients[i], 0, MOST / 2);
    for (bool done = false; !done; done = ring_done(&r[0], 0) && ring_done(&r[1], 0))
        (void)(ring_move(&r[0]) | ring_move(&r[1]));
}

static void test_allocates_once(void)
{
    struct ring_share *share[2] = {&shares[0], &shares[1]};
    struct ring r[2];
    struct gang_slab gradients[2][2], statistics[2][2];
    for (int i = 0; i < 2; i++) {
        ring_clear(share[i]);
        ring_init(&r[i], share, i, 2);
        ring_start(&r[i], 1);
        for (int last = 0; last < 2; last++) {
            gradients[last][i] = slab_new(&r[i], MOST, last ? 3 : 8, 1);
            statistics[last][i] = slab_new(&r[i], 60, last ? 3 : 8, 2);
        }
    }
    long first = 0;
    for (int epoch = 0; epoch < 4; epoch++) {
        for (int batch = 0; batch < 3; batch++)
            sum_batch(r, gradients[batch == 2], statistics[batch == 2]);
        first = epoch == 0 ? allocations : first;
    }
    CU_ASSERT(first > 0);
    CU_ASSERT_EQUAL(allocations, first);
    for (int i = 0; i < 2; i++) {
        for (int last = 0; last < 2; last++) {
            CU_ASSERT_EQUAL(slab_check(&gradients[last][i], 1), 0);
            CU_ASSERT_EQUAL(slab_check(&statistics[last][i], 2), 0);
        }
        ring_fini(&r[i]);
    }
}

UNIT_MAIN({"gangs one after the other", test_gangs}, {"a full ring", test_full}, {"sums of an epoch allocate in the first alone", test_allocates_once})
