#include "base/visible.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the character at text; what is no UTF-8 is taken byte by byte. */
static size_t character(const unsigned char *text)
{
    size_t n = *text >= 0xF0 ? 4 : *text >= 0xE0 ? 3 : *text >= 0xC2 ? 2 : 1;
    for (size_t i = 1; i < n; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 1;
    return n;
}

/* The escape for a control character of n bytes; false where it is none. A byte of 0x80 to 0x9f that stands alone is one where terminals know no UTF-8. */
static bool escape(const unsigned char *c, size_t n, char out[8])
{
    static const char named[] = "\n\t\r";
    const char *name = n == 1 ? strchr(named, *c) : NULL;
    if (name)
        snprintf(out, 8, "\\%c", "ntr"[name - named]);
    else if (n == 1 && (*c < 0x20 || (*c >= 0x7F && *c < 0xA0)))
        snprintf(out, 8, "\\x%02x", *c);
    else if (n == 2 && c[0] == 0xC2 && c[1] < 0xA0)
        snprintf(out, 8, "\\u%04x", c[1]);
    else
        return false;
    return true;
}

void visible_text(const char *text, char *out, size_t n)
{
    size_t at = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        char escaped[8];
        size_t taken = character(c);
        bool is_control = escape(c, taken, escaped);
        size_t m = is_control ? strlen(escaped) : taken;
        if (at + m + 1 > n)
            break;
        memcpy(out + at, is_control ? escaped : (const char *)c, m);
        at += m;
        c += taken;
    }
    out[at] = '\0';
}
