/* Control characters are written out, everything else stays, and what is cut is cut between characters. */
#include "unit.h"

#include <string.h>

#include "base/status.h"
#include "base/visible.h"

static void shows(const char *text, size_t n, const char *expected)
{
    char out[64];
    memset(out, 'X', sizeof out);
    visible_text(text, out, n);
    CU_ASSERT_STRING_EQUAL(out, expected);
    for (size_t i = n; i < sizeof out; i++)
        CU_ASSERT_EQUAL(out[i], 'X');
}

static void test_controls(void)
{
    shows("plain, b\xc3\xbc" "cher \xe6\xbc\xa2 \xf0\x9f\x98\x80", 64, "plain, b\xc3\xbc" "cher \xe6\xbc\xa2 \xf0\x9f\x98\x80");
    shows("\n\t\r\x1b[2J\x01\x7f", 64, "\\n\\t\\r\\x1b[2J\\x01\\x7f");
    shows("\xc2\x9b" "2J \x9b" "2J", 64, "\\u009b2J \\x9b2J");
    shows("\xe6\x9b", 64, "\xe6\\x9b"); /* a character cut short: its second byte stands alone */
}

static void test_room(void)
{
    shows("abc", 4, "abc");
    shows("abc", 3, "ab");
    shows("a\n", 3, "a");
    shows("a\xc3\xbc", 3, "a");
    shows("abc", 1, "");
}

static void test_errors(void)
{
    struct error e;
    error_set(&e, STATUS_DATA, "%s: bad", "a\nb");
    error_prefix(&e, "%s", "\x1b");
    CU_ASSERT_STRING_EQUAL(e.message, "\\x1b: a\\nb: bad");
    error_set(&e, STATUS_DATA, "again: %s", e.message);
    CU_ASSERT_STRING_EQUAL(e.message, "again: \\x1b: a\\nb: bad");
}

UNIT_MAIN({"control characters", test_controls}, {"little room", test_room}, {"errors", test_errors})
