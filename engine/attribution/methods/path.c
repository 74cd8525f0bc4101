#include "attribution/methods/path.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "attribution/methods/derivative.h"
#include "attribution/methods/noise.h"
#include "attribution/methods/own_weights.h"
#include "attribution/walk_sums.h"

/* Floats and doubles that a path takes beside its walk. */
typedef struct path_sizes {
    size_t input; /* [batch, input] the point's images */
    size_t value; /* [tokens, n] of one layer of one sample, doubles */
    size_t sums;  /* [batch, sums_each] doubles; 0 where one point writes its rows at once */
    size_t sums_each;
    size_t before; /* component values at the neighbouring point, all layers */
    size_t step;   /* of heads: the difference to them, one layer at a time */
} path_sizes;

struct path {
    path_setup s;
    size_t lanes;
    path_sizes size;
    walk *walk;
    own_weights own;
    float *input, *before, *step;
    double *value, *sums;
    size_t *first_sum, *first_before; /* [n_nodes] of layers with components */
    start_sample *start;              /* [batch] */
    /* of the run */
    double weight;
    size_t stride;
    float *rows;
};

static bool keeps_sums(const path_setup *s)
{
    return s->points != POINTS_SAMPLE || s->measure == MEASURE_WEIGHTS;
}

static bool keeps_tokens(const path_setup *s)
{
    return s->per_token && s->measure != MEASURE_WEIGHTS;
}

/* Tokens of a layer that are kept apart in the sums. */
static size_t sum_tokens(const path_setup *s, const node *n)
{
    return keeps_tokens(s) ? component_tokens(n) : 1;
}

/* Also where each layer lies; the arrays may be NULL. */
static path_sizes plan_sizes(const path_setup *s, size_t lanes, size_t first_sum[], size_t first_before[])
{
    const graph *g = s->graph;
    path_sizes size = {.value = component_most_values(g)};
    for (size_t l = 0; l < g->n_layers; l++) {
        const node_id id = g->layers[l];
        const node *n = &g->nodes[id];
        const size_t values = s->batch * component_floats(g, id, lanes);
        if (first_sum != NULL) {
            first_sum[id] = size.sums_each;
            first_before[id] = size.before;
        }
        size.sums_each += sum_tokens(s, n) * n->n_components;
        size.before += values;
        size.step = n->components == COMPONENT_HEAD && values > size.step ? values : size.step;
    }
    size.sums = keeps_sums(s) ? s->batch * size.sums_each : 0;
    size.input = s->points == POINTS_SAMPLE ? 0 : s->batch * shape_count(g->input);
    if (s->measure != MEASURE_DIFFERENCE) {
        size.before = 0;
        size.step = 0;
    }
    return size;
}

static size_t bytes_of(const path_sizes *s)
{
    return (s->input + s->before + s->step) * sizeof(float) + (s->value + s->sums) * sizeof(double);
}

static status watch(arena *a, const path_setup *s, own_weights *out)
{
    return s->measure == MEASURE_WEIGHTS ? own_weights_find(a, s->graph, out) : STATUS_OK;
}

status path_build(arena *a, const path_setup *s, path **out)
{
    const composite *c;
    path *p;
    assert(s->n > 0 && (s->points == POINTS_STRAIGHT || s->measure != MEASURE_DIFFERENCE));
    TRY_ALLOC(p, a, 1);
    *p = (path){.s = *s, .lanes = s->backend->block()};
    TRY_ALLOC(p->first_sum, a, s->graph->n_nodes);
    TRY_ALLOC(p->first_before, a, s->graph->n_nodes);
    TRY_ALLOC(p->start, a, s->batch);
    p->size = plan_sizes(s, p->lanes, p->first_sum, p->first_before);
    TRY_ALLOC(p->input, a, p->size.input);
    TRY_ALLOC(p->value, a, p->size.value);
    TRY_ALLOC(p->sums, a, p->size.sums);
    TRY_ALLOC(p->before, a, p->size.before);
    TRY_ALLOC(p->step, a, p->size.step);
    TRY(watch(a, s, &p->own));
    TRY(derivative_composite(a, &c));
    TRY(walk_build_with(a, s->graph, c, s->backend, s->batch, &(walk_options){.watched = p->own.watched, .weights = s->weights}, &p->walk));
    *out = p;
    return STATUS_OK;
}

static status needs(arena *scratch, const path_setup *s, size_t *bytes)
{
    own_weights own = {0};
    const composite *c;
    TRY(watch(scratch, s, &own));
    TRY(derivative_composite(scratch, &c));
    TRY(walk_needs_with(s->graph, c, s->backend, s->batch, &(walk_options){.watched = own.watched, .weights = s->weights}, bytes));
    const path_sizes size = plan_sizes(s, s->backend->block(), NULL, NULL);
    *bytes += bytes_of(&size);
    return STATUS_OK;
}

status path_needs(const path_setup *s, size_t *bytes)
{
    arena *scratch = NULL;
    TRY(arena_open("path plan", &scratch));
    const status st = needs(scratch, s, bytes);
    arena_close(&scratch);
    return st;
}

static float *before_of(const path *p, node_id id)
{
    return p->before + p->first_before[id];
}

/* The values that the next point's differences are taken from. */
static void remember(const path *p)
{
    const graph *g = p->s.graph;
    for (size_t l = 0; l < g->n_layers; l++) {
        const node_id id = g->layers[l];
        memcpy(before_of(p, id), forward_component(walk_activations(p->walk), id),
               p->s.batch * component_floats(g, id, p->lanes) * sizeof(float));
    }
}

/* What the derivatives of heads' attention are multiplied with before their keys are summed. */
static const float *attention_measure(void *to, node_id id)
{
    const path *p = to;
    const float *a = forward_component(walk_activations(p->walk), id);
    if (p->s.measure != MEASURE_DIFFERENCE) {
        return p->s.measure == MEASURE_ACTIVATION ? a : NULL;
    }
    const float *before = before_of(p, id);
    const size_t n = p->s.batch * component_floats(p->s.graph, id, p->lanes);
    for (size_t i = 0; i < n; i++) {
        p->step[i] = a[i] - before[i];
    }
    return p->step;
}

/* p->value [tokens, n]: the measures of sample b at a layer. */
static void find_values(path *p, const walk_view *v, size_t b)
{
    const node *n = &p->s.graph->nodes[v->id];
    const size_t count = component_tokens(n) * n->n_components, each = component_floats(p->s.graph, v->id, p->lanes);
    measured m = {.g = v->r + b * each};
    if (p->s.measure != MEASURE_ONE) {
        m.a = forward_component(walk_activations(p->walk), v->id) + b * each;
    }
    if (p->s.measure == MEASURE_DIFFERENCE) {
        m.b = before_of(p, v->id) + b * each;
    }
    measure_component(n, p->lanes, v->component == NULL ? NULL : v->component + b * count, m, p->value);
}

/* Rows of one layer of one sample, from values [tokens, n]. */
static void write_row(const path *p, const node *n, size_t b, size_t tokens, const double *value)
{
    float *row = p->rows + b * p->stride + n->first_component;
    sums_of_values(tokens, n->n_components, value, row + WALK_ABSOLUTE * p->s.graph->n_components,
                   row + WALK_SIGNED * p->s.graph->n_components);
}

static double *sums_at(const path *p, size_t b, node_id id)
{
    return p->sums + b * p->size.sums_each + p->first_sum[id];
}

static void add_values(const path *p, node_id id, size_t b)
{
    const node *n = &p->s.graph->nodes[id];
    const size_t tokens = component_tokens(n), kept = sum_tokens(&p->s, n);
    double *sum = sums_at(p, b, id);
    for (size_t t = 0; t < tokens; t++) {
        double *to = sum + (kept == 1 ? 0 : t) * n->n_components;
        for (size_t c = 0; c < n->n_components; c++) {
            to[c] += p->weight * p->value[t * n->n_components + c];
        }
    }
}

static void visit(void *to, const walk_view *v)
{
    path *p = to;
    const node *n = &p->s.graph->nodes[v->id];
    assert(v->factor == NULL); /* under the rule gradient nothing is a quotient */
    for (size_t b = 0; b < p->s.batch; b++) {
        if (p->s.measure == MEASURE_WEIGHTS) {
            own_weights_add(&p->own, p->s.graph, walk_activations(p->walk), v, b, p->lanes, p->value,
                            p->sums + b * p->size.sums_each, p->first_sum);
            continue;
        }
        find_values(p, v, b);
        if (keeps_sums(&p->s)) {
            add_values(p, v->id, b);
        } else {
            write_row(p, n, b, component_tokens(n), p->value);
        }
    }
}

/* The derivatives at the input whose forward pass has just been run. */
static void derive(path *p, double weight)
{
    float *initial = walk_initial(p->walk);
    p->weight = weight;
    if (initial != NULL) {
        start_fill(&p->s.start, p->s.batch, p->s.graph->n_classes, forward_logits(walk_activations(p->walk)), p->start,
                   initial);
        walk_backward(p->walk, &(walk_visitor){.to = p, .visit = visit, .component_weight = attention_measure});
    }
}

static void choose(path *p, const size_t label[])
{
    start_choose(&p->s.start, p->s.batch, p->s.graph->n_classes, forward_logits(walk_activations(p->walk)), label,
                 p->start);
}

static void forward_scaled(path *p, const float *images, size_t k)
{
    const float alpha = (float)((double)k / (double)p->s.n);
    for (size_t i = 0; i < p->size.input; i++) {
        p->input[i] = alpha * images[i];
    }
    walk_forward(p->walk, p->input);
}

/* Conductance: the path is walked towards the points that derivatives are taken at, so that the point before is the other end of the step. */
static void run_steps(path *p, const float *images)
{
    const size_t n = p->s.n;
    forward_scaled(p, images, p->s.left ? n : 0);
    remember(p);
    for (size_t k = 1; k <= n; k++) {
        forward_scaled(p, images, p->s.left ? n - k : k);
        derive(p, p->s.left ? -1.0 : 1.0);
        remember(p);
    }
}

static void run_points(path *p, const float *images, const uint64_t sample[])
{
    const size_t n = p->s.n, pixels = shape_count(p->s.graph->input);
    for (size_t k = 0; k < n; k++) {
        if (p->s.points == POINTS_STRAIGHT) {
            forward_scaled(p, images, p->s.left ? k : k + 1);
        } else {
            for (size_t b = 0; b < p->s.batch; b++) {
                noise_add(pixels, images + b * pixels, p->s.deviation, sample[b], (uint32_t)k, p->input + b * pixels);
            }
            walk_forward(p->walk, p->input);
        }
        derive(p, 1.0 / (double)n);
    }
}

static void write_rows(const path *p)
{
    const graph *g = p->s.graph;
    for (size_t b = 0; b < p->s.batch; b++) {
        for (size_t l = 0; l < g->n_layers; l++) {
            const node *n = &g->nodes[g->layers[l]];
            write_row(p, n, b, sum_tokens(&p->s, n), sums_at(p, b, g->layers[l]));
        }
    }
}

void path_run(path *p, const float *images, const size_t label[], const uint64_t sample[], size_t stride, float *rows)
{
    p->stride = stride;
    p->rows = rows;
    memset(p->sums, 0, p->size.sums * sizeof *p->sums);
    if (p->s.points == POINTS_SAMPLE || start_reads_logits(&p->s.start)) {
        walk_forward(p->walk, images);
    }
    choose(p, label);
    if (p->s.points == POINTS_SAMPLE) {
        derive(p, 1.0);
    } else if (p->s.measure == MEASURE_DIFFERENCE) {
        run_steps(p, images);
    } else {
        run_points(p, images, sample);
    }
    if (keeps_sums(&p->s)) {
        write_rows(p);
    }
}

size_t path_passes(const path_setup *s)
{
    const size_t first = s->points != POINTS_SAMPLE && start_reads_logits(&s->start);
    return s->n + first + (s->measure == MEASURE_DIFFERENCE ? 1 : 0);
}
