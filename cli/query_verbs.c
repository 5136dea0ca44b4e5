#include "cli/query_verbs.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/visible.h"

enum status print_and_free(const struct arguments *a, struct table *t, enum status s, struct error *e)
{
    if (s == STATUS_OK)
        s = print_table(a, t, e);
    table_fini(t);
    return s;
}

void say_and_free(char *line)
{
    char shown[2048];
    if (!line)
        return;
    visible_text(line, shown, sizeof shown);
    fprintf(stderr, "%s\n", shown);
    free(line);
}
