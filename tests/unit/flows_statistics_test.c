/* Statistics beside numpy's (golden/make_statistics.py), and which there are of what flows have. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "flows/statistics.h"

enum { PACKETS = 400 };

static const unsigned size = 1u << CHANNEL_SIZE, payload = 1u << CHANNEL_PAYLOAD, iat = 1u << CHANNEL_IAT, direction = 1u << CHANNEL_DIRECTION;

struct example {
    int n, clip;
    float size[PACKETS], payload[PACKETS], iat[PACKETS], direction[PACKETS], expected[STATISTICS_MOST];
};

static bool read_numbers(FILE *in, float *out, int n)
{
    int got = 0;
    while (got < n && fscanf(in, "%f", &out[got]) == 1)
        got++;
    return got == n;
}

static bool read_example(FILE *in, struct example *x)
{
    if (fscanf(in, "%d %d", &x->n, &x->clip) != 2)
        return false;
    return read_numbers(in, x->size, x->n) && read_numbers(in, x->payload, x->n) && read_numbers(in, x->iat, x->n) &&
           read_numbers(in, x->direction, x->n) && read_numbers(in, x->expected, STATISTICS_MOST);
}

static void compute(const struct example *x, unsigned groups, int steps, float *out)
{
    int8_t ways[PACKETS];
    int32_t length = x->n;
    float room[PACKETS];
    for (int t = 0; t < x->n; t++)
        ways[t] = (int8_t)x->direction[t];
    struct flows f = {.n = 1, .steps = x->n, .length = &length, .size = x->size, .payload = x->payload, .iat = x->iat, .direction = ways};
    statistics_row(&f, groups, 0, steps, x->clip, room, out);
}

/* Whole numbers and quartiles to the last bit; sums may be in another order, and times have the rounding of theirs. */
static void check_example(const struct example *x)
{
    float found[STATISTICS_MOST];
    compute(x, size | payload | iat | direction, PACKETS, found);
    for (int i = 0; i < STATISTICS_MOST; i++) {
        struct buffer name = {0};
        statistics_name(size | payload | iat | direction, i, &name);
        bool sum = strstr(name.data, "mean") || strstr(name.data, "std"), gap = strstr(name.data, "gap");
        double wrong = fabs((double)found[i] - (double)x->expected[i]), allowed = sum ? 1e-6 * (double)x->expected[i] : gap ? 1e-6 : 0;
        if (wrong > allowed)
            printf("%d packets: %s is %.9g, numpy has %.9g\n", x->n, name.data, (double)found[i], (double)x->expected[i]);
        CU_ASSERT(wrong <= allowed);
        buffer_fini(&name);
    }
}

static struct example example;

static void test_numpy(void)
{
    int n = 0;
    char head[200];
    FILE *in = fopen("tests/golden/statistics.txt", "r");
    CU_ASSERT_FATAL(in && fgets(head, sizeof head, in));
    for (; read_example(in, &example); n++)
        check_example(&example);
    fclose(in);
    CU_ASSERT_EQUAL(n, 12);
}

/* The last example is left from above. Of its first packets, and of what flows have: the same numbers, some left out. */
static void test_prefix(void)
{
    float whole[STATISTICS_MOST], prefix[STATISTICS_MOST];
    unsigned all = size | payload | iat | direction;
    compute(&example, all, 7, prefix);
    example.n = 7;
    compute(&example, all, PACKETS, whole);
    CU_ASSERT_EQUAL(memcmp(whole, prefix, sizeof whole), 0);
    CU_ASSERT_EQUAL(prefix[32], 7);
}

static int place(unsigned groups, const char *name)
{
    for (int i = 0; i < statistics_count(groups); i++) {
        struct buffer found = {0};
        statistics_name(groups, i, &found);
        bool same = strcmp(found.data, name) == 0;
        buffer_fini(&found);
        if (same)
            return i;
    }
    return -1;
}

static void test_what_there_is(void)
{
    static const unsigned some[] = {size, size | direction, size | iat, size | payload | direction, size | iat | direction};
    static const int counts[] = {7, 21, 10, 33, 30};
    float whole[STATISTICS_MOST], part[STATISTICS_MOST];
    unsigned all = size | payload | iat | direction;
    CU_ASSERT_EQUAL(statistics_count(all), STATISTICS_MOST);
    CU_ASSERT_EQUAL(statistics_of(0x1f), all);
    CU_ASSERT_EQUAL(statistics_of(payload | iat), 0);
    CU_ASSERT_EQUAL(statistics_count(0), 0);
    compute(&example, all, PACKETS, whole);
    for (int k = 0; k < 5; k++) {
        CU_ASSERT_EQUAL(statistics_count(some[k]), counts[k]);
        compute(&example, some[k], PACKETS, part);
        for (int i = 0; i < counts[k]; i++) {
            struct buffer name = {0};
            statistics_name(some[k], i, &name);
            CU_ASSERT_EQUAL(part[i], whole[place(all, name.data)]);
            buffer_fini(&name);
        }
    }
    CU_ASSERT_EQUAL(place(all, "out_packets"), 0);
    CU_ASSERT_EQUAL(statistics_channel(all, 0), CHANNEL_DIRECTION);
    CU_ASSERT_EQUAL(statistics_channel(all, place(all, "in_gap_q50")), CHANNEL_IAT);
    CU_ASSERT_EQUAL(statistics_channel(all, place(all, "out_payload_std")), CHANNEL_PAYLOAD);
}

UNIT_MAIN({"beside numpy", test_numpy}, {"first packets", test_prefix}, {"what there is", test_what_there_is})
