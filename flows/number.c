#include "flows/number.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline unsigned digit(char c)
{
    return (unsigned)(unsigned char)c - '0';
}

static const char *skip_digits(const char *p)
{
    while (digit(*p) < 10)
        p++;
    return p;
}

/* The end of a number at p by the grammar, or NULL. */
static const char *number_end(const char *p)
{
    if (*p == '-' || *p == '+')
        p++;
    const char *first = p;
    p = skip_digits(p);
    long digits = p - first;
    if (*p == '.') {
        const char *fraction = p + 1;
        p = skip_digits(fraction);
        digits += p - fraction;
    }
    if (digits == 0)
        return NULL;
    if (*p == 'e' || *p == 'E') {
        const char *power = p + 1;
        if (*power == '-' || *power == '+')
            power++;
        const char *end = skip_digits(power);
        if (end > power)
            p = end;
    }
    return p;
}

/* Many digits, or a power: by strtod, on a copy that ends where the grammar says. */
static bool scan_slowly(const char **at, double *out)
{
    const char *end = number_end(*at);
    if (!end)
        return false;
    size_t n = (size_t)(end - *at);
    char few[64], *copy = n < sizeof few ? few : malloc(n + 1);
    if (!copy)
        return false;
    memcpy(copy, *at, n);
    copy[n] = '\0';
    *out = strtod(copy, NULL);
    if (copy != few)
        free(copy);
    *at = end;
    return true;
}

bool number_scan(const char **at, double *out)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *p = *at;
    bool negative = *p == '-';
    p += negative;
    const char *first = p;
    uint64_t mantissa = 0;
    unsigned d;
    for (; (d = digit(*p)) < 10; p++)
        mantissa = mantissa * 10 + d;
    long digits = p - first, places = 0;
    if (*p == '.') {
        first = ++p;
        for (; (d = digit(*p)) < 10; p++)
            mantissa = mantissa * 10 + d;
        places = p - first;
        digits += places;
    }
    if (digits == 0 || digits > 19 || mantissa >= (uint64_t)1 << 53 || *p == 'e' || *p == 'E')
        return scan_slowly(at, out);
    double x = places ? (double)mantissa / power[places] : (double)mantissa;
    *out = negative ? -x : x;
    *at = p;
    return true;
}
