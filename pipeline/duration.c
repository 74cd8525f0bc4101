#include "pipeline/duration.h"

#include <stdbool.h>
#include <stdlib.h>

/* "12:34:56", "34:56" */
static bool read_clock(const char *text, double *seconds)
{
    double sum = 0.0;
    for (size_t part = 0; part < 3; part++) {
        char *end;
        if (*text < '0' || *text > '9') {
            return false;
        }
        sum = 60.0 * sum + (double)strtoull(text, &end, 10);
        if (*end == '\0') {
            *seconds = sum;
            return true;
        }
        if (*end != ':') {
            return false;
        }
        text = end + 1;
    }
    return false;
}

/* "1h30m" */
static bool read_units(const char *text, double *seconds)
{
    static const struct {
        char name;
        double seconds;
    } units[] = {{'d', 86400.0}, {'h', 3600.0}, {'m', 60.0}, {'s', 1.0}};
    double sum = 0.0;
    for (size_t u = 0; *text != '\0'; u++) {
        char *end;
        if (*text < '0' || *text > '9') {
            return false;
        }
        const double value = strtod(text, &end);
        while (u < COUNT(units) && units[u].name != *end) {
            u++;
        }
        if (u == COUNT(units)) {
            return false;
        }
        sum += value * units[u].seconds;
        text = end + 1;
    }
    *seconds = sum;
    return true;
}

status duration_read(const char *option, const char *text, double *seconds)
{
    if ((!read_clock(text, seconds) && !read_units(text, seconds)) || !(*seconds >= 1.0) || *seconds > 1e9) {
        return FAIL(ST_USAGE, "%s: expected a duration such as 45m, 1h30m or 12:00:00, found '%s'", option, text);
    }
    return STATUS_OK;
}
