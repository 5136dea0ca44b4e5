/* Text as a terminal may show it: what would move the cursor, change colours or begin a line is written out (\n, \x1b, \u009b). Labels, paths and what
 * libraries say of damaged files may hold anything. */
#ifndef BASE_VISIBLE_H
#define BASE_VISIBLE_H

#include <stddef.h>

/* A byte becomes at most so many. */
enum { VISIBLE_GROWTH = 4 };

/* Writes at most n bytes with the NUL, cut behind a whole character or escape; out and text must not overlap. */
void visible_text(const char *text, char *out, size_t n);

#endif
