/* A verb: one file in cli/, one line in cli/verbs.c. Its options are a table; help, completion and the man page are made from it. */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include "base/param.h"
#include "base/table.h"

struct option_value { /* what was given: repeated options give several */
    const char *name;
    const char *text; /* "" for a flag */
};

struct arguments {
    const char *const *positional;
    int n_positional;
    struct option_value *options;
    int n_options;
};

struct verb_option {
    const char *name; /* long name without --; NULL ends the table */
    char letter;      /* or 0 */
    const char *argument; /* "N", or NULL for a flag */
    const char *help;
};

struct verb {
    const char *name;      /* "db check" for two words */
    const char *arguments; /* "DB TRIAL" */
    const char *help;      /* one line */
    const struct verb_option *options; /* or NULL */
    int min_positional, max_positional;
    bool tables; /* takes --format table|csv|json */
    enum status (*run)(const struct arguments *a, struct error *e);
};
extern const struct verb *const verbs[]; /* ends with NULL */

#endif
