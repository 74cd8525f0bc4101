#include "stages/stop.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static volatile sig_atomic_t asked; /* by which signal; 0: not */

static void note_signal(int number)
{
    asked = number;
}

void stop_listen(void)
{
    static const int numbers[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGHUP, SIGINT};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct sigaction how = {.sa_handler = note_signal, .sa_flags = SA_RESTART}, before;
        (void)sigemptyset(&how.sa_mask);
        if (numbers[i] == SIGTERM || numbers[i] == SIGINT) {
            how.sa_flags |= (int)SA_RESETHAND;
        }
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) { /* nohup means it */
            (void)sigaction(numbers[i], &how, NULL);
        }
    }
}

bool stop_asked(void)
{
    return asked != 0;
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A time in the future, in seconds of the epoch; else 0. */
static double end_of_job(void)
{
    const char *text = getenv("SLURM_JOB_END_TIME");
    char *end;
    const double at = text == NULL ? 0.0 : strtod(text, &end);
    return text != NULL && end != text && *end == '\0' && at > now() ? at : 0.0;
}

void stop_open(double limit_seconds, stop *out)
{
    *out = (stop){.end = limit_seconds > 0.0 ? now() + limit_seconds : end_of_job(), .unheeded = true, .after = -1};
}

/* Behind the point: items may take milliseconds. */
static int digits_of(double seconds)
{
    return seconds < 10.0 ? 3 : 1;
}

status stop_check(stop *s)
{
    if (stop_asked()) {
        return FAIL(ST_STOPPED, "stopped on request (signal %d, %s); what was finished is kept: run the same command again to go on", (int)asked,
                    strsignal((int)asked));
    }
    if (s->after == 0) {
        return FAIL(ST_STOPPED, "stopped on request; what was finished is kept: run the same command again to go on");
    }
    const double left = s->end > 0.0 ? s->end - now() : 0.0;
    if (s->end > 0.0 && !s->unheeded && left < 2.0 * s->slowest) {
        return FAIL(ST_STOPPED,
                    "stopped: %.*f s are left of the job's time, and an item takes up to %.*f s; what was finished is kept: run the same "
                    "command again to go on",
                    digits_of(left), left < 0.0 ? 0.0 : left, digits_of(s->slowest), s->slowest);
    }
    return STATUS_OK;
}

void stop_note(stop *s, double seconds)
{
    s->slowest = seconds > s->slowest ? seconds : s->slowest;
    s->unheeded = false;
    s->after -= s->after > 0;
}
