/* The gang scheduler: events in, actions out. No clock, no messages, no database.
 *
 * It knows the trials still to run, in their order, and the workers, free or busy. Gangs form from free workers; a trial's gang
 * size is what `ranks` says for its model, cut to the workers there are. The next trial in order starts when enough workers are free; a smaller one
 * further down may start earlier only with workers that the waiting one leaves over (no trial waits for ever).
 * The same scheduler drives -n 0: one worker, number 0. */
#ifndef SWEEP_SCHEDULER_H
#define SWEEP_SCHEDULER_H

#include "sweep/plan.h"
#include "sweep/trial.h"

struct scheduler;

struct scheduler_trial {
    int id;        /* the caller's, returned in actions */
    int ranks;     /* wanted gang size, at least 1 */
    double flops;
    bool alone;    /* starts after all others, and nothing runs beside it */
    bool blocked;  /* not before scheduler_unblock: it goes on from what another leaves */
};

enum scheduler_order { ORDER_LISTED, ORDER_LONGEST, ORDER_SHUFFLED };

struct scheduler_action {
    int trial;    /* id, or -1: nothing to start now */
    int n;        /* members */
    int *members; /* worker numbers, the first is the gang's rank 0; owned by the scheduler until its next call */
};

struct scheduler *scheduler_new(const struct scheduler_trial *trials, int n, int n_workers, enum scheduler_order order, uint64_t seed);
void scheduler_free(struct scheduler *s);
/* The next gang to form; its workers and trial are taken. Call until trial is -1. */
struct scheduler_action scheduler_next(struct scheduler *s);
/* A member has left its gang and is free (each member of a gang reports). */
void scheduler_worker_free(struct scheduler *s, int worker);
/* A trial goes back to the queue (its gang could not start, or it was put off). */
void scheduler_requeue(struct scheduler *s, int trial);
/* Workers that nobody will ask for as long as what runs goes on: 0 where a trial could start, however many it wants, or one runs alone. */
int scheduler_spare(const struct scheduler *s);
/* A trial goes back to the queue, and wants so many ranks from now on (no more than there are). */
void scheduler_requeue_with(struct scheduler *s, int trial, int ranks);
/* What a trial had to wait for is there. */
void scheduler_unblock(struct scheduler *s, int trial);
/* Start nothing more. */
void scheduler_stop(struct scheduler *s);
int scheduler_waiting(const struct scheduler *s); /* trials not yet started */
int scheduler_running(const struct scheduler *s); /* gangs with a busy member */

/* The groups `budget` (wall_time, margin, checkpoint, silence as "HH:MM:SS" or seconds) and `ranks` is made of the registry. */
extern const struct param budget_params[];
/* "01:30:00", "1-00:00:00", "90" to seconds; STATUS_CONFIG otherwise. */
enum status budget_seconds(const struct value *v, double *seconds, struct error *e);

#endif
