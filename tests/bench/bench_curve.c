/* What a curve costs: twenty rates of nested random masks, each as a compacted network that is built and run on the same images, against
 * one evaluation of the whole network by the same kernels (docs/benchmarks.md). A JSON line for every network and kind of component, with
 * seconds of the processor.
 *
 * usage: bench_curve BACKEND direct|winograd BATCH IMAGES SIZE SHRINK NETWORK... */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/networks.h"
#include "core/rng.h"
#include "nn/forward.h"
#include "nn/passes/compact.h"
#include "nn/passes/needed_rows.h"

enum { RATES = 20, DENSE_RUNS = 3 };

typedef struct setting {
    const backend_def *backend;
    bool winograd;
    size_t batch, batches, size, shrink;
} setting;

typedef struct cost {
    double build, run; /* seconds of the processor */
    double macs;       /* of the whole network's */
} cost;

typedef struct bench {
    const setting *s;
    arena *network, *small; /* the whole network; the one of a mask */
    const graph *g, *whole; /* with the needed rows only; as it is defined */
    const float *images;
    uint8_t *alive;
    uint64_t macs;
} bench;

/* The first `removed` of a random order of the components of one kind. */
static void prune(bench *b, size_t n, const size_t component[], const size_t order[], size_t removed)
{
    memset(b->alive, 1, b->g->n_components);
    for (size_t i = 0; i < removed && i < n; i++) {
        b->alive[component[order[i]]] = 0;
    }
}

/* As stages/evaluate.c does it: build the small network, and send all images through. */
static status evaluate(bench *b, cost *out)
{
    const setting *s = b->s;
    const graph *small;
    forward *f;
    uint64_t parameters, macs;
    const double started = clock_processor();
    arena_reset(b->small);
    TRY(graph_compact(b->small, b->g, b->alive, NULL, s->backend->block(), &small));
    TRY(forward_build_for_logits(b->small, small, s->backend, s->batch, s->winograd, &f));
    const double built = clock_processor();
    for (size_t i = 0; i < s->batches; i++) {
        forward_run(f, b->images, NULL);
        if (!isfinite(forward_logits(f)[0])) {
            return FAIL(ST_BUG, "expected finite logits, found %g", (double)forward_logits(f)[0]);
        }
    }
    out->run = clock_processor() - built;
    out->build = built - started;
    TRY(graph_cost_left(b->small, b->whole, b->alive, &parameters, &macs));
    out->macs = (double)macs / (double)b->macs;
    return STATUS_OK;
}

static void print(const bench *b, const char *network, component_kind kind, double dense, const cost c[RATES])
{
    double total = 0.0, building = 0.0, floor = 0.0;
    for (size_t r = 0; r < RATES; r++) {
        total += c[r].build + c[r].run;
        building += c[r].build;
        floor += c[r].macs;
    }
    printf("{\"bench\": \"curve\", \"network\": \"%s\", \"kind\": \"%s\", \"backend\": \"%s\", \"convolutions\": "
           "\"%s\", \"batch\": %zu, "
           "\"images\": %zu, \"size\": %zu, \"shrink\": %zu, \"rates\": %d, \"curve_to_dense\": %.2f, \"floor\": %.2f, "
           "\"dense_seconds\": %.4f, "
           "\"building_share\": %.4f, \"by_rate\": [",
           network, component_kind_name(kind), b->s->backend->name, b->s->winograd ? "winograd" : "direct", b->s->batch,
           b->s->batch * b->s->batches, b->s->size, b->s->shrink, RATES, total / dense, floor, dense, building / total);
    for (size_t r = 0; r < RATES;
         r++) { /* rate, share of multiply-adds, share of the dense time; building in micro-batches */
        printf("%s[%.2f, %.4f, %.4f, %.3f]", r == 0 ? "" : ", ", (double)r / RATES, c[r].macs,
               (c[r].build + c[r].run) / dense, c[r].build / (c[r].run / (double)b->s->batches));
    }
    printf("]}\n");
    (void)fflush(stdout);
}

static status measure(bench *b, const char *network, component_kind kind)
{
    size_t n, *order, *scratch;
    const size_t *component;
    double dense[DENSE_RUNS];
    cost c[RATES], again;
    TRY(graph_components(b->network, b->g, kind, &n, &component));
    if (n == 0) {
        return STATUS_OK;
    }
    TRY_ALLOC(order, b->network, n);
    TRY_ALLOC(scratch, b->network, n);
    rng_subset(3, RNG_TEST, (uint32_t)kind, n, n, scratch, order);
    prune(b, n, component, order, 0);
    TRY(evaluate(b, &again)); /* touches the memory, and makes the kernels of the whole network */
    for (size_t r = 0; r < RATES; r++) {
        if (r % (RATES / (DENSE_RUNS - 1)) == 0 || r == RATES - 1) { /* before, in the middle, and near the end */
            prune(b, n, component, order, 0);
            TRY(evaluate(b, &again));
            dense[(r + 1) / (RATES / (DENSE_RUNS - 1))] = again.run;
        }
        prune(b, n, component, order, (size_t)((double)n * (double)r / RATES));
        TRY(evaluate(b, &c[r]));
    }
    print(b, network, kind, clock_median(DENSE_RUNS, dense), c);
    return STATUS_OK;
}

static status measure_network(void *context, const network_def *d)
{
    bench *b = context;
    uint64_t parameters;
    float *images;
    arena_release(b->network);
    arena_release(b->small);
    TRY(network_build(b->network, d, b->s->size, b->s->shrink, &b->whole));
    TRY(graph_needed_rows(b->network, b->whole, &b->g));
    graph_cost(b->whole, &parameters, &b->macs, NULL, NULL);
    TRY(network_images(b->network, b->g, b->s->batch, &images));
    TRY_ALLOC(b->alive, b->network, b->g->n_components);
    b->images = images;
    for (component_kind k = COMPONENT_FILTER; k < (component_kind)COMPONENT_KINDS; k++) {
        TRY(measure(b, d->name, k));
    }
    return STATUS_OK;
}

static status run(const setting *s, int n, char *names[])
{
    bench b = {.s = s};
    TRY(arena_open("bench network", &b.network));
    TRY(arena_open("bench curve", &b.small));
    TRY(s->backend->start());
    const status st = network_each(n, names, measure_network, &b);
    arena_close(&b.small);
    arena_close(&b.network);
    return st;
}

int main(int argc, char *argv[])
{
    if (argc < 8 || backend_find(argv[1]) == NULL) {
        (void)fprintf(stderr, "usage: bench_curve BACKEND direct|winograd BATCH IMAGES SIZE SHRINK NETWORK...\n");
        return ST_USAGE;
    }
    setting s = {.backend = backend_find(argv[1]),
                 .winograd = strcmp(argv[2], "winograd") == 0,
                 .batch = (size_t)strtoul(argv[3], NULL, 10),
                 .size = (size_t)strtoul(argv[5], NULL, 10),
                 .shrink = (size_t)strtoul(argv[6], NULL, 10)};
    const size_t images = (size_t)strtoul(argv[4], NULL, 10);
    if (s.batch == 0 || images % s.batch != 0) {
        (void)fprintf(stderr, "bench_curve: expected IMAGES to be a multiple of BATCH\n");
        return ST_USAGE;
    }
    s.batches = images / s.batch;
    const status st = run(&s, argc - 7, argv + 7);
    if (!status_ok(st)) {
        (void)fprintf(stderr, "bench_curve: error: %s\n", status_message());
    }
    return st.code;
}
