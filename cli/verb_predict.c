#include <stdlib.h>

#include "cli/query_verbs.h"
#include "storage/bundle.h"

static const struct verb_option options[] = {{"proba", 0, NULL, "one column a class"},
                                             {"top", 0, "K", "the K most probable labels of each flow"},
                                             {0}};

static enum status predict(const struct arguments *a, const struct bundle *b, long top, struct error *e)
{
    struct flows f = {0};
    char *note;
    TRY(bundle_flows(b, a->positional[1], false, &f, &note, e));
    say_and_free(note);
    float *proba = NULL;
    struct table t = {0};
    enum status s = bundle_predict(b, &f, &proba, e);
    if (s == STATUS_OK)
        bundle_table(b, &f, proba, argument_given(a, "proba"), (int)top, &t);
    s = print_and_free(a, &t, s, e);
    free(proba);
    flows_fini(&f);
    return s;
}

static enum status run(const struct arguments *a, struct error *e)
{
    long top = 0;
    TRY(argument_int(a, "top", 1, 100000, &top, e));
    struct bundle *b = NULL;
    TRY(bundle_open(&b, a->positional[0], e));
    enum status s = predict(a, b, top, e);
    bundle_free(b);
    return s;
}

const struct verb verb_predict = {"predict", "BUNDLE FLOWS", "labels for new flows", options, 2, 2, true, run};
