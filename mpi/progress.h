/* Lines about a run for people: how far, what now, how long still. */
#ifndef MPI_PROGRESS_H
#define MPI_PROGRESS_H

#include <stdbool.h>

#include "base/buffer.h"

enum { PROGRESS_MODELS = 16 };

typedef void say_function(const char *line, bool redraw);

/* That of one kind of model: how fast a FLOP is hangs on it. */
struct progress_work {
    const char *model;           /* NULL: none */
    double total, done, running; /* [FLOP] of this run; done: by gangs that have ended, running: by those that train now */
    double done_s, running_s;    /* [rank s] that these took */
};

struct progress {
    say_function *say; /* NULL: quiet */
    bool terminal;
    double started, shown;
    int total, done, failed;      /* trials of the plan; done ones of earlier runs too */
    struct progress_work work[PROGRESS_MODELS];
    double busy_s;                /* [rank s] of gangs that train now, since they came together */
    char last[160];               /* the last finished trial */
};

/* That of a model, begun where there is none yet. */
struct progress_work *progress_work(struct progress *p, const char *model);
/* Seconds left, going by what each model's work took so far, and by how many ranks were busy; of a model that has done none, by what the others' took.
 * 0 where nothing is known. */
double progress_left(const struct progress *p, double now);
/* Shows a line where it is time to (now: seconds; every 2 s at first, then every 10 s), or `force`: the last one, which stays. running: what trains now. */
void progress_show(struct progress *p, double now, const char *running, bool force);
/* "1 h 02 min", "3 min 10 s", "4.2 s" */
void progress_duration(double seconds, struct buffer *out);

#endif
