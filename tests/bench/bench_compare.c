/* Pollard's side of the comparison with PyTorch (docs/performance.md): the network, images, labels and order of removal that a folder has
 * (bench/comparison.h), on as many cores as there are ranks, each on one of its own. A JSON line, and the results beside for whoever compares.
 *
 * usage: bench_compare FOLDER describe
 *        bench_compare FOLDER WHAT BACKEND BATCH REPEATS [BATCHES]
 *   WHAT: forward, winograd  logits of one micro-batch of BATCH images a rank
 *         lrp                the same explained with LRP-epsilon: rows of component relevance
 *         grid               explained by 16 composites in one run: epsilon or z-plus in each of four depth groups
 *         curve, curve-winograd   20 rates, each a network cut out of the whole one, on BATCHES micro-batches; ranks claim rates
 * Seconds are from the moment when all ranks begin to that when the last one ends: the median of REPEATS. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attribution/tree.h"
#include "bench/clock.h"
#include "bench/comparison.h"
#include "bench/peak.h"
#include "bench/pin.h"
#include "nn/passes/compact.h"
#include "parallel/claims.h"
#include "parallel/node_weights.h"

enum { RATES = 20, GROUPS = 4, GRID = 16, MOST = 1000 };

typedef struct bench bench;

typedef struct work {
    const char *name;     /* on the command line, and of its results */
    const char *what;     /* in the JSON line */
    bool winograd;
    bool warms;           /* a run that is not timed comes first */
    status (*open)(bench *b);
    status (*once)(bench *b);
    status (*write)(bench *b);
} work;

struct bench {
    comm *c;
    const work *w;
    const backend_def *backend;
    comparison of;
    size_t batch, repeats, batches;
    arena *network, *weights, *run, *small, *scratch; /* weights: in the kernels' order, one copy for all ranks */
    const float *images; /* this rank's micro-batch, and labels */
    const size_t *label;
    forward *forward;
    walk *walk;
    tree *tree;
    claims *claims;
    double *values; /* of the tree's nodes [batch, tree_values()] */
    float *out;     /* rows [batch, WALK_MOMENTS, n_components]; of the grid [GRID, batch, n_components]; of the curve logits [RATES, images, n_classes] */
    bool *mine;     /* [RATES] which this rank has evaluated */
    uint8_t *alive;
    size_t weight_bytes;
};

/* LXT takes attention as a constant: `softmax: cp`. */
static int constant_attention(void)
{
    int rule = 0;
    while (softmax_rule_names[rule] != NULL && strcmp(softmax_rule_names[rule], "cp") != 0) {
        rule++;
    }
    return rule;
}

/* LXT has no stabiliser either: gradient times activation is LRP-0. zennit has 1e-6. */
static double stabiliser(const graph *g)
{
    for (node_id id = 0; id < g->n_nodes; id++) {
        if (g->nodes[id].op == &op_attention) {
            return 0.0;
        }
    }
    return 1e-6;
}

static composite_entry entry_of(const char *rule, const char *pattern, depth_group group)
{
    composite_entry e = {.rule = rule_find(rule), .name_pattern = pattern, .group = group};
    for (size_t i = 0; i < e.rule->n_fields; i++) {
        e.parameters[i] = e.rule->fields[i].def;
    }
    return e;
}

/* ---- forward, winograd, lrp ---- */

static status forward_open(bench *b)
{
    return forward_build_for_logits(b->run, b->of.g, b->backend, b->batch, b->w->winograd, &b->forward);
}

static status forward_once(bench *b)
{
    forward_run(b->forward, b->images, NULL);
    return STATUS_OK;
}

static status forward_write(bench *b)
{
    return comparison_write(b->scratch, &b->of, b->w->name, (size_t)b->c->rank, b->batch * b->of.g->n_classes, forward_logits(b->forward));
}

/* Collective. Where ranks share, the kernels' weights are one copy, as in a study. */
static status place_weights(bench *b, weight_list *l, status built)
{
    TRY(comm_agree(b->c, built));
    b->weight_bytes = l->floats * sizeof(float);
    return node_weights_list(b->c, l) == NULL ? STATUS_OK : node_weights_place(b->c, b->weights, l);
}

static composite_entry epsilon_entry(const graph *g, const char *pattern, depth_group group)
{
    composite_entry e = entry_of("epsilon", pattern, group);
    e.parameters[0] = stabiliser(g); /* its only field */
    return e;
}

static status lrp_build(bench *b, weight_list *weights)
{
    composite *epsilon;
    composite_entry *everywhere;
    const walk_options o = {.weights = node_weights_list(b->c, weights)};
    TRY_ALLOC(epsilon, b->run, 1);
    TRY_ALLOC(everywhere, b->run, 1);
    *everywhere = epsilon_entry(b->of.g, NULL, GROUP_NONE);
    *epsilon = (composite){.n = 1, .entries = everywhere, .epsilon = stabiliser(b->of.g), .softmax_rule = constant_attention()};
    TRY_ALLOC(b->out, b->run, b->batch * WALK_MOMENTS * b->of.g->n_components);
    return walk_build_with(b->run, b->of.g, epsilon, b->backend, b->batch, &o, &b->walk);
}

static status lrp_open(bench *b)
{
    weight_list weights = weights_open(b->weights);
    return place_weights(b, &weights, lrp_build(b, &weights));
}

static status lrp_once(bench *b)
{
    walk_run(b->walk, b->images, b->label, b->out);
    return STATUS_OK;
}

static status lrp_write(bench *b)
{
    return comparison_write(b->scratch, &b->of, b->w->name, (size_t)b->c->rank, b->batch * WALK_MOMENTS * b->of.g->n_components, b->out);
}

/* ---- grid ---- */

/* Composite i has z-plus in group g where bit g of i is set. The projections of attention keep epsilon in all of them, since LXT's attention
 * has no place for another rule there. */
static status make_grid(arena *a, const graph *network, const composite *const **out)
{
    static const depth_group groups[GROUPS] = {GROUP_LOW, GROUP_MID, GROUP_HIGH, GROUP_FC};
    const composite **list;
    TRY_ALLOC(list, a, GRID);
    for (size_t i = 0; i < GRID; i++) {
        composite *c;
        composite_entry *e;
        TRY_ALLOC(c, a, 1);
        TRY_ALLOC(e, a, GROUPS + 2);
        e[0] = epsilon_entry(network, "*self_attention*", GROUP_NONE);
        for (size_t g = 0; g < GROUPS; g++) {
            e[1 + g] = (i >> g & 1) != 0 ? entry_of("z-plus", NULL, groups[g]) : epsilon_entry(network, NULL, groups[g]);
        }
        e[1 + GROUPS] = epsilon_entry(network, NULL, GROUP_NONE);
        *c = (composite){.n = GROUPS + 2, .entries = e, .epsilon = stabiliser(network), .softmax_rule = constant_attention()};
        list[i] = c;
    }
    *out = list;
    return STATUS_OK;
}

static status grid_build(bench *b, weight_list *weights)
{
    const composite *const *grid = NULL;
    const tree_options o = {.sums_bytes = TREE_SUMS_DEFAULT, .weights = node_weights_list(b->c, weights)};
    TRY(make_grid(b->run, b->of.g, &grid));
    TRY(tree_build(b->run, b->of.g, GRID, grid, b->backend, b->batch, &o, &b->tree));
    TRY_ALLOC(b->values, b->run, b->batch * tree_values(b->tree));
    TRY_ALLOC(b->out, b->run, GRID * b->batch * b->of.g->n_components);
    return STATUS_OK;
}

static status grid_open(bench *b)
{
    weight_list weights = weights_open(b->weights);
    return place_weights(b, &weights, grid_build(b, &weights));
}

/* Signed sums of a node's components. */
static void take(void *to, size_t k, const float *rows)
{
    bench *b = to;
    const tree_node *n = tree_node_at(b->tree, k);
    for (size_t i = 0; i < b->batch; i++) {
        const float *from = rows + (i * WALK_MOMENTS + WALK_SIGNED) * n->n_values;
        double *at = b->values + i * tree_values(b->tree) + n->first_value;
        for (size_t v = 0; v < n->n_values; v++) {
            at[v] = (double)from[v];
        }
    }
}

static status grid_once(bench *b)
{
    const size_t n = b->of.g->n_components;
    double *row;
    arena_reset(b->small);
    TRY_ALLOC(row, b->small, n);
    tree_run(b->tree, b->images, &(walk_start){.value = START_ONE}, b->label, &(tree_sink){.to = b, .take = take});
    for (size_t i = 0; i < GRID * b->batch; i++) {
        tree_assemble(b->tree, i / b->batch, b->values + i % b->batch * tree_values(b->tree), row);
        for (size_t v = 0; v < n; v++) {
            b->out[i * n + v] = (float)row[v];
        }
    }
    return STATUS_OK;
}

static status grid_write(bench *b)
{
    return comparison_write(b->scratch, &b->of, b->w->name, (size_t)b->c->rank, GRID * b->batch * b->of.g->n_components, b->out);
}

/* ---- curve ---- */

static status curve_open(bench *b)
{
    TRY(claims_open(b->c, b->run, &b->claims));
    TRY_ALLOC(b->alive, b->run, b->of.g->n_components);
    TRY_ALLOC(b->mine, b->run, RATES);
    TRY_ALLOC(b->out, b->run, RATES * b->batches * b->batch * b->of.g->n_classes);
    return STATUS_OK;
}

/* As stages/evaluate.c does it: the network of the mask is built, and all images go through. */
static status evaluate(bench *b, size_t rate)
{
    const size_t pixels = shape_count(b->of.g->input), logits = b->batch * b->of.g->n_classes;
    const graph *small;
    forward *f;
    arena_reset(b->small);
    memset(b->alive, 1, b->of.g->n_components);
    for (size_t i = 0; i < b->of.n_order * rate / RATES; i++) {
        b->alive[b->of.order[i]] = 0;
    }
    TRY(graph_compact(b->small, b->of.g, b->alive, NULL, b->backend->block(), &small));
    TRY(forward_build_for_logits(b->small, small, b->backend, b->batch, b->w->winograd, &f));
    for (size_t i = 0; i < b->batches; i++) {
        forward_run(f, b->of.images + i * b->batch * pixels, NULL);
        memcpy(b->out + (rate * b->batches + i) * logits, forward_logits(f), logits * sizeof *b->out);
        claims_tick(b->claims);
    }
    b->mine[rate] = true;
    return STATUS_OK;
}

static status curve_once(bench *b)
{
    status st = STATUS_OK;
    size_t rate;
    memset(b->mine, 0, RATES * sizeof *b->mine);
    claims_begin(b->claims, RATES);
    while (status_ok(st) && claims_next(b->claims, &rate)) {
        st = evaluate(b, rate);
        (void)comm_alarm(b->c, st);
    }
    claims_end(b->claims);
    return st;
}

static status curve_write(bench *b)
{
    const size_t n = b->batches * b->batch * b->of.g->n_classes;
    for (size_t rate = 0; rate < RATES; rate++) {
        if (b->mine[rate]) {
            TRY(comparison_write(b->scratch, &b->of, b->w->name, rate, n, b->out + rate * n));
        }
    }
    return STATUS_OK;
}

static const work works[] = {
    {"forward", "forward", false, true, forward_open, forward_once, forward_write},
    {"winograd", "forward", true, true, forward_open, forward_once, forward_write},
    {"lrp", "lrp", false, true, lrp_open, lrp_once, lrp_write},
    {"grid", "grid", false, false, grid_open, grid_once, grid_write},
    {"curve", "curve", false, false, curve_open, curve_once, curve_write},
    {"curve-winograd", "curve", true, false, curve_open, curve_once, curve_write},
};

/* ---- what is measured ---- */

typedef struct measured {
    double seconds, best, processor; /* on the wall, until the last rank is done; of all ranks together, the mean of a repeat */
    double peak;                     /* of a rank, the mean */
    double memory;                   /* bytes of a rank, the most */
} measured;

static double sum_of(int n, const double x[])
{
    double sum = 0.0;
    for (int r = 0; r < n; r++) {
        sum += x[r];
    }
    return sum;
}

static double most_of(int n, const double x[])
{
    double most = x[0];
    for (int r = 1; r < n; r++) {
        most = fmax(most, x[r]);
    }
    return most;
}

/* Collective. */
static status time_once(bench *b, double *wall, double *processor)
{
    TRY(comm_agree(b->c, STATUS_OK)); /* all begin together */
    const double wall_before = clock_wall(), processor_before = clock_processor();
    const status st = b->w->once(b);
    *processor = clock_processor() - processor_before;
    *wall = clock_wall() - wall_before;
    return comm_agree(b->c, st);
}

static status time_all(bench *b, measured *m)
{
    double wall[MOST], processor = 0.0;
    if (b->w->warms) {
        TRY(time_once(b, wall, &processor));
    }
    for (size_t i = 0; i < b->repeats; i++) {
        const double *all;
        TRY(time_once(b, &wall[i], &processor));
        arena_reset(b->scratch);
        TRY(comm_gather_f64(b->c, b->scratch, wall[i], &all));
        wall[i] = most_of(b->c->size, all);
        TRY(comm_gather_f64(b->c, b->scratch, processor, &all));
        m->processor += sum_of(b->c->size, all) / (double)b->repeats;
    }
    m->seconds = clock_median(b->repeats, wall);
    m->best = wall[0];
    return STATUS_OK;
}

/* Collective. */
static status measure_peak(bench *b, measured *m)
{
    const double *all;
    TRY(comm_agree(b->c, STATUS_OK));
    const peak p = peak_measure();
    arena_reset(b->scratch);
    TRY(comm_gather_f64(b->c, b->scratch, p.flops_per_second, &all));
    m->peak = fmax(m->peak, sum_of(b->c->size, all) / b->c->size);
    return STATUS_OK;
}

static status print(const bench *b, const measured *m)
{
    const bool curve = b->w->open == curve_open;
    const size_t images = b->batch * (curve ? b->batches : (size_t)b->c->size);
    const char *convolutions = b->w->winograd ? "winograd" : "direct";
    (void)printf("{\"bench\": \"compare\", \"side\": \"pollard\", \"what\": \"%s\", \"convolutions\": \"%s\", \"backend\": \"%s\", \"cores\": %d, "
                 "\"batch\": %zu, \"images\": %zu, \"repeats\": %zu, \"seconds\": %.5g, \"seconds_best\": %.5g, \"processor_seconds\": %.5g, "
                 "\"images_per_s\": %.5g, \"peak_gflops\": %.4g, \"memory_mib\": %.1f, \"shared_weights_mib\": %.1f}\n",
                 b->w->what, convolutions, b->backend->name, b->c->size, b->batch, images, b->repeats, m->seconds, m->best, m->processor,
                 (double)images / m->seconds, 1e-9 * m->peak, m->memory / 1048576.0, (double)b->weight_bytes / 1048576.0);
    return fflush(stdout) == 0 ? STATUS_OK : FAIL(ST_CANT_WRITE, "standard output cannot be written");
}

static status measure(bench *b)
{
    measured m = {0};
    const double *all;
    int cpu;
    TRY(pin_to_own_cpu(b->c, b->scratch, &cpu));
    TRY(b->backend->start());
    TRY(measure_peak(b, &m));
    TRY(comm_agree(b->c, b->w->open(b)));
    TRY(time_all(b, &m));
    TRY(comm_gather_f64(b->c, b->scratch, (double)(arena_bytes(b->run) + arena_bytes(b->small)), &all));
    m.memory = most_of(b->c->size, all);
    arena_reset(b->scratch);
    TRY(comm_agree(b->c, b->w->write(b)));
    TRY(measure_peak(b, &m));
    return comm_agree(b->c, b->c->rank == 0 ? print(b, &m) : STATUS_OK);
}

static status read_count(const char *name, const char *text, size_t *out)
{
    char *end = NULL;
    const unsigned long value = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    *out = value;
    return end != NULL && *end == '\0' && value > 0 && value <= MOST
               ? STATUS_OK
               : FAIL(ST_USAGE, "%s: expected a whole number in [1, %d], found '%s'", name, (int)MOST, text);
}

static status read_arguments(bench *b, int argc, char *argv[])
{
    for (size_t i = 0; argc >= 6 && i < COUNT(works); i++) {
        b->w = strcmp(argv[2], works[i].name) == 0 ? &works[i] : b->w;
    }
    if (b->w == NULL) {
        return FAIL(ST_USAGE, "usage: bench_compare FOLDER describe | FOLDER forward|winograd|lrp|grid|curve|curve-winograd BACKEND BATCH REPEATS [BATCHES]");
    }
    b->backend = backend_find(argv[3]);
    if (b->backend == NULL) {
        return FAIL(ST_USAGE, "no backend '%s'", argv[3]);
    }
    TRY(read_count("BATCH", argv[4], &b->batch));
    TRY(read_count("REPEATS", argv[5], &b->repeats));
    b->batches = (size_t)b->c->size;
    return argc > 6 ? read_count("BATCHES", argv[6], &b->batches) : STATUS_OK;
}

/* Local. */
static status prepare(bench *b, int argc, char *argv[])
{
    TRY(read_arguments(b, argc, argv));
    TRY(comparison_open(b->network, argv[1], &b->of));
    const size_t ranks = (size_t)b->c->size, needed = b->batch * (b->batches > ranks ? b->batches : ranks);
    if (b->of.n_images < needed) {
        return FAIL(ST_DATA, "images.f32: expected at least %zu images, found %zu", needed, b->of.n_images);
    }
    const size_t first = (size_t)b->c->rank * b->batch;
    b->images = b->of.images + first * shape_count(b->of.g->input);
    b->label = b->of.label + first;
    return STATUS_OK;
}

static status describe(bench *b, const char *folder)
{
    TRY(comparison_open(b->network, folder, &b->of));
    return comparison_describe(b->scratch, &b->of);
}

static status run(comm *c, int argc, char *argv[])
{
    bench b = {.c = c};
    arena **const arenas[] = {&b.network, &b.weights, &b.run, &b.small, &b.scratch};
    status st = STATUS_OK;
    for (size_t i = 0; i < COUNT(arenas) && status_ok(st); i++) {
        st = arena_open("bench", arenas[i]);
    }
    st = comm_agree(c, st);
    if (status_ok(st) && argc == 3 && strcmp(argv[2], "describe") == 0) {
        st = comm_agree(c, c->rank == 0 ? describe(&b, argv[1]) : STATUS_OK);
    } else if (status_ok(st)) {
        st = comm_agree(c, prepare(&b, argc, argv));
        if (status_ok(st)) {
            st = measure(&b);
        }
    }
    for (size_t i = COUNT(arenas); i-- > 0;) {
        arena_close(arenas[i]);
    }
    return st;
}

int main(int argc, char *argv[])
{
    comm c;
    const status started = comm_start(&argc, &argv, &c);
    if (!status_ok(started)) {
        (void)fprintf(stderr, "bench_compare: error: %s\n", status_message());
        comm_finish(&c);
        return started.code;
    }
    const int code = comm_report(&c, run(&c, argc, argv), false);
    comm_finish(&c);
    return code;
}
