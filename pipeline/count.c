#include "pipeline/count.h"

#include <stdlib.h>

bool count_at(const char *text, size_t most, size_t *out, const char **behind)
{
    char *end = NULL;
    const unsigned long long n = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0; /* saturates */
    if (n < 1 || n > most) {
        return false;
    }
    *out = (size_t)n;
    *behind = end;
    return true;
}

status count_read(const char *option, const char *text, size_t most, size_t *out)
{
    const char *behind = NULL;
    size_t n = 0;
    if (!count_at(text, most, &n, &behind) || *behind != '\0') {
        return FAIL(ST_USAGE, "%s: expected a number from 1 to %zu, found '%s'", option, most, text);
    }
    *out = n;
    return STATUS_OK;
}
