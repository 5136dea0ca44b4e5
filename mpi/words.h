/* What flowsweep and flowsweep-mpi say to each other: options as arguments one way, marked lines the other.
 *
 * flowsweep-mpi CONFIG FLAGS [PATH=VALUE]..; FLAGS is "-" and letters. Lines of rank 0 begin with a mark, so that they can be told from
 * the launcher's own: MARK 'r' or 'n' and text to show (redrawn or not); MARK 'E', a status, and its message; MARK 'D', the rank that was
 * lost, and how it was noticed. */
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
/* "NUMBER TEXT": what follows 'E' and 'D'. */
long words_take_number(const char *text, const char **rest);

#endif
