#include "sweep/scheduler.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"

enum { NOBODY = -1 };

struct entry {
    struct scheduler_trial trial;
    int listed; /* its place among the trials as given */
    int place;  /* in the queue before those that run alone were put last */
    bool waiting;
};

struct worker {
    int gang;      /* serial number of its gang, or NOBODY while free */
    bool reserved; /* kept for the waiting head */
};

struct scheduler {
    struct entry *queue; /* (n) in the order of starting */
    struct worker *workers;
    int *members; /* (n_workers) of the last action */
    int n, n_workers, waiting;
    int head;       /* everything before it has started */
    int booked_for; /* queue place whose reservation stands, or NOBODY */
    int gangs;      /* formed so far */
    int lonely;     /* the last gang whose trial runs alone, or NOBODY */
    bool stopped;
};

static int by_flops(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->trial.flops != y->trial.flops)
        return x->trial.flops > y->trial.flops ? -1 : 1;
    return (x->listed > y->listed) - (x->listed < y->listed);
}

static void shuffle(struct entry *queue, int n, uint64_t seed)
{
    struct random r = random_of(random_key(seed, 0x7175657565u), 0); /* "queue" */
    for (int i = n; i > 1; i--) {
        int j = (int)random_below(&r, (uint32_t)i);
        struct entry t = queue[i - 1];
        queue[i - 1] = queue[j];
        queue[j] = t;
    }
}

/* Those that run alone come last, in the order that they have. */
static int by_alone(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return x->trial.alone != y->trial.alone ? x->trial.alone - y->trial.alone : (x->place > y->place) - (x->place < y->place);
}

static void put_alone_last(struct entry *queue, int n)
{
    for (int i = 0; i < n; i++)
        queue[i].place = i;
    if (n > 1)
        qsort(queue, (size_t)n, sizeof *queue, by_alone);
}

static struct entry entry_of(const struct scheduler_trial *t, int listed, int n_workers)
{
    struct entry e = {.trial = *t, .listed = listed, .waiting = true};
    if (e.trial.ranks > n_workers)
        e.trial.ranks = n_workers;
    if (e.trial.ranks < 1)
        e.trial.ranks = 1;
    if (isnan(e.trial.flops))
        e.trial.flops = 0;
    return e;
}

struct scheduler *scheduler_new(const struct scheduler_trial *trials, int n, int n_workers, enum scheduler_order order,
                                uint64_t seed)
{
    struct scheduler *s = memory_new(sizeof *s);
    s->n = s->waiting = n;
    s->n_workers = n_workers;
    s->booked_for = s->lonely = NOBODY;
    s->queue = memory_new((size_t)n * sizeof *s->queue);
    s->workers = memory_new((size_t)n_workers * sizeof *s->workers);
    s->members = memory_new((size_t)n_workers * sizeof *s->members);
    for (int w = 0; w < n_workers; w++)
        s->workers[w].gang = NOBODY;
    for (int i = 0; i < n; i++)
        s->queue[i] = entry_of(&trials[i], i, n_workers);
    if (order == ORDER_LONGEST && n > 1)
        qsort(s->queue, (size_t)n, sizeof *s->queue, by_flops);
    if (order == ORDER_SHUFFLED)
        shuffle(s->queue, n, seed);
    put_alone_last(s->queue, n);
    return s;
}

void scheduler_free(struct scheduler *s)
{
    if (!s)
        return;
    free(s->queue);
    free(s->workers);
    free(s->members);
    free(s);
}

static int count_free(const struct scheduler *s, bool with_reserved)
{
    int n = 0;
    for (int w = 0; w < s->n_workers; w++)
        n += s->workers[w].gang == NOBODY && (with_reserved || !s->workers[w].reserved);
    return n;
}

static void unbook(struct scheduler *s)
{
    for (int w = 0; w < s->n_workers; w++)
        s->workers[w].reserved = false;
    s->booked_for = NOBODY;
}

/* Of the workers not yet reserved, the one that the head should wait for: free ones (gang NOBODY is the least), then those of the gang formed first. */
static int soonest(const struct scheduler *s)
{
    int best = NOBODY;
    for (int w = 0; w < s->n_workers; w++)
        if (!s->workers[w].reserved && (best == NOBODY || s->workers[w].gang < s->workers[best].gang))
            best = w;
    return best;
}

static void book(struct scheduler *s, int place)
{
    if (s->booked_for == place)
        return;
    unbook(s);
    for (int i = 0; i < s->queue[place].trial.ranks; i++)
        s->workers[soonest(s)].reserved = true;
    s->booked_for = place;
}

/* The first trial from a place on that could start, or NOBODY. */
static int ready_from(const struct scheduler *s, int place)
{
    while (place < s->n && (!s->queue[place].waiting || s->queue[place].trial.blocked))
        place++;
    return place < s->n ? place : NOBODY;
}

/* The first trial after a place that fits into n workers, or NOBODY. */
static int fitting(const struct scheduler *s, int place, int n)
{
    do
        place = ready_from(s, place + 1);
    while (place != NOBODY && (s->queue[place].trial.alone || s->queue[place].trial.ranks > n));
    return place;
}

static struct scheduler_action start(struct scheduler *s, int place, bool with_reserved)
{
    struct entry *entry = &s->queue[place];
    int n = 0;
    for (int w = 0; w < s->n_workers && n < entry->trial.ranks; w++) {
        if (s->workers[w].gang != NOBODY || (s->workers[w].reserved && !with_reserved))
            continue;
        s->workers[w].gang = s->gangs;
        s->members[n++] = w;
    }
    assert(n == entry->trial.ranks);
    s->lonely = entry->trial.alone ? s->gangs : s->lonely;
    s->gangs++;
    s->waiting--;
    entry->waiting = false;
    return (struct scheduler_action){entry->trial.id, n, s->members};
}

static bool is_running(const struct scheduler *s, int gang)
{
    for (int w = 0; gang != NOBODY && w < s->n_workers; w++)
        if (s->workers[w].gang == gang)
            return true;
    return false;
}

struct scheduler_action scheduler_next(struct scheduler *s)
{
    struct scheduler_action nothing = {.trial = -1};
    while (s->head < s->n && !s->queue[s->head].waiting)
        s->head++;
    int first = ready_from(s, s->head);
    if (s->stopped || s->n_workers == 0 || first == NOBODY || is_running(s, s->lonely))
        return nothing;
    if (s->queue[first].trial.alone && count_free(s, true) < s->n_workers)
        return nothing;
    if (count_free(s, true) >= s->queue[first].trial.ranks) {
        unbook(s);
        return start(s, first, true);
    }
    book(s, first);
    int place = fitting(s, first, count_free(s, false));
    return place == NOBODY ? nothing : start(s, place, false);
}

void scheduler_worker_free(struct scheduler *s, int worker)
{
    assert(worker >= 0 && worker < s->n_workers);
    s->workers[worker].gang = NOBODY;
}

void scheduler_requeue(struct scheduler *s, int trial)
{
    for (int i = 0; i < s->n; i++) {
        if (s->queue[i].trial.id != trial || s->queue[i].waiting)
            continue;
        s->queue[i].waiting = true;
        s->waiting++;
        if (i < s->head)
            s->head = i;
        return;
    }
}

int scheduler_spare(const struct scheduler *s)
{
    return s->stopped || ready_from(s, s->head) != NOBODY || is_running(s, s->lonely) ? 0 : count_free(s, true);
}

void scheduler_requeue_with(struct scheduler *s, int trial, int ranks)
{
    for (int i = 0; i < s->n; i++)
        if (s->queue[i].trial.id == trial)
            s->queue[i].trial.ranks = ranks < s->n_workers ? ranks : s->n_workers;
    scheduler_requeue(s, trial);
}

void scheduler_unblock(struct scheduler *s, int trial)
{
    for (int i = 0; i < s->n; i++)
        if (s->queue[i].trial.id == trial)
            s->queue[i].trial.blocked = false;
}

void scheduler_stop(struct scheduler *s)
{
    s->stopped = true;
}

int scheduler_waiting(const struct scheduler *s)
{
    return s->waiting;
}

int scheduler_running(const struct scheduler *s)
{
    int n = 0;
    for (int w = 0; w < s->n_workers; w++) {
        bool first = s->workers[w].gang != NOBODY;
        for (int v = 0; first && v < w; v++)
            first = s->workers[v].gang != s->workers[w].gang;
        n += first;
    }
    return n;
}
