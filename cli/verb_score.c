#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/query_verbs.h"
#include "storage/bundle.h"

/* One object: the summary's columns, then per_class and confusion as arrays. */
static void to_json(const struct table t[3], struct buffer *out)
{
    format_json_object(&t[0], 0, out);
    out->data[--out->size] = '\0';
    buffer_puts(out, ",\n\"per_class\": ");
    format_json(&t[1], out);
    buffer_puts(out, ",\"confusion\": ");
    format_json(&t[2], out);
    buffer_puts(out, "}\n");
}

static enum status print(const struct arguments *a, const struct table t[3], struct error *e)
{
    if (strcmp(argument_text(a, "format", "table"), "json") != 0)
        return print_tables(a, t, 3, e);
    struct buffer out = {0};
    to_json(t, &out);
    enum status s = print_text(&out, e);
    buffer_fini(&out);
    return s;
}

static enum status score(const struct arguments *a, const struct bundle *b, struct error *e)
{
    struct flows f = {0};
    struct table t[3] = {{0}};
    float *proba = NULL;
    char *note;
    TRY(bundle_flows(b, a->positional[1], true, &f, &note, e));
    say_and_free(note);
    enum status s = bundle_predict(b, &f, &proba, e);
    if (s == STATUS_OK)
        s = bundle_score(b, &f, proba, &t[0], &t[1], &t[2], e);
    if (s == STATUS_OK)
        s = print(a, t, e);
    for (int i = 0; i < 3; i++)
        table_fini(&t[i]);
    free(proba);
    flows_fini(&f);
    return s;
}

static enum status run(const struct arguments *a, struct error *e)
{
    struct bundle *b = NULL;
    TRY(bundle_open(&b, a->positional[0], e));
    enum status s = score(a, b, e);
    bundle_free(b);
    return s;
}

const struct verb verb_score = {"score", "BUNDLE FLOWS", "metrics of a bundle on labelled flows", NULL, 2, 2, true, run};
