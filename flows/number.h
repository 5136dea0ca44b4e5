/* Numbers out of text, fast and correctly rounded.
 *
 * A mantissa below 2^53 and a power of ten up to 22 are both exact doubles, so one division rounds once (Clinger 1990); what does not
 * fit goes to strtod. Only decimal numbers are accepted: no hexadecimal, no words. */
#ifndef FLOWS_NUMBER_H
#define FLOWS_NUMBER_H

#include <stdbool.h>

/* Reads [+-]digits[.digits][e[+-]digits] at *at, which ends with a byte that is part of no number (NUL, comma). True: *out is the
 * nearest double (infinite where it is too large) and *at stands behind it. False: no number; *at is unchanged. */
bool number_scan(const char **at, double *out);

#endif
