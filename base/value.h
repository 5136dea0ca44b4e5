/* A value as users write it: nothing, truth, whole number, number, word, or a list of these.
 *
 * Values own their text and items. Their canonical text is JSON with sorted keys, no spaces, and the shortest digits
 * that read back as the same double; identities are hashes of it, the database and messages carry it. */
#ifndef BASE_VALUE_H
#define BASE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

enum value_kind { VALUE_NONE, VALUE_BOOL, VALUE_INT, VALUE_REAL, VALUE_TEXT, VALUE_LIST };

struct value {
    enum value_kind kind;
    int n; /* items of a list */
    union {
        bool truth;
        int64_t integer;
        double real;
        char *text;
        struct value *items;
    };
};

struct value value_none(void);
struct value value_bool(bool x);
struct value value_int(int64_t x);
struct value value_real(double x);
struct value value_text(const char *x);
struct value value_list(int n, const struct value *items); /* copies the items */
struct value value_copy(const struct value *v);
void value_fini(struct value *v);
/* Equal values; the whole number 1 equals the number 1.0. */
bool value_equal(const struct value *a, const struct value *b);
/* Kind first, then numbers by size and text by bytes. */
int value_compare(const struct value *a, const struct value *b);
/* The number in an INT or REAL. */
double value_number(const struct value *v);

void value_to_json(const struct value *v, struct buffer *out);
/* Of parsed JSON (jansson.h); an object becomes NONE. */
struct json_t;
struct value value_of_json(const struct json_t *j);
/* One JSON value; numbers written without point or exponent become INT. STATUS_CONFIG where it is none. */
enum status value_from_json(const char *text, struct value *out, struct error *e);
/* As people read it: words without quotes, "none", lists as [256, 128]; numbers with six digits, those of kind REAL with a point. */
void value_print(const struct value *v, struct buffer *out);

/* Shortest decimal text that reads back as x; always with '.', 'e' or a word, so that it stays a number of kind REAL. */
void value_print_real(double x, struct buffer *out);
/* The number with the shortest decimal text that reads back as the float x: 0.1, not 0.10000000149011612. */
double value_of_float(float x);

#endif
