#include "mpi/progress.h"

void progress_duration(double seconds, struct buffer *out)
{
    long s = (long)seconds;
    if (s >= 3600)
        buffer_printf(out, "%ld h %02ld min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        buffer_printf(out, "%ld min %02ld s", s / 60, s % 60);
    else
        buffer_printf(out, "%.0f s", seconds);
}

static void put_left(const struct progress *p, double now, struct buffer *out)
{
    double elapsed = now - p->started, done = p->work_done + p->work_running;
    double left = done > 0 ? elapsed * (p->work_total - done) / done : 0;
    if (left < 1 || elapsed < 3 || p->done + p->failed == p->total)
        return;
    buffer_puts(out, ", about ");
    progress_duration(left, out);
    buffer_puts(out, " left");
}

void progress_show(struct progress *p, double now, const char *running, bool force)
{
    double interval = p->terminal ? 0.5 : now - p->started < 20 ? 2 : 10;
    if (!p->say || (!force && now - p->shown < interval))
        return;
    struct buffer line = {0};
    p->shown = now;
    progress_duration(now - p->started, &line);
    buffer_printf(&line, "  %d of %d trials done", p->done, p->total);
    if (p->failed)
        buffer_printf(&line, ", %d failed", p->failed);
    put_left(p, now, &line);
    if (*running)
        buffer_printf(&line, " | now: %s", running);
    if (p->last[0])
        buffer_printf(&line, " | last: %s", p->last);
    p->say(line.data, p->terminal && !force);
    buffer_fini(&line);
}
