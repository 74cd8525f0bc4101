#ifndef PIPELINE_DURATION_H
#define PIPELINE_DURATION_H
/* Times as people read and write them. */
#include "core/status.h"

/* "90", "15m", "1h30m", "12:00:00" in seconds; `option` is what the message is about. Errors: ST_USAGE. */
MUST_CHECK status duration_read(const char *option, const char *text, double *seconds);

/* "1:02:03" or "2:03" */
static inline void duration_text(char *out, size_t size, double seconds)
{
    const long s = seconds > 0.0 ? (long)(seconds + 0.5) : 0;
    if (s >= 3600) {
        (void)snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    } else {
        (void)snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
    }
}

#endif
