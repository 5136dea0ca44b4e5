#include "sweep/trial.h"

#include <string.h>

const char *const trial_state_names[TRIAL_STATE_COUNT] = {
    "queued", "running", "paused", "done", "pruned", "failed", "cancelled",
};

int trial_state_find(const char *name)
{
    for (int s = 0; s < TRIAL_STATE_COUNT; s++)
        if (strcmp(trial_state_names[s], name) == 0)
            return s;
    return -1;
}

#define TO(state) (1u << TRIAL_##state)

/* A result that stands (done, pruned) is never taken back. A running trial is queued again when its job ends early; a
 * failed one by --retry-failed, a cancelled one when the space holds it again. */
static const unsigned may_become[TRIAL_STATE_COUNT] = {
    [TRIAL_QUEUED] = TO(RUNNING) | TO(CANCELLED),
    [TRIAL_RUNNING] = TO(QUEUED) | TO(PAUSED) | TO(DONE) | TO(PRUNED) | TO(FAILED) | TO(CANCELLED),
    [TRIAL_PAUSED] = TO(QUEUED) | TO(RUNNING) | TO(PRUNED) | TO(CANCELLED),
    [TRIAL_FAILED] = TO(QUEUED) | TO(CANCELLED),
    [TRIAL_CANCELLED] = TO(QUEUED),
};

bool trial_may_become(enum trial_state from, enum trial_state to)
{
    return may_become[from] >> to & 1;
}

bool trial_state_final(enum trial_state s)
{
    return s == TRIAL_DONE || s == TRIAL_PRUNED || s == TRIAL_FAILED || s == TRIAL_CANCELLED;
}
