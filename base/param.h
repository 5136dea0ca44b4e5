/* Parameters: what can be configured, declared in tables, and sets of values for them.
 *
 * Each part that can be configured (a model, a sampler, the data) declares a table of struct param in its own file: name, what it
 * accepts, range, default, help. Configuration, help, completion and the man page are made from these tables.
 * struct params is a set of named values, sorted by name; names of parameters in groups are joined by
 * points ("cnn_lstm.units"). Getters assert that the name is there: sets are completed with defaults when they are checked. */
#ifndef BASE_PARAM_H
#define BASE_PARAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/value.h"

enum {
    PARAM_NONE = 1,   /* the word "none" */
    PARAM_BOOL = 2,   /* true or false */
    PARAM_INT = 4,    /* whole numbers within [low, high] */
    PARAM_REAL = 8,   /* numbers within [low, high]; whole ones are accepted */
    PARAM_WORD = 16,  /* one of `words` */
    PARAM_TEXT = 32,  /* any text: paths, names */
    PARAM_LIST = 64,  /* a list of what the other bits say, with at least one item */
    PARAM_OPEN = 128, /* low itself is excluded (numbers above zero) */
    PARAM_LONE = 512, /* with PARAM_LIST: a single item may stand without brackets, and becomes a list of one */
    PARAM_UNKEYED = 256, /* random numbers do not depend on it (a forest's n_estimators) */
    PARAM_REPORT = 2048, /* changes no model, only what is told of it: not to be swept over */
    PARAM_LATER = 1024 /* younger than studies that people keep: at its default it does not count for identity, so theirs stay as they were */
};

struct param {
    const char *name;     /* NULL ends a table */
    unsigned accepts;     /* PARAM_* bits */
    double low, high;     /* range of numbers; low == high == 0: any */
    const char *words;    /* "adam|sgd" for PARAM_WORD */
    const char *fallback; /* default as JSON, or NULL: absent unless given */
    const char *help;     /* one line: what it does, its unit */
    const char *when;     /* "optimizer=adam|adamw" or "warmup_epochs!=0", by an entry that stands before: otherwise inactive. NULL: always active */
};

/* Checks v against p and normalizes it (whole numbers to REAL where only REAL is accepted; the word "none" to VALUE_NONE).
 * The message names no place: "must be a whole number from 1 to 4096, not -3", with "did you mean" for words. STATUS_CONFIG. */
enum status param_check(const struct param *p, struct value *v, struct error *e);
/* What it accepts, in words: "a whole number from 1 to 4096", "one of adam, sgd". */
void param_describe(const struct param *p, struct buffer *out);
/* The entry of a table, or NULL. */
const struct param *param_find(const struct param *table, const char *name);
/* Of the names in a table, the one nearest to a misspelt one, or NULL where none is near. */
const char *param_suggest(const struct param *table, const char *name);

struct params_entry {
    char *name;
    struct value value;
};

struct params {
    struct params_entry *entries; /* owned, sorted by name */
    int n;
};

void params_fini(struct params *p);
struct params params_copy(const struct params *p);
/* Sets a copy of v; replaces what was there. */
void params_set(struct params *p, const char *name, const struct value *v);
void params_remove(struct params *p, const char *name);
const struct value *params_get(const struct params *p, const char *name); /* NULL where absent */
/* Sets what is absent of a table and removes what is inactive (struct param's `when`), with "group." before each name (group NULL: none). */
void params_complete(struct params *p, const char *group, const struct param *table);

bool params_bool(const struct params *p, const char *name);
int64_t params_int(const struct params *p, const char *name);
double params_real(const struct params *p, const char *name);
const char *params_text(const struct params *p, const char *name); /* NULL for VALUE_NONE */
bool params_is(const struct params *p, const char *name, const char *word);

/* Canonical JSON object, and back. */
void params_to_json(const struct params *p, struct buffer *out);
/* Of a parsed JSON object (jansson.h), or of its text. */
struct json_t;
void params_of_json(const struct json_t *object, struct params *out);
enum status params_from_json(const char *text, struct params *out, struct error *e);

/* Edit distance based: the candidate (of n) nearest to word, or NULL where none is near enough to be meant. */
const char *word_nearest(const char *word, const char *const *candidates, int n);

#endif
