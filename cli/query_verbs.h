/* What verbs that read a database share: printing a table and letting go of it. */
#ifndef CLI_QUERY_VERBS_H
#define CLI_QUERY_VERBS_H

#include "cli/format.h"

/* Prints t where s is OK; frees it in any case. Returns s or what printing says. */
enum status print_and_free(const struct arguments *a, struct table *t, enum status s, struct error *e);

#endif
