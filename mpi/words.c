#include "mpi/words.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void words_of(const struct run_options *o, bool marked, char flags[16])
{
    snprintf(flags, 16, "-%s%s%s%s%s%s%s", o->accept_other_arithmetic ? "a" : "", o->fresh ? "f" : "", o->retry_failed ? "r" : "", o->take_over ? "t" : "", o->quiet ? "q" : "",
             o->terminal ? "d" : "", marked ? "m" : "");
}

int words_arguments(const struct run_options *o, char *program, char *flags, char **out)
{
    int n = 0;
    out[n++] = program;
    out[n++] = (char *)(uintptr_t)o->config;
    out[n++] = flags;
    for (int i = 0; i < o->n_sets; i++)
        out[n++] = (char *)(uintptr_t)o->sets[i];
    return n;
}

bool words_take(int argc, char **argv, struct run_options *out, bool *marked)
{
    *out = (struct run_options){0};
    if (argc < 3 || argv[2][0] != '-')
        return false;
    const char *flags = argv[2];
    out->config = argv[1];
    out->sets = (const char *const *)(argv + 3);
    out->n_sets = argc - 3;
    out->accept_other_arithmetic = strchr(flags, 'a');
    out->fresh = strchr(flags, 'f');
    out->retry_failed = strchr(flags, 'r');
    out->take_over = strchr(flags, 't');
    out->quiet = strchr(flags, 'q');
    out->terminal = strchr(flags, 'd');
    *marked = strchr(flags, 'm');
    return true;
}

long words_take_number(const char *text, const char **rest)
{
    char *end;
    long number = strtol(text, &end, 10);
    *rest = *end == ' ' ? end + 1 : end;
    return number;
}
