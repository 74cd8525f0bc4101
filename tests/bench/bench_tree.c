/* What the 256 composites of the paper's grid cost in one run, in units of one LRP-epsilon attribution by the same kernels (docs/benchmarks.md),
 * and where the time goes. A transformer has the grid times the treatments of softmax. A JSON line for every network; times are seconds
 * of the processor.
 *
 * usage: bench_tree BACKEND BATCH SIZE SHRINK SUMS_MIB|all SOFTMAX_RULES NETWORK...
 *   SOFTMAX_RULES: how many of the treatments, for networks with attention; 1: the first alone */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attribution/tree.h"
#include "bench/clock.h"
#include "bench/networks.h"
#include "bench/peak.h"
#include "nn/passes/needed_rows.h"

enum { RULES = 4, GROUPS = 4, GRID = 256, EPSILON_RUNS = 6, DEPTH_GROUPS = GROUP_FC + 1 };

typedef struct setting {
    const backend_def *backend;
    size_t batch, size, shrink, sums_bytes, softmax_rules;
} setting;

typedef struct bench {
    const setting *s;
    arena *network, *run;
    const graph *g;
    float *images;
    size_t *target;
    peak peak;
} bench;

/* Where the time of a run goes: seconds behind the last tick belong to what is ticked. */
typedef struct spent {
    const graph *g;
    double last, work[TREE_WORKS], group[DEPTH_GROUPS];
    double sum; /* of what comes out */
} spent;

static void tick(void *to, tree_work done, node_id layer)
{
    spent *s = to;
    const double now = clock_processor();
    s->work[done] += now - s->last;
    if (done == TREE_RULE) {
        s->group[s->g->nodes[layer].group] += now - s->last;
    }
    s->last = now;
}

static void take(void *to, size_t k, const float *rows)
{
    spent *s = to;
    (void)k;
    s->sum += (double)rows[0];
}

static bool has_attention(const graph *g)
{
    for (node_id id = 0; id < g->n_nodes; id++) {
        if (g->nodes[id].op == &op_attention) {
            return true;
        }
    }
    return false;
}

static composite_entry entry(const char *rule, depth_group group)
{
    composite_entry e = {.rule = rule_find(rule), .group = group};
    for (size_t i = 0; i < e.rule->n_fields; i++) {
        e.parameters[i] = e.rule->fields[i].def;
    }
    return e;
}

/* Composite i has in group g the rule of digit g of i to the base of 4. */
static status make_grid(arena *a, size_t softmax_rules, size_t *n, const composite *const **out)
{
    static const char *const rules[RULES] = {"epsilon", "z-plus", "gamma", "alpha-beta"};
    static const depth_group groups[GROUPS] = {GROUP_LOW, GROUP_MID, GROUP_HIGH, GROUP_FC};
    const composite **list;
    *n = GRID * softmax_rules;
    TRY_ALLOC(list, a, *n);
    for (size_t i = 0; i < *n; i++) {
        composite *c;
        composite_entry *e;
        TRY_ALLOC(c, a, 1);
        TRY_ALLOC(e, a, GROUPS + 1);
        for (size_t g = 0, digits = i % GRID; g < GROUPS; g++, digits /= RULES) {
            e[g] = entry(rules[digits % RULES], groups[g]);
        }
        e[GROUPS] = entry("epsilon", GROUP_NONE);
        *c = (composite){.n = GROUPS + 1, .entries = e, .epsilon = 1e-6, .softmax_rule = (int)(i / GRID)};
        list[i] = c;
    }
    *out = list;
    return STATUS_OK;
}

/* Median seconds of one epsilon attribution of the micro-batch. */
static status time_epsilon(const bench *b, double *seconds)
{
    const composite *c;
    double taken[EPSILON_RUNS];
    walk *w;
    float *rows;
    arena_reset(b->run);
    TRY(composite_epsilon(b->run, 1e-6, &c));
    TRY(walk_build(b->run, b->g, c, b->s->backend, b->s->batch, &w));
    TRY_ALLOC(rows, b->run, b->s->batch * WALK_MOMENTS * b->g->n_components);
    walk_run(w, b->images, b->target, rows); /* touches the memory */
    for (size_t i = 0; i < EPSILON_RUNS; i++) {
        const double started = clock_processor();
        walk_run(w, b->images, b->target, rows);
        taken[i] = clock_processor() - started;
    }
    *seconds = clock_median(EPSILON_RUNS, taken);
    return STATUS_OK;
}

/* Multiply-adds of one epsilon attribution: a tree of that walk alone. */
static status epsilon_macs(const bench *b, uint64_t *macs)
{
    const composite *c;
    tree *t;
    arena_reset(b->run);
    TRY(composite_epsilon(b->run, 1e-6, &c));
    TRY(tree_build(b->run, b->g, 1, &c, b->s->backend, b->s->batch, &(tree_options){0}, &t));
    const tree_cost cost = tree_costs(t);
    *macs = tree_cost_total(&cost);
    return STATUS_OK;
}

/* What less memory for sums costs: with so much of what all of them take. */
static const double fractions[] = {0.0, 0.125, 0.25, 0.5, 1.0};
typedef struct sums_cost {
    double mib, macs; /* macs: multiply-adds of the tree */
} sums_cost;

/* Trees that are only planned: their weights are on a list and never made. */
static status plan_sums(const bench *b, size_t n, const composite *const grid[], sums_cost out[COUNT(fractions)])
{
    size_t most = TREE_SUMS_ALL;
    for (size_t i = COUNT(fractions); i-- > 0;) {
        tree *t;
        arena_release(b->run);
        weight_list weights = weights_open(b->run);
        const size_t bytes = most == TREE_SUMS_ALL ? most : (size_t)(fractions[i] * (double)most);
        TRY(tree_build(b->run, b->g, n, grid, b->s->backend, b->s->batch, &(tree_options){.sums_bytes = bytes, .weights = &weights}, &t));
        most = most == TREE_SUMS_ALL ? tree_sums_bytes(t) : most;
        const tree_cost c = tree_costs(t);
        out[i] = (sums_cost){(double)tree_sums_bytes(t) / 1048576.0, (double)tree_cost_total(&c)};
    }
    return STATUS_OK;
}

static void print(const bench *b, const char *network, size_t n, const tree *t, uint64_t single, double epsilon, double wall, const spent *s,
                  const sums_cost sums[])
{
    static const char *const works[TREE_WORKS] = {"forward", "sums", "rules", "own", "add", "rows"};
    const tree_cost c = tree_costs(t);
    double total = 0.0;
    for (size_t i = 0; i < TREE_WORKS; i++) {
        total += s->work[i];
    }
    printf("{\"bench\": \"tree\", \"network\": \"%s\", \"backend\": \"%s\", \"batch\": %zu, \"size\": %zu, \"shrink\": %zu, "
           "\"composites\": %zu, \"nodes\": %zu, \"macs_to_epsilon\": %.2f, \"time_to_epsilon\": %.2f, \"apart_to_epsilon\": %.2f, "
           "\"seconds\": %.4f, \"epsilon_seconds\": %.4f, \"processor\": %.3f, \"peak_share\": %.4f, \"epsilon_peak_share\": %.4f, "
           "\"sums_mib\": %.1f, \"tree_mib\": %.1f, \"shares\": {",
           network, b->s->backend->name, b->s->batch, b->s->size, b->s->shrink, n, tree_nodes(t),
           (double)tree_cost_total(&c) / (double)single, total / epsilon, (double)c.apart / (double)single, total, epsilon, total / wall,
           2.0 * (double)tree_cost_total(&c) * (double)b->s->batch / total / b->peak.flops_per_second,
           2.0 * (double)single * (double)b->s->batch / epsilon / b->peak.flops_per_second,
           (double)tree_sums_bytes(t) / 1048576.0, (double)tree_bytes(t) / 1048576.0);
    for (size_t i = 0; i < TREE_WORKS; i++) {
        printf("%s\"%s\": %.4f", i == 0 ? "" : ", ", works[i], s->work[i] / total);
    }
    printf("}, \"rules_by_group\": {");
    for (depth_group g = GROUP_NONE; g < (depth_group)DEPTH_GROUPS; g++) {
        printf("%s\"%s\": %.4f", g == GROUP_NONE ? "" : ", ", depth_group_name(g), s->group[g] / total);
    }
    printf("}, \"by_sums_mib\": [");
    for (size_t i = 0; i < COUNT(fractions); i++) { /* memory for sums, cost in multiply-adds */
        printf("%s[%.1f, %.2f]", i == 0 ? "" : ", ", sums[i].mib, sums[i].macs / (double)single);
    }
    printf("]}\n");
    (void)fflush(stdout);
}

/* The tree between two measurements of the single walk, whose mean is the unit. */
static status measure(bench *b, const char *network)
{
    const composite *const *grid = NULL;
    size_t n = 0;
    uint64_t single = 0;
    double before = 0.0, after = 0.0;
    tree *t;
    sums_cost sums[COUNT(fractions)];
    TRY(make_grid(b->network, has_attention(b->g) ? b->s->softmax_rules : 1, &n, &grid));
    TRY(epsilon_macs(b, &single));
    TRY(plan_sums(b, n, grid, sums));
    arena_release(b->run);
    TRY(time_epsilon(b, &before));
    arena_release(b->run);
    TRY(tree_build(b->run, b->g, n, grid, b->s->backend, b->s->batch, &(tree_options){.sums_bytes = b->s->sums_bytes}, &t));
    spent s = {.g = b->g, .last = clock_processor()};
    const double started = clock_wall();
    tree_run(t, b->images, &(walk_start){.value = START_ONE}, b->target, &(tree_sink){.to = &s, .take = take, .tick = tick});
    const double wall = clock_wall() - started;
    if (!isfinite(s.sum)) {
        return FAIL(ST_BUG, "expected finite relevance, found %g", s.sum);
    }
    const peak again = peak_measure();
    b->peak = again.flops_per_second > b->peak.flops_per_second ? again : b->peak;
    arena *keep = b->run;
    TRY(arena_open("bench epsilon", &b->run));
    const status st = time_epsilon(b, &after);
    arena_close(&b->run);
    b->run = keep;
    TRY(st);
    print(b, network, n, t, single, (before + after) / 2.0, wall, &s, sums);
    return STATUS_OK;
}

static status measure_network(void *context, const network_def *d)
{
    bench *b = context;
    const graph *whole;
    arena_release(b->network);
    arena_release(b->run);
    TRY(network_build(b->network, d, b->s->size, b->s->shrink, &whole));
    TRY(graph_needed_rows(b->network, whole, &b->g));
    TRY(network_images(b->network, b->g, b->s->batch, &b->images));
    TRY_ALLOC(b->target, b->network, b->s->batch);
    for (size_t i = 0; i < b->s->batch; i++) {
        b->target[i] = i % b->g->n_classes;
    }
    b->peak = peak_measure();
    return measure(b, d->name);
}

static status run(const setting *s, int n, char *names[])
{
    bench b = {.s = s};
    TRY(arena_open("bench network", &b.network));
    TRY(arena_open("bench tree", &b.run));
    TRY(s->backend->start());
    const status st = network_each(n, names, measure_network, &b);
    arena_close(&b.run);
    arena_close(&b.network);
    return st;
}

int main(int argc, char *argv[])
{
    if (argc < 8 || backend_find(argv[1]) == NULL) {
        (void)fprintf(stderr, "usage: bench_tree BACKEND BATCH SIZE SHRINK SUMS_MIB|all SOFTMAX_RULES NETWORK...\n");
        return ST_USAGE;
    }
    const bool all = strcmp(argv[5], "all") == 0;
    const setting s = {.backend = backend_find(argv[1]),
                       .batch = (size_t)strtoul(argv[2], NULL, 10),
                       .size = (size_t)strtoul(argv[3], NULL, 10),
                       .shrink = (size_t)strtoul(argv[4], NULL, 10),
                       .sums_bytes = all ? TREE_SUMS_ALL : (size_t)strtoul(argv[5], NULL, 10) << 20,
                       .softmax_rules = (size_t)strtoul(argv[6], NULL, 10)};
    if (s.batch == 0 || s.softmax_rules == 0 || s.softmax_rules > 4) {
        (void)fprintf(stderr, "bench_tree: expected a BATCH above 0 and SOFTMAX_RULES from 1 to 4\n");
        return ST_USAGE;
    }
    const status st = run(&s, argc - 7, argv + 7);
    if (!status_ok(st)) {
        (void)fprintf(stderr, "bench_tree: error: %s\n", status_message());
    }
    return st.code;
}
