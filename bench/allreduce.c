/* Seconds of a gang's sum against MPI_Allreduce, in interleaved pairs of the same process: ./bootstrap bench allreduce. Every rank of the launch is a
 * member. Both sum one row of floats a rank into another row; ours has the bits of the tree whatever the ranks, which is checked. */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mpi/comm.h"

enum { PAIRS = 25, WAYS = 3 };
enum { WINDOW, MESSAGES, MPI_OWN };

struct bench {
    struct gang gang[2]; /* through shared memory, by messages */
    MPI_Comm comm;
    float *mine, *total;
    size_t width;
    int repeats;
};

static void sum_once(struct bench *b, int way, struct error *e)
{
    struct gang *g = &b->gang[way == MESSAGES];
    enum status s = STATUS_OK;
    if (way == MPI_OWN)
        MPI_Allreduce(b->mine, b->total, (int)b->width, MPI_FLOAT, MPI_SUM, b->comm);
    else
        s = g->sum(g, b->mine, b->total, b->width, g->size, e);
    if (s != STATUS_OK) {
        fprintf(stderr, "%s\n", e->message);
        MPI_Abort(b->comm, 70);
    }
}

/* Seconds of one sum, the slowest rank's. */
static double measure(struct bench *b, int way, struct error *e)
{
    double slowest, s;
    MPI_Barrier(b->comm);
    double start = MPI_Wtime();
    for (int i = 0; i < b->repeats; i++)
        sum_once(b, way, e);
    s = (MPI_Wtime() - start) / b->repeats;
    MPI_Allreduce(&s, &slowest, 1, MPI_DOUBLE, MPI_MAX, b->comm);
    return slowest;
}

static float value(size_t j, int rank)
{
    return (float)(1 + j % 1013) / (float)(3 + 7 * rank);
}

/* The tree's sum of one leaf a rank, float by float. */
static bool is_exact(const struct bench *b)
{
    float leaf[64];
    for (size_t j = 0; j < b->width; j++) {
        int n = b->gang[0].size;
        for (int r = 0; r < n; r++)
            leaf[r] = value(j, r);
        for (int stride = 1; stride < n; stride *= 2)
            for (int i = 0; i + stride < n; i += 2 * stride)
                leaf[i] += leaf[i + stride];
        if (memcmp(&leaf[0], &b->total[j], sizeof leaf[0]) != 0)
            return false;
    }
    return true;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median and the 95 % interval of order statistics for it: 8th and 18th of 25. */
static void print_median(double *x, double unit, const char *format)
{
    qsort(x, PAIRS, sizeof *x, ascending);
    printf(format, x[PAIRS / 2] * unit, x[7] * unit, x[PAIRS - 8] * unit);
}

static void bench_width(struct bench *b, size_t width, struct error *e)
{
    double seconds[WAYS][PAIRS], ratio[2][PAIRS];
    bool exact = true;
    b->width = width;
    b->repeats = 20;
    for (size_t j = 0; j < width; j++)
        b->mine[j] = value(j, b->gang[0].rank);
    for (int way = 0; way < 2; way++) {
        memset(b->total, 0, width * sizeof *b->total);
        sum_once(b, way, e);
        exact &= is_exact(b);
    }
    double once = measure(b, MPI_OWN, e); /* the same on every rank */
    b->repeats = once > 2e-3 ? 2 : (int)(4e-3 / once) + 1;
    for (int i = 0; i < PAIRS; i++)
        for (int k = 0; k < WAYS; k++) /* either goes first in turn */
            seconds[(k + i) % WAYS][i] = measure(b, (k + i) % WAYS, e);
    for (int i = 0; i < PAIRS; i++)
        for (int way = 0; way < 2; way++)
            ratio[way][i] = seconds[MPI_OWN][i] / seconds[way][i];
    if (b->gang[0].rank != 0)
        return;
    printf("%9.0f", (double)width * sizeof(float) / 1024);
    for (int way = 0; way < WAYS; way++)
        print_median(seconds[way], 1e6, "  %8.1f [%.1f, %.1f]");
    print_median(ratio[0], 1, "  %6.2f [%.2f, %.2f]");
    print_median(ratio[1], 1, "  %6.2f [%.2f, %.2f]");
    printf("%s\n", exact ? "" : "  WRONG BITS");
    fflush(stdout);
}

/* A second gang of the same ranks that sees no shared memory. */
static enum status open_gangs(struct transport *t, struct bench *b, struct error *e)
{
    struct comm *c = t->context;
    struct buffer text = {0};
    struct publication p = {.text = &text, .block = &text, .gangs = true};
    int members[64];
    for (int r = 0; r < t->size; r++)
        members[r] = r;
    buffer_put_i32(&text, 0);
    TRY(comm_publish(t, &p, e));
    buffer_fini(&text);
    TRY(comm_gang_new(t, members, t->size, 1, NULL, NULL, &b->gang[0], e));
    struct ring_share *rings = c->rings.base;
    c->rings.base = NULL;
    enum status s = comm_gang_new(t, members, t->size, 2, NULL, NULL, &b->gang[1], e);
    c->rings.base = rings;
    return s;
}

int main(int argc, char **argv)
{
    enum { MOST = 4 << 20 }; /* bytes */
    struct error e = {0};
    struct transport t;
    struct bench b = {.comm = MPI_COMM_WORLD};
    MPI_Init(&argc, &argv);
    if (comm_init(&t, &e) != STATUS_OK || t.size > 64 || open_gangs(&t, &b, &e) != STATUS_OK) {
        fprintf(stderr, "%s\n", e.message);
        MPI_Abort(MPI_COMM_WORLD, 70);
    }
    b.mine = memory_new(MOST);
    b.total = memory_new(MOST);
    if (t.rank == 0)
        printf("%d ranks; us a sum, median and 95 %% interval of %d\n%9s  %-24s  %-24s  %-24s  %-20s  %s\n", t.size, PAIRS, "KiB", "shared memory",
               "messages", "MPI_Allreduce", "MPI / shared", "MPI / messages");
    for (size_t bytes = 1024; bytes <= MOST; bytes *= 4)
        bench_width(&b, bytes / sizeof(float), &e);
    comm_gang_free(&t, &b.gang[1]);
    comm_gang_free(&t, &b.gang[0]);
    comm_fini(&t);
    free(b.mine);
    free(b.total);
    MPI_Finalize();
    return 0;
}
