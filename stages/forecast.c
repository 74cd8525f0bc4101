#include "stages/forecast.h"

#include <assert.h>
#include <time.h>

#include "core/log.h"

void forecast_add(stage_forecast *f, const char *name, size_t bytes)
{
    assert(f->n_parts < FORECAST_PARTS);
    f->part[f->n_parts++] = (forecast_part){name, bytes};
}

size_t forecast_bytes(const stage_forecast *f)
{
    size_t sum = 0;
    for (size_t i = 0; i < f->n_parts; i++) {
        sum += f->part[i].bytes;
    }
    return sum;
}

size_t forecast_block(size_t count, size_t size)
{
    return arena_block_bytes(count, size);
}

size_t forecast_share(size_t items, int ranks)
{
    return (items + (size_t)ranks - 1) / (size_t)ranks;
}

static const double slow_core = 4e9; /* multiply-adds a second: the guess only chooses how much is tried at once */

void trial_open(const study *s, double macs, double seconds, trial *out)
{
    const double images = seconds * slow_core / (macs > 1.0 ? macs : 1.0);
    *out = (trial){.config = *s->config, .study = *s};
    out->study.config = &out->config;
    out->config.rows = ROWS_STREAM; /* nothing of a trial is kept */
    out->config.spectrum = false;
    if (images < (double)s->config->micro_batch) {
        out->config.micro_batch = images < 1.0 ? 1 : (size_t)images;
    }
}

void trial_lap(trial_clock *c, double seconds)
{
    c->first = c->n == 0 ? seconds : c->first;
    c->sum += seconds;
    c->n++;
}

static double mean(size_t n, double first, double sum)
{
    return n < 2 ? first : (sum - first) / (double)(n - 1);
}

double trial_mean(const trial_clock *c)
{
    return mean(c->n, c->first, c->sum);
}

double trial_used(const trial_clock *c)
{
    return mean(c->n, c->first_used, c->used);
}

trial_moment trial_now(void)
{
    struct timespec t = {.tv_sec = 0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (trial_moment){log_seconds(), (double)t.tv_sec + 1e-9 * (double)t.tv_nsec};
}

void trial_since(trial_clock *c, trial_moment begun)
{
    const trial_moment now = trial_now();
    const double used = now.used - begun.used;
    c->first_used = c->n == 0 ? used : c->first_used;
    c->used += used;
    trial_lap(c, now.at - begun.at);
}
