#include "sweep/efficiency.h"

#include <math.h>
#include <stdlib.h>

#include "models/gang.h"

static const double worth = 1.05; /* a rank that makes it faster by less is wasted */

static int rounds_of(int64_t rows, int ranks)
{
    return (gang_leaves((int)rows) + ranks - 1) / ranks;
}

static int64_t batch_rows(const struct efficiency_work *w)
{
    return w->rows < w->batch ? w->rows : w->batch;
}

int efficiency_leaves(const struct efficiency_work *w)
{
    return gang_leaves((int)batch_rows(w));
}

int64_t efficiency_rounds(const struct efficiency_work *w, int ranks)
{
    int64_t batch = batch_rows(w);
    return batch > 0 ? w->rows / batch * rounds_of(batch, ranks) + rounds_of(w->rows % batch, ranks) : 0;
}

/* The size nearest to ranks that was tried, or 0. */
static int nearest(const struct efficiency_work *w, int ranks)
{
    int best = 0;
    for (int r = 1; r <= EFFICIENCY_RANKS; r++)
        if (w->epochs[r] > 0 && (best == 0 || abs(r - ranks) < abs(best - ranks)))
            best = r;
    return best;
}

static double seconds_of(const struct efficiency_work *w, int ranks)
{
    int there = nearest(w, ranks);
    return w->seconds[there] / (double)w->epochs[there] * (double)efficiency_rounds(w, ranks) / (double)efficiency_rounds(w, there);
}

/* Sum over the work: seconds of what was tried at some size; of none, shares of flops. */
static double time_of(const struct efficiency_work *work, int n, int n_known, int ranks)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const struct efficiency_work *w = &work[i];
        if (n_known == 0)
            sum += w->flops * (double)efficiency_rounds(w, ranks) / (double)efficiency_rounds(w, 1);
        else if (nearest(w, ranks))
            sum += seconds_of(w, ranks);
    }
    return sum;
}

void efficiency_of(const struct efficiency_work *work, int n, int ranks, struct efficiency *out)
{
    int known = 0;
    for (int i = 0; i < n; i++)
        known += nearest(&work[i], 1) > 0;
    double one = time_of(work, n, known, 1);
    for (int r = 1; r <= ranks; r++) {
        double time = time_of(work, n, known, r);
        out[r] = (struct efficiency){.seconds = known ? time / known : NAN, .speed_up = time > 0 ? one / time : 1};
        for (int i = 0; i < n; i++)
            out[r].learnt |= work[i].epochs[r] > 0;
    }
}

int efficiency_same(const struct efficiency *e, int ranks)
{
    int least = 1;
    while (least < ranks && e[least].speed_up * worth < e[ranks].speed_up)
        least++;
    return least;
}

int efficiency_enough(const struct efficiency *e, int ranks)
{
    int best = 1;
    for (int r = 2; r <= ranks; r++)
        best = e[r].speed_up > e[best].speed_up ? r : best;
    return efficiency_same(e, best);
}
