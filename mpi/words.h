/* What flowsweep and flowsweep-mpi say to each other: options as arguments one way, marked lines the other.
 *
 * flowsweep-mpi CONFIG FLAGS [PATH=VALUE]..; FLAGS is "-" and letters. Lines of rank 0 begin with a mark, so that they can be told from
 * the launcher's own: MARK 'r' or 'n' and text to show (redrawn or not), or MARK 'E', a status, and its message. */
#ifndef MPI_WORDS_H
#define MPI_WORDS_H

#include "mpi/launch.h"

enum { WORDS_MARK = 0x1e };

/* FLAGS of options; marked: lines are to be marked. */
void words_of(const struct run_options *o, bool marked, char flags[16]);
/* program, CONFIG, FLAGS and sets into out; how many. */
int words_arguments(const struct run_options *o, char *program, char *flags, char **out);
/* The other way; false where argv is not what flowsweep passes. */
bool words_take(int argc, char **argv, struct run_options *out, bool *marked);
void words_take_error(const char *text, struct error *e);

#endif
