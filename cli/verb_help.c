#include "cli/format.h"
#include "cli/help.h"

#include <string.h>

static const struct verb_option options[] = {{"man", 0, NULL, "the man page, as roff"}, {"completion", 0, NULL, "the bash completion"}, {0}};

static enum status run(const struct arguments *a, struct error *e)
{
    bool man = argument_given(a, "man");
    if (man || argument_given(a, "completion")) {
        struct buffer out = {0};
        (man ? help_man : help_completion)(&out);
        enum status s = print_text(&out, e);
        buffer_fini(&out);
        return s;
    }
    if (a->n_positional == 0)
        return help_overview(false, e);
    char topic[128] = "";
    strncat(topic, a->positional[0], 60);
    if (a->n_positional > 1)
        strncat(strcat(topic, " "), a->positional[1], 60);
    return help_topic(topic, e);
}

const struct verb verb_help = {"help", "[VERB|GROUP|MODEL]", "this, or all about one verb, group of the configuration, or model", options, 0, 2,
                               false, run};
