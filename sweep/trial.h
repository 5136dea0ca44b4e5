/* The states of a trial and which change into which. */
#ifndef SWEEP_TRIAL_H
#define SWEEP_TRIAL_H

#include <stdbool.h>

enum trial_state { TRIAL_QUEUED, TRIAL_RUNNING, TRIAL_PAUSED, TRIAL_DONE, TRIAL_PRUNED, TRIAL_FAILED, TRIAL_CANCELLED, TRIAL_STATE_COUNT };
extern const char *const trial_state_names[TRIAL_STATE_COUNT];
int trial_state_find(const char *name); /* or -1 */
bool trial_may_become(enum trial_state from, enum trial_state to);
/* Nothing more will happen to it in this study as it is. */
bool trial_state_final(enum trial_state s);

#endif
