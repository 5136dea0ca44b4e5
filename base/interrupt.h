/* Signals that end the program, held back while something stands half written.
 *
 * Between hold and release INT, TERM, HUP, QUIT and XCPU wait; whoever writes asks now and then whether one does, takes away what is half written, and
 * releases: then the signal does what it always did. No handler, no global state; for programs of one thread, or for the thread that writes. */
#ifndef BASE_INTERRUPT_H
#define BASE_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

/* *before: the mask as it was, for interrupt_release. */
void interrupt_hold(sigset_t *before);
/* Does one of them wait, held back? */
bool interrupt_waits(void);
void interrupt_release(const sigset_t *before);

#endif
