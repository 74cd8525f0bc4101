#include "core/log.h"

#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "core/text.h"

static struct {
    int rank;
    log_level least;
    struct timespec start;
} state = {.least = LOG_INFO};

void log_start(int rank, log_level least)
{
    state.rank = rank;
    state.least = least;
    (void)clock_gettime(CLOCK_MONOTONIC, &state.start);
}

double log_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - state.start.tv_sec) + 1e-9 * (double)(now.tv_nsec - state.start.tv_nsec);
}

void log_line(log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    char line[2560];
    if (level < state.least || (level == LOG_INFO && state.rank != 0)) {
        return;
    }
    int used = snprintf(line, sizeof line, "t=%.1f level=%s rank=%d ", log_seconds(), names[level], state.rank);
    va_list args;
    va_start(args, fmt);
    const int more = vsnprintf(line + used, sizeof line - (size_t)used - 1, fmt, args);
    va_end(args);
    used += more < 0 ? 0 : more;
    if ((size_t)used > sizeof line - 2) {
        used = (int)sizeof line - 2;
    }
    text_make_printable(line);
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)used) < 0) {
        return; /* nobody is listening; there is nowhere else to say so */
    }
}
