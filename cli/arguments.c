#include "cli/verb.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/param.h"

enum { OPTIONS_MAX = 40, LONG_BASE = 1000 };

const struct verb_option format_option = {"format", 0, "FORMAT", "how to print: table, csv or json"};

struct option_list { /* a verb's options in the order of getopt's table */
    const struct verb_option *option[OPTIONS_MAX];
    struct option longs[OPTIONS_MAX + 2];
    char shorts[2 * OPTIONS_MAX + 4];
    int n;
};

static void list_add(struct option_list *list, const struct verb_option *o)
{
    list->longs[list->n] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL, LONG_BASE + list->n};
    list->option[list->n++] = o;
    if (o->letter) {
        size_t at = strlen(list->shorts);
        list->shorts[at] = o->letter;
        if (o->argument)
            list->shorts[at + 1] = ':';
    }
}

static void list_make(const struct verb *v, struct option_list *list)
{
    *list = (struct option_list){.shorts = ":h"};
    for (const struct verb_option *o = v->options; o && o->name; o++)
        list_add(list, o);
    if (v->tables)
        list_add(list, &format_option);
    list->longs[list->n] = (struct option){"help", no_argument, NULL, 'h'};
}

static enum status unknown_option(const struct verb *v, const struct option_list *list, const char *word, struct error *e)
{
    const char *names[OPTIONS_MAX + 1];
    for (int i = 0; i < list->n; i++)
        names[i] = list->option[i]->name;
    const char *near = strncmp(word, "--", 2) == 0 ? word_nearest(word + 2, names, list->n) : NULL;
    if (near)
        return error_set(e, STATUS_USAGE, "%s has no option %s (did you mean --%s?)", v->name, word, near);
    return error_set(e, STATUS_USAGE, "%s has no option %s; see: flowsweep help %s", v->name, word, v->name);
}

static const struct verb_option *option_of(const struct option_list *list, int code)
{
    if (code >= LONG_BASE)
        return list->option[code - LONG_BASE];
    for (int i = 0; i < list->n; i++)
        if (list->option[i]->letter == code)
            return list->option[i];
    return NULL;
}

static void argument_add(struct arguments *a, const char *name, const char *text)
{
    a->given = memory_resize(a->given, (size_t)(a->n_given + 1) * sizeof *a->given);
    a->given[a->n_given++] = (struct option_given){name, text};
}

static enum status check_count(const struct verb *v, const struct arguments *a, struct error *e)
{
    if (a->n_positional < v->min_positional)
        return error_set(e, STATUS_USAGE, "%s: too few arguments; usage: flowsweep %s %s", v->name, v->name, v->arguments);
    if (a->n_positional > v->max_positional)
        return error_set(e, STATUS_USAGE, "%s: \"%s\" is one argument too many; usage: flowsweep %s %s", v->name,
                         a->positional[v->max_positional], v->name, v->arguments);
    return STATUS_OK;
}

static enum status check_format(const struct verb *v, const struct arguments *a, struct error *e)
{
    const char *format = argument_text(a, "format", "table");
    static const char *const words[] = {"table", "csv", "json"};
    for (int i = 0; i < 3; i++)
        if (strcmp(format, words[i]) == 0)
            return STATUS_OK;
    const char *near = word_nearest(format, words, 3);
    return error_set(e, STATUS_USAGE, "%s: --format is table, csv or json, not \"%s\"%s%s%s", v->name, format,
                     near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

/* Where the words for another program begin: behind the first --, which getopt would lose among the arguments that it moves. */
static int find_rest(const struct verb *v, int argc, char **argv)
{
    for (int i = 1; v->rest && i < argc; i++)
        if (strcmp(argv[i], "--") == 0)
            return i;
    return argc;
}

enum status arguments_parse(const struct verb *v, int argc, char **argv, struct arguments *out, bool *help, struct error *e)
{
    struct option_list list;
    int own = find_rest(v, argc, argv);
    list_make(v, &list);
    *out = (struct arguments){.rest = argv + own + (own < argc), .n_rest = argc - own - (own < argc)};
    argc = own;
    *help = false;
    opterr = 0;
    optind = 1;
    for (int code; (code = getopt_long(argc, argv, list.shorts, list.longs, NULL)) != -1;) {
        if (code == 'h') {
            *help = true;
            return STATUS_OK;
        }
        if (code == ':')
            return error_set(e, STATUS_USAGE, "%s: %s needs a value", v->name, argv[optind - 1]);
        const struct verb_option *o = code == '?' ? NULL : option_of(&list, code);
        if (!o)
            return unknown_option(v, &list, argv[optind - 1], e);
        argument_add(out, o->name, optarg);
    }
    out->positional = argv + optind;
    out->n_positional = argc - optind;
    TRY(check_count(v, out, e));
    return v->tables ? check_format(v, out, e) : STATUS_OK;
}

void arguments_fini(struct arguments *a)
{
    free(a->given);
    *a = (struct arguments){0};
}

const char *argument_text(const struct arguments *a, const char *name, const char *fallback)
{
    for (int i = a->n_given - 1; i >= 0; i--)
        if (strcmp(a->given[i].name, name) == 0)
            return a->given[i].text ? a->given[i].text : "";
    return fallback;
}

bool argument_given(const struct arguments *a, const char *name)
{
    return argument_text(a, name, NULL) != NULL;
}

enum status argument_texts(const struct arguments *a, const char *name, const char **out, int max, int *n, struct error *e)
{
    *n = 0;
    for (int i = 0; i < a->n_given; i++) {
        if (strcmp(a->given[i].name, name) != 0)
            continue;
        if (*n == max)
            return error_set(e, STATUS_USAGE, "--%s stands here more than %d times: at most %d are taken", name, max, max);
        out[(*n)++] = a->given[i].text;
    }
    return STATUS_OK;
}

enum status positional_int(const char *text, const char *what, long low, long high, long *out, struct error *e)
{
    char *end;
    errno = 0;
    long x = strtol(text, &end, 10);
    if (errno || end == text || *end || x < low || x > high)
        return error_set(e, STATUS_USAGE, "%s must be a whole number from %ld to %ld, not \"%s\"", what, low, high, text);
    *out = x;
    return STATUS_OK;
}

enum status argument_int(const struct arguments *a, const char *name, long low, long high, long *out, struct error *e)
{
    const char *text = argument_text(a, name, NULL);
    if (!text)
        return STATUS_OK;
    char what[64] = "--";
    strncat(what, name, sizeof what - 3);
    return positional_int(text, what, low, high, out, e);
}
