/* From what size on another rank of a gang is wasted: by the leaves of a batch, and by what was learnt. */
#include "unit.h"

#include <math.h>

#include "sweep/efficiency.h"

static struct efficiency_work work_of(int64_t rows, int batch)
{
    return (struct efficiency_work){.rows = rows, .batch = batch, .flops = 1};
}

static void test_leaves(void)
{
    struct efficiency_work w = work_of(1280, 128);
    struct efficiency e[10];
    const int rounds[] = {40, 20, 20, 10, 10}, same[] = {1, 2, 2, 4, 4};
    efficiency_of(&w, 1, 9, e);
    CU_ASSERT_EQUAL(efficiency_leaves(&w), 4);
    for (int r = 1; r <= 5; r++) {
        CU_ASSERT_EQUAL(efficiency_rounds(&w, r), rounds[r - 1]);
        CU_ASSERT_DOUBLE_EQUAL(e[r].speed_up, 40.0 / rounds[r - 1], 1e-12);
        CU_ASSERT_EQUAL(efficiency_same(e, r), same[r - 1]);
        CU_ASSERT(isnan(e[r].seconds) && !e[r].learnt);
    }
    CU_ASSERT_EQUAL(efficiency_enough(e, 9), 4);
}

/* A short last batch counts its own leaves; more rows in a batch than there are count as what there is. */
static void test_short_batches(void)
{
    struct efficiency_work w = work_of(70, 64), all = work_of(70, 1000);
    CU_ASSERT_EQUAL(efficiency_rounds(&w, 1), 3);
    CU_ASSERT_EQUAL(efficiency_rounds(&w, 2), 2);
    CU_ASSERT_EQUAL(efficiency_rounds(&all, 1), 3);
    CU_ASSERT_EQUAL(efficiency_rounds(&all, 2), 2);
    CU_ASSERT_EQUAL(efficiency_rounds(&all, 3), 1);
}

/* Two ranks that were tried and gave next to nothing: leaves promise more, and are not believed. */
static void test_learnt(void)
{
    struct efficiency_work w[] = {work_of(1280, 64), work_of(1280, 64)};
    struct efficiency e[6];
    w[0].seconds[1] = 30;
    w[0].epochs[1] = 10;
    w[0].seconds[2] = 29;
    w[0].epochs[2] = 10;
    efficiency_of(w, 2, 5, e);
    CU_ASSERT_DOUBLE_EQUAL(e[1].seconds, 3, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(e[2].seconds, 2.9, 1e-12);
    CU_ASSERT(e[1].learnt && e[2].learnt && !e[3].learnt);
    CU_ASSERT_DOUBLE_EQUAL(e[3].seconds, 2.9, 1e-12);
    CU_ASSERT_EQUAL(efficiency_enough(e, 5), 1);
    w[0].seconds[2] = 16;
    efficiency_of(w, 2, 5, e);
    CU_ASSERT_EQUAL(efficiency_enough(e, 5), 2);
}

/* What was tried with two ranks alone tells of one. */
static void test_other_size(void)
{
    struct efficiency_work w = work_of(1280, 64);
    struct efficiency e[4];
    w.seconds[2] = 10;
    w.epochs[2] = 10;
    efficiency_of(&w, 1, 3, e);
    CU_ASSERT_DOUBLE_EQUAL(e[1].seconds, 2, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(e[2].speed_up, 2, 1e-12);
}

UNIT_MAIN({"by leaves", test_leaves}, {"short batches", test_short_batches}, {"learnt", test_learnt}, {"learnt with another size", test_other_size})
