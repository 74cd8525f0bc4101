#include "attribution/walk.h"

#include <assert.h>
#include <string.h>

#include "attribution/rule_driver.h"
#include "attribution/rule_kernels.h"
#include "attribution/walk_steps.h"
#include "attribution/walk_sums.h"

struct walk {
    const graph *g;
    const composite *c;
    const backend_def *backend;
    size_t batch;
    bool keep;
    forward *forward;
    walk_program program;
    float *slab; /* all relevance, placed by the layout */
    float *work; /* of one step */
};

static status build(arena *a, const graph *g, const composite *c, const backend_def *backend, size_t batch, bool keep,
                    walk **out)
{
    walk *w;
    TRY_ALLOC(w, a, 1);
    *w = (walk){.g = g, .c = c, .backend = backend, .batch = batch, .keep = keep};
    TRY(walk_compile(a, g, c, batch, keep, &w->program));
    TRY(forward_build(a, g, backend, batch, KEEP_ALL, &w->forward));
    TRY_ALLOC(w->slab, a, w->program.slab_floats);
    TRY_ALLOC(w->work, a, w->program.work_floats);
    *out = w;
    return STATUS_OK;
}

status walk_build(arena *a, const graph *g, const composite *c, const backend_def *backend, size_t batch, walk **out)
{
    return build(a, g, c, backend, batch, false, out);
}

status walk_build_keeping(arena *a, const graph *g, const composite *c, const backend_def *backend, size_t batch,
                          walk **out)
{
    return build(a, g, c, backend, batch, true, out);
}

static size_t bytes_of(const walk_program *p, size_t activations)
{
    return activations + (p->slab_floats + p->work_floats) * sizeof(float);
}

size_t walk_bytes(const walk *w)
{
    return bytes_of(&w->program, forward_bytes(w->g, w->batch, KEEP_ALL));
}

status walk_needs(const graph *g, const composite *c, const backend_def *backend, size_t batch, size_t *bytes)
{
    arena *scratch = NULL;
    walk_program program;
    (void)backend;
    TRY(arena_open("walk plan", &scratch));
    const size_t activations = forward_bytes(g, batch, KEEP_ALL);
    status st = activations == SIZE_MAX ? (status){ST_CONFIG} : walk_compile(scratch, g, c, batch, false, &program);
    if (status_ok(st)) {
        *bytes = bytes_of(&program, activations);
    }
    arena_close(&scratch);
    return st;
}

status walk_ways(arena *a, const graph *g, const composite *c, const walk_way **out)
{
    walk_program program;
    walk_way *way;
    TRY(walk_compile(a, g, c, 1, false, &program));
    TRY_ALLOC(way, a, g->n_nodes);
    for (size_t i = 0; i < program.n_steps; i++) {
        const walk_step *s = &program.steps[i];
        bool passes = false; /* the relevance of an input lies where that of the output is */
        for (size_t k = 0; k < g->nodes[s->id].n_in; k++) {
            passes = passes || program.relevance[g->nodes[s->id].in[k]] == s->r_out;
        }
        way[s->id] = s->runs ? WALK_COMPUTES : passes ? WALK_PASSES : WALK_ENDS;
    }
    *out = way;
    return STATUS_OK;
}

static float *buffer(const walk *w, buffer_id b)
{
    return b == NO_BUFFER ? NULL : w->slab + w->program.buffers[b].offset;
}

const float *walk_relevance(const walk *w, node_id id)
{
    return w->keep ? buffer(w, w->program.relevance[id]) : NULL;
}

static void start_at_target(const walk *w, const size_t target[])
{
    float *r = buffer(w, w->program.steps[0].r_out);
    memset(r, 0, w->batch * w->g->n_classes * sizeof *r);
    for (size_t b = 0; b < w->batch; b++) {
        assert(target[b] < w->g->n_classes);
        r[b * w->g->n_classes + target[b]] = 1.0f;
    }
}

static void run_rule(const walk *w, const walk_step *s)
{
    const node *n = &w->g->nodes[s->id];
    const rule_call call = {
        .rule = s->rule->rule,
        .parameters = s->rule->parameters,
        .node = n,
        .backend = w->backend,
        .batch = w->batch,
        .in_shape = s->in_shape,
        .in = forward_output(w->forward, n->in[0]),
        .out = forward_output(w->forward, s->id),
        .r_out = buffer(w, s->r_out),
        .r_in = buffer(w, s->r_in[0]),
        .work = w->work,
    };
    rule_relevance(&call);
}

static void run_own(const walk *w, const walk_step *s)
{
    const node *n = &w->g->nodes[s->id];
    relevance_call call = {
        .node = n,
        .backend = w->backend,
        .batch = w->batch,
        .in_shape = s->in_shape,
        .out = forward_output(w->forward, s->id),
        .saved = forward_saved(w->forward, s->id),
        .r_out = buffer(w, s->r_out),
        .component = buffer(w, s->component),
        .work = w->work,
        .epsilon = w->c->epsilon,
        .softmax_rule = w->c->softmax_rule,
    };
    for (size_t i = 0; i < n->n_in; i++) {
        call.in[i] = forward_output(w->forward, n->in[i]);
        call.r_in[i] = buffer(w, s->r_in[i]);
    }
    n->op->relevance(&call);
}

static void add_inputs(const walk *w, const walk_step *s)
{
    const node *n = &w->g->nodes[s->id];
    for (size_t i = 0; i < n->n_in; i++) {
        if (s->add_to[i] != NO_BUFFER) {
            kernel_add(w->batch * shape_count(s->in_shape[i]), buffer(w, s->r_in[i]), buffer(w, s->add_to[i]));
        }
    }
}

static void sum_components(const walk *w, const walk_step *s, float *rows)
{
    const node *n = &w->g->nodes[s->id];
    const bool maps = n->components == COMPONENT_FILTER;
    const float *r = buffer(w, n->components == COMPONENT_HEAD ? s->component : s->r_out);
    const size_t each = maps               ? shape_count(n->out) / n->n_components /* [C,H,W]: space */
                        : n->out.rank == 1 ? 1
                                           : n->out.dim[0]; /* [T,E]: tokens */
    for (size_t b = 0; b < w->batch; b++) {
        float *absolute = rows + (b * WALK_MOMENTS + WALK_ABSOLUTE) * w->g->n_components + n->first_component;
        float *with_sign = rows + (b * WALK_MOMENTS + WALK_SIGNED) * w->g->n_components + n->first_component;
        const float *sample = r + b * n->n_components * each;
        if (maps) {
            sums_of_maps(n->n_components, each, sample, absolute, with_sign);
        } else {
            sums_of_tokens(each, n->n_components, sample, absolute, with_sign);
        }
    }
}

void walk_run(walk *w, const float *images, const size_t target[], float *rows)
{
    forward_run(w->forward, images, NULL);
    if (w->program.n_steps > 0) {
        start_at_target(w, target);
    }
    for (size_t i = 0; i < w->program.n_steps; i++) {
        const walk_step *s = &w->program.steps[i];
        if (s->runs) {
            if (s->rule != NULL) {
                run_rule(w, s);
            } else {
                run_own(w, s);
            }
            add_inputs(w, s);
        }
        if (w->g->nodes[s->id].n_components > 0) {
            sum_components(w, s, rows);
        }
    }
}
