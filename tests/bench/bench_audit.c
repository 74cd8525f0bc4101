/* What the audit of the relevance walk costs: criterion `lrp` with and without it, one micro-batch after the other in turns, so that what
 * others do on the machine falls on both alike. A JSON line a network; docs/benchmarks.md.
 *
 * usage: bench_audit REPEATS BATCH SIZE SHRINK NETWORK... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/networks.h"
#include "core/rng.h"
#include "pruning/criterion.h"

typedef struct side {
    void *state;
    float *rows;
    double *seconds; /* [repeats] of processor time */
} side;

typedef struct audit_bench {
    size_t repeats, batch, size, shrink;
    const criterion_def *lrp;
    arena *network, *run;
    criterion_batch images;
} audit_bench;

static status open_side(audit_bench *b, const graph *g, double audit, side *out)
{
    double parameters[MAX_CRITERION_PARAMETERS];
    for (size_t i = 0; i < b->lrp->n_fields; i++) {
        parameters[i] = strcmp(b->lrp->fields[i].name, "audit") == 0 ? audit : b->lrp->fields[i].def;
    }
    const criterion_setup setup = {.graph = g, .backend = backend_default(), .batch = b->batch, .parameters = parameters};
    TRY_ALLOC(out->rows, b->run, b->batch * criterion_row(b->lrp, &setup));
    TRY_ALLOC(out->seconds, b->run, b->repeats);
    return b->lrp->open(b->run, &setup, &out->state);
}

static status open_images(audit_bench *b, const graph *g)
{
    const size_t n = b->batch * shape_count(g->input);
    float *images;
    size_t *target;
    uint64_t *sample;
    TRY_ALLOC(images, b->run, n);
    TRY_ALLOC(target, b->run, b->batch);
    TRY_ALLOC(sample, b->run, b->batch);
    for (size_t i = 0; i < n; i++) { /* about the range of normalised pixels */
        images[i] = (float)(4.0 * rng_uniform(2, RNG_TEST, 0, (uint32_t)i) - 2.0);
    }
    for (size_t i = 0; i < b->batch; i++) {
        target[i] = i % g->n_classes;
        sample[i] = i;
    }
    b->images = (criterion_batch){.images = images, .target = target, .sample = sample};
    return STATUS_OK;
}

static double run(const audit_bench *b, const side *s)
{
    const double before = clock_processor();
    b->lrp->rows(s->state, &b->images, s->rows);
    return clock_processor() - before;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(size_t n, double x[])
{
    qsort(x, n, sizeof *x, compare);
    return (x[(n - 1) / 2] + x[n / 2]) / 2.0;
}

static status measure(audit_bench *b, const network_def *d)
{
    const graph *g;
    side with = {0}, without = {0};
    double *ratio;
    arena_release(b->network);
    arena_release(b->run);
    TRY(network_build(b->network, d, b->size, b->shrink, &g));
    TRY(open_images(b, g));
    TRY_ALLOC(ratio, b->run, b->repeats);
    TRY(open_side(b, g, 0.0, &without));
    TRY(open_side(b, g, 1.0, &with));
    (void)run(b, &without); /* touches the memory */
    (void)run(b, &with);
    for (size_t i = 0; i < b->repeats; i++) {
        if (i % 2 == 0) {
            without.seconds[i] = run(b, &without);
            with.seconds[i] = run(b, &with);
        } else {
            with.seconds[i] = run(b, &with);
            without.seconds[i] = run(b, &without);
        }
        ratio[i] = with.seconds[i] / without.seconds[i];
    }
    (void)printf("{\"bench\": \"audit\", \"network\": \"%s\", \"batch\": %zu, \"repeats\": %zu, \"ratio_median\": %.4f, ", d->name,
                 b->batch, b->repeats, median(b->repeats, ratio));
    (void)printf("\"processor_median\": [%.4f, %.4f], ", median(b->repeats, without.seconds), median(b->repeats, with.seconds));
    (void)printf("\"processor_best\": [%.4f, %.4f]}\n", without.seconds[0], with.seconds[0]);
    (void)fflush(stdout);
    return STATUS_OK;
}

static status measure_named(audit_bench *b, const char *name)
{
    for (size_t i = 0; i < network_count; i++) {
        if (strcmp(network_table[i].name, name) == 0) {
            return measure(b, &network_table[i]);
        }
    }
    return FAIL(ST_USAGE, "unknown network '%s'", name);
}

static status bench(int argc, char *argv[])
{
    audit_bench b = {.lrp = criterion_find("lrp")};
    size_t *const number[] = {&b.repeats, &b.batch, &b.size, &b.shrink};
    if (argc < 6 || b.lrp == NULL) {
        return FAIL(ST_USAGE, "expected REPEATS BATCH SIZE SHRINK NETWORK...");
    }
    for (size_t i = 0; i < 4; i++) {
        *number[i] = strtoul(argv[i + 1], NULL, 10);
        if (*number[i] == 0 || *number[i] > 100000) {
            return FAIL(ST_USAGE, "expected a whole number in [1, 100000], found '%s'", argv[i + 1]);
        }
    }
    TRY(backend_default()->start());
    TRY(arena_open("bench network", &b.network));
    TRY(arena_open("bench run", &b.run));
    status st = STATUS_OK;
    for (int i = 5; i < argc && status_ok(st); i++) {
        st = measure_named(&b, argv[i]);
    }
    arena_close(&b.run);
    arena_close(&b.network);
    return st;
}

int main(int argc, char *argv[])
{
    const status st = bench(argc, argv);
    if (!status_ok(st)) {
        (void)fprintf(stderr, "bench_audit: error: %s\n", status_message());
    }
    return st.code;
}
