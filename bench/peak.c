/* FP32 peak of the cores this process may use: fused multiply-adds on registers alone, as many chains as hide their latency. Or how fast they read memory.
 *   bench_peak PROCESSES [SECONDS [flops|read]]      prints the sum over processes [GFLOP/s, GB/s]; each does its share at the same time
 * A share of the peak is honest only where both were measured in the same minutes: clocks and neighbours change. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHAINS = 16, BLOCK = 100000, FLOPS_A_STEP = 2, READ_MIB = 256 };

static double clock_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The same loop for a width in floats. The sum is printed nowhere but must not be known to be unused: it goes through a volatile. */
#define BLOCK_OF(NAME, WIDTH, TARGET)                                                                         \
    TARGET static void NAME(void)                                                                             \
    {                                                                                                         \
        typedef float vec __attribute__((vector_size(4 * (WIDTH))));                                          \
        vec x[CHAINS], a, b, sum = {0};                                                                       \
        static volatile float seen, start = 0.5F;                                                             \
        for (int l = 0; l < (WIDTH); l++)                                                                     \
            a[l] = 0.999F * start, b[l] = 1e-3F + start;                                                      \
        for (int c = 0; c < CHAINS; c++)                                                                      \
            x[c] = a + (float)c;                                                                              \
        for (int i = 0; i < BLOCK; i++)                                                                       \
            _Pragma("GCC unroll 16") for (int c = 0; c < CHAINS; c++) x[c] = x[c] * a + b;                    \
        for (int c = 0; c < CHAINS; c++)                                                                      \
            sum += x[c];                                                                                      \
        seen = sum[0];                                                                                        \
        (void)seen;                                                                                           \
    }

#ifdef __x86_64__
BLOCK_OF(block_avx512, 16, __attribute__((target("avx512f"))))
BLOCK_OF(block_avx2, 8, __attribute__((target("avx2,fma"))))
#endif
BLOCK_OF(block_plain, 4, )

struct loop {
    void (*block)(void);
    int width;
};

static struct loop choose(void)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return (struct loop){block_avx512, 16};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (struct loop){block_avx2, 8};
#endif
    return (struct loop){block_plain, 4};
}

/* GFLOP/s of this process: the best tenth of a second, since what stole time from the others is not the processor's peak. */
static double measure(struct loop l, double seconds)
{
    double best = 0, end = clock_s() + seconds;
    while (clock_s() < end) {
        double start = clock_s(), flops = 0, used;
        do {
            l.block();
            flops += (double)BLOCK * CHAINS * l.width * FLOPS_A_STEP;
            used = clock_s() - start;
        } while (used < 0.1);
        best = flops / used > best ? flops / used : best;
    }
    return best * 1e-9;
}

/* GB/s of this process: the fastest way through more than caches hold, as sums that do not wait for each other. */
static double measure_reading(double seconds)
{
    size_t n = READ_MIB << 17;
    uint64_t *x = malloc(n * sizeof *x);
    static volatile uint64_t seen;
    double best = 0, end = clock_s() + seconds;
    if (!x)
        return 0;
    memset(x, 1, n * sizeof *x);
    do {
        double start = clock_s();
        uint64_t sum[8] = {0};
        for (size_t i = 0; i < n; i += 8)
            for (int k = 0; k < 8; k++)
                sum[k] ^= x[i + (size_t)k];
        for (int k = 0; k < 8; k++)
            seen = seen ^ sum[k];
        double used = clock_s() - start;
        best = (double)(n * sizeof *x) / used > best ? (double)(n * sizeof *x) / used : best;
    } while (clock_s() < end);
    free(x);
    return best * 1e-9;
}

static int child(int out, double seconds, bool reading)
{
    double x = reading ? measure_reading(seconds) : measure(choose(), seconds);
    return write(out, &x, sizeof x) == (ssize_t)sizeof x ? 0 : 74;
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1, ends[2];
    double seconds = argc > 2 ? atof(argv[2]) : 1, sum = 0, x;
    bool reading = argc > 3 && strcmp(argv[3], "read") == 0;
    if (n < 1 || n > 1024 || !(seconds > 0) || pipe(ends) != 0)
        return fprintf(stderr, "bench_peak PROCESSES [SECONDS [flops|read]]\n"), 64;
    for (int i = 0; i < n; i++)
        if (fork() == 0)
            _exit(child(ends[1], seconds, reading));
    for (int i = 0; i < n; i++)
        sum += read(ends[0], &x, sizeof x) == (ssize_t)sizeof x ? x : 0;
    while (wait(NULL) > 0) {
    }
    printf("%.2f\n", sum);
    return 0;
}
