/* The gangs that there are now: who is in which, and how far each is. The coordinator's book, without messages or database. */
#ifndef MPI_GANGS_H
#define MPI_GANGS_H

#include <stdint.h>

#include "models/model.h"

struct gang_slot {
    int trial;    /* index in the plan */
    int n;        /* members; 0: the slot is free */
    int *members; /* ranks, owned */
    int answered, left;
    bool going, failed, done, stopped;
    char message[1024]; /* of the failure */
    int set; /* the place of the set that it looks at (mpi/sets.h), or -1 */
    int64_t attempt;
    double started;
    double waited_s;            /* as struct db_cost */
    int64_t moved_bytes, peak_bytes;
    bool widening;              /* told to leave, so that a larger gang goes on */
    int first_epoch;            /* where it began */
    double first_step, last_step; /* when these were heard of */
    int epoch;                  /* of the last checkpoint */
    int last_epoch;             /* heard of */
    struct { /* of the work behind the last step (models/training.h) */
        int first, done, all; /* where it began; all: 0 where none was heard of */
        double began, last;   /* when these were heard of */
    } rounds;
    struct model_progress *rows; /* (n_rows) since the last checkpoint, owned */
    int n_rows, rows_capacity;
};

struct gangs {
    struct gang_slot *slots; /* (n), as many as workers */
    int *slot_of;            /* (n + 1) by rank; -1: free */
    int n, n_stopped;        /* n_stopped: gangs that left with work undone */
};

void gangs_init(struct gangs *g, int n_workers);
void gangs_fini(struct gangs *g);
/* workers: numbers from 0; ranks are one more. */
struct gang_slot *gangs_form(struct gangs *g, int trial, const int *workers, int n);
struct gang_slot *gangs_of(const struct gangs *g, int rank); /* NULL where it is in none */
void gangs_leave(struct gangs *g, int rank);
void gangs_disband(struct gangs *g, struct gang_slot *slot);
/* Keeps the message that says most: that of the rank which failed by itself. epoch: the last that it finished. */
void gangs_failed(struct gang_slot *slot, int rank, int epoch, const char *message);
void gangs_epoch(struct gang_slot *slot, struct model_progress p, double now);
void gangs_rounds(struct gang_slot *slot, int done, int all, double now);

#endif
