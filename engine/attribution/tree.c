#include "attribution/tree.h"

#include "attribution/step_run.h"
#include "attribution/tree_cost.h"
#include "attribution/tree_place.h"
#include "attribution/tree_sums.h"

/* A rule that is ready for a layer, and the first step that has asked for it. */
typedef struct ready_rule {
    struct ready_rule *next; /* of the same layer */
    const walk_step *step;
    const rule_plan *rule;
} ready_rule;

struct tree {
    step_place at;
    tree_program program;
    tree_sums sums;
    tree_cost cost;
    start_sample *start; /* [batch] */
    float *rows;         /* of one node */
    size_t slab_floats, rule_floats;
    size_t list_bytes; /* of the list of steps and what belongs to it */
};

static status ready(arena *a, tree *t, tree_step *s, const walk_options *o, product_pool *pool, bool load, ready_rule **of_layer)
{
    const ready_rule *r = of_layer[s->step.id];
    while (r != NULL && !tree_same_step(t->at.g, r->step, &s->step)) {
        r = r->next;
    }
    if (r == NULL) {
        ready_rule *made;
        TRY_ALLOC(made, a, 1);
        *made = (ready_rule){.next = of_layer[s->step.id], .step = &s->step};
        TRY(step_build_rule(a, &t->at, &s->step, o, pool, load, &made->rule));
        of_layer[s->step.id] = made;
        const size_t work = made->rule == NULL ? 0 : rule_workspace(made->rule);
        t->program.work_floats = work > t->program.work_floats ? work : t->program.work_floats;
        t->rule_floats += made->rule == NULL ? 0 : rule_floats(made->rule);
        r = made;
    }
    s->rule = r->rule;
    return STATUS_OK;
}

/* Every rule of a layer is made ready once, with the parameters that it has in one composite or another. */
static status build_rules(arena *a, tree *t, const walk_options *o, bool load)
{
    product_pool *pool;
    ready_rule **of_layer;
    TRY(product_pool_open(a, t->at.g->n_nodes, &pool));
    TRY_ALLOC(of_layer, a, t->at.g->n_nodes);
    for (size_t i = 0; i < t->program.n_steps; i++) {
        TRY(ready(a, t, &t->program.steps[i], o, pool, load, of_layer));
    }
    return STATUS_OK;
}

static status place(tree *t)
{
    arena *scratch = NULL;
    TRY(arena_open("places of a composite tree", &scratch));
    const status st = tree_place(scratch, t->program.n_steps, t->program.n_buffers, t->program.buffers, &t->slab_floats);
    arena_close(&scratch);
    t->at.buffers = t->program.buffers;
    return st;
}

static size_t list_bytes(const tree_program *p)
{
    return p->n_steps * sizeof *p->steps + p->n_nodes * (sizeof *p->nodes + sizeof *p->parts) + p->n_buffers * sizeof *p->buffers;
}

/* All but the memory that a run works in. */
static status plan(arena *a, tree *t, size_t n, const composite *const composites[], const tree_options *o, bool load)
{
    const walk_options how = {.without = o->without, .weights = o->weights};
    size_t *first_use;
    TRY(tree_grow(a, t->at.g, n, composites, t->at.lanes, t->at.batch, &how, &t->program));
    if (load) { /* the activations first, as in a single walk */
        TRY(forward_build_for_walk(a, t->at.g, t->at.backend, t->at.batch, t->program.relu_allowed, o->weights, &t->at.forward));
    }
    TRY(build_rules(a, t, &how, load));
    TRY(tree_sums_choose(a, t->at.g, o->sums_bytes, &t->program, &t->sums));
    TRY(place(t));
    TRY_ALLOC(first_use, a, t->sums.n);
    for (size_t k = 0; k < t->sums.n; k++) {
        first_use[k] = t->sums.kept[k].first;
    }
    t->cost = tree_cost_of(t->at.g, n, &t->program, first_use);
    t->list_bytes = list_bytes(&t->program);
    return STATUS_OK;
}

static size_t row_floats(const tree *t)
{
    return t->at.batch * WALK_MOMENTS * t->program.most_values;
}

static size_t bytes_of(const tree *t, size_t activations)
{
    return activations + t->list_bytes + (t->rule_floats + t->slab_floats + t->program.work_floats + row_floats(t)) * sizeof(float);
}

static tree described(const graph *g, const backend_def *backend, size_t batch)
{
    return (tree){.at = {.g = g, .backend = backend, .batch = batch, .lanes = backend->block()}};
}

status tree_build(arena *a, const graph *g, size_t n, const composite *const composites[], const backend_def *backend, size_t batch,
                  const tree_options *options, tree **out)
{
    tree *t;
    TRY_ALLOC(t, a, 1);
    *t = described(g, backend, batch);
    TRY(plan(a, t, n, composites, options, true));
    TRY_ALLOC(t->at.slab, a, t->slab_floats);
    TRY_ALLOC(t->at.work, a, t->program.work_floats);
    TRY_ALLOC(t->rows, a, row_floats(t));
    TRY_ALLOC(t->start, a, batch);
    *out = t;
    return STATUS_OK;
}

static status needs(arena *scratch, tree *t, size_t n, const composite *const composites[], const tree_options *options, tree_need *out)
{
    TRY(plan(scratch, t, n, composites, options, false));
    const size_t activations =
        forward_bytes_for_walk(t->at.g, t->at.backend, t->at.batch, t->program.relu_allowed, options->weights);
    if (activations == SIZE_MAX) {
        return (status){ST_CONFIG};
    }
    *out = (tree_need){.bytes = bytes_of(t, activations), .n_values = t->program.n_values, .cost = t->cost};
    return STATUS_OK;
}

status tree_needs(const graph *g, size_t n, const composite *const composites[], const backend_def *backend, size_t batch,
                  const tree_options *options, tree_need *out)
{
    arena *scratch = NULL;
    tree t = described(g, backend, batch);
    TRY(arena_open("composite tree plan", &scratch));
    const status st = needs(scratch, &t, n, composites, options, out);
    arena_close(&scratch);
    return st;
}

size_t tree_bytes(const tree *t)
{
    return bytes_of(t, forward_taken(t->at.forward));
}

size_t tree_sums_bytes(const tree *t)
{
    return t->sums.bytes;
}

size_t tree_nodes(const tree *t)
{
    return t->program.n_nodes;
}

const tree_node *tree_node_at(const tree *t, size_t k)
{
    return &t->program.nodes[k];
}

size_t tree_values(const tree *t)
{
    return t->program.n_values;
}

size_t tree_leaf(const tree *t, size_t which)
{
    return t->program.leaf[which];
}

tree_cost tree_costs(const tree *t)
{
    return t->cost;
}

static void tick(const tree_sink *sink, tree_work done, node_id layer)
{
    if (sink->tick != NULL) {
        sink->tick(sink->to, done, layer);
    }
}

/* What the step's rule needs of forward products, if it is kept: found by the first that needs it. */
static const float *sums_of(const tree *t, size_t i, const tree_sink *sink)
{
    const tree_step *s = &t->program.steps[i];
    if (s->sums == NO_SUMS) {
        return NULL;
    }
    const kept_sums *kept = &t->sums.kept[s->sums];
    float *sums = step_buffer(&t->at, kept->buffer);
    if (kept->first == i) {
        step_find_sums(&t->at, &s->step, s->rule, sums);
        tick(sink, TREE_SUMS, s->step.id);
    }
    return sums;
}

static void run_step(const tree *t, size_t i, const tree_sink *sink)
{
    const tree_step *s = &t->program.steps[i];
    const float *sums = sums_of(t, i, sink);
    step_relevance(&t->at, &s->step, s->rule, sums, NULL);
    tick(sink, s->rule != NULL ? TREE_RULE : TREE_OWN, s->step.id);
    for (size_t k = 0; k < t->at.g->nodes[s->step.id].n_in; k++) {
        if (s->step.sum[k].to != NO_BUFFER) {
            step_add_up(&t->at, &s->step, k);
            tick(sink, TREE_ADD, s->step.id);
        }
    }
}

static void show(const tree *t, const walk_step *s, const tree_node *n, float *rows, const tree_sink *sink)
{
    const walk_view view = step_view(&t->at, s);
    step_rows(&t->at, &view, WALK_MOMENTS * n->n_values, rows + WALK_ABSOLUTE * n->n_values, rows + WALK_SIGNED * n->n_values);
    tick(sink, TREE_ROWS, s->id);
}

static void run_node(const tree *t, size_t k, const tree_sink *sink)
{
    const tree_node *n = &t->program.nodes[k];
    const tree_part *part = &t->program.parts[k];
    size_t shown = 0;
    for (size_t i = part->first_step; i < part->first_step + part->n_steps; i++) {
        const walk_step *s = &t->program.steps[i].step;
        if (s->runs) {
            run_step(t, i, sink);
        }
        if (t->program.steps[i].shows) {
            show(t, s, n, t->rows + n->layers[shown++].at, sink);
        }
    }
    for (size_t i = 0; i < part->n_ahead; i++) {
        show(t, &part->ahead[i], n, t->rows + n->layers[shown++].at, sink);
    }
    if (n->n_values > 0) {
        sink->take(sink->to, k, t->rows);
    }
}

void tree_run(tree *t, const float *images, const walk_start *start, const size_t label[], const tree_sink *sink)
{
    forward_run(t->at.forward, images, NULL);
    tick(sink, TREE_FORWARD, t->at.g->n_nodes - 1);
    if (t->program.n_steps > 0) {
        const float *logits = forward_logits(t->at.forward);
        start_choose(start, t->at.batch, t->at.g->n_classes, logits, label, t->start);
        start_fill(start, t->at.batch, t->at.g->n_classes, logits, t->start, step_buffer(&t->at, t->program.steps[0].step.r_out.buffer));
    }
    for (size_t k = 0; k < t->program.n_nodes; k++) {
        run_node(t, k, sink);
    }
}

void tree_assemble(const tree *t, size_t which, const double *values, double *out)
{
    for (size_t k = t->program.leaf[which]; k != TREE_NO_NODE; k = t->program.nodes[k].parent) {
        const tree_node *n = &t->program.nodes[k];
        for (size_t i = 0; i < n->n_layers; i++) {
            const node *layer = &t->at.g->nodes[n->layers[i].id];
            const double *from = values + n->first_value + n->layers[i].at;
            for (size_t c = 0; c < layer->n_components; c++) {
                out[layer->first_component + c] = from[c];
            }
        }
    }
}
