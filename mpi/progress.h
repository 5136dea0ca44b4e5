/* Lines about a run for people: how far, what now, how long still. */
#ifndef MPI_PROGRESS_H
#define MPI_PROGRESS_H

#include <stdbool.h>

#include "base/buffer.h"

typedef void say_function(const char *line, bool redraw);

struct progress {
    say_function *say; /* NULL: quiet */
    bool terminal;
    double started, shown;
    int total, done, failed;      /* trials of the plan; done ones of earlier runs too */
    double work_total, work_done; /* [FLOP] of this run */
    double work_running;          /* of it, in trials that train now */
    char last[160];               /* the last finished trial */
};

/* Shows a line where it is time to (now: seconds; every 2 s at first, then every 10 s), or `force`: the last one, which stays. running: what trains now. */
void progress_show(struct progress *p, double now, const char *running, bool force);
/* "1 h 02 min", "3 min 10 s", "4.2 s" */
void progress_duration(double seconds, struct buffer *out);

#endif
