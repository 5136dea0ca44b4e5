/* Help, the man page and the bash completion: all made from the tables of verbs and parameters. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "base/buffer.h"
#include "cli/verb.h"

/* All verbs, to stdout; or, where nothing was asked for (wrong), to stderr with STATUS_USAGE. */
enum status help_overview(bool wrong, struct error *e);
enum status help_verb(const struct verb *v, struct error *e);
/* A verb ("db check"), a group of the configuration ("train"), or a model. STATUS_USAGE with the nearest otherwise. */
enum status help_topic(const char *topic, struct error *e);

void help_man(struct buffer *out);        /* cli/man.c: roff */
void help_completion(struct buffer *out); /* cli/completion.c: bash */

#endif
