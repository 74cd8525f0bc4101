#include "attribution/walk.h"

#include <assert.h>
#include <string.h>

#include "attribution/rule_driver.h"
#include "attribution/rule_kernels.h"
#include "attribution/walk_audit.h"
#include "attribution/walk_steps.h"
#include "attribution/walk_sums.h"

struct walk {
    const graph *g;
    const composite *c;
    const backend_def *backend;
    size_t batch, lanes;
    walk_options options;
    start_sample *start; /* [batch] */
    forward *forward;
    walk_program program;
    const rule_plan **rules; /* [n_steps] */
    float *slab;             /* all relevance, placed by the layout */
    float *work;             /* of one step */
    size_t rule_bytes;
    walk_audit *audit; /* NULL: none */
};

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

/* The plans and, unless only sizes are asked for, weights of every layer that takes a rule; the scratch of the hungriest step. */
static status build_rules(arena *a, walk *w, bool load)
{
    TRY_ALLOC(w->rules, a, w->program.n_steps);
    for (size_t i = 0; i < w->program.n_steps; i++) {
        const walk_step *s = &w->program.steps[i];
        conv_shape conv;
        if (!s->runs || s->way == RELEVANCE_PASSES || !composite_takes_rule(&w->g->nodes[s->id])) {
            continue;
        }
        forward_product_shape(w->g, s->id, &conv);
        const rule_layer layer = {.n = &w->g->nodes[s->id],
                                  .backend = w->backend,
                                  .shape = &conv,
                                  .batch = w->batch,
                                  .spread_bias = w->c->proj_bias && is_projection(w->g, s->id),
                                  .nonnegative = s->nonnegative,
                                  .gated = s->gated,
                                  .by_terms = (w->options.without & REWRITE_SIGNS) != 0,
                                  .pixels = w->c->pixels,
                                  .weights = w->options.weights};
        TRY(rule_build(a, s->rule->rule, s->rule->parameters, &layer, load, &w->rules[i]));
        const size_t work = rule_workspace(w->rules[i]);
        w->program.work_floats = work > w->program.work_floats ? work : w->program.work_floats;
        w->rule_bytes += rule_floats(w->rules[i]) * sizeof(float);
    }
    return STATUS_OK;
}

/* Relevance that goes down to the image takes the first convolution's transpose. */
static status choose_layout(arena *a, walk *w)
{
    graph *own;
    if (w->options.to_input && !w->g->blocked_images) {
        TRY_ALLOC(own, a, 1);
        *own = *w->g;
        own->blocked_images = true;
        w->g = own;
    }
    return STATUS_OK;
}

static walk described(const graph *g, const composite *c, const backend_def *backend, size_t batch, const walk_options *options)
{
    return (walk){.g = g, .c = c, .backend = backend, .batch = batch, .lanes = backend->block(), .options = *options};
}

static status compile(arena *a, walk *w)
{
    TRY(choose_layout(a, w));
    TRY(walk_compile(a, w->g, w->c, w->lanes, w->batch, &w->options, &w->program));
    const size_t image = w->batch * shape_count(w->g->input); /* walk_read_input() wants room for a factor in plain order */
    if (w->options.to_input && image > w->program.work_floats) {
        w->program.work_floats = image;
    }
    return STATUS_OK;
}

status walk_build_with(arena *a, const graph *g, const composite *c, const backend_def *backend, size_t batch,
                       const walk_options *options, walk **out)
{
    walk *w;
    TRY_ALLOC(w, a, 1);
    *w = described(g, c, backend, batch, options);
    TRY(compile(a, w));
    TRY(forward_build_for_walk(a, w->g, backend, batch, w->program.relu_allowed, options->weights, &w->forward));
    TRY(build_rules(a, w, true));
    for (node_id id = 0; options->keep && id < g->n_nodes; id++) { /* walk_read_relevance() wants room for an array in plain order */
        const size_t floats = batch * shape_count(g->nodes[id].out);
        w->program.work_floats = floats > w->program.work_floats ? floats : w->program.work_floats;
    }
    TRY_ALLOC(w->slab, a, w->program.slab_floats);
    TRY_ALLOC(w->work, a, w->program.work_floats);
    TRY_ALLOC(w->start, a, batch);
    *out = w;
    return STATUS_OK;
}

status walk_build(arena *a, const graph *g, const composite *c, const backend_def *backend, size_t batch, walk **out)
{
    return walk_build_with(a, g, c, backend, batch, &(walk_options){0}, out);
}

status walk_build_keeping(arena *a, const graph *g, const composite *c, const backend_def *backend, size_t batch,
                          walk **out)
{
    return walk_build_with(a, g, c, backend, batch, &(walk_options){.keep = true}, out);
}

size_t walk_products(const walk *w, node_id id)
{
    for (size_t i = 0; i < w->program.n_steps; i++) {
        if (w->program.steps[i].id == id && w->rules[i] != NULL) {
            return rule_products(w->rules[i]);
        }
    }
    return 0;
}

size_t walk_bytes(const walk *w)
{
    return forward_taken(w->forward) + w->rule_bytes + (w->program.slab_floats + w->program.work_floats) * sizeof(float);
}

static status needs(arena *scratch, walk *w, size_t *bytes)
{
    TRY(compile(scratch, w));
    const size_t activations = forward_bytes_for_walk(w->g, w->backend, w->batch, w->program.relu_allowed, w->options.weights);
    if (activations == SIZE_MAX) {
        return (status){ST_CONFIG};
    }
    TRY(build_rules(scratch, w, false));
    *bytes = activations + w->rule_bytes + (w->program.slab_floats + w->program.work_floats) * sizeof(float);
    return STATUS_OK;
}

status walk_needs(const graph *g, const composite *c, const backend_def *backend, size_t batch, size_t *bytes)
{
    return walk_needs_with(g, c, backend, batch, &(walk_options){0}, bytes);
}

status walk_needs_with(const graph *g, const composite *c, const backend_def *backend, size_t batch,
                       const walk_options *options, size_t *bytes)
{
    arena *scratch = NULL;
    walk w = described(g, c, backend, batch, options);
    TRY(arena_open("walk plan", &scratch));
    const status st = needs(scratch, &w, bytes);
    arena_close(&scratch);
    return st;
}

/* Whether the relevance of an input is that of the output, if only in another order. */
static bool passes(const walk *w, const walk_step *s)
{
    const node *n = &w->g->nodes[s->id];
    bool same = false;
    for (size_t k = 0; k < n->n_in; k++) {
        same = same || w->program.relevance[n->in[k]].buffer == s->r_out.buffer;
    }
    return same && !s->runs;
}

status walk_ways(arena *a, const graph *g, const composite *c, const walk_way **out)
{
    walk w = {.g = g, .c = c, .batch = 1, .lanes = 1};
    walk_way *way;
    TRY(compile(a, &w));
    TRY_ALLOC(way, a, g->n_nodes);
    for (size_t i = 0; i < w.program.n_steps; i++) {
        const walk_step *s = &w.program.steps[i];
        way[s->id] = s->runs ? WALK_COMPUTES : passes(&w, s) ? WALK_PASSES : WALK_ENDS;
    }
    *out = way;
    return STATUS_OK;
}

static float *buffer(const walk *w, buffer_id b)
{
    return b == NO_BUFFER ? NULL : w->slab + w->program.buffers[b].offset;
}

static const float *factor_of(const walk *w, relevance_at r)
{
    return r.factor == NO_FACTOR ? NULL : forward_output(w->forward, r.factor);
}

static size_t floats_of(const walk *w, node_id id)
{
    return w->batch * images_floats(w->g->nodes[id].out, forward_block(w->g, w->backend, id));
}

static void read_relevance(const walk *w, node_id id, float *out)
{
    const relevance_at r = w->program.relevance[id];
    images_load(w->batch, w->g->nodes[id].out, forward_block(w->g, w->backend, id), buffer(w, r.buffer), out);
    if (r.factor != NO_FACTOR) {
        float *factor = w->work; /* free between runs, and large enough where relevance may be read */
        forward_read(w->forward, r.factor, factor);
        kernel_multiply(w->batch * shape_count(w->g->nodes[id].out), factor, out);
    }
}

bool walk_read_relevance(const walk *w, node_id id, float *out)
{
    if (!w->options.keep || w->program.relevance[id].buffer == NO_BUFFER) {
        return false;
    }
    read_relevance(w, id, out);
    return true;
}

/* The input's is the last step, so nothing has been written over it. */
void walk_read_input(const walk *w, float *out)
{
    if (w->program.relevance[0].buffer == NO_BUFFER) {
        memset(out, 0, w->batch * shape_count(w->g->input) * sizeof *out);
    } else {
        read_relevance(w, 0, out);
    }
}

void walk_forward(walk *w, const float *images)
{
    forward_run(w->forward, images, NULL);
}

forward *walk_activations(const walk *w)
{
    return w->forward;
}

float *walk_initial(walk *w)
{
    return w->program.n_steps == 0 ? NULL : buffer(w, w->program.steps[0].r_out.buffer);
}

/* R itself of a relevance that is kept as a quotient. */
static const float *multiplied_out(const walk *w, const walk_step *s)
{
    const size_t n = floats_of(w, s->id);
    float *plain = buffer(w, s->plain);
    memcpy(plain, buffer(w, s->r_out.buffer), n * sizeof *plain);
    kernel_multiply(n, factor_of(w, s->r_out), plain);
    return plain;
}

static void run_rule(const walk *w, const walk_step *s, const rule_plan *rule)
{
    const rule_call call = {
        .in = forward_output(w->forward, w->g->nodes[s->id].in[0]),
        .out = forward_output(w->forward, s->id),
        .r_out = s->plain != NO_BUFFER ? multiplied_out(w, s) : buffer(w, s->r_out.buffer),
        .factor = s->plain != NO_BUFFER ? NULL : factor_of(w, s->r_out),
        .r_in = buffer(w, s->r_in[0]),
        .work = w->work,
    };
    rule_relevance(rule, &call);
}

static void run_own(const walk *w, const walk_step *s, const walk_visitor *v)
{
    const node *n = &w->g->nodes[s->id];
    relevance_call call = {
        .node = n,
        .backend = w->backend,
        .batch = w->batch,
        .block = w->lanes,
        .in_shape = s->in_shape,
        .out = forward_output(w->forward, s->id),
        .saved = forward_saved(w->forward, s->id),
        .r_out = buffer(w, s->r_out.buffer),
        .factor = factor_of(w, s->r_out),
        .component = buffer(w, s->component),
        .component_weight = s->component == NO_BUFFER || v->component_weight == NULL ? NULL : v->component_weight(v->to, s->id),
        .work = w->work,
        .epsilon = w->c->epsilon,
        .softmax_rule = w->c->softmax_rule,
    };
    for (size_t i = 0; i < n->n_in; i++) {
        call.in[i] = forward_output(w->forward, n->in[i]);
        call.r_in[i] = buffer(w, s->r_in[i]);
    }
    if (s->plain != NO_BUFFER) {
        call.r_out = multiplied_out(w, s);
        call.factor = NULL;
    }
    (step_is_gradient(s) ? n->op->gradient : n->op->relevance)(&call);
}

/* y += R, multiplied out unless both have the factor. */
static void add_relevance(const walk *w, size_t n, relevance_at r, bool multiply, float *y)
{
    if (multiply && r.factor != NO_FACTOR) {
        kernel_multiply_add(n, factor_of(w, r), buffer(w, r.buffer), y);
    } else {
        kernel_add(n, buffer(w, r.buffer), y);
    }
}

static void add_up(const walk *w, size_t n, const relevance_sum *s)
{
    const bool multiply = s->mine.factor != s->before.factor;
    float *y = buffer(w, s->to);
    if (s->to != s->mine.buffer) {
        memcpy(y, buffer(w, s->mine.buffer), n * sizeof *y);
    }
    if (multiply && s->mine.factor != NO_FACTOR) {
        kernel_multiply(n, factor_of(w, s->mine), y);
    }
    add_relevance(w, n, s->before, multiply, y);
}

status walk_start_audit(arena *a, walk *w)
{
    return walk_audit_build(a, w->g, &w->program, w->batch, &w->audit);
}

void walk_read_audit(const walk *w, size_t sample, float *out)
{
    walk_audit_row(w->audit, sample, out);
}

/* Between a step's rule and the sums with what others hand on to its inputs. */
static void audit(const walk *w, const walk_step *s)
{
    const audit_reading *r = NULL;
    const size_t n = w->audit == NULL ? 0 : walk_audit_readings(w->audit, (size_t)(s - w->program.steps), &r);
    for (size_t i = 0; i < n; i++) {
        const size_t floats = floats_of(w, r[i].at) / w->batch;
        const float *t = buffer(w, r[i].buffer), *f = factor_of(w, (relevance_at){r[i].buffer, r[i].factor});
        if (i + 1 < n && r[i + 1].buffer == r[i].buffer && f != NULL && r[i + 1].factor != NO_FACTOR) {
            walk_audit_totals(w->batch, floats, t, f, forward_output(w->forward, r[i + 1].factor), r[i].total, r[i + 1].total);
            i++;
        } else {
            walk_audit_total(w->batch, floats, t, f, r[i].total);
        }
    }
}

/* Adds up and reads in one pass; false: there is nothing to read on the way. */
static bool audit_sums(const walk *w, const walk_step *s, size_t input)
{
    const audit_sum *read = w->audit == NULL ? NULL : walk_audit_sum(w->audit, (size_t)(s - w->program.steps), input);
    const relevance_sum *sum = &s->sum[input];
    if (read == NULL) {
        return false;
    }
    walk_audit_add(w->batch, floats_of(w, w->g->nodes[s->id].in[input]) / w->batch, buffer(w, sum->before.buffer), factor_of(w, sum->mine),
                   buffer(w, sum->to), read->share->total, read->after->total);
    return true;
}

static void run_step(const walk *w, const walk_step *s, const rule_plan *rule, const walk_visitor *v)
{
    const node *n = &w->g->nodes[s->id];
    if (rule != NULL) {
        run_rule(w, s, rule);
    } else if (s->way != RELEVANCE_PASSES) {
        run_own(w, s, v);
    }
    audit(w, s);
    for (size_t i = 0; i < n->n_in; i++) {
        if (s->sum[i].to != NO_BUFFER && !audit_sums(w, s, i)) {
            add_up(w, floats_of(w, n->in[i]), &s->sum[i]);
        }
    }
}

void walk_backward(walk *w, const walk_visitor *v)
{
    for (size_t i = 0; i < w->program.n_steps; i++) {
        const walk_step *s = &w->program.steps[i];
        const bool seen = w->g->nodes[s->id].n_components > 0 || (w->options.watched != NULL && w->options.watched[s->id]);
        if (s->runs) {
            run_step(w, s, w->rules[i], v);
        }
        if (seen) {
            const walk_view view = {.id = s->id,
                                    .r = buffer(w, s->r_out.buffer),
                                    .factor = factor_of(w, s->r_out),
                                    .component = buffer(w, s->component)};
            v->visit(v->to, &view);
        }
        if (s->id == v->last) {
            break;
        }
    }
}

/* Where the sums of a run go. */
typedef struct summed {
    const walk *walk;
    size_t stride;
    float *rows;
} summed;

static void sum_components(void *to, const walk_view *v)
{
    const summed *d = to;
    const walk *w = d->walk;
    const node *n = &w->g->nodes[v->id];
    const bool heads = n->components == COMPONENT_HEAD, maps = n->components == COMPONENT_FILTER;
    const float *r = heads ? v->component : v->r, *f = heads ? NULL : v->factor;
    const size_t tokens = n->out.rank == 2 ? n->out.dim[0] : 1;
    const size_t each = maps ? images_floats(n->out, w->lanes) : tokens * n->n_components;
    for (size_t b = 0; b < w->batch; b++) {
        float *absolute = d->rows + b * d->stride + WALK_ABSOLUTE * w->g->n_components + n->first_component;
        float *with_sign = d->rows + b * d->stride + WALK_SIGNED * w->g->n_components + n->first_component;
        const float *t = r + b * each, *factor = f == NULL ? NULL : f + b * each;
        if (maps) {
            sums_of_maps(n->n_components, n->out.dim[1] * n->out.dim[2], w->lanes, t, factor, absolute, with_sign);
        } else {
            sums_of_tokens(tokens, n->n_components, t, factor, absolute, with_sign);
        }
    }
}

void walk_run_from(walk *w, const float *images, const walk_start *start, const size_t label[], size_t stride, float *rows)
{
    walk_forward(w, images);
    if (w->program.n_steps > 0) {
        const float *logits = forward_logits(w->forward);
        start_choose(start, w->batch, w->g->n_classes, logits, label, w->start);
        start_fill(start, w->batch, w->g->n_classes, logits, w->start, walk_initial(w));
        walk_backward(w, &(walk_visitor){.to = &(summed){w, stride, rows}, .visit = sum_components});
    }
}

void walk_run(walk *w, const float *images, const size_t target[], float *rows)
{
    walk_run_from(w, images, &(walk_start){.value = START_ONE}, target, WALK_MOMENTS * w->g->n_components, rows);
}
