/* Reading bundles, and what they say of flows. */
#include "storage/bundle.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/memory.h"
#include "flows/flows_read.h"
#include "flows/label_set.h"
#include "flows/statistics.h"
#include "models/model.h"
#include "storage/footprint.h"
#include "sweep/ensemble.h"
#include "sweep/space.h"

enum { MANIFEST_MAX = 1 << 28, MEMBERS_MAX = 10000, CLASSES_MAX = 1 << 20 };

struct member {
    double weight;
    struct params params;
    struct features features;
    struct model *model;
};

struct bundle {
    char *dir;
    char **labels; /* (n_labels) owned */
    int n_labels;
    char data_hash[HASH_HEX]; /* of the study's flows; "" where the manifest has none */
    struct params form; /* layout, blocks, steps of the study's flows */
    struct member *members;
    int n_members;
};

void bundle_free(struct bundle *b)
{
    if (!b)
        return;
    for (int i = 0; i < b->n_labels; i++)
        free(b->labels[i]);
    for (int i = 0; i < b->n_members; i++) {
        struct member *m = &b->members[i];
        if (m->model)
            m->model->kind->free(m->model);
        features_fini(&m->features);
        params_fini(&m->params);
    }
    free(b->labels);
    free(b->members);
    params_fini(&b->form);
    free(b->dir);
    free(b);
}

int bundle_classes(const struct bundle *b)
{
    return b->n_labels;
}

const char *bundle_label(const struct bundle *b, int k)
{
    return b->labels[k];
}

/* --- files --- */

static enum status read_file(const char *dir, const char *name, size_t max, struct buffer *out, struct error *e)
{
    struct stat facts;
    char *path = memory_format("%s/%s", dir, name);
    enum status s = STATUS_OK;
    FILE *f = stat(path, &facts) == 0 && S_ISREG(facts.st_mode) ? fopen(path, "rb") : NULL;
    if (!f)
        s = error_set(e, STATUS_DATA, "%s: %s; a bundle has a manifest.json and the files that it names", path, errno ? strerror(errno) : "is no file");
    else if ((size_t)facts.st_size > max)
        s = error_set(e, STATUS_DATA, "%s: is larger than the %zu MiB that it may have", path, max >> 20);
    else if (facts.st_size > 0 && fread(buffer_grow(out, (size_t)facts.st_size), 1, (size_t)facts.st_size, f) != (size_t)facts.st_size)
        s = error_set(e, STATUS_IO, "%s: %s", path, strerror(errno));
    if (f)
        fclose(f);
    buffer_puts(out, "");
    free(path);
    return s;
}

/* No path, no hidden name: a file of the folder itself. */
static bool is_plain_name(const char *name)
{
    return *name && *name != '.' && !strpbrk(name, "/\\") && strlen(name) < 200;
}

static enum status wrong(const struct bundle *b, const char *what, struct error *e)
{
    return error_set(e, STATUS_DATA, "%s/manifest.json: %s", b->dir, what);
}

static const char *get_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* --- members --- */

/* Parameters of a model of this kind and no others, each within its range. */
static enum status check_params(const struct model_kind *kind, struct params *p, struct error *e)
{
    struct params_entry *entries = p->entries;
    for (int i = 0; i < p->n; i++) {
        const char *name = entries[i].name, *point = strchr(name, '.');
        size_t n = point ? (size_t)(point - name) : 0;
        const struct param *entry = NULL;
        if (strcmp(name, "model") == 0 || strcmp(name, "channels") == 0)
            continue;
        if (point && n == strlen(kind->name) && memcmp(name, kind->name, n) == 0)
            entry = param_find(kind->params, point + 1);
        else if (point && kind->by_epochs && n == 5 && memcmp(name, "train", 5) == 0)
            entry = param_find(train_params, point + 1);
        if (!entry)
            return error_set(e, STATUS_DATA, "%s has no parameter \"%s\"", kind->name, name);
        if (param_check(entry, &entries[i].value, e) != STATUS_OK) {
            error_prefix(e, "%s", name);
            return STATUS_DATA;
        }
    }
    return STATUS_OK;
}

static enum status take_object(const json_t *object, const char *name, const json_t **out, struct error *e)
{
    *out = json_object_get(object, name);
    return json_is_object(*out) ? STATUS_OK : error_set(e, STATUS_DATA, "a member without \"%s\"", name);
}

static enum status take_params(const json_t *object, const struct model_kind *kind, struct params *out, struct error *e)
{
    const json_t *params;
    TRY(take_object(object, "params", &params, e));
    params_of_json(params, out);
    struct value v = value_text(kind->name);
    params_set(out, "model", &v);
    value_fini(&v);
    TRY(check_params(kind, out, e));
    space_activate(out);
    return STATUS_OK;
}

static enum status take_features(const json_t *object, struct features *out, struct error *e)
{
    const json_t *features;
    TRY(take_object(object, "features", &features, e));
    return features_of_json(features, out, e);
}

/* A file that is larger than half of the memory there is would leave no room for its model. */
static size_t model_max(void)
{
    return (size_t)(footprint_available(&(struct footprint){0}) / 2);
}

static enum status load_model(const struct bundle *b, const json_t *object, const struct model_kind *kind, struct member *m, struct error *e)
{
    const char *file = get_text(object, "file"), *sha = get_text(object, "sha256");
    char found[HASH_HEX];
    struct buffer bytes = {0};
    if (!file || !sha || !is_plain_name(file))
        return error_set(e, STATUS_DATA, "a member without a proper file and sha256");
    enum status s = read_file(b->dir, file, model_max(), &bytes, e);
    if (s == STATUS_OK) {
        hash_bytes(bytes.data, bytes.size, found);
        if (strcmp(found, sha) != 0)
            s = error_set(e, STATUS_DATA, "%s/%s: its checksum differs from the manifest's: it was changed or cut off", b->dir, file);
    }
    if (s == STATUS_OK && model_reads(&m->params).statistics != (m->features.statistics != 0))
        s = error_set(e, STATUS_DATA, "a member whose features are not those that its params name");
    int token = features_find(&m->features, CHANNEL_SIGNED_SIZE);
    struct model_shape shape = {.steps = m->features.steps, .n_channels = m->features.n_channels, .n_statistics = statistics_count(m->features.statistics), .n_classes = b->n_labels,
                                .clip = m->features.clip, .has_signed_size = token >= 0, .token_channel = token};
    if (s == STATUS_OK && (s = kind->check(&m->params, &shape, e)) != STATUS_OK)
        s = STATUS_DATA;
    if (s == STATUS_OK && (s = kind->read(&m->model, &m->params, &shape, bytes.data, bytes.size, e)) != STATUS_OK)
        error_prefix(e, "%s/%s", b->dir, file);
    buffer_fini(&bytes);
    return s;
}

static enum status take_member(struct bundle *b, const json_t *object, struct error *e)
{
    struct member *m = &b->members[b->n_members++];
    const char *model = get_text(object, "model");
    const struct model_kind *kind = model ? model_find(model) : NULL;
    const json_t *weight = json_object_get(object, "weight");
    if (!kind)
        return error_set(e, STATUS_DATA, "a member of the model \"%.60s\", which this flowsweep does not know", model ? model : "");
    if (!json_is_number(weight) || !(json_number_value(weight) >= 0 && json_number_value(weight) <= 1))
        return error_set(e, STATUS_DATA, "a member without a weight from 0 to 1");
    m->weight = json_number_value(weight);
    TRY(take_params(object, kind, &m->params, e));
    TRY(take_features(object, &m->features, e));
    return load_model(b, object, kind, m, e);
}

static enum status check_labels(const struct bundle *b, struct error *e)
{
    struct label_set seen = {0};
    enum status s = STATUS_OK;
    int32_t number = 0;
    for (int i = 0; s == STATUS_OK && i < b->n_labels; i++) {
        s = label_set_add(&seen, b->labels[i], strlen(b->labels[i]), &number, e);
        if (s == STATUS_OK && number != i)
            s = wrong(b, "\"labels\" must differ from one another", e);
    }
    label_set_fini(&seen);
    return s;
}

static enum status take_labels(struct bundle *b, const json_t *list, struct error *e)
{
    size_t n = json_array_size(list);
    if (n < 1 || n > CLASSES_MAX)
        return wrong(b, "\"labels\" must be a list of texts", e);
    b->labels = memory_new(n * sizeof *b->labels);
    for (size_t i = 0; i < n; i++) {
        const char *label = json_string_value(json_array_get(list, i));
        if (!label)
            return wrong(b, "\"labels\" must be a list of texts", e);
        b->labels[b->n_labels++] = memory_text(label);
    }
    return check_labels(b, e);
}

/* How the study's flows lie in their file; nothing that says which file, or what becomes of its rows. */
static enum status take_form(struct bundle *b, const json_t *root, struct error *e)
{
    static const char *const known[] = {"layout", "blocks", "steps"};
    const json_t *form;
    enum status s = take_object(root, "form", &form, e);
    params_of_json(form, &b->form);
    for (int i = 0; s == STATUS_OK && i < b->form.n; i++) {
        struct params_entry *entry = &b->form.entries[i];
        bool is_known = false;
        for (int k = 0; k < 3; k++)
            is_known |= strcmp(entry->name, known[k]) == 0;
        if (!is_known || param_check(param_find(data_params, entry->name), &entry->value, e) != STATUS_OK)
            s = STATUS_DATA;
    }
    if (s != STATUS_OK)
        return wrong(b, "\"form\" must hold layout, blocks and steps of flows, and nothing else", e);
    params_complete(&b->form, NULL, data_params);
    return STATUS_OK;
}

static enum status take_manifest(struct bundle *b, const json_t *root, struct error *e)
{
    double sum = 0;
    const char *format = get_text(root, "format"), *hash = get_text(root, "data_hash");
    const json_t *version = json_object_get(root, "version"), *members = json_object_get(root, "members");
    if (!format || strcmp(format, "flowsweep bundle") != 0)
        return wrong(b, "is no manifest of a flowsweep bundle", e);
    if (!json_is_number(version) || json_number_value(version) != 1)
        return wrong(b, "was made by a newer flowsweep (version 1 is known)", e);
    snprintf(b->data_hash, sizeof b->data_hash, "%s", hash ? hash : "");
    TRY(take_labels(b, json_object_get(root, "labels"), e));
    TRY(take_form(b, root, e));
    size_t n = json_array_size(members);
    if (n < 1 || n > MEMBERS_MAX)
        return wrong(b, "\"members\" must be a list of models", e);
    b->members = memory_new(n * sizeof *b->members);
    for (size_t i = 0; i < n; i++) {
        enum status s = take_member(b, json_array_get(members, i), e);
        if (s != STATUS_OK && strncmp(e->message, b->dir, strlen(b->dir)) != 0)
            error_prefix(e, "%s/manifest.json", b->dir);
        TRY(s);
        sum += b->members[b->n_members - 1].weight;
    }
    return fabs(sum - 1) < 1e-6 ? STATUS_OK : wrong(b, "the weights of its members do not sum to 1", e);
}

enum status bundle_open(struct bundle **out, const char *dir, struct error *e)
{
    struct stat facts;
    struct buffer text = {0};
    *out = NULL;
    if (stat(dir, &facts) != 0)
        return error_set(e, STATUS_NO_INPUT, "%s: %s", dir, strerror(errno));
    if (!S_ISDIR(facts.st_mode))
        return error_set(e, STATUS_DATA, "%s: is no folder; a bundle is what flowsweep export makes", dir);
    struct bundle *b = memory_new(sizeof *b);
    b->dir = memory_text(dir);
    enum status s = read_file(dir, "manifest.json", MANIFEST_MAX, &text, e);
    json_t *root = s == STATUS_OK ? json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (s == STATUS_OK)
        s = json_is_object(root) ? take_manifest(b, root, e) : wrong(b, "is no JSON object and nothing else", e);
    json_decref(root);
    buffer_fini(&text);
    if (s == STATUS_OK)
        *out = b;
    else
        bundle_free(b);
    return s;
}

/* --- flows --- */

/* "12 signed sizes", "25 packets of [size, direction]" */
static void put_form(const struct params *form, struct buffer *out)
{
    long long steps = (long long)params_int(form, "steps");
    if (params_is(form, "layout", "signed")) {
        buffer_printf(out, "%lld signed sizes", steps);
        return;
    }
    buffer_printf(out, "%lld packets of ", steps);
    value_print(params_get(form, "blocks"), out);
}

static bool is_signed(const struct params *form)
{
    return params_is(form, "layout", "signed");
}

static int per_step(const struct params *form)
{
    return is_signed(form) ? 1 : params_get(form, "blocks")->n;
}

/* Packets that the models look at. */
static int steps_used(const struct bundle *b)
{
    int most = 0;
    for (int i = 0; i < b->n_members; i++)
        most = b->members[i].features.steps > most ? b->members[i].features.steps : most;
    return most;
}

/* Of a file that was taken for another form than the study's. */
static char *note_of(const struct bundle *b, const char *path, const struct params *seen)
{
    struct buffer note = {0};
    long long steps = (long long)params_int(seen, "steps");
    if (is_signed(&b->form) != is_signed(seen) || (!is_signed(seen) && !value_equal(params_get(seen, "blocks"), params_get(&b->form, "blocks")))) {
        buffer_printf(&note, "%s: its columns are read as ", path);
        put_form(seen, &note);
        buffer_puts(&note, "; the flows that this bundle learnt from were ");
        put_form(&b->form, &note);
    }
    if (steps < steps_used(b)) {
        note.size ? buffer_puts(&note, "; it has ") : buffer_printf(&note, "%s: has ", path);
        buffer_printf(&note, "%lld packet%s a flow; the bundle's models look at %d", steps, steps == 1 ? "" : "s", steps_used(b));
    }
    return note.data;
}

/* Which of the study's blocks are directions, from which column on? -1: none. */
static int direction_block(const struct params *form)
{
    const struct value *blocks = params_get(form, "blocks");
    for (int k = 0; k < blocks->n; k++)
        if (strcmp(blocks->items[k].text, "direction") == 0)
            return k;
    return -1;
}

/* Signed sizes where the study had blocks: numbers below 0 where there are none, and directions, if they come last, that are none. (One wrong number alone is
 * an error.) unsure: a packet may have been taken for a label, so that columns are counted from one too many on. */
static bool contradicts(const struct params *form, const struct flows_signs *signs, int unsure)
{
    int steps = (int)params_int(form, "steps"), block = direction_block(form), first = block * steps, n = params_get(form, "blocks")->n;
    if (signs->negative < 0)
        return false;
    if (block < 0)
        return true;
    bool among = signs->negative + unsure >= first && signs->negative < first + steps;
    bool directions = block == n - 1 && signs->no_direction < first && signs->not_0 + unsure >= first;
    return !among && !directions;
}

/* The study's form where the file has as many columns and does not look like blocks where that was signed sizes, or the other way round; else what the file
 * itself looks like. */
static enum status form_of(const struct bundle *b, const char *path, struct params *out, char **note, struct error *e)
{
    struct params seen = {0};
    struct flows_signs signs;
    TRY(flows_detect(path, false, steps_used(b) * per_step(&b->form), &seen, &signs, e));
    int64_t expected = params_int(&b->form, "steps") * per_step(&b->form), found = params_int(&seen, "steps") * per_step(&seen);
    int unsure = signs.sure ? 0 : 1; /* the first column may be a label */
    bool other = is_signed(&b->form) ? !is_signed(&seen) : contradicts(&b->form, &signs, unsure);
    if (other || found < expected - unsure || found > expected + unsure) {
        *note = note_of(b, path, &seen);
        *out = seen;
        return STATUS_OK;
    }
    *out = params_copy(&b->form);
    params_set(out, "path", params_get(&seen, "path"));
    params_fini(&seen);
    return STATUS_OK;
}

enum status bundle_flows(const struct bundle *b, const char *path, bool labels, struct flows *out, char **note, struct error *e)
{
    struct params data;
    *note = NULL;
    TRY(form_of(b, path, &data, note, e));
    enum status s = flows_read_unlabelled(&data, out, NULL, e);
    params_fini(&data);
    if (s != STATUS_OK)
        *out = (struct flows){0};
    if (s == STATUS_OK && labels && out->n_labels == 0)
        s = error_set(e, STATUS_DATA, "%s: has no column of labels to score by", path);
    for (int i = 0; s == STATUS_OK && i < b->n_members; i++)
        for (int c = 0; s == STATUS_OK && c < CHANNEL_COUNT; c++)
            if (features_channels(&b->members[i].features) & ~out->channels & 1u << c)
                s = error_set(e, STATUS_DATA, "%s: has no %s, which the bundle's models look at", path, channel_names[c]);
    if (s != STATUS_OK) {
        flows_fini(out);
        free(*note);
        *note = NULL;
    }
    return s;
}

bool bundle_is_of(const struct bundle *b, const struct flows *f)
{
    char hash[HASH_HEX];
    flows_hash(f, hash);
    return strcmp(hash, b->data_hash) == 0;
}

enum { TOGETHER = 4096 }; /* flows at a time: what members say of them stays near until it is mixed */

/* Of flows [first, first + n), to proba. each (n_members, TOGETHER, n_labels): room. */
/* A bundle of one model: its probabilities are the bundle's. */
static bool is_one(const struct bundle *b)
{
    return b->n_members == 1 && b->members[0].weight == 1;
}

static enum status predict_some(const struct bundle *b, const struct flows *f, int first, int n, float *const *each, const double *weights, float *proba, struct error *e)
{
    struct gang alone = gang_alone(NULL, NULL);
    int32_t rows[TOGETHER];
    float *out = proba + (size_t)first * (size_t)b->n_labels;
    for (int i = 0; i < n; i++)
        rows[i] = first + i;
    for (int i = 0; i < b->n_members; i++) {
        struct member *m = &b->members[i];
        m->features.flows = f;
        TRY(m->model->kind->predict(m->model, &m->features, rows, n, &alone, is_one(b) ? out : each[i], e));
    }
    if (!is_one(b))
        ensemble_mix((const float *const *)each, weights, b->n_members, n, b->n_labels, out);
    return STATUS_OK;
}

enum status bundle_predict(const struct bundle *b, const struct flows *f, float **proba, struct error *e)
{
    size_t most = f->n < TOGETHER ? (size_t)f->n : TOGETHER, k = (size_t)b->n_labels, bytes = (size_t)f->n * k * sizeof **proba;
    float **each = memory_new((size_t)b->n_members * sizeof *each), *room = malloc((size_t)b->n_members * most * k * sizeof *room + 1);
    double *weights = memory_new((size_t)b->n_members * sizeof *weights);
    enum status s = STATUS_OK;
    for (int i = 0; i < b->n_members; i++) {
        weights[i] = b->members[i].weight;
        each[i] = room + (size_t)i * most * k;
    }
    *proba = memory_large(bytes);
    if (!*proba || !room)
        s = error_set(e, STATUS_MEMORY, "no memory for the probabilities of %d flows", f->n);
    for (int at = 0; s == STATUS_OK && at < f->n; at += TOGETHER)
        s = predict_some(b, f, at, f->n - at < TOGETHER ? f->n - at : TOGETHER, each, weights, *proba, e);
    if (s != STATUS_OK) {
        free(*proba);
        *proba = NULL;
    }
    free(each);
    free(room);
    free(weights);
    return s;
}
