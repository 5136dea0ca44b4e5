/* What another rank of a gang is worth to networks. Pure.
 *
 * A rank computes whole leaves of a batch (models/gang.h), so an epoch takes as many rounds as the busiest rank has leaves:
 *
 *     a batch of 128 rows, 4 leaves:    ranks   1  2  3  4  5
 *                                       rounds  4  2  2  1  1      a third rank is no use, a fourth is, a fifth never
 *
 * Seconds are learnt from epochs that were trained; a size that was not tried yet is thought to take its rounds' share of the nearest one that was. */
#ifndef SWEEP_EFFICIENCY_H
#define SWEEP_EFFICIENCY_H

#include <stdbool.h>
#include <stdint.h>

enum { EFFICIENCY_RANKS = 64 }; /* larger gangs are not thought of */

struct efficiency_work { /* one configuration on one task */
    int64_t rows;        /* that train */
    int batch;
    double flops;        /* of an epoch: its share among others where nothing was learnt */
    double seconds[EFFICIENCY_RANKS + 1]; /* by ranks: learnt, of so many epochs */
    int64_t epochs[EFFICIENCY_RANKS + 1];
};

struct efficiency {
    double seconds;  /* of an epoch, on average of the work; NaN: nothing was learnt */
    double speed_up; /* over one rank */
    bool learnt;     /* some of it with so many ranks; else expected from other sizes, or from leaves alone */
};

int efficiency_leaves(const struct efficiency_work *w); /* of a whole batch */
int64_t efficiency_rounds(const struct efficiency_work *w, int ranks); /* of an epoch */

/* out (ranks + 1): of 1 to so many ranks; out[0] is not used. work (n), n at least 1; ranks up to EFFICIENCY_RANKS. */
void efficiency_of(const struct efficiency_work *work, int n, int ranks, struct efficiency *out);
/* The fewest ranks that come within a twentieth of so many, and of any number up to so many. */
int efficiency_same(const struct efficiency *e, int ranks);
int efficiency_enough(const struct efficiency *e, int ranks);

#endif
