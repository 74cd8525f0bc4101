#include "bench/report.h"

static void print_line(const report_case *w, const char *rank, int ranks, const report_numbers *x)
{
    const double flops = w->flops_per_image * (double)w->batch;
    (void)printf(
        "{\"bench\":\"engine\",\"network\":\"%s\",\"what\":\"%s\",\"rule\":\"%s\",\"backend\":\"%s\",\"batch\":%zu,\"size\":%zu,"
        "\"shrink\":%zu,\"rows\":\"%s\",\"threads\":1,\"rank\":%s,\"ranks\":%d,\"cpu\":",
        w->network, w->what, w->rule, w->backend, w->batch, w->size, w->shrink, w->all_rows ? "all" : "needed", rank, ranks);
    (void)printf(x->cpu < 0.0 ? "null" : "%.0f", x->cpu);
    (void)printf(",\"images_per_s\":%.4g,\"gflops\":%.4g,\"peak_gflops\":%.4g,\"peak_isa\":\"%s\",\"share\":%.4f,"
                 "\"share_best\":%.4f,\"share_processor\":%.4f,\"seconds_median\":%.6g,\"seconds_best\":%.6g,"
                 "\"seconds_processor\":%.6g,"
                 "\"repeats\":%zu,\"processor\":%.3f,"
                 "\"flop_per_image\":%.0f,\"masks\":%zu,\"winograd_layers\":%zu,\"off\":",
                 (double)w->batch / x->seconds_median, 1e-9 * flops / x->seconds_median, 1e-9 * x->peak, w->peak_isa,
                 flops / x->seconds_median / x->peak, flops / x->seconds_best / x->peak,
                 flops / x->processor_median / x->peak, x->seconds_median, x->seconds_best, x->processor_median, w->repeats, x->processor,
                 w->flops_per_image, w->masks, w->winograd_layers);
    (void)printf(w->off < 0.0 ? "null}\n" : "%.3g}\n", w->off);
}

enum { FIELDS = sizeof(report_numbers) / sizeof(double) };
_Static_assert(sizeof(report_numbers) == FIELDS * sizeof(double), "numbers are gathered as an array of doubles");

/* Of every rank: *out [c->size]. */
static status gather(comm *c, arena *scratch, const report_numbers *mine, const report_numbers **out)
{
    report_numbers *all = arena_alloc(scratch, (size_t)c->size, sizeof *all);
    TRY(comm_agree(c, all == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    for (size_t f = 0; f < FIELDS; f++) {
        const double *value = NULL;
        TRY(comm_gather_f64(c, scratch, ((const double *)mine)[f], &value));
        for (int r = 0; r < c->size; r++) {
            ((double *)&all[r])[f] = value[r];
        }
    }
    *out = all;
    return STATUS_OK;
}

/* Per core: rates are averaged, so times by their harmonic mean. */
static report_numbers mean_of(int n, const report_numbers *of)
{
    report_numbers mean = {.cpu = -1.0};
    double per_median = 0.0, per_best = 0.0, per_processor = 0.0;
    for (int r = 0; r < n; r++) {
        per_median += 1.0 / of[r].seconds_median / n;
        per_best += 1.0 / of[r].seconds_best / n;
        per_processor += 1.0 / of[r].processor_median / n;
        mean.processor += of[r].processor / n;
        mean.peak += of[r].peak / n;
    }
    mean.seconds_median = 1.0 / per_median;
    mean.seconds_best = 1.0 / per_best;
    mean.processor_median = 1.0 / per_processor;
    return mean;
}

static status print_all(const report_case *what, int ranks, const report_numbers *of)
{
    for (int r = 0; r < ranks; r++) {
        char rank[16];
        (void)snprintf(rank, sizeof rank, "%d", r);
        print_line(what, rank, ranks, &of[r]);
    }
    const report_numbers mean = mean_of(ranks, of);
    print_line(what, "\"mean\"", ranks, &mean);
    return fflush(stdout) == 0 ? STATUS_OK : FAIL(ST_CANT_WRITE, "standard output cannot be written");
}

status report_print(comm *c, arena *scratch, const report_case *what, const report_numbers *mine)
{
    const report_numbers *all = NULL;
    TRY(gather(c, scratch, mine, &all));
    return comm_agree(c, c->rank == 0 ? print_all(what, c->size, all) : STATUS_OK);
}
