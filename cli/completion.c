#include <string.h>

#include "cli/help.h"
#include "storage/config.h"

static void put_options(struct buffer *out, const struct verb *v)
{
    for (const struct verb_option *o = v->options; o && o->name; o++)
        buffer_printf(out, "--%s ", o->name);
    buffer_printf(out, "%s--help", v->tables ? "--format " : "");
}

static void put_first_words(struct buffer *out)
{
    for (int i = 0; verbs[i]; i++) {
        size_t n = strcspn(verbs[i]->name, " ");
        bool seen = i > 0 && strncmp(verbs[i - 1]->name, verbs[i]->name, n) == 0 && verbs[i - 1]->name[n] == ' ';
        if (!seen)
            buffer_printf(out, "%s%.*s", i ? " " : "", (int)n, verbs[i]->name);
    }
}

static void put_second_words(struct buffer *out)
{
    for (int i = 0; verbs[i]; i++) {
        const char *space = strchr(verbs[i]->name, ' ');
        if (!space)
            continue;
        size_t n = (size_t)(space - verbs[i]->name);
        bool first = i == 0 || strncmp(verbs[i - 1]->name, verbs[i]->name, n + 1) != 0;
        bool last = !verbs[i + 1] || strncmp(verbs[i + 1]->name, verbs[i]->name, n + 1) != 0;
        if (first)
            buffer_printf(out, "        %.*s) words=\"", (int)n, verbs[i]->name);
        buffer_printf(out, "%s%s", first ? "" : " ", space + 1);
        if (last)
            buffer_puts(out, "\";;\n");
    }
}

void help_completion(struct buffer *out)
{
    buffer_puts(out, "# bash completion for flowsweep, made by flowsweep help --completion\n_flowsweep()\n{\n"
                     "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} words=\n"
                     "    case $verb in db|data) [ \"$COMP_CWORD\" -gt 2 ] && verb=\"$verb ${COMP_WORDS[2]}\";; esac\n"
                     "    if [ \"$before\" = --format ]; then words=\"table csv json\"\n"
                     "    elif [ \"$COMP_CWORD\" = 1 ]; then words=\"");
    put_first_words(out);
    buffer_puts(out, "\"\n    elif [[ $word == -* ]]; then\n        case $verb in\n");
    for (int i = 0; verbs[i]; i++) {
        buffer_printf(out, "        \"%s\") words=\"", verbs[i]->name);
        put_options(out, verbs[i]);
        buffer_puts(out, "\";;\n");
    }
    buffer_puts(out, "        esac\n    else\n        case $verb in\n");
    put_second_words(out);
    buffer_puts(out, "        help) words=\"");
    struct config_group groups[32];
    int n = config_groups(groups, 32);
    for (int i = 0; i < n; i++)
        buffer_printf(out, "%s ", groups[i].name);
    put_first_words(out);
    buffer_puts(out, "\";;\n        esac\n    fi\n    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\n"
                     "complete -o default -F _flowsweep flowsweep\n");
}
