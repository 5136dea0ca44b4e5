/* Numbers as text: the fewest digits that give them back, of doubles and of floats. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/random.h"
#include "base/value.h"
#include "unit.h"

static void print(double x, char text[64])
{
    struct buffer out = {0};
    value_print_real(x, &out);
    snprintf(text, 64, "%s", out.data);
    buffer_fini(&out);
}

/* Significant ones. */
static int digits_of(const char *text)
{
    int n = 0;
    const char *end = text + strlen(text);
    if (end - text > 2 && strcmp(end - 2, ".0") == 0) /* of a whole number */
        end -= 2;
    for (const char *c = text; c < end && *c != 'e'; c++)
        n += (*c >= '1' && *c <= '9') || (*c == '0' && n);
    return n < 17 ? n : 17;
}

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void test_doubles(void)
{
    static const double known[] = {0, 1, -1, 0.1, 1e-7, 5e-324, 1.7976931348623157e308, 0.30000000000000004, 123456789, 1e22};
    static const char *const texts[] = {"0.0", "1.0", "-1.0", "0.1", "1e-07", "5e-324", "1.7976931348623157e+308", "0.30000000000000004", "123456789.0", "1e+22"};
    char text[64], shorter[400]; /* as much as the compiler can think of */
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        print(known[i], text);
        CU_ASSERT_STRING_EQUAL(text, texts[i]);
    }
    for (uint64_t i = 0; i < 20000; i++) {
        double x = double_of(random_key(1, i));
        if (!isfinite(x))
            continue;
        print(x, text);
        CU_ASSERT_EQUAL(strtod(text, NULL), x);
        int n = digits_of(text);
        if (n > 1) {
            snprintf(shorter, sizeof shorter, "%.*g", n - 1, x);
            CU_ASSERT_NOT_EQUAL(strtod(shorter, NULL), x);
        }
    }
}

static void test_floats(void)
{
    char text[64], shorter[400]; /* as much as the compiler can think of */
    print(value_of_float(0.1f), text);
    CU_ASSERT_STRING_EQUAL(text, "0.1");
    print(value_of_float(1.0f / 3), text);
    CU_ASSERT_STRING_EQUAL(text, "0.33333334");
    for (uint64_t i = 0; i < 20000; i++) {
        float x = float_of((uint32_t)random_key(2, i));
        if (!isfinite(x))
            continue;
        print(value_of_float(x), text);
        CU_ASSERT_EQUAL(strtof(text, NULL), x);
        int n = digits_of(text);
        CU_ASSERT(n <= 9);
        if (n > 1) {
            snprintf(shorter, sizeof shorter, "%.*g", n - 1, (double)x);
            CU_ASSERT_NOT_EQUAL(strtof(shorter, NULL), x);
        }
    }
}

UNIT_MAIN({"doubles", test_doubles}, {"floats", test_floats})
