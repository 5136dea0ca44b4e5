#include "cli/help.h"

#include <stdio.h>
#include <string.h>

#include "base/param.h"
#include "cli/format.h"
#include "storage/config.h"

enum { GROUPS_MAX = 32, ACCEPTS_WIDTH = 34, HELP_WIDTH = 56 };

enum status help_overview(bool wrong, struct error *e)
{
    struct buffer out = {0};
    int name = 0, arguments = 0;
    for (int i = 0; verbs[i]; i++) {
        name = (int)strlen(verbs[i]->name) > name ? (int)strlen(verbs[i]->name) : name;
        arguments = (int)strlen(verbs[i]->arguments) > arguments ? (int)strlen(verbs[i]->arguments) : arguments;
    }
    buffer_puts(&out, "usage: flowsweep VERB [ARGUMENTS]\n\n");
    for (int i = 0; verbs[i]; i++)
        buffer_printf(&out, "  %-*s  %-*s  %s\n", name, verbs[i]->name, arguments, verbs[i]->arguments, verbs[i]->help);
    struct config_group groups[GROUPS_MAX];
    int n = config_groups(groups, GROUPS_MAX);
    buffer_puts(&out, "\nflowsweep help VERB for its options; flowsweep help GROUP for the configuration's groups:\n ");
    for (int i = 0; i < n; i++)
        buffer_printf(&out, " %s", groups[i].name);
    buffer_puts(&out, "\n");
    enum status s = STATUS_USAGE;
    if (wrong) {
        fputs(out.data, stderr);
        e->message[0] = '\0';
    } else {
        s = print_text(&out, e);
    }
    buffer_fini(&out);
    return s;
}

static void put_option(const struct verb_option *o, struct buffer *out)
{
    char left[64];
    int n = o->letter ? snprintf(left, sizeof left, "-%c, --%s", o->letter, o->name) : snprintf(left, sizeof left, "    --%s", o->name);
    if (o->argument)
        snprintf(left + n, sizeof left - (size_t)n, " %s", o->argument);
    buffer_printf(out, "  %-28s %s\n", left, o->help);
}

enum status help_verb(const struct verb *v, struct error *e)
{
    struct buffer out = {0};
    buffer_printf(&out, "usage: flowsweep %s %s%s%s%s%s\n\n%s\n", v->name, v->arguments, v->options || v->tables ? " [OPTIONS]" : "",
                  v->rest ? " [-- " : "", v->rest ? v->rest : "", v->rest ? "]" : "", v->help);
    if (v->options || v->tables)
        buffer_puts(&out, "\n");
    for (const struct verb_option *o = v->options; o && o->name; o++)
        put_option(o, &out);
    if (v->tables)
        put_option(&format_option, &out);
    enum status s = print_text(&out, e);
    buffer_fini(&out);
    return s;
}

/* Adds a cell: what of a text has room in a line, up to a space. The text then begins behind it. */
static void put_line(struct table *t, const char **text, int room)
{
    int n = (int)strlen(*text), end = n;
    if (n > room)
        for (end = room; end > 0 && (*text)[end] != ' '; end--)
            ;
    end = end > 0 ? end : n;
    struct buffer line = {0};
    buffer_printf(&line, "%.*s", end, *text);
    table_text(t, line.data);
    buffer_fini(&line);
    *text += end + ((*text)[end] == ' ');
}

static enum status help_group(const struct config_group *g, struct error *e)
{
    struct table t = {0};
    table_column(&t, g->name, -1);
    table_column(&t, "default", -1);
    table_column(&t, "accepts", -1);
    table_column(&t, "what it does", -1);
    for (const struct param *p = g->params; p && p->name; p++) {
        struct buffer text = {0};
        param_describe(p, &text);
        const char *accepts = text.data, *help = p->help;
        for (bool first = true; first || *accepts || *help; first = false) {
            table_text(&t, first ? p->name : "");
            table_text(&t, !first ? "" : p->fallback && strcmp(p->fallback, "null") == 0 ? "none" : p->fallback);
            put_line(&t, &accepts, ACCEPTS_WIDTH);
            put_line(&t, &help, HELP_WIDTH);
        }
        buffer_fini(&text);
    }
    struct buffer out = {0};
    buffer_printf(&out, "%s: %s\n\n", g->name, g->help);
    format_table(&t, &out);
    enum status s = print_text(&out, e);
    buffer_fini(&out);
    table_fini(&t);
    return s;
}

enum status help_topic(const char *topic, struct error *e)
{
    struct config_group groups[GROUPS_MAX];
    int n = config_groups(groups, GROUPS_MAX), n_names = 0;
    const char *names[GROUPS_MAX + 64];
    for (int i = 0; verbs[i] && i < 64; i++) {
        if (strcmp(verbs[i]->name, topic) == 0)
            return help_verb(verbs[i], e);
        names[n_names++] = verbs[i]->name;
    }
    for (int i = 0; i < n; i++) {
        if (strcmp(groups[i].name, topic) == 0)
            return help_group(&groups[i], e);
        names[n_names++] = groups[i].name;
    }
    const char *near = word_nearest(topic, names, n_names);
    return error_set(e, STATUS_USAGE, "no help on \"%s\"%s%s%s", topic, near ? " (did you mean \"" : "; see: flowsweep help", near ? near : "",
                     near ? "\"?)" : "");
}
