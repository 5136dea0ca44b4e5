#include "mpi/signals.h"

#include <signal.h>

static volatile sig_atomic_t seen, count;

static void note(int signal)
{
    seen = signal;
    count++;
}

void signals_catch(void)
{
    struct sigaction act = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigemptyset(&act.sa_mask);
    sigaction(SIGINT, &act, 0);
    sigaction(SIGTERM, &act, 0);
    sigaction(SIGUSR1, &act, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int signals_seen(void)
{
    return seen;
}

int signals_count(void)
{
    return count;
}
