/* How long a run has still to go. */
#include "unit.h"

#include <math.h>

#include "mpi/progress.h"

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static void test_left(void)
{
    struct progress p = {.started = 1000};
    struct progress_work *dnn = progress_work(&p, "dnn"), *forest = progress_work(&p, "random_forest");
    CU_ASSERT_PTR_EQUAL(progress_work(&p, "dnn"), dnn);
    CU_ASSERT_PTR_NOT_EQUAL(forest, dnn);
    dnn->total = 100;
    forest->total = 1000;
    CU_ASSERT_EQUAL(progress_left(&p, 1010), 0); /* nothing is known */

    dnn->done = 50; /* 0.2 s each */
    dnn->done_s = 10;
    CU_ASSERT(near(progress_left(&p, 1010), 50 * 0.2 + 1000 * 0.2)); /* one rank; forests are taken to be as fast */
    forest->running = 400; /* 0.01 s each */
    forest->running_s = 4;
    p.busy_s = 5;
    CU_ASSERT(near(progress_left(&p, 1015), 50 * 0.2 + 600 * 0.01)); /* still one */
    CU_ASSERT(near(progress_left(&p, 1007.5), (50 * 0.2 + 600 * 0.01) / 2)); /* two, all the time */
    dnn->done = 100;
    forest->running = 1000;
    CU_ASSERT_EQUAL(progress_left(&p, 1020), 0);
}

UNIT_MAIN({"time left", test_left})
