/* The group `budget`, and times as people write them. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/scheduler.h"

enum { BUDGET_TIME = PARAM_TEXT | PARAM_INT | PARAM_REAL };
static const double budget_longest_s = 1e9;

const struct param budget_params[] = {
    {"wall_time", BUDGET_TIME, 0, 1e9, NULL, "\"00:00:00\"", "stop after this time, with checkpoints; 0: no limit, or Slurm's own"},
    {"margin", BUDGET_TIME, 0, 1e9, NULL, "\"00:01:00\"", "stop so long before wall_time"},
    {"checkpoint", BUDGET_TIME, 0, 1e9, NULL, "\"00:00:30\"", "time between the checkpoints of a trial"},
    {"silence", BUDGET_TIME, 0, 1e9, NULL, "\"00:05:00\"", "a worker that hears nothing for so long leaves"},
    {NULL},
};

/* Digits up to one of `ends`; -1 where there are none or too many. */
static double number_before(const char **at, const char *ends)
{
    double x = 0;
    int digits = 0;
    for (; isdigit((unsigned char)**at); (*at)++, digits++)
        x = 10 * x + (**at - '0');
    return digits == 0 || digits > 9 || !strchr(ends, **at) ? -1 : x;
}

/* [days-]hours:minutes:seconds, or seconds alone. */
static bool parse_time(const char *at, double *seconds)
{
    double first = number_before(&at, "-:"), days = 0, hours = first;
    *seconds = first;
    if (first < 0)
        return false;
    if (*at == '\0')
        return true;
    bool has_days = *at++ == '-';
    if (has_days) {
        days = first;
        hours = number_before(&at, ":");
        if (hours < 0 || hours > 23 || *at++ != ':')
            return false;
    }
    double minutes = number_before(&at, ":");
    if (minutes < 0 || minutes > 59 || *at++ != ':')
        return false;
    double rest = number_before(&at, "");
    *seconds = ((days * 24 + hours) * 60 + minutes) * 60 + rest;
    return rest >= 0 && rest <= 59 && *at == '\0';
}

enum status budget_seconds(const struct value *v, double *seconds, struct error *e)
{
    *seconds = 0;
    bool good = false;
    if (v->kind == VALUE_INT || v->kind == VALUE_REAL) {
        *seconds = value_number(v);
        good = isfinite(*seconds) && *seconds >= 0;
    } else if (v->kind == VALUE_TEXT) {
        good = parse_time(v->text, seconds);
    }
    if (good && *seconds <= budget_longest_s)
        return STATUS_OK;
    struct buffer text = {0};
    value_to_json(v, &text);
    *seconds = 0;
    error_set(e, STATUS_CONFIG, "must be a time: \"HH:MM:SS\", \"D-HH:MM:SS\" or seconds, not %.80s", text.data);
    buffer_fini(&text);
    return STATUS_CONFIG;
}
