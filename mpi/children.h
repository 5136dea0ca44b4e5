/* Children of a process, by Linux' /proc. */
#ifndef MPI_CHILDREN_H
#define MPI_CHILDREN_H

#include <sys/types.h>

/* How many children of pid live (those that have ended and wait to be reaped do not); -1 where that cannot be known. */
int children_alive(pid_t pid);

#endif
