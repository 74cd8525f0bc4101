#include "attribution/step_run.h"

#include <string.h>

#include "attribution/rule_kernels.h"
#include "attribution/walk_sums.h"

status step_build_rule(arena *a, const step_place *at, const walk_step *s, const walk_options *o, product_pool *pool, bool load,
                       const rule_plan **out)
{
    conv_shape conv;
    *out = NULL;
    if (!s->runs || s->way == RELEVANCE_PASSES || !composite_takes_rule(&at->g->nodes[s->id])) {
        return STATUS_OK;
    }
    forward_product_shape(at->g, s->id, &conv);
    const rule_layer layer = {.n = &at->g->nodes[s->id],
                              .backend = at->backend,
                              .shape = &conv,
                              .batch = at->batch,
                              .spread_bias = s->spread_bias,
                              .nonnegative = s->nonnegative,
                              .gated = s->gated,
                              .by_terms = (o->without & REWRITE_SIGNS) != 0,
                              .pixels = s->composite->pixels,
                              .weights = o->weights,
                              .pool = product_pool_of(pool, s->id)};
    return rule_build(a, s->rule->rule, s->rule->parameters, &layer, load, out);
}

float *step_buffer(const step_place *at, buffer_id b)
{
    return b == NO_BUFFER ? NULL : at->slab + at->buffers[b].offset;
}

const float *step_factor(const step_place *at, relevance_at r)
{
    return r.factor == NO_FACTOR ? NULL : forward_output(at->forward, r.factor);
}

size_t step_floats(const step_place *at, node_id id)
{
    return at->batch * images_floats(at->g->nodes[id].out, forward_block(at->g, at->backend, id));
}

/* R itself of a relevance that is kept as a quotient. */
static const float *multiplied_out(const step_place *at, const walk_step *s)
{
    const size_t n = step_floats(at, s->id);
    float *plain = step_buffer(at, s->plain);
    memcpy(plain, step_buffer(at, s->r_out.buffer), n * sizeof *plain);
    kernel_multiply(n, step_factor(at, s->r_out), plain);
    return plain;
}

static rule_call call_of(const step_place *at, const walk_step *s)
{
    return (rule_call){.in = forward_output(at->forward, at->g->nodes[s->id].in[0]),
                       .out = forward_output(at->forward, s->id),
                       .r_in = step_buffer(at, s->r_in[0]),
                       .work = at->work};
}

static void run_rule(const step_place *at, const walk_step *s, const rule_plan *rule, const float *sums)
{
    rule_call call = call_of(at, s);
    call.r_out = s->plain != NO_BUFFER ? multiplied_out(at, s) : step_buffer(at, s->r_out.buffer);
    call.factor = s->plain != NO_BUFFER ? NULL : step_factor(at, s->r_out);
    call.sums = sums;
    rule_relevance(rule, &call);
}

void step_find_sums(const step_place *at, const walk_step *s, const rule_plan *rule, float *out)
{
    const rule_call call = call_of(at, s);
    rule_find_sums(rule, &call, out);
}

static void run_own(const step_place *at, const walk_step *s, const float *component_weight)
{
    const node *n = &at->g->nodes[s->id];
    relevance_call call = {
        .node = n,
        .backend = at->backend,
        .batch = at->batch,
        .block = at->lanes,
        .in_shape = s->in_shape,
        .out = forward_output(at->forward, s->id),
        .saved = forward_saved(at->forward, s->id),
        .r_out = step_buffer(at, s->r_out.buffer),
        .factor = step_factor(at, s->r_out),
        .component = step_buffer(at, s->component),
        .component_weight = component_weight,
        .work = at->work,
        .epsilon = s->composite->epsilon,
        .softmax_rule = s->composite->softmax_rule,
    };
    for (size_t i = 0; i < n->n_in; i++) {
        call.in[i] = forward_output(at->forward, n->in[i]);
        call.r_in[i] = step_buffer(at, s->r_in[i]);
    }
    if (s->plain != NO_BUFFER) {
        call.r_out = multiplied_out(at, s);
        call.factor = NULL;
    }
    (step_is_gradient(s) ? n->op->gradient : n->op->relevance)(&call);
}

void step_relevance(const step_place *at, const walk_step *s, const rule_plan *rule, const float *sums, const float *component_weight)
{
    if (rule != NULL) {
        run_rule(at, s, rule, sums);
    } else if (s->way != RELEVANCE_PASSES) {
        run_own(at, s, component_weight);
    }
}

/* y += R, multiplied out unless both have the factor. */
static void add_relevance(const step_place *at, size_t n, relevance_at r, bool multiply, float *y)
{
    if (multiply && r.factor != NO_FACTOR) {
        kernel_multiply_add(n, step_factor(at, r), step_buffer(at, r.buffer), y);
    } else {
        kernel_add(n, step_buffer(at, r.buffer), y);
    }
}

void step_add_up(const step_place *at, const walk_step *s, size_t i)
{
    const relevance_sum *sum = &s->sum[i];
    const size_t n = step_floats(at, at->g->nodes[s->id].in[i]);
    const bool multiply = sum->mine.factor != sum->before.factor;
    float *y = step_buffer(at, sum->to);
    if (sum->to != sum->mine.buffer) {
        memcpy(y, step_buffer(at, sum->mine.buffer), n * sizeof *y);
    }
    if (multiply && sum->mine.factor != NO_FACTOR) {
        kernel_multiply(n, step_factor(at, sum->mine), y);
    }
    add_relevance(at, n, sum->before, multiply, y);
}

walk_view step_view(const step_place *at, const walk_step *s)
{
    return (walk_view){.id = s->id,
                       .r = step_buffer(at, s->r_out.buffer),
                       .factor = step_factor(at, s->r_out),
                       .component = step_buffer(at, s->component)};
}

void step_rows(const step_place *at, const walk_view *v, size_t stride, float *absolute, float *with_sign)
{
    const node *n = &at->g->nodes[v->id];
    const bool heads = n->components == COMPONENT_HEAD, maps = n->components == COMPONENT_FILTER;
    const float *r = heads ? v->component : v->r, *f = heads ? NULL : v->factor;
    const size_t tokens = n->out.rank == 2 ? n->out.dim[0] : 1;
    const size_t each = maps ? images_floats(n->out, at->lanes) : tokens * n->n_components;
    for (size_t b = 0; b < at->batch; b++) {
        const float *t = r + b * each, *factor = f == NULL ? NULL : f + b * each;
        if (maps) {
            sums_of_maps(n->n_components, n->out.dim[1] * n->out.dim[2], at->lanes, t, factor, absolute + b * stride,
                         with_sign + b * stride);
        } else {
            sums_of_tokens(tokens, n->n_components, t, factor, absolute + b * stride, with_sign + b * stride);
        }
    }
}
