#include "mpi/progress.h"

#include <string.h>

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

struct progress_work *progress_work(struct progress *p, const char *model)
{
    int i = 0;
    while (i < PROGRESS_MODELS - 1 && p->work[i].model && strcmp(p->work[i].model, model) != 0)
        i++;
    p->work[i].model = model;
    return &p->work[i];
}

double progress_left(const struct progress *p, double now)
{
    double work = 0, took = 0, busy = p->busy_s, left = 0;
    for (const struct progress_work *w = p->work; w < p->work + PROGRESS_MODELS; w++) {
        work += w->done + w->running;
        took += w->done_s + w->running_s;
        busy += w->done_s;
    }
    if (work <= 0 || busy <= 0)
        return 0;
    for (const struct progress_work *w = p->work; w < p->work + PROGRESS_MODELS; w++) {
        double behind = w->done + w->running, its_s = w->done_s + w->running_s;
        left += (w->total - behind) * (behind > 0 ? its_s / behind : took / work);
    }
    return left * (now - p->started) / busy;
}

static void put_left(const struct progress *p, double now, struct buffer *out)
{
    double left = progress_left(p, now);
    if (left < 1 || now - p->started < 3 || p->done + p->failed == p->total)
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
