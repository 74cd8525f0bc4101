#include "pipeline/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "core/log.h"
#include "pipeline/duration.h"
#include "pipeline/launcher.h"

static const double redraw_seconds = 0.2, line_seconds = 5.0;

void progress_start(progress *p, int rank, int ranks)
{
    *p = (progress){
        .speaks = rank == 0, .terminal = isatty(STDERR_FILENO) == 1 || launcher_shows_terminal(), .ranks = ranks};
}

static void show(progress *p, double now)
{
    const double share = p->total > 0.0 && p->done < p->total ? p->done / p->total : 1.0;
    const double elapsed = now - p->started;
    const double rate = elapsed > 0.0 ? p->done / elapsed : 0.0;
    const double left = p->done > 0.0 ? elapsed * (1.0 - share) / share : 0.0;
    char time_left[32];
    duration_text(time_left, sizeof time_left, left);
    if (p->terminal) {
        enum { WIDTH = 24 };
        char bar[WIDTH + 1] = "";
        for (int i = 0; i < WIDTH; i++) {
            bar[i] = i < (int)(share * WIDTH) ? '#' : '.';
        }
        (void)fprintf(stderr, "\r%-10s [%s] %3.0f %%  %.0f images/s  %s left \033[K", p->stage, bar, 100.0 * share,
                      rate * p->ranks, time_left);
        (void)fflush(stderr);
    } else {
        log_line(LOG_INFO, "stage=%s done=%.0f%% images_per_s=%.0f left=%s", p->stage, 100.0 * share, rate * p->ranks,
                 time_left);
    }
    p->last = now;
}

void progress_stage(progress *p, const char *stage, double total)
{
    progress_end(p);
    p->stage = stage;
    p->total = total;
    p->done = 0.0;
    p->started = log_seconds();
    p->last = p->terminal ? 0.0 : p->started;
}

void progress_tick(void *progress_, double images)
{
    progress *p = progress_;
    p->done += images;
    if (!p->speaks) {
        return;
    }
    const double now = log_seconds();
    if (now - p->last >= (p->terminal ? redraw_seconds : line_seconds)) {
        show(p, now);
    }
}

void progress_skip(void *progress_, double images)
{
    progress *p = progress_;
    p->total -= images;
}

void progress_end(progress *p)
{
    if (p->speaks && p->terminal && p->stage != NULL) {
        (void)fprintf(stderr, "\r\033[K");
        (void)fflush(stderr);
    }
    p->stage = NULL;
}
