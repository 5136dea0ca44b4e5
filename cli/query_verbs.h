/* What verbs that read a database or a bundle share: printing a table and letting go of it. */
#ifndef CLI_QUERY_VERBS_H
#define CLI_QUERY_VERBS_H

#include "cli/format.h"

/* Prints t where s is OK; frees it in any case. Returns s or what printing says. */
enum status print_and_free(const struct arguments *a, struct table *t, enum status s, struct error *e);

/* A line for people, on stderr; NULL says nothing. */
void say_and_free(char *line);

#endif
