/* Trials that go on from others: who waits for whom, and who goes on from what. */
#include "unit.h"

#include "mpi/lineage.h"

/* A line 4 <- 1 <- 0 <- 3 (the first of all is 4), and 2 by itself. */
static struct plan_trial line[5] = {{.after = 1, .flops = 2}, {.after = 4, .flops = 3}, {.after = -1, .flops = 7}, {.after = 0, .flops = 4}, {.after = -1, .flops = 1}};
static const struct plan plan = {.trials = line, .n_trials = 5};

static void check(const enum trial_state states[5], int trial, int done, int awaited)
{
    struct db_trial trials[5];
    for (int i = 0; i < 5; i++)
        trials[i] = (struct db_trial){.state = states[i]};
    CU_ASSERT_EQUAL(lineage_done(&plan, trials, trial), done);
    CU_ASSERT_EQUAL(lineage_awaited(&plan, trials, trial), awaited);
}

static void test_states(void)
{
    const enum trial_state Q = TRIAL_QUEUED, D = TRIAL_DONE, F = TRIAL_FAILED, C = TRIAL_CANCELLED;
    check((enum trial_state[]){Q, Q, Q, Q, Q}, 3, -1, 0);
    check((enum trial_state[]){Q, Q, Q, Q, Q}, 4, -1, -1);
    check((enum trial_state[]){Q, Q, Q, Q, Q}, 2, -1, -1);
    check((enum trial_state[]){Q, D, Q, Q, D}, 3, 1, 0);
    check((enum trial_state[]){D, D, Q, Q, D}, 3, 0, -1);
    check((enum trial_state[]){F, Q, Q, Q, D}, 3, 4, 1);
    check((enum trial_state[]){F, D, Q, Q, D}, 3, 1, -1);
    check((enum trial_state[]){D, Q, Q, Q, Q}, 3, 0, -1); /* smaller ones that came later are of no use to it */
    check((enum trial_state[]){F, C, Q, Q, F}, 3, -1, -1);
}

static void test_flops(void)
{
    static const double expected[5] = {6, 9, 7, 4, 10};
    double left[5];
    lineage_flops(&plan, left);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(left[i], expected[i]);
    CU_ASSERT(lineage_follows(&plan, 3, 4) && lineage_follows(&plan, 3, 0) && !lineage_follows(&plan, 4, 3) && !lineage_follows(&plan, 2, 4));
}

UNIT_MAIN({"states", test_states}, {"flops", test_flops})
