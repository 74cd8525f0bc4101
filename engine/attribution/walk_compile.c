#include <assert.h>

#include "attribution/walk_steps.h"

typedef struct compiler {
    const graph *g;
    const composite *c;
    const composite_entry *const *rules; /* [n_nodes] */
    size_t lanes, batch;
    const walk_options *options;
    bool *nonnegative;       /* [n_nodes] is no output of the node below 0? */
    bool *wanted;            /* [n_nodes] is relevance needed at the node's output? */
    bool *reached;           /* [n_nodes] does any come there? */
    bool *relu_allowed;      /* [n_nodes] */
    relevance_at *relevance; /* [n_nodes] */
    walk_step *steps;
    size_t n_steps; /* complete ones; the step being compiled has this index */
    block *buffers;
    size_t n_buffers;
} compiler;

/* Whether the layer's rule, where it is the layer's own, has anything for this input: `cp` has nothing for queries and keys. */
static bool reaches(const compiler *p, node_id id, size_t input)
{
    const composite_entry *e = p->rules[id];
    const struct op_def *op = p->g->nodes[id].op;
    const bool own = e == NULL || e->rule->kind == RULE_OWN;
    return !own || op->reaches == NULL || op->reaches(p->c->softmax_rule, input);
}

/* Relevance is wanted where a component or a watched node is or lies further down: a pass towards the logits marks both. One back from
 * the logits leaves out what no relevance reaches; a component there is a mistake that plan_step() reports. */
static void mark_wanted(const compiler *p)
{
    const walk_options *o = p->options;
    bool *reached = p->reached;
    for (node_id id = 0; id < p->g->n_nodes; id++) {
        const node *n = &p->g->nodes[id];
        p->wanted[id] = n->n_components > 0 || (o->watched != NULL && o->watched[id]) || (o->to_input && id == 0);
        for (size_t i = 0; i < n->n_in; i++) {
            p->wanted[id] = p->wanted[id] || p->wanted[n->in[i]];
        }
    }
    reached[p->g->n_nodes - 1] = true;
    for (node_id id = p->g->n_nodes; id-- > 0;) {
        const node *n = &p->g->nodes[id];
        for (size_t i = 0; reached[id] && i < n->n_in; i++) {
            reached[n->in[i]] = reached[n->in[i]] || reaches(p, id, i);
        }
        p->wanted[id] = p->wanted[id] && (reached[id] || n->n_components > 0);
    }
}

static void find_signs(const compiler *p)
{
    for (node_id id = 0; id < p->g->n_nodes; id++) {
        const node *n = &p->g->nodes[id];
        bool inputs = n->op->keeps_nonnegative;
        for (size_t i = 0; i < n->n_in; i++) {
            inputs = inputs && p->nonnegative[n->in[i]];
        }
        p->nonnegative[id] = n->op->nonnegative || inputs;
    }
}

/* Is the factor of a relevance 0 wherever the node's output is not above 0? So it is if a ReLU and nothing but layers that keep its zeros
 * lie between. */
static bool is_gated(const compiler *p, node_id id, node_id factor)
{
    bool relu = false;
    for (node_id at = factor; factor != NO_FACTOR && at != id; at = p->g->nodes[at].in[0]) {
        if (at < id || p->g->nodes[at].op->way != RELEVANCE_PASSES) {
            return false;
        }
        relu = relu || p->g->nodes[at].op == &op_relu;
    }
    return relu;
}

/* What becomes of relevance at a node: by the entry of the composite, else by the layer's own rule. */
static relevance_way way_of(const compiler *p, node_id id)
{
    const composite_entry *e = p->rules[id];
    const struct op_def *op = p->g->nodes[id].op;
    if (e == NULL || e->rule->kind == RULE_OWN) {
        return op->way;
    }
    switch (e->rule->kind) {
    case RULE_PASS:
        return RELEVANCE_PASSES;
    case RULE_GRADIENT:
        return op->product != NULL ? RELEVANCE_WHOLE : op->gradient_way;
    default:
        return rule_is_whole(e->rule, e->parameters) ? RELEVANCE_WHOLE : RELEVANCE_QUOTIENTS;
    }
}

static buffer_id new_buffer(compiler *p, size_t floats)
{
    p->buffers[p->n_buffers] =
        (block){.size = floats, .first = p->n_steps, .last = p->options->keep ? SIZE_MAX : p->n_steps};
    return (buffer_id)p->n_buffers++;
}

static buffer_id new_relevance(compiler *p, node_id id)
{
    return new_buffer(p, p->batch * images_floats(p->g->nodes[id].out, p->lanes));
}

/* A buffer lives until the last step that reads it. */
static void use(const compiler *p, buffer_id b)
{
    if (b != NO_BUFFER && p->buffers[b].last < p->n_steps) {
        p->buffers[b].last = p->n_steps;
    }
}

/* The rule driver multiplies R out itself, where it divides anyway. */
static bool takes_factor(const walk_step *s)
{
    return s->rule != NULL && s->rule->rule->kind == RULE_TERMS;
}

/* What the layer leaves for its input i: the same relevance, a shared quotient, or something of its own. */
static relevance_at share_of(compiler *p, walk_step *s, size_t i)
{
    const node *n = &p->g->nodes[s->id];
    const relevance_way way = s->way;
    if (way == RELEVANCE_PASSES) {
        return s->r_out;
    }
    s->runs = true;
    if (way != RELEVANCE_SHARED) {
        s->r_in[i] = new_relevance(p, n->in[i]);
    } else if (s->r_in[0] == NO_BUFFER) {
        s->r_in[0] = new_relevance(p, n->in[i]);
    }
    const bool plain = way == RELEVANCE_WHOLE || (way == RELEVANCE_MOVES && s->r_out.factor != s->id);
    if (plain && s->r_out.factor != NO_FACTOR && !takes_factor(s) && s->plain == NO_BUFFER) {
        s->plain = new_relevance(p, s->id);
    }
    return (relevance_at){.buffer = s->r_in[way == RELEVANCE_SHARED ? 0 : i], .factor = plain ? NO_FACTOR : n->in[i]};
}

/* The first reader to be walked gives an input's relevance, later ones (nearer to the input) add theirs: a fixed order. */
static void plan_input(compiler *p, walk_step *s, size_t i)
{
    const node_id in = p->g->nodes[s->id].in[i];
    s->in_shape[i] = p->g->nodes[in].out;
    if (!p->wanted[in] || !reaches(p, s->id, i)) {
        return;
    }
    const relevance_at before = p->relevance[in], mine = share_of(p, s, i);
    p->relevance[in] = mine;
    s->share[i] = mine;
    if (before.buffer == NO_BUFFER) {
        return;
    }
    const bool own = s->way == RELEVANCE_QUOTIENTS || s->way == RELEVANCE_MOVES || s->way == RELEVANCE_WHOLE;
    s->runs = true;
    s->sum[i] = (relevance_sum){.to = own ? mine.buffer : new_relevance(p, in), .mine = mine, .before = before};
    use(p, before.buffer);
    p->relevance[in] = (relevance_at){.buffer = s->sum[i].to,
                                      .factor = mine.factor == before.factor ? mine.factor : NO_FACTOR};
}

static void clear_step(walk_step *s)
{
    s->plain = NO_BUFFER;
    s->component = NO_BUFFER;
    for (size_t i = 0; i < MAX_INPUTS; i++) {
        s->r_in[i] = NO_BUFFER;
        s->share[i] = (relevance_at){NO_BUFFER, NO_FACTOR};
        s->sum[i].to = NO_BUFFER;
    }
}

/* A linear layer that makes q, k or v of attention, or reads its output (docs/attribution.md, section d). */
static bool is_projection(const graph *g, node_id id)
{
    const node *n = &g->nodes[id];
    bool found = n->op == &op_linear && g->nodes[n->in[0]].op == &op_attention;
    for (node_id reader = id + 1; n->op == &op_linear && reader < g->n_nodes; reader++) {
        for (size_t i = 0; i < g->nodes[reader].n_in; i++) {
            found = found || (g->nodes[reader].in[i] == id && g->nodes[reader].op == &op_attention);
        }
    }
    return found;
}

static status plan_step(compiler *p, node_id id)
{
    const node *n = &p->g->nodes[id];
    walk_step *s = &p->steps[p->n_steps];
    *s = (walk_step){.id = id, .composite = p->c, .rule = p->rules[id], .way = way_of(p, id), .r_out = p->relevance[id]};
    s->spread_bias = p->c->proj_bias && is_projection(p->g, id);
    clear_step(s);
    if (s->r_out.buffer == NO_BUFFER) {
        return FAIL(ST_BUG, "layer '%s' has components at or below it but does not lead to the logits", n->name);
    }
    use(p, s->r_out.buffer);
    const unsigned rewrites = ~p->options->without;
    s->nonnegative = (rewrites & REWRITE_NONNEGATIVE) != 0 && n->n_in == 1 && p->nonnegative[n->in[0]];
    s->gated = (rewrites & REWRITE_GATED) != 0 && is_gated(p, id, s->r_out.factor);
    for (size_t i = 0; i < n->n_in; i++) {
        plan_input(p, s, i);
    }
    if (n->components == COMPONENT_HEAD) {
        s->component = new_buffer(p, p->batch * n->out.dim[0] * n->n_components);
        s->runs = true;
    }
    if (s->runs && s->way == RELEVANCE_NONE) {
        return FAIL(ST_BUG, "layer '%s': %s layers cannot hand relevance on to their input", n->name, n->op->name);
    }
    p->n_steps++;
    return STATUS_OK;
}

/* Scratch of a layer with a rule of its own. */
static size_t step_work(const compiler *p, const walk_step *s)
{
    const struct op_def *op = p->g->nodes[s->id].op;
    size_t (*const workspace)(const node *, const shape[], size_t, size_t) =
        step_is_gradient(s) ? op->gradient_workspace : op->relevance_workspace;
    return !s->runs || op->product != NULL || workspace == NULL ? 0
                                                                : workspace(&p->g->nodes[s->id], s->in_shape, p->batch, p->lanes);
}

/* A factor is the output of the ReLU itself or of a layer that keeps its zeros (another that passes relevance on). */
static void allow_relus(const compiler *p)
{
    for (node_id id = 0; id < p->g->n_nodes; id++) {
        p->relu_allowed[id] = p->relevance[id].buffer == NO_BUFFER || p->relevance[id].factor != NO_FACTOR;
    }
}

static status plan_steps(compiler *p)
{
    const node_id logits = p->g->n_nodes - 1;
    if (p->wanted[logits]) {
        p->relevance[logits].buffer = new_relevance(p, logits);
    }
    for (node_id id = p->g->n_nodes; id-- > 0;) {
        if (p->wanted[id]) {
            TRY(plan_step(p, id));
        }
    }
    return STATUS_OK;
}

enum { BUFFERS_PER_INPUT = 2, BUFFERS_PER_STEP = MAX_INPUTS * BUFFERS_PER_INPUT + 2 };

static status allocate(arena *a, const graph *g, compiler *p)
{
    TRY_ALLOC(p->wanted, a, g->n_nodes);
    TRY_ALLOC(p->reached, a, g->n_nodes);
    TRY_ALLOC(p->nonnegative, a, g->n_nodes);
    TRY_ALLOC(p->relu_allowed, a, g->n_nodes);
    TRY_ALLOC(p->relevance, a, g->n_nodes);
    TRY_ALLOC(p->steps, a, g->n_nodes);
    TRY_ALLOC(p->buffers, a, g->n_nodes * BUFFERS_PER_STEP + 1); /* and the logits' */
    for (node_id id = 0; id < g->n_nodes; id++) {
        p->relevance[id] = (relevance_at){NO_BUFFER, NO_FACTOR};
    }
    return STATUS_OK;
}

status walk_compile_steps(arena *a, const graph *g, const composite *c, size_t lanes, size_t batch, const walk_options *options,
                          walk_program *out)
{
    assert(g->n_nodes > 0);
    compiler p = {.g = g, .c = c, .lanes = lanes, .batch = batch, .options = options};
    p.rules = options->rules;
    if (p.rules == NULL) {
        TRY(composite_resolve(a, c, g, &p.rules));
    }
    TRY(allocate(a, g, &p));
    mark_wanted(&p);
    find_signs(&p);
    TRY(plan_steps(&p));
    allow_relus(&p);
    *out = (walk_program){.n_steps = p.n_steps,
                          .steps = p.steps,
                          .n_buffers = p.n_buffers,
                          .buffers = p.buffers,
                          .relevance = p.relevance,
                          .relu_allowed = p.relu_allowed};
    for (size_t i = 0; i < p.n_steps; i++) {
        const size_t work = step_work(&p, &p.steps[i]);
        out->work_floats = work > out->work_floats ? work : out->work_floats;
    }
    return STATUS_OK;
}

status walk_compile(arena *a, const graph *g, const composite *c, size_t lanes, size_t batch, const walk_options *options,
                    walk_program *out)
{
    TRY(walk_compile_steps(a, g, c, lanes, batch, options, out));
    return layout_plan(a, out->n_buffers, out->buffers, &out->slab_floats);
}
