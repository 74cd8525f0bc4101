/* The two bounds of a roofline, of each core while all of them are at work: fused multiply-adds in registers (bench/peak.h) and memory
 * (bench/bandwidth.h). One JSON line with the mean over the ranks, each on a processor of its own (docs/performance.md). */
#include <stdio.h>

#include "bench/bandwidth.h"
#include "bench/peak.h"
#include "bench/pin.h"

static status mean(comm *c, arena *a, double mine, double *out)
{
    const double *all = NULL;
    TRY(comm_gather_f64(c, a, mine, &all));
    *out = 0.0;
    for (int r = 0; r < c->size; r++) {
        *out += all[r] / c->size;
    }
    return STATUS_OK;
}

static status measure(comm *c, arena *a, arena *large)
{
    double bandwidth = 0.0, flops = 0.0;
    int cpu;
    TRY(pin_to_own_cpu(c, a, &cpu));
    TRY(comm_agree(c, STATUS_OK)); /* all begin together */
    const peak p = peak_measure();
    TRY(comm_agree(c, bandwidth_measure(large, &bandwidth)));
    TRY(mean(c, a, p.flops_per_second, &flops));
    TRY(mean(c, a, bandwidth, &bandwidth));
    if (c->rank == 0) {
        (void)printf("{\"bench\": \"bounds\", \"ranks\": %d, \"peak_gflops\": %.4g, \"peak_isa\": \"%s\", \"bandwidth_gb_s\": %.4g, \"flop_per_byte\": %.3g}\n",
                     c->size, 1e-9 * flops, p.isa, 1e-9 * bandwidth, flops / bandwidth);
    }
    return STATUS_OK;
}

static status run(comm *c)
{
    arena *a = NULL, *large = NULL;
    status st = arena_open("bounds", &a);
    if (status_ok(st)) {
        st = arena_open("bounds' arrays", &large);
    }
    st = comm_agree(c, st);
    if (status_ok(st)) {
        st = measure(c, a, large);
    }
    arena_close(&large);
    arena_close(&a);
    return st;
}

int main(int argc, char *argv[])
{
    comm c;
    const status started = comm_start(&argc, &argv, &c);
    if (!status_ok(started)) {
        (void)fprintf(stderr, "bench_bounds: error: %s\n", status_message());
        comm_finish(&c);
        return started.code;
    }
    const int code = comm_report(&c, run(&c), false);
    comm_finish(&c);
    return code;
}
