#include "attribution/methods/layer_path.h"

#include <assert.h>
#include <string.h>

#include "attribution/methods/derivative.h"
#include "attribution/walk_sums.h"
#include "nn/op.h"

/* Floats and doubles beside the walk. */
typedef struct layer_sizes {
    size_t zero;      /* a(0) of all layers, one sample: it is the same for every one */
    size_t component; /* [batch, values] of the largest layer */
    size_t sums;      /* [batch, tokens, n] of the largest layer, doubles */
    size_t value;     /* [tokens, n] of one sample, doubles */
    size_t input;     /* [batch, input] */
} layer_sizes;

struct layer_path {
    layer_path_setup s;
    size_t lanes;
    layer_sizes size;
    walk *walk;
    float *zero, *full, *change; /* a(0); a(x) and a(x) - a(0) of the layer at hand */
    const float *zeros;          /* [batch, input] */
    bool knows_zero;             /* a(0) is there: from the first run on */
    size_t *first_zero;          /* [n_nodes] */
    double *sums, *value;
    start_sample *start; /* [batch] */
    node_id layer;       /* at hand */
};

static layer_sizes plan_sizes(const layer_path_setup *s, size_t lanes, size_t first_zero[])
{
    const graph *g = s->graph;
    layer_sizes size = {.value = component_most_values(g), .input = s->batch * shape_count(g->input)};
    for (size_t l = 0; l < g->n_layers; l++) {
        const size_t each = component_floats(g, g->layers[l], lanes);
        if (first_zero != NULL) {
            first_zero[g->layers[l]] = size.zero;
        }
        size.zero += each;
        size.component = s->batch * each > size.component ? s->batch * each : size.component;
    }
    size.sums = s->batch * size.value;
    return size;
}

static size_t bytes_of(const layer_sizes *s)
{
    return (s->zero + 2 * s->component + s->input) * sizeof(float) + (s->sums + s->value) * sizeof(double);
}

static void find_zero(layer_path *p)
{
    const graph *g = p->s.graph;
    walk_forward(p->walk, p->zeros);
    for (size_t l = 0; l < g->n_layers; l++) {
        const node_id id = g->layers[l];
        memcpy(p->zero + p->first_zero[id], forward_component(walk_activations(p->walk), id),
               component_floats(g, id, p->lanes) * sizeof(float));
    }
    p->knows_zero = true;
}

status layer_path_build(arena *a, const layer_path_setup *s, layer_path **out)
{
    const composite *c;
    layer_path *p;
    assert(s->n > 0);
    TRY_ALLOC(p, a, 1);
    *p = (layer_path){.s = *s, .lanes = s->backend->block()};
    TRY_ALLOC(p->first_zero, a, s->graph->n_nodes);
    TRY_ALLOC(p->start, a, s->batch);
    p->size = plan_sizes(s, p->lanes, p->first_zero);
    TRY_ALLOC(p->zeros, a, p->size.input);
    TRY_ALLOC(p->zero, a, p->size.zero);
    TRY_ALLOC(p->full, a, p->size.component);
    TRY_ALLOC(p->change, a, p->size.component);
    TRY_ALLOC(p->sums, a, p->size.sums);
    TRY_ALLOC(p->value, a, p->size.value);
    TRY(derivative_composite(a, &c));
    TRY(walk_build_with(a, s->graph, c, s->backend, s->batch, &(walk_options){.weights = s->weights}, &p->walk));
    *out = p;
    return STATUS_OK;
}

status layer_path_needs(const layer_path_setup *s, size_t *bytes)
{
    arena *scratch = NULL;
    const composite *c;
    TRY(arena_open("layer path plan", &scratch));
    status st = derivative_composite(scratch, &c);
    if (status_ok(st)) {
        st = walk_needs_with(s->graph, c, s->backend, s->batch, &(walk_options){.weights = s->weights}, bytes);
    }
    arena_close(&scratch);
    if (status_ok(st)) {
        const layer_sizes size = plan_sizes(s, s->backend->block(), NULL);
        *bytes += bytes_of(&size);
    }
    return st;
}

static const float *change_of_attention(void *to, node_id id)
{
    const layer_path *p = to;
    return id == p->layer ? p->change : NULL; /* of the other heads nothing is asked */
}

/* Adds the derivatives of the layer at hand times its change; other layers are passed by. */
static void visit(void *to, const walk_view *v)
{
    const layer_path *p = to;
    const node *n = &p->s.graph->nodes[v->id];
    if (v->id != p->layer) {
        return;
    }
    const size_t tokens = component_tokens(n), count = tokens * n->n_components;
    const size_t each = component_floats(p->s.graph, v->id, p->lanes);
    for (size_t b = 0; b < p->s.batch; b++) {
        const measured whole = {.g = v->r + b * each, .a = p->change + b * each};
        measure_component(n, p->lanes, v->component == NULL ? NULL : v->component + b * count, whole, p->value);
        for (size_t i = 0; i < count; i++) {
            p->sums[b * count + i] += p->value[i] / (double)p->s.n;
        }
    }
}

/* The layer's values at alpha, and all that follows from them. */
static void set_layer(const layer_path *p, size_t each, double alpha)
{
    forward *f = walk_activations(p->walk);
    float *a = forward_component(f, p->layer);
    const float *zero = p->zero + p->first_zero[p->layer];
    if (alpha == 1.0) { /* to the bit */
        memcpy(a, p->full, p->s.batch * each * sizeof *a);
    }
    for (size_t b = 0; alpha != 1.0 && b < p->s.batch; b++) {
        for (size_t i = 0; i < each; i++) {
            a[b * each + i] = (float)((double)zero[i] + alpha * ((double)p->full[b * each + i] - (double)zero[i]));
        }
    }
    forward_run_behind(f, p->layer);
}

static void start_layer(const layer_path *p, size_t each)
{
    const float *zero = p->zero + p->first_zero[p->layer];
    memcpy(p->full, forward_component(walk_activations(p->walk), p->layer), p->s.batch * each * sizeof(float));
    for (size_t b = 0; b < p->s.batch; b++) {
        for (size_t i = 0; i < each; i++) {
            p->change[b * each + i] = p->full[b * each + i] - zero[i];
        }
    }
    memset(p->sums, 0, p->size.sums * sizeof *p->sums);
}

static void derive(layer_path *p)
{
    start_fill(&p->s.start, p->s.batch, p->s.graph->n_classes, forward_logits(walk_activations(p->walk)), p->start,
               walk_initial(p->walk));
    walk_backward(p->walk,
                  &(walk_visitor){.to = p, .visit = visit, .component_weight = change_of_attention, .last = p->layer});
}

static void run_layer(layer_path *p, node_id layer, size_t stride, float *rows)
{
    const graph *g = p->s.graph;
    const node *n = &g->nodes[layer];
    const size_t each = component_floats(g, layer, p->lanes), tokens = component_tokens(n);
    p->layer = layer;
    start_layer(p, each);
    for (size_t k = 1; k <= p->s.n; k++) {
        set_layer(p, each, (double)(p->s.left ? k - 1 : k) / (double)p->s.n);
        derive(p);
    }
    for (size_t b = 0; b < p->s.batch; b++) {
        float *row = rows + b * stride + n->first_component;
        sums_of_values(tokens, n->n_components, p->sums + b * tokens * n->n_components,
                       row + WALK_ABSOLUTE * g->n_components, row + WALK_SIGNED * g->n_components);
    }
    if (p->s.left) {
        set_layer(p, each, 1.0); /* as it was, for the next layer; points on the right end with that */
    }
}

void layer_path_run(layer_path *p, const float *images, const size_t label[], size_t stride, float *rows)
{
    const graph *g = p->s.graph;
    if (!p->knows_zero) {
        find_zero(p);
    }
    walk_forward(p->walk, images);
    start_choose(&p->s.start, p->s.batch, g->n_classes, forward_logits(walk_activations(p->walk)), label, p->start);
    for (size_t l = 0; l < g->n_layers; l++) {
        run_layer(p, g->layers[l], stride, rows);
    }
}

size_t layer_path_passes(const layer_path_setup *s)
{
    const graph *g = s->graph;
    double behind = 0.0, passes = 1.0;
    uint64_t parameters, macs;
    graph_cost(g, &parameters, &macs, NULL, NULL);
    for (node_id id = g->n_nodes; id-- > 0;) {
        const node *n = &g->nodes[id];
        shape in[MAX_INPUTS] = {{0}};
        for (size_t i = 0; i < n->n_in; i++) {
            in[i] = g->nodes[n->in[i]].out;
        }
        passes += n->n_components > 0 ? behind / (double)macs * (double)(s->n + s->left) : 0.0;
        behind += n->op->cost == NULL ? 0.0 : (double)n->op->cost(n, in, NULL, NULL).macs;
    }
    return (size_t)(passes + 0.5);
}
