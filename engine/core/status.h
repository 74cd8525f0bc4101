#ifndef CORE_STATUS_H
#define CORE_STATUS_H
/* Errors as values: every function that can fail returns a `status`, and the thread keeps one trace of what went wrong.
 *
 *   TRY(model_open(path, &m));                         add a frame to the trace and return
 *   TRY_OR(cleanup, st, model_open(path, &m));         add a frame and jump to the clean-up
 *   return FAIL(ST_DATA, "%s: expected ..., found ...; do ...", path);
 *
 * The trace works when memory is gone: it is a fixed buffer per thread. The first failure wins; a failure during
 * clean-up never hides what caused it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What the world did wrong; the numbers are the exit codes of the program (docs/errors.md). */
typedef enum status_code {
    ST_OK = 0,
    ST_USAGE = 2,       /* command line */
    ST_DATA = 65,       /* corrupt or contradictory input */
    ST_NO_INPUT = 66,   /* a file that should be there is not, or cannot be read */
    ST_ENVIRONMENT = 69,/* MPI, libraries, memory too small */
    ST_BUG = 70,        /* our own mistake */
    ST_CANT_WRITE = 73, /* output cannot be written */
    ST_STOPPED = 75,    /* stopped early on request; run the same command again */
    ST_CONFIG = 78,     /* bad study file */
    ST_PEER = 1000      /* another rank failed; its own message says why. Never an exit code */
} status_code;

/* One field, so that it cannot be mixed up with herr_t or an MPI code. */
typedef struct status {
    status_code code;
} status;

#define STATUS_OK ((status){ST_OK})
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline bool status_ok(status st)
{
    return st.code == ST_OK;
}

/* Records a failure. The first message since the last status_clear() is kept, on one line and without control characters. */
status status_fail(status_code code, const char *file, int line, const char *function, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

/* Adds "on the way out of" to the trace; returns st unchanged. */
status status_frame(status st, const char *file, int line, const char *function);

/* The first of two outcomes that is not OK: for clean-up that can itself fail. */
status status_first(status a, status b);

/* A failure with words before its message that say what it is about: "WORDS: message". */
status status_about(status st, const char *fmt, ...) PRINTF_LIKE(2, 3);

const char *status_message(void);                 /* "" while nothing failed */
void status_print_trace(FILE *to);                /* one line a frame, for --verbose and bugs */
void status_clear(void);

/* What a thread knows of a failure, for another thread to tell. */
enum { STATUS_MESSAGE_BYTES = 2048, STATUS_FRAMES = 24 };
typedef struct status_frame_at {
    const char *file, *function;
    int line;
} status_frame_at;
typedef struct status_trace {
    char message[STATUS_MESSAGE_BYTES];
    status_frame_at frames[STATUS_FRAMES];
    size_t n_frames;
} status_trace;
void status_leave(status_trace *out);        /* hands the calling thread's trace over and clears it */
void status_take_over(const status_trace *t); /* as if the calling thread had failed so; an earlier failure of its own wins */

#define FAIL(code, ...) status_fail((code), __FILE__, __LINE__, __func__, __VA_ARGS__)

#define TRY(expr)                                                                                                      \
    do {                                                                                                               \
        const status try_status_ = (expr);                                                                             \
        if (!status_ok(try_status_)) {                                                                                 \
            return status_frame(try_status_, __FILE__, __LINE__, __func__);                                            \
        }                                                                                                              \
    } while (0)

#define TRY_OR(label, st, expr)                                                                                        \
    do {                                                                                                               \
        (st) = (expr);                                                                                                 \
        if (!status_ok(st)) {                                                                                          \
            (st) = status_frame((st), __FILE__, __LINE__, __func__);                                                   \
            goto label;                                                                                                \
        }                                                                                                              \
    } while (0)

#endif
