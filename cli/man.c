#include "base/param.h"
#include "cli/help.h"
#include "storage/config.h"

/* Text as roff wants it: backslashes, leading points and quotes, hyphens. */
static void put_escaped(struct buffer *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\\')
            buffer_puts(out, "\\e");
        else if (*c == '-')
            buffer_puts(out, "\\-");
        else if ((*c == '.' || *c == '\'') && c == text)
            buffer_printf(out, "\\&%c", *c);
        else
            buffer_put_u8(out, (uint8_t)*c);
    }
}

static void put_verb(struct buffer *out, const struct verb *v)
{
    buffer_puts(out, ".TP\n.B flowsweep ");
    put_escaped(out, v->name);
    buffer_puts(out, " ");
    put_escaped(out, v->arguments);
    if (v->rest)
        buffer_printf(out, " [\\-\\- %s]", v->rest);
    buffer_puts(out, "\n");
    put_escaped(out, v->help);
    buffer_puts(out, "\n");
    for (const struct verb_option *o = v->options; o && o->name; o++) {
        buffer_puts(out, ".RS\n.TP\n.B ");
        if (o->letter)
            buffer_printf(out, "\\-%c, ", o->letter);
        buffer_puts(out, "\\-\\-");
        put_escaped(out, o->name);
        buffer_printf(out, " %s\n", o->argument ? o->argument : "");
        put_escaped(out, o->help);
        buffer_puts(out, "\n.RE\n");
    }
}

static void put_group(struct buffer *out, const struct config_group *g)
{
    buffer_printf(out, ".SS %s\n", g->name);
    put_escaped(out, g->help);
    buffer_puts(out, "\n");
    for (const struct param *p = g->params; p && p->name; p++) {
        struct buffer accepts = {0};
        param_describe(p, &accepts);
        buffer_printf(out, ".TP\n.B %s\n", p->name);
        put_escaped(out, p->help);
        buffer_puts(out, "\n(");
        put_escaped(out, accepts.data);
        if (p->fallback) {
            buffer_puts(out, "; default ");
            put_escaped(out, p->fallback);
        }
        buffer_puts(out, ")\n");
        buffer_fini(&accepts);
    }
}

void help_man(struct buffer *out)
{
    buffer_puts(out, ".TH FLOWSWEEP 1 \"\" \"flowsweep " FLOWSWEEP_VERSION "\" \"User Commands\"\n.SH NAME\n"
                     "flowsweep \\- trains and sweeps classifiers of encrypted network flows\n.SH SYNOPSIS\n.B flowsweep\n"
                     ".I VERB\n[\\fIARGUMENTS\\fR]\n.SH VERBS\nVerbs that print tables take\n.B \\-\\-format table|csv|json.\n");
    for (int i = 0; verbs[i]; i++)
        put_verb(out, verbs[i]);
    buffer_puts(out, ".SH CONFIGURATION\nGroups of the configuration file, and their keys.\n");
    struct config_group groups[32];
    int n = config_groups(groups, 32);
    for (int i = 0; i < n; i++)
        put_group(out, &groups[i]);
    buffer_puts(out, ".SH EXIT STATUS\n");
#define X(name, code, text) buffer_printf(out, ".TP\n%d\n%s\n", code, text);
    STATUS_LIST(X)
#undef X
}
