#include "stages/forecast.h"

#include <assert.h>

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
    enum { ALIGNMENT = 64 }; /* core/arena.h */
    const size_t wanted = count * size == 0 ? 1 : count * size;
    return (wanted + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
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

double trial_mean(const trial_clock *c)
{
    return c->n < 2 ? c->first : (c->sum - c->first) / (double)(c->n - 1);
}
