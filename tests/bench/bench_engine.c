/* Images per second of a core, and which share of its multiply-add peak that is: all ranks, each on a processor of its
 * own, measure the peak and every network at the same time. docs/benchmarks.md tells how to run it and what the lines
 * mean. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attribution/rule.h"
#include "bench/clock.h"
#include "bench/engine.h"
#include "bench/networks.h"
#include "bench/options.h"
#include "bench/peak.h"
#include "bench/pin.h"
#include "bench/report.h"
#include "nn/forward.h"
#include "nn/passes/needed_rows.h"

typedef struct bench {
    comm *c;
    const options *o;
    int cpu;
    arena *network, *run, *scratch; /* one network; one measurement of it; small things */
} bench;

typedef struct times {
    double *wall, *processor; /* [repeats] seconds; sorted in the end */
} times;

/* Collective: an agreement is also a barrier, so that all ranks are at work at the same time. */
static status time_runs(bench *b, engine *e, times *t, report_numbers *out)
{
    const size_t n = b->o->repeats;
    double wall = 0.0, processor = 0.0;
    engine_run(e); /* touches the memory */
    for (size_t i = 0; i < n; i++) {
        TRY(comm_agree(b->c, STATUS_OK));
        const double wall_before = clock_wall(), processor_before = clock_processor();
        engine_run(e);
        t->processor[i] = clock_processor() - processor_before;
        t->wall[i] = clock_wall() - wall_before;
        processor += t->processor[i];
        wall += t->wall[i];
    }
    out->seconds_median = clock_median(n, t->wall);
    out->seconds_best = t->wall[0];
    out->processor_median = clock_median(n, t->processor);
    out->processor = processor / wall;
    return comm_agree(b->c, engine_check(e));
}

/* Collective. */
static status measure_peak(bench *b, peak *out)
{
    TRY(comm_agree(b->c, STATUS_OK));
    *out = peak_measure();
    return STATUS_OK;
}

/* Between two measurements of the peak, of which the better one counts. */
static status measure_between_peaks(bench *b, engine *e, times *t, report_case *what)
{
    report_numbers mine = {.cpu = b->cpu};
    peak before, after;
    TRY(measure_peak(b, &before));
    TRY(time_runs(b, e, t, &mine));
    TRY(measure_peak(b, &after));
    const peak best = before.flops_per_second > after.flops_per_second ? before : after;
    mine.peak = best.flops_per_second;
    what->peak_isa = best.isa;
    return report_print(b->c, b->scratch, what, &mine);
}

static double largest_difference(size_t n, const float *x, const float *expected)
{
    double off = 0.0, largest = 0.0;
    for (size_t i = 0; i < n; i++) {
        off = fmax(off, fabs((double)x[i] - (double)expected[i]));
        largest = fmax(largest, fabs((double)expected[i]));
    }
    return off / largest;
}

/* Of the first micro-batch: logits by Winograd's algorithm and by direct convolutions. */
static status compare_logits(bench *b, engine_case c, double *off)
{
    const size_t n = c.batch * c.g->n_classes;
    const float *logits[2];
    for (size_t i = 0; i < COUNT(logits); i++) {
        engine *e = NULL;
        float *copy;
        arena_reset(b->run);
        TRY_ALLOC(copy, b->scratch, n);
        c.task = i == 0 ? TASK_FORWARD : TASK_WINOGRAD;
        TRY(engine_open(b->run, &c, &e));
        engine_run(e);
        memcpy(copy, engine_logits(e), n * sizeof *copy);
        logits[i] = copy;
    }
    *off = largest_difference(n, logits[1], logits[0]);
    return STATUS_OK;
}

static status prepare(bench *b, const engine_case *c, engine **e, times *t, report_case *what)
{
    uint64_t macs = 0;
    const node_id *layers;
    arena_reset(b->scratch);
    TRY_ALLOC(t->wall, b->scratch, b->o->repeats);
    TRY_ALLOC(t->processor, b->scratch, b->o->repeats);
    if (c->task == TASK_WINOGRAD) {
        TRY(forward_winograd_layers(b->scratch, c->g, c->backend, c->batch, &what->winograd_layers, &layers));
        TRY(compare_logits(b, *c, &what->off));
    }
    arena_reset(b->run);
    TRY(engine_open(b->run, c, e));
    TRY(engine_macs(*e, &macs));
    what->flops_per_image = 2.0 * (double)macs;
    return STATUS_OK;
}

static status measure(bench *b, const char *network, const engine_case *c)
{
    engine *e = NULL;
    times t = {NULL, NULL};
    report_case what = {.network = network,
                        .what = engine_task_name(c->task),
                        .rule = c->task == TASK_LRP ? c->rule : "",
                        .backend = c->backend->name,
                        .batch = b->o->batch,
                        .size = b->o->size,
                        .shrink = b->o->shrink,
                        .repeats = b->o->repeats,
                        .all_rows = b->o->all_rows,
                        .masks = c->task == TASK_LRP ? 0 : c->masks,
                        .off = -1.0};
    TRY(comm_agree(b->c, prepare(b, c, &e, &t, &what)));
    return measure_between_peaks(b, e, &t, &what);
}

/* As a study runs it, unless all token rows are asked for. */
static status build_network(const bench *b, const network_def *d, const graph **out)
{
    const graph *whole = NULL;
    TRY(network_build(b->network, d, b->o->size, b->o->shrink, &whole));
    *out = whole;
    return b->o->all_rows ? STATUS_OK : graph_needed_rows(b->network, whole, out);
}

/* Every task that is wanted; lrp with each rule that is. */
static status measure_tasks(bench *b, const char *network, engine_case c)
{
    for (c.task = TASK_FORWARD; c.task < TASK_LRP; c.task++) {
        if (b->o->task[c.task]) {
            TRY(measure(b, network, &c));
        }
    }
    for (size_t i = 0; b->o->task[TASK_LRP] && i < rule_count; i++) {
        c.rule = rule_table[i]->name;
        if (options_want_rule(b->o, c.rule)) {
            TRY(measure(b, network, &c));
        }
    }
    return STATUS_OK;
}

static status measure_network(bench *b, const network_def *d)
{
    const graph *g = NULL;
    arena_reset(b->network);
    TRY(comm_agree(b->c, build_network(b, d, &g)));
    for (size_t k = 0; k < backend_count; k++) {
        const backend_def *backend = backend_table[k];
        if (options_want_backend(b->o, backend->name)) {
            TRY(backend->start());
            TRY(measure_tasks(b, d->name,
                              (engine_case){.g = g, .backend = backend, .batch = b->o->batch, .masks = b->o->masks}));
        }
    }
    return STATUS_OK;
}

static status measure_all(bench *b)
{
    TRY(pin_to_own_cpu(b->c, b->scratch, &b->cpu));
    for (size_t i = 0; i < network_count; i++) {
        if (options_want_network(b->o, network_table[i].name)) {
            TRY(measure_network(b, &network_table[i]));
        }
    }
    return STATUS_OK;
}

static status open_arenas(bench *b)
{
    TRY(arena_open("bench network", &b->network));
    TRY(arena_open("bench run", &b->run));
    return arena_open("bench", &b->scratch);
}

static status run(comm *c, int argc, char *argv[])
{
    options o;
    TRY(comm_agree(c, options_parse(argc, argv, &o)));
    if (o.help) {
        return c->rank == 0 && fputs(options_help, stdout) < 0
                   ? FAIL(ST_CANT_WRITE, "standard output cannot be written")
                   : STATUS_OK;
    }
    bench b = {.c = c, .o = &o};
    status st = comm_agree(c, open_arenas(&b));
    if (status_ok(st)) {
        st = measure_all(&b);
    }
    arena_close(&b.scratch);
    arena_close(&b.run);
    arena_close(&b.network);
    return st;
}

int main(int argc, char *argv[])
{
    comm c;
    const status started = comm_start(&argc, &argv, &c);
    if (!status_ok(started)) {
        (void)fprintf(stderr, "bench_engine: error: %s\n", status_message());
        comm_finish(&c);
        return started.code;
    }
    const int code = comm_report(&c, run(&c, argc, argv), false);
    comm_finish(&c);
    return code;
}
