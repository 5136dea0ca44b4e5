/* The gang scheduler, event by event: nobody is in two gangs, every trial starts once, a wide one does not wait for ever. */
#include "unit.h"

#include <string.h>

#include "sweep/scheduler.h"

enum { TRIALS = 60, WORKERS = 5 };

struct sweep { /* a sweep played through: gangs end in a fixed but mixed order */
    struct scheduler *s;
    int trial_of[WORKERS]; /* -1: free */
    int started[TRIALS], order[TRIALS], n_started;
};

static void start_all(struct sweep *w, const struct scheduler_trial *trials)
{
    struct scheduler_action a;
    while ((a = scheduler_next(w->s)).trial >= 0) {
        int wanted = trials[a.trial].ranks > WORKERS ? WORKERS : trials[a.trial].ranks;
        CU_ASSERT_EQUAL(a.n, wanted);
        w->started[a.trial]++;
        w->order[w->n_started++] = a.trial;
        for (int i = 0; i < a.n; i++) {
            CU_ASSERT_EQUAL(w->trial_of[a.members[i]], -1);
            w->trial_of[a.members[i]] = a.trial;
        }
    }
}

/* One gang ends: that of the busy worker after `turn`. */
static void end_one(struct sweep *w, int turn)
{
    int at = turn % WORKERS;
    while (w->trial_of[at] < 0)
        at = (at + 1) % WORKERS;
    int trial = w->trial_of[at];
    for (int i = 0; i < WORKERS; i++)
        if (w->trial_of[i] == trial) {
            w->trial_of[i] = -1;
            scheduler_worker_free(w->s, i);
        }
}

static void play(struct sweep *w, const struct scheduler_trial *trials, enum scheduler_order order)
{
    memset(w, 0, sizeof *w);
    w->s = scheduler_new(trials, TRIALS, WORKERS, order, 9);
    for (int i = 0; i < WORKERS; i++)
        w->trial_of[i] = -1;
    start_all(w, trials);
    for (int turn = 0; scheduler_running(w->s) > 0; turn += 3) {
        end_one(w, turn);
        start_all(w, trials);
    }
    CU_ASSERT_EQUAL(scheduler_waiting(w->s), 0);
    for (int i = 0; i < TRIALS; i++)
        CU_ASSERT_EQUAL(w->started[i], 1);
    scheduler_free(w->s);
}

static void make(struct scheduler_trial *trials)
{
    for (int i = 0; i < TRIALS; i++)
        trials[i] = (struct scheduler_trial){i, 1 + i % 7, (double)((i * 37) % TRIALS)}; /* up to 7 ranks of 5 */
}

static void test_orders(void)
{
    struct scheduler_trial trials[TRIALS];
    struct sweep w;
    make(trials);
    play(&w, trials, ORDER_LISTED);
    CU_ASSERT_EQUAL(w.order[0], 0);
    play(&w, trials, ORDER_LONGEST);
    CU_ASSERT_EQUAL(trials[w.order[0]].flops, TRIALS - 1);
    play(&w, trials, ORDER_SHUFFLED);
}

/* A trial that wants all workers starts after those that run now, though small ones keep waiting behind it. */
static void test_wide_one_is_not_starved(void)
{
    struct scheduler_trial trials[TRIALS];
    struct sweep w;
    for (int i = 0; i < TRIALS; i++)
        trials[i] = (struct scheduler_trial){i, i == 3 ? WORKERS : 1, 1};
    play(&w, trials, ORDER_LISTED);
    int place = 0;
    while (w.order[place] != 3)
        place++;
    CU_ASSERT(place <= 3 + WORKERS);
}

/* Trials that run alone come after all others, one by one, with nothing beside them. */
static void test_alone(void)
{
    struct scheduler_trial trials[TRIALS];
    struct sweep w;
    make(trials);
    trials[0].alone = trials[5].alone = trials[59].alone = true;
    for (int order = ORDER_LISTED; order <= ORDER_SHUFFLED; order++) {
        play(&w, trials, (enum scheduler_order)order);
        for (int place = 0; place < TRIALS; place++)
            CU_ASSERT_EQUAL(trials[w.order[place]].alone, place >= TRIALS - 3);
    }
    struct scheduler_trial two[] = {{0, 1, 1, true}, {1, 1, 1, false}};
    struct scheduler *s = scheduler_new(two, 2, WORKERS, ORDER_LISTED, 1);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, 1);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, -1); /* not beside the other */
    scheduler_worker_free(s, 0);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, 0);
    scheduler_requeue(s, 1);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, -1); /* nothing beside it */
    scheduler_free(s);
}

/* What waits for another trial is passed over, takes no workers, and starts once it is told to. */
static void test_blocked(void)
{
    struct scheduler_trial trials[] = {{0, 2, 9, .blocked = true}, {1, 4, 8}, {2, 1, 1}, {3, 1, 9, .alone = true}};
    struct scheduler *s = scheduler_new(trials, 4, WORKERS, ORDER_LONGEST, 1);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, 1);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, 2);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, -1);
    scheduler_worker_free(s, 4);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, -1); /* 3 is for when nothing runs */
    for (int i = 0; i < 4; i++)
        scheduler_worker_free(s, i);
    scheduler_unblock(s, 0);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, 0);
    CU_ASSERT_EQUAL(scheduler_waiting(s), 1);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, -1);
    scheduler_worker_free(s, 0);
    scheduler_worker_free(s, 1);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, 3);
    scheduler_free(s);
}

/* Workers are to spare when nothing could start, and a trial comes back for more of them. */
static void test_spare(void)
{
    struct scheduler_trial trials[] = {{0, 2, 9}, {1, 4, 8}, {2, 1, 7, .blocked = true}};
    struct scheduler *s = scheduler_new(trials, 3, WORKERS, ORDER_LISTED, 1);
    CU_ASSERT_EQUAL(scheduler_spare(s), 0);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, 0);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, -1);
    CU_ASSERT_EQUAL(scheduler_spare(s), 0); /* three are free, but 1 waits for four */
    scheduler_worker_free(s, 0);
    scheduler_worker_free(s, 1);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, 1);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, -1);
    CU_ASSERT_EQUAL(scheduler_spare(s), 1); /* 2 is blocked */
    for (int i = 0; i < 4; i++)
        scheduler_worker_free(s, i);
    scheduler_requeue_with(s, 1, 99);
    CU_ASSERT_EQUAL(scheduler_spare(s), 0);
    struct scheduler_action a = scheduler_next(s);
    CU_ASSERT(a.trial == 1 && a.n == WORKERS);
    scheduler_stop(s);
    CU_ASSERT_EQUAL(scheduler_spare(s), 0);
    scheduler_free(s);
}

static void test_stop(void)
{
    struct scheduler_trial trials[TRIALS];
    make(trials);
    struct scheduler *s = scheduler_new(trials, TRIALS, WORKERS, ORDER_LISTED, 1);
    scheduler_stop(s);
    CU_ASSERT_EQUAL(scheduler_next(s).trial, -1);
    CU_ASSERT_EQUAL(scheduler_waiting(s), TRIALS);
    scheduler_free(s);
}

UNIT_MAIN({"orders", test_orders}, {"a wide trial is not starved", test_wide_one_is_not_starved}, {"alone", test_alone}, {"blocked", test_blocked}, {"spare", test_spare},
          {"stop", test_stop})
