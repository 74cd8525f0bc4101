#include "core/status.h"

#include <stdarg.h>
#include <string.h>

#include "core/text.h"

static _Thread_local status_trace trace;

static void push(const char *file, int line, const char *function)
{
    if (trace.n_frames < STATUS_FRAMES) {
        trace.frames[trace.n_frames++] = (status_frame_at){file, function, line};
    }
}

status status_fail(status_code code, const char *file, int line, const char *function, const char *fmt, ...)
{
    if (trace.message[0] == '\0') {
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(trace.message, sizeof trace.message, fmt, args);
        va_end(args);
        text_make_printable(trace.message); /* it may quote a hostile file */
        push(file, line, function);
    }
    return (status){code};
}

status status_frame(status st, const char *file, int line, const char *function)
{
    push(file, line, function);
    return st;
}

status status_about(status st, const char *fmt, ...)
{
    status_trace whole = trace;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(whole.message, sizeof whole.message, fmt, args);
    va_end(args);
    const size_t n = strlen(whole.message);
    (void)snprintf(whole.message + n, sizeof whole.message - n, ": %s", trace.message);
    text_make_printable(whole.message);
    trace = whole;
    return st;
}

status status_first(status a, status b)
{
    return status_ok(a) ? b : a;
}

const char *status_message(void)
{
    return trace.message;
}

void status_print_trace(FILE *to)
{
    for (size_t i = 0; i < trace.n_frames; i++) {
        const status_frame_at *f = &trace.frames[i];
        (void)fprintf(to, "  %s %s:%d (%s)\n", i == 0 ? "failed at" : "called at", f->file, f->line, f->function);
    }
}

void status_clear(void)
{
    trace.message[0] = '\0';
    trace.n_frames = 0;
}

void status_leave(status_trace *out)
{
    *out = trace;
    status_clear();
}

void status_take_over(const status_trace *t)
{
    if (trace.message[0] == '\0') {
        trace = *t;
    }
}
