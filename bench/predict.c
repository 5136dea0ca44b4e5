/* Seconds of a bundle's probabilities, without reading it or the flows: bench_predict BUNDLE FLOWS PROCESSES
 *
 * Says "ready", then answers a line with a number: latency, seconds of one flow (median of 1000 calls, each another flow), and throughput, seconds of
 * all flows, dealt over so many processes. Through bundle_predict, as `flowsweep predict` does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "models/gang.h"
#include "storage/bundle.h"

enum { CALLS = 1000 };

static double clock_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Some rows of f, in its memory. */
static struct flows part_of(const struct flows *f, int first, int n)
{
    struct flows p = *f;
    size_t at = (size_t)first * (size_t)f->steps;
    p.n = n;
    p.label = f->label + first;
    p.row = f->row + first;
    p.length = f->length + first;
    p.size = f->size + at;
    p.payload = f->payload ? f->payload + at : NULL;
    p.iat = f->iat ? f->iat + at : NULL;
    p.direction = f->direction + at;
    return p;
}

static double predict_s(const struct bundle *b, const struct flows *f, int first, int n)
{
    struct flows part = part_of(f, first, n);
    struct error e;
    float *proba;
    double start = clock_s();
    if (bundle_predict(b, &part, &proba, &e) != STATUS_OK) {
        fprintf(stderr, "%s\n", e.message);
        exit(70);
    }
    start = clock_s() - start;
    free(proba);
    return start;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double latency(const struct bundle *b, const struct flows *f)
{
    double took[CALLS];
    for (int i = 0; i < CALLS; i++)
        took[i] = predict_s(b, f, i % f->n, 1);
    qsort(took, CALLS, sizeof *took, ascending);
    return took[CALLS / 2];
}

/* Processes that wait for a byte, then predict their flows and say so by another. */
struct helper {
    int ask, told; /* our ends */
};

static void serve(const struct bundle *b, const struct flows *f, int first, int n, int asked, int tell)
{
    char byte;
    while (read(asked, &byte, 1) == 1) {
        predict_s(b, f, first, n);
        if (write(tell, &byte, 1) != 1)
            _exit(70);
    }
    _exit(0);
}

/* The i-th, which ends when this process does: it keeps nobody's end but its own. */
static void start_helper(struct helper *helpers, int i, const struct bundle *b, const struct flows *f, int processes)
{
    int ask[2], tell[2], first = gang_first(f->n, i, processes);
    if (pipe(ask) || pipe(tell))
        exit(71);
    if (fork() == 0) {
        for (int j = 1; j < i; j++)
            close(helpers[j].ask);
        close(ask[1]);
        serve(b, f, first, gang_first(f->n, i + 1, processes) - first, ask[0], tell[1]);
    }
    close(ask[0]);
    helpers[i] = (struct helper){ask[1], tell[0]};
}

static double throughput(const struct bundle *b, const struct flows *f, const struct helper *helpers, int processes)
{
    double start = clock_s();
    char byte = 0;
    for (int i = 1; i < processes; i++)
        if (write(helpers[i].ask, &byte, 1) != 1)
            exit(70);
    predict_s(b, f, 0, gang_first(f->n, 1, processes));
    for (int i = 1; i < processes; i++)
        if (read(helpers[i].told, &byte, 1) != 1)
            exit(70);
    return clock_s() - start;
}

int main(int argc, char **argv)
{
    struct bundle *b;
    struct flows f;
    struct error e;
    char line[32], *note;
    struct helper helpers[64];
    int processes = argc > 3 ? atoi(argv[3]) : 0;
    if (processes < 1 || processes > 64)
        return fprintf(stderr, "bench_predict BUNDLE FLOWS PROCESSES\n"), 64;
    if (bundle_open(&b, argv[1], &e) != STATUS_OK || bundle_flows(b, argv[2], false, &f, &note, &e) != STATUS_OK)
        return fprintf(stderr, "%s\n", e.message), 65;
    free(note);
    for (int i = 1; i < processes; i++)
        start_helper(helpers, i, b, &f, processes);
    puts("ready");
    while (fflush(stdout), fgets(line, sizeof line, stdin))
        printf("%.9f\n", line[0] == 'l' ? latency(b, &f) : throughput(b, &f, helpers, processes));
    flows_fini(&f);
    bundle_free(b);
    return 0;
}
