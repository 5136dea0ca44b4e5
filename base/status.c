#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/visible.h"

int status_exit_code(enum status s)
{
    static const int codes[] = {
#define X(name, code, text) code,
        STATUS_LIST(X)
#undef X
    };
    return codes[s];
}

enum status error_set(struct error *e, enum status s, const char *format, ...)
{
    if (e) {
        char raw[sizeof e->message];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(raw, sizeof raw, format, arguments);
        va_end(arguments);
        visible_text(raw, e->message, sizeof e->message);
        e->code = s;
    }
    return s;
}

enum status error_prefix(struct error *e, const char *format, ...)
{
    char whole[sizeof e->message];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(whole, sizeof whole, format, arguments);
    va_end(arguments);
    if (n > 0 && (size_t)n < sizeof whole)
        snprintf(whole + n, sizeof whole - (size_t)n, ": %.*s", (int)(sizeof whole - (size_t)n - 3), e->message);
    visible_text(whole, e->message, sizeof e->message);
    return e->code;
}
