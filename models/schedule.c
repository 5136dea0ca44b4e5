#include "models/schedule.h"

#include <math.h>

static int kind_of(const struct params *p)
{
    static const struct {
        const char *word;
        int kind;
    } kinds[] = {{"step", SCHEDULE_STEP}, {"cosine", SCHEDULE_COSINE}, {"one_cycle", SCHEDULE_ONE_CYCLE}, {"reduce_on_plateau", SCHEDULE_PLATEAU}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (params_is(p, "train.schedule", kinds[i].word))
            return kinds[i].kind;
    return SCHEDULE_CONSTANT;
}

/* What the kind has no use for is not there, and stays 0. */
static double number_of(const struct params *p, const char *name)
{
    const struct value *v = params_get(p, name);
    return v ? value_number(v) : 0;
}

struct schedule schedule_of(const struct params *p, int64_t rows)
{
    int64_t size = params_int(p, "train.batch_size"), epoch_steps = (rows + size - 1) / size;
    return (struct schedule){.kind = kind_of(p),
                             .rate = params_real(p, "train.learning_rate"),
                             .epoch_steps = epoch_steps,
                             .total_steps = params_int(p, "train.epochs") * epoch_steps,
                             .warmup_steps = (int64_t)number_of(p, "train.warmup_epochs") * epoch_steps,
                             .warmup_start = number_of(p, "train.warmup_start"),
                             .decay_epochs = (int)number_of(p, "train.decay_epochs"),
                             .decay_rate = number_of(p, "train.decay_rate"),
                             .alpha = number_of(p, "train.alpha"),
                             .pct_start = number_of(p, "train.pct_start"),
                             .div_factor = number_of(p, "train.div_factor"),
                             .final_div_factor = number_of(p, "train.final_div_factor"),
                             .factor = number_of(p, "train.plateau_factor"),
                             .patience = (int)number_of(p, "train.plateau_patience"),
                             .min_delta = number_of(p, "train.plateau_min_delta"),
                             .cooldown = (int)number_of(p, "train.plateau_cooldown"),
                             .min_rate = number_of(p, "train.plateau_min_lr")};
}

/* --- the rate --- */

/* From `from` to `to` by half a cosine. */
static double anneal(double from, double to, double share)
{
    return to + (from - to) / 2 * (1 + cos(acos(-1) * share));
}

static double one_cycle(const struct schedule *s, double at)
{
    double first = s->rate / s->div_factor, top = s->pct_start * (double)s->total_steps - 1, last = (double)s->total_steps - 1;
    if (at <= top)
        return top > 0 ? anneal(first, s->rate, at / top) : s->rate;
    return anneal(s->rate, first / s->final_div_factor, (at - top) / (last - top));
}

double schedule_rate(const struct schedule *s, const struct plateau *p, int64_t at)
{
    int64_t since = at - s->warmup_steps;
    if (since < 0)
        return s->rate * (s->warmup_start + (1 - s->warmup_start) * (double)at / (double)s->warmup_steps);
    switch (s->kind) {
    case SCHEDULE_STEP:
        return s->rate * pow(s->decay_rate, (double)(since / s->epoch_steps / s->decay_epochs));
    case SCHEDULE_COSINE:
        return anneal(s->rate, s->alpha * s->rate, (double)since / (double)(s->total_steps - s->warmup_steps));
    case SCHEDULE_ONE_CYCLE:
        return one_cycle(s, (double)at);
    case SCHEDULE_PLATEAU:
        return p->rate;
    default:
        return s->rate;
    }
}

/* --- reduce on plateau --- */

struct plateau plateau_start(const struct schedule *s)
{
    return (struct plateau){.rate = s->rate, .best = -INFINITY};
}

void plateau_epoch(const struct schedule *s, struct plateau *p, int epoch, double watched)
{
    if (epoch * s->epoch_steps <= s->warmup_steps)
        return;
    if (p->cooldown > 0) {
        p->cooldown--;
        p->wait = 0;
    }
    if (watched > p->best + s->min_delta) {
        p->best = watched;
        p->wait = 0;
    } else if (p->cooldown == 0 && ++p->wait >= s->patience) {
        if (p->rate > s->min_rate) {
            p->rate = fmax(p->rate * s->factor, s->min_rate);
            p->cooldown = s->cooldown;
            p->wait = 0;
        }
    }
}
