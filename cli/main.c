/* flowsweep: finds the verb, parses its arguments by its table, runs it, and turns an error into one line and an exit code. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/param.h"
#include "cli/format.h"
#include "cli/help.h"
#include "cli/verb.h"

/* The verb that argv[1] (and argv[2]) name; *words is how many of them it took. */
static const struct verb *find_verb(int argc, char **argv, int *words)
{
    for (int i = 0; verbs[i]; i++) {
        const char *space = strchr(verbs[i]->name, ' ');
        size_t n = space ? (size_t)(space - verbs[i]->name) : strlen(verbs[i]->name);
        if (strlen(argv[1]) != n || strncmp(argv[1], verbs[i]->name, n) != 0)
            continue;
        *words = space ? 2 : 1;
        if (!space || (argc > 2 && strcmp(argv[2], space + 1) == 0))
            return verbs[i];
    }
    return NULL;
}

static enum status unknown_verb(int argc, char **argv, struct error *e)
{
    const char *names[64];
    char typed[128];
    int n = 0;
    bool known_first = false;
    for (; verbs[n] && n < 64; n++) {
        names[n] = verbs[n]->name;
        size_t length = strlen(argv[1]);
        known_first |= strncmp(names[n], argv[1], length) == 0 && names[n][length] == ' ';
    }
    snprintf(typed, sizeof typed, known_first && argc > 2 ? "%.60s %.60s" : "%.60s", argv[1], argc > 2 ? argv[2] : "");
    const char *near = word_nearest(typed, names, n);
    if (near)
        return error_set(e, STATUS_USAGE, "there is no verb \"%s\" (did you mean \"%s\"?)", typed, near);
    return error_set(e, STATUS_USAGE, "there is no verb \"%s\"; see: flowsweep help%s%s", typed, known_first ? " " : "",
                     known_first ? argv[1] : "");
}

static enum status dispatch(int argc, char **argv, struct error *e)
{
    if (argc < 2 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)
        return help_overview(argc < 2, e);
    if (strcmp(argv[1], "--version") == 0) {
        puts("flowsweep " FLOWSWEEP_VERSION);
        return STATUS_OK;
    }
    int words;
    const struct verb *v = find_verb(argc, argv, &words);
    if (!v)
        return unknown_verb(argc, argv, e);
    struct arguments a;
    bool help;
    enum status s = arguments_parse(v, argc - words, argv + words, &a, &help, e);
    if (s == STATUS_OK)
        s = help ? help_verb(v, e) : v->run(&a, e);
    arguments_fini(&a);
    return s;
}

int main(int argc, char **argv)
{
    struct error e = {0};
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write that the limit of files refuses is an error like others */
    enum status s = dispatch(argc, argv, &e);
    if (s == STATUS_OK)
        s = print_end(&e);
    if (s != STATUS_OK && e.message[0])
        fprintf(stderr, "flowsweep: %s\n", e.message);
    return status_exit_code(s);
}
