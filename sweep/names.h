/* A set of texts, numbered in the order in which they came: "was this point there already?"
 *
 * Open addressing over FNV-1a; the set copies its texts. Private to sweep/. */
#ifndef SWEEP_NAMES_H
#define SWEEP_NAMES_H

#include <stdbool.h>

struct names {
    char **texts; /* owned, in order of arrival */
    int *slots;   /* (n_slots) index + 1, 0 is empty; n_slots is a power of two, or 0 */
    int n, capacity, n_slots;
};

/* The number of text; *added tells whether it is new. added may be NULL. */
int names_add(struct names *s, const char *text, bool *added);
int names_find(const struct names *s, const char *text); /* or -1 */
void names_fini(struct names *s);

#endif
