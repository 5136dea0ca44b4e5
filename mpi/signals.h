/* INT, TERM and USR1 set a flag; only the coordinator looks at it. */
#ifndef MPI_SIGNALS_H
#define MPI_SIGNALS_H

#include <stdbool.h>

void signals_catch(void);
/* The signal that came, or 0. */
int signals_seen(void);
/* How many came so far. */
int signals_count(void);

#endif
