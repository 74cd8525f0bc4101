#include "stages/forecast.h"

#include <assert.h>
#include <math.h>
#include <string.h>
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

void forecast_keep_most(stage_forecast *out, const stage_forecast *one, int ranks)
{
    const size_t n = (size_t)ranks;
    if (n * forecast_bytes(one) + one->shared > n * forecast_bytes(out) + out->shared) {
        memcpy(out->part, one->part, sizeof out->part);
        out->n_parts = one->n_parts;
        out->shared = one->shared;
    }
}

size_t forecast_block(size_t count, size_t size)
{
    return arena_block_bytes(count, size);
}

size_t forecast_share(size_t items, int ranks)
{
    return (items + (size_t)ranks - 1) / (size_t)ranks;
}

size_t forecast_unread(const sample_list *l, uint8_t read[])
{
    size_t n = 0;
    for (size_t k = 0; k < l->n; k++) {
        n += !read[l->sample[k]];
        read[l->sample[k]] = 1;
    }
    return n;
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

size_t trial_network(size_t round, size_t n_components, uint8_t alive[])
{
    const size_t tried = round % TRIAL_NETWORKS;
    for (size_t i = 0; i < n_components; i++) {
        alive[i] = tried == TRIAL_WHOLE || (i + round / TRIAL_NETWORKS) % 2;
    }
    return tried;
}

double trial_line(const trial_clock at[TRIAL_NETWORKS], const uint64_t macs[TRIAL_NETWORKS], double x, double (*mean_of)(const trial_clock *c))
{
    const double whole = mean_of(&at[TRIAL_WHOLE]), half = mean_of(&at[TRIAL_HALF]);
    const double slope = macs[TRIAL_WHOLE] > macs[TRIAL_HALF] ? (whole - half) / (double)(macs[TRIAL_WHOLE] - macs[TRIAL_HALF]) : 0.0;
    return fmax(0.0, half + slope * (x - (double)macs[TRIAL_HALF]));
}
