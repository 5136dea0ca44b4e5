#include "base/interrupt.h"

#include <stddef.h>

static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU};
enum { N_DEADLY = sizeof deadly / sizeof *deadly };

void interrupt_hold(sigset_t *before)
{
    sigset_t held;
    sigemptyset(&held);
    for (int i = 0; i < N_DEADLY; i++)
        sigaddset(&held, deadly[i]);
    sigprocmask(SIG_BLOCK, &held, before);
}

bool interrupt_waits(void)
{
    sigset_t pending;
    sigpending(&pending);
    for (int i = 0; i < N_DEADLY; i++)
        if (sigismember(&pending, deadly[i]) == 1)
            return true;
    return false;
}

void interrupt_release(const sigset_t *before)
{
    sigprocmask(SIG_SETMASK, before, NULL);
}
