/* Our own convolutions, those that take input channels one by one (backend/narrow.h) and Winograd's of 3x3 (backend/winograd.h), against the library's of
 * whole blocks, in turns: the best of several seconds of the processor (docs/benchmarks.md). A JSON line for every shape, and whether narrow_pays() takes it.
 *
 * usage: bench_narrow BATCH REPEATS IN,OUT,SIZE,KERNEL... channels, pixels of a side, an odd kernel with half of it as padding */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/narrow.h"
#include "backend/winograd.h"
#include "bench/clock.h"
#include "core/rng.h"

enum { LANES = 16, SIDES = 3 }; /* the library's; single channels; Winograd's */
static const double least_seconds = 0.01; /* of a measurement */

static status random_floats(arena *a, size_t n, float **out)
{
    TRY_ALLOC(*out, a, n);
    for (size_t i = 0; i < n; i++) {
        (*out)[i] = (float)(rng_uniform(1, RNG_TEST, 0, (uint32_t)i) - 0.5);
    }
    return STATUS_OK;
}

static size_t image_floats(size_t channels, size_t height, size_t width)
{
    return (channels + LANES - 1) / LANES * LANES * height * width;
}

/* Seconds of one run. */
static double once(const conv_plan *p, const float *packed, const float *in, float *out, float *work)
{
    size_t n = 0;
    const double started = clock_processor();
    double seconds;
    do {
        p->run(p, packed, NULL, in, out, work);
        n++;
        seconds = clock_processor() - started;
    } while (seconds < least_seconds);
    return seconds / (double)n;
}

static status measure(arena *a, const backend_def *b, const conv_shape *s, size_t batch, size_t repeats)
{
    const conv_plan *plan[SIDES];
    double best[SIDES] = {INFINITY, INFINITY, INFINITY};
    float *in, *out, *w, *bias, *packed[SIDES], *work[SIDES];
    TRY(b->prepare(a, s, batch, (conv_pass){.bias = true, .relu = true}, &plan[0]));
    TRY(narrow_prepare(a, s, batch, (conv_pass){.bias = true, .relu = true}, &plan[1]));
    const conv_pass winograd = {.bias = true, .relu = true, .winograd = true};
    const size_t sides = winograd_possible(s, winograd) ? 3 : 2;
    if (sides == SIDES) {
        TRY(winograd_prepare(a, s, batch, winograd, &plan[2]));
    }
    TRY(random_floats(a, batch * image_floats(s->in_channels, s->in_height, s->in_width), &in));
    TRY(random_floats(a, batch * image_floats(s->out_channels, s->out_height, s->out_width), &out));
    TRY(random_floats(a, s->out_channels * s->in_channels * s->kernel[0] * s->kernel[1], &w));
    TRY(random_floats(a, s->out_channels, &bias));
    for (size_t i = 0; i < sides; i++) {
        TRY_ALLOC(packed[i], a, plan[i]->n_packed);
        TRY_ALLOC(work[i], a, plan[i]->n_work + 1);
        plan[i]->pack(plan[i], w, bias, NULL, packed[i]);
    }
    for (size_t r = 0; r < repeats; r++) {
        for (size_t i = 0; i < sides; i++) {
            best[i] = fmin(best[i], once(plan[i], packed[i], in, out, work[i]));
        }
    }
    const double gflop = 2e-9 * (double)(batch * s->in_channels * s->out_channels * s->kernel[0] * s->kernel[1] * s->out_height * s->out_width);
    printf("{\"bench\": \"narrow\", \"in\": %zu, \"out\": %zu, \"size\": %zu, \"kernel\": %zu, \"batch\": %zu, \"repeats\": %zu, \"library\": \"%s\", "
           "\"library_us\": %.2f, \"narrow_us\": %.2f, \"ratio\": %.3f, \"taken\": %s, \"library_gflops\": %.1f, \"winograd_gflops\": %.1f}\n",
           s->in_channels, s->out_channels, s->in_width, s->kernel[0], batch, repeats, plan[0]->kernel, 1e6 * best[0], 1e6 * best[1], best[1] / best[0],
           narrow_pays(s, (conv_pass){.quick = true}) ? "true" : "false", gflop / best[0], sides == SIDES ? gflop / best[2] : 0.0);
    return STATUS_OK;
}

static bool read_shape(const char *text, conv_shape *out)
{
    size_t n[4];
    char end;
    if (sscanf(text, "%zu,%zu,%zu,%zu%c", &n[0], &n[1], &n[2], &n[3], &end) != 4 || n[0] == 0 || n[1] == 0 || n[2] == 0 || n[3] % 2 == 0) {
        return false;
    }
    *out = (conv_shape){.in_channels = n[0], .out_channels = n[1], .groups = 1, .in_height = n[2], .in_width = n[2], .out_height = n[2], .out_width = n[2],
                        .kernel = {n[3], n[3]}, .stride = {1, 1}, .padding = {n[3] / 2, n[3] / 2}, .dilation = {1, 1}};
    return true;
}

static status run(int n, char *const shapes[], size_t batch, size_t repeats)
{
    const backend_def *b = backend_find("onednn");
    if (b == NULL) {
        return FAIL(ST_ENVIRONMENT, "bench_narrow: built without oneDNN");
    }
    TRY(b->start());
    if (b->block() != LANES) {
        return FAIL(ST_ENVIRONMENT, "bench_narrow: needs AVX-512");
    }
    for (int i = 0; i < n; i++) {
        conv_shape s;
        arena *a = NULL;
        if (!read_shape(shapes[i], &s)) {
            return FAIL(ST_USAGE, "bench_narrow: expected IN,OUT,SIZE,KERNEL with an odd kernel, found '%s'", shapes[i]);
        }
        TRY(arena_open("convolution", &a));
        const status st = measure(a, b, &s, batch, repeats);
        arena_close(&a);
        TRY(st);
    }
    return STATUS_OK;
}

int main(int argc, char *argv[])
{
    const size_t batch = argc > 3 ? (size_t)strtoul(argv[1], NULL, 10) : 0, repeats = argc > 3 ? (size_t)strtoul(argv[2], NULL, 10) : 0;
    if (batch == 0 || repeats == 0) {
        (void)fprintf(stderr, "usage: bench_narrow BATCH REPEATS IN,OUT,SIZE,KERNEL...\n");
        return ST_USAGE;
    }
    const status st = run(argc - 3, argv + 3, batch, repeats);
    if (!status_ok(st)) {
        (void)fprintf(stderr, "bench_narrow: error: %s\n", status_message());
    }
    return (int)st.code;
}
