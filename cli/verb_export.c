#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/verb.h"
#include "storage/bundle.h"

static const struct verb_option options[] = {{"task", 0, "T", "of this task (its number in column task)"},
                                             {"out", 'o', "DIR", "the folder to make (required)"},
                                             {0}};

static enum status run(const struct arguments *a, struct error *e)
{
    long task = 0;
    const char *out = argument_text(a, "out", NULL);
    TRY(argument_int(a, "task", 1, 2147483647, &task, e));
    if (!out)
        return error_set(e, STATUS_USAGE, "export: --out DIR is needed: the folder to make");
    char *folder = memory_text(out), *note;
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--)
        folder[n - 1] = '\0';
    enum status s = bundle_export(a->positional[0], a->positional[1], task, folder, &note, e);
    if (s == STATUS_OK && note)
        fprintf(stderr, "%s\n", note);
    free(note);
    if (s == STATUS_OK)
        fprintf(stderr, "%s: written; label flows with: flowsweep predict %s FLOWS\n", folder, folder);
    free(folder);
    return s;
}

const struct verb verb_export = {"export", "DB best|ensemble|TRIAL", "writes a bundle that predict reads", options, 2, 2, false, run};
