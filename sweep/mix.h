/* A mix of candidates on some rows, and what it would score with one more: what ensemble selection (sweep/ensemble.h) asks tens of thousands of times.
 *
 * The same scores, to the last bit, as of all sums over all classes, but most need no work. Of a row only classes are kept that some mix may give the most: where
 * one class is ahead of another in every candidate, the other never has it. And a row is looked at with the next member only where that member may change its
 * label. log_loss asks of each row its own class alone. */
#ifndef SWEEP_MIX_H
#define SWEEP_MIX_H

#include "sweep/ensemble.h"

struct mix {
    const struct ensemble_request *r;
    int32_t *rows; /* (n) of the request; owned, as all below */
    int32_t *y;    /* (n) their classes */
    int n, size;   /* rows; members */
    /* cells: classes of rows, row by row */
    int32_t *asked;      /* (n_asked) rows that have some */
    size_t *first;       /* (n_asked + 1) their first cells */
    int n_asked;
    int32_t *classes;    /* (cells) */
    float **proba;       /* (candidates) (cells) a candidate's; NULL where it is not in the library */
    float *least, *most; /* (cells) of the library; NULL where no labels are asked */
    double *sum;         /* (cells) of the members' */
    /* labels */
    int32_t *labels; /* (n) of rows that are not open those of any mix with one member more */
    int32_t *open;   /* (n_open) which of the rows asked are */
    int n_open;
    float *proba_room; /* (n,k) */
};

/* fold (n of r): rows of fold left_out are left out; -1: none. */
void mix_init(struct mix *m, const struct ensemble_request *r, const uint8_t *fold, int left_out);
void mix_fini(struct mix *m);

/* The metric, larger is better, of one candidate. */
double mix_score_alone(const struct mix *m, int candidate);
/* Candidates (n) that may be members from now on. Once. */
void mix_take_library(struct mix *m, const int *library, int n);
/* No members. */
void mix_clear(struct mix *m);
void mix_add(struct mix *m, int candidate);
/* The metric, larger is better, with one member more. */
double mix_score_with(struct mix *m, int candidate);

#endif
