/* A verb: one file in cli/, one line in cli/verbs.c. Its options are a table; parsing, help, completion and the man page
 * are made from it, once for all verbs (cli/arguments.c, cli/help.c). Verbs return a status and never exit. */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include <stdbool.h>

#include "base/status.h"

struct option_given { /* one occurrence: repeated options give several */
    const char *name; /* as in the table */
    const char *text; /* NULL for a flag */
};

struct arguments {
    char **positional; /* points into argv */
    int n_positional;
    struct option_given *given; /* owned */
    int n_given;
    char **rest; /* what follows --, where the verb takes it; points into argv */
    int n_rest;
};

struct verb_option {
    const char *name;     /* long name without --; NULL ends the table */
    char letter;          /* short name, or 0 */
    const char *argument; /* what it takes ("WORKERS"), or NULL for a flag */
    const char *help;
};

struct verb {
    const char *name;      /* two words where a verb has parts: "db check" */
    const char *arguments; /* positional ones, as shown: "DB TRIAL" */
    const char *help;      /* one line */
    const struct verb_option *options; /* or NULL; --format is added where `tables` is set */
    int min_positional, max_positional;
    bool tables; /* prints tables: takes --format table|csv|json */
    enum status (*run)(const struct arguments *a, struct error *e);
    const char *rest; /* what may follow --, as shown; NULL: nothing */
};

extern const struct verb *const verbs[]; /* cli/verbs.c; ends with NULL */
extern const struct verb_option format_option;

/* Parses what follows the verb (argv[0] is the program's name). *help: -h was given. STATUS_USAGE in words. */
enum status arguments_parse(const struct verb *v, int argc, char **argv, struct arguments *out, bool *help, struct error *e);
void arguments_fini(struct arguments *a);

bool argument_given(const struct arguments *a, const char *name);
/* The last one given, or fallback. */
const char *argument_text(const struct arguments *a, const char *name, const char *fallback);
/* All occurrences, *n of them, into out (max). STATUS_USAGE where there are more. */
enum status argument_texts(const struct arguments *a, const char *name, const char **out, int max, int *n, struct error *e);
/* A whole number within [low, high]; STATUS_USAGE names the option. *out is left alone where it was not given. */
enum status argument_int(const struct arguments *a, const char *name, long low, long high, long *out, struct error *e);
/* The same for a positional argument; `what` names it in the error. */
enum status positional_int(const char *text, const char *what, long low, long high, long *out, struct error *e);

#endif
