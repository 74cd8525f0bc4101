#include <assert.h>

#include "attribution/rule_driver.h"
#include "attribution/walk_steps.h"

typedef struct compiler {
    const graph *g;
    const composite_entry *const *rules; /* [n_nodes] */
    size_t batch;
    bool keep;
    bool *wanted;         /* [n_nodes] is relevance needed at the node's output? */
    buffer_id *relevance; /* [n_nodes] */
    walk_step *steps;
    size_t n_steps; /* complete ones; the step being compiled has this index */
    block *buffers;
    size_t n_buffers;
} compiler;

/* Relevance is wanted where a component sits or lies further down: a pass towards the logits marks both. */
static void mark_wanted(const compiler *p)
{
    for (node_id id = 0; id < p->g->n_nodes; id++) {
        const node *n = &p->g->nodes[id];
        p->wanted[id] = n->n_components > 0;
        for (size_t i = 0; i < n->n_in; i++) {
            p->wanted[id] = p->wanted[id] || p->wanted[n->in[i]];
        }
    }
}

static buffer_id new_buffer(compiler *p, size_t floats)
{
    p->buffers[p->n_buffers] = (block){.size = floats, .first = p->n_steps, .last = p->n_steps};
    return (buffer_id)p->n_buffers++;
}

static buffer_id new_relevance(compiler *p, node_id id)
{
    p->relevance[id] = new_buffer(p, p->batch * shape_count(p->g->nodes[id].out));
    if (p->keep) {
        p->buffers[p->relevance[id]].last = SIZE_MAX;
    }
    return p->relevance[id];
}

/* A relevance lives until the step of its own node; one that passes in place, until that of the node below. */
static void use(const compiler *p, buffer_id b)
{
    if (p->buffers[b].last < p->n_steps) {
        p->buffers[b].last = p->n_steps;
    }
}

static bool passes_unchanged(const node *n)
{
    return n->op->relevance == op_pass_relevance;
}

/* The first consumer to be walked writes an input's relevance, later ones (nearer to the input) add to it: a fixed order. */
static void plan_input(compiler *p, walk_step *s, size_t i)
{
    const node_id in = p->g->nodes[s->id].in[i];
    s->in_shape[i] = p->g->nodes[in].out;
    if (!p->wanted[in]) {
        return;
    }
    if (p->relevance[in] != NO_BUFFER) {
        s->r_in[i] = new_buffer(p, p->batch * shape_count(s->in_shape[i]));
        s->add_to[i] = p->relevance[in];
        s->runs = true;
    } else if (passes_unchanged(&p->g->nodes[s->id]) && !p->keep) {
        p->relevance[in] = s->r_out;
    } else {
        s->r_in[i] = new_relevance(p, in);
        s->runs = true;
    }
}

static status plan_step(compiler *p, node_id id)
{
    const node *n = &p->g->nodes[id];
    walk_step *s = &p->steps[p->n_steps];
    *s = (walk_step){.id = id, .rule = p->rules[id], .r_out = p->relevance[id], .component = NO_BUFFER};
    if (s->r_out == NO_BUFFER) {
        return FAIL(ST_BUG, "layer '%s' has components at or below it but does not lead to the logits", n->name);
    }
    use(p, s->r_out);
    for (size_t i = 0; i < MAX_INPUTS; i++) {
        s->r_in[i] = NO_BUFFER;
        s->add_to[i] = NO_BUFFER;
    }
    for (size_t i = 0; i < n->n_in; i++) {
        plan_input(p, s, i);
    }
    if (n->components == COMPONENT_HEAD) {
        s->component = new_buffer(p, p->batch * n->out.dim[0] * n->n_components);
        s->runs = true;
    }
    if (s->runs && s->rule == NULL && n->op->relevance == NULL) {
        return FAIL(ST_BUG, "layer '%s': %s layers cannot hand relevance on to their input", n->name, n->op->name);
    }
    p->n_steps++;
    return STATUS_OK;
}

static size_t step_work(const compiler *p, const walk_step *s)
{
    const node *n = &p->g->nodes[s->id];
    if (!s->runs) {
        return 0;
    }
    if (s->rule != NULL) {
        return rule_workspace(s->rule->rule, n, s->in_shape, p->batch);
    }
    return n->op->relevance_workspace == NULL ? 0 : n->op->relevance_workspace(n, s->in_shape, p->batch);
}

static status plan_steps(compiler *p)
{
    const node_id logits = p->g->n_nodes - 1;
    if (p->wanted[logits]) {
        (void)new_relevance(p, logits);
    }
    for (node_id id = p->g->n_nodes; id-- > 0;) {
        if (p->wanted[id]) {
            TRY(plan_step(p, id));
        }
    }
    return STATUS_OK;
}

static status allocate(arena *a, const graph *g, compiler *p)
{
    TRY_ALLOC(p->wanted, a, g->n_nodes);
    TRY_ALLOC(p->relevance, a, g->n_nodes);
    TRY_ALLOC(p->steps, a, g->n_nodes);
    TRY_ALLOC(p->buffers, a,
              g->n_nodes * (MAX_INPUTS + 1) + 1); /* a step makes one per input and one for heads; the logits' */
    for (node_id id = 0; id < g->n_nodes; id++) {
        p->relevance[id] = NO_BUFFER;
    }
    return STATUS_OK;
}

status walk_compile(arena *a, const graph *g, const composite *c, size_t batch, bool keep, walk_program *out)
{
    assert(g->n_nodes > 0);
    compiler p = {.g = g, .batch = batch, .keep = keep};
    TRY(composite_resolve(a, c, g, &p.rules));
    TRY(allocate(a, g, &p));
    mark_wanted(&p);
    TRY(plan_steps(&p));
    *out = (walk_program){.n_steps = p.n_steps, .steps = p.steps, .buffers = p.buffers, .relevance = p.relevance};
    for (size_t i = 0; i < p.n_steps; i++) {
        const size_t work = step_work(&p, &p.steps[i]);
        out->work_floats = work > out->work_floats ? work : out->work_floats;
    }
    return layout_plan(a, p.n_buffers, p.buffers, &out->slab_floats);
}
