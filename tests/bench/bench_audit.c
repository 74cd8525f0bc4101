/* The audit of the relevance walk (docs/audit.md), for one rule in every convolution and linear layer: what it costs, as the walk with and
 * without it, one micro-batch after the other in turns, so that what others do on the machine falls on both alike; and what it says. A JSON
 * line a network.
 *
 * usage: bench_audit REPEATS BATCH SIZE SHRINK RULE NETWORK... */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "attribution/walk.h"
#include "attribution/walk_audit.h"
#include "bench/clock.h"
#include "bench/networks.h"

typedef struct audit_bench {
    size_t repeats, batch, size, shrink;
    const rule_def *rule;
    arena *network, *run;
    const graph *g;
    const composite *composite;
    float *images, *rows;
    size_t *target;
} audit_bench;

/* A walk, with or without audit. */
typedef struct side {
    walk *walk;
    double *seconds; /* [repeats] of processor time */
} side;

/* The rule everywhere, with its defaults. */
static status choose(audit_bench *b)
{
    composite_entry *everywhere;
    composite *c;
    TRY_ALLOC(everywhere, b->run, 1);
    TRY_ALLOC(c, b->run, 1);
    everywhere->rule = b->rule;
    for (size_t i = 0; i < b->rule->n_fields; i++) {
        everywhere->parameters[i] = b->rule->fields[i].def;
    }
    *c = (composite){.n = 1, .entries = everywhere, .epsilon = 1e-6};
    b->composite = c;
    return STATUS_OK;
}

static status open_side(audit_bench *b, bool audit, side *out)
{
    TRY_ALLOC(out->seconds, b->run, b->repeats);
    TRY(walk_build(b->run, b->g, b->composite, backend_default(), b->batch, &out->walk));
    return audit ? walk_start_audit(b->run, out->walk) : STATUS_OK;
}

static status open_images(audit_bench *b)
{
    TRY(network_images(b->run, b->g, b->batch, &b->images));
    TRY_ALLOC(b->target, b->run, b->batch);
    TRY_ALLOC(b->rows, b->run, b->batch * WALK_MOMENTS * b->g->n_components);
    for (size_t i = 0; i < b->batch; i++) {
        b->target[i] = i % b->g->n_classes;
    }
    return STATUS_OK;
}

static double run(const audit_bench *b, const side *s)
{
    const double before = clock_processor();
    walk_run(s->walk, b->images, b->target, b->rows);
    return clock_processor() - before;
}

/* Sums over the micro-batch: the largest gain and growth, and the verdict. */
static status print_findings(audit_bench *b, const walk *w)
{
    const audit_step *steps;
    const size_t row = b->g->n_nodes * AUDIT_SUMS;
    float *one;
    double *all, *sums, gain = 0.0, growth = 0.0;
    size_t n = 0, gains = 0, grows = 0;
    TRY(walk_audit_steps(b->run, b->g, b->composite, &n, &steps));
    TRY_ALLOC(one, b->run, row);
    TRY_ALLOC(all, b->run, row);
    TRY_ALLOC(sums, b->run, n * AUDIT_SUMS);
    for (size_t k = 0; k < b->batch; k++) {
        walk_read_audit(w, k, one);
        for (size_t i = 0; i < row; i++) {
            all[i] += (double)one[i];
        }
    }
    audit_select(n, steps, all, sums);
    for (size_t i = 0; i < n; i++) {
        const double of_step = audit_gain(sums + i * AUDIT_SUMS), since_start = sums[i * AUDIT_SUMS + AUDIT_ABS_IN] / sums[AUDIT_ABS_OUT];
        gains = of_step > gain ? i : gains;
        gain = of_step > gain ? of_step : gain;
        grows = since_start > growth ? i : grows;
        growth = since_start > growth ? since_start : growth;
    }
    const audit_verdict v = audit_judge(n, sums);
    static const char *const findings[] = {[AUDIT_FINE] = "fine", [AUDIT_EXPLODES] = "explodes", [AUDIT_NOT_FINITE] = "not finite"};
    (void)printf("\"gain\": \"%.3g\", \"gain_layer\": \"%s\", ", gain, b->g->nodes[steps[gains].id].name);
    (void)printf("\"growth\": \"%.3g\", \"growth_layer\": \"%s\", ", growth, b->g->nodes[steps[grows].id].name);
    (void)printf("\"finding\": \"%s\", \"finding_layer\": \"%s\"}\n", findings[v.finding],
                 v.finding == AUDIT_FINE ? "" : b->g->nodes[steps[v.step].id].name);
    return STATUS_OK;
}

static status measure(audit_bench *b, const network_def *d)
{
    side with = {0}, without = {0};
    double *ratio;
    arena_release(b->network);
    arena_release(b->run);
    TRY(network_build(b->network, d, b->size, b->shrink, &b->g));
    TRY(choose(b));
    TRY(open_images(b));
    TRY_ALLOC(ratio, b->run, b->repeats);
    TRY(open_side(b, false, &without));
    TRY(open_side(b, true, &with));
    (void)run(b, &without); /* touches the memory */
    (void)run(b, &with);
    for (size_t i = 0; i < b->repeats; i++) {
        side *const first = i % 2 == 0 ? &without : &with, *const second = i % 2 == 0 ? &with : &without;
        first->seconds[i] = run(b, first);
        second->seconds[i] = run(b, second);
        ratio[i] = with.seconds[i] / without.seconds[i];
    }
    (void)printf("{\"bench\": \"audit\", \"network\": \"%s\", \"rule\": \"%s\", \"batch\": %zu, \"repeats\": %zu, ", d->name,
                 b->rule->name, b->batch, b->repeats);
    (void)printf("\"ratio_median\": %.4f, \"processor_median\": [%.4f, %.4f], ", clock_median(b->repeats, ratio),
                 clock_median(b->repeats, without.seconds), clock_median(b->repeats, with.seconds));
    (void)printf("\"processor_best\": [%.4f, %.4f], ", without.seconds[0], with.seconds[0]); /* they are sorted now */
    TRY(print_findings(b, with.walk));
    (void)fflush(stdout);
    return STATUS_OK;
}

static status measure_named(audit_bench *b, const char *name)
{
    const network_def *d = network_find(name);
    return d != NULL ? measure(b, d) : FAIL(ST_USAGE, "unknown network '%s'", name);
}

static status read_options(int argc, char *argv[], audit_bench *b)
{
    size_t *const number[] = {&b->repeats, &b->batch, &b->size, &b->shrink};
    if (argc < 7) {
        return FAIL(ST_USAGE, "expected REPEATS BATCH SIZE SHRINK RULE NETWORK...");
    }
    for (size_t i = 0; i < COUNT(number); i++) {
        *number[i] = strtoul(argv[i + 1], NULL, 10);
        if (*number[i] == 0 || *number[i] > 100000) {
            return FAIL(ST_USAGE, "expected a whole number in [1, 100000], found '%s'", argv[i + 1]);
        }
    }
    b->rule = rule_find(argv[5]);
    return b->rule != NULL ? STATUS_OK : FAIL(ST_USAGE, "unknown rule '%s'", argv[5]);
}

static status bench(int argc, char *argv[])
{
    audit_bench b = {0};
    TRY(read_options(argc, argv, &b));
    TRY(backend_default()->start());
    TRY(arena_open("bench network", &b.network));
    TRY(arena_open("bench run", &b.run));
    status st = STATUS_OK;
    for (int i = 6; i < argc && status_ok(st); i++) {
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
