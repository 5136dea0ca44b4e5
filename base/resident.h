/* The memory that this process has in the machine, as the kernel counts it (Linux: proc(5)). */
#ifndef BASE_RESIDENT_H
#define BASE_RESIDENT_H

#include <stdint.h>

/* Bytes of its own at their most since resident_mark: without what it shares with others in /dev/shm, with its program and libraries. 0: the system does not say. */
uint64_t resident_peak(void);
/* The peak counts from now. Where the system cannot do that, from the start of the process. */
void resident_mark(void);
/* From now on whatever large is freed goes back to the system at once, and so counts no more. */
void resident_settle(void);

#endif
