#include "attribution/walk.h"

#include <assert.h>
#include <string.h>

#include "attribution/rule_kernels.h"
#include "attribution/step_run.h"
#include "attribution/walk_audit.h"

struct walk {
    step_place at;
    const composite *c;
    walk_options options;
    start_sample *start; /* [batch] */
    walk_program program;
    const rule_plan **rules; /* [n_steps] */
    size_t rule_bytes;
    walk_audit *audit; /* NULL: none */
};

/* The plans and, unless only sizes are asked for, weights of every layer that takes a rule; the scratch of the hungriest step. */
static status build_rules(arena *a, walk *w, bool load)
{
    TRY_ALLOC(w->rules, a, w->program.n_steps);
    for (size_t i = 0; i < w->program.n_steps; i++) {
        TRY(step_build_rule(a, &w->at, &w->program.steps[i], &w->options, NULL, load, &w->rules[i]));
        if (w->rules[i] != NULL) {
            const size_t work = rule_workspace(w->rules[i]);
            w->program.work_floats = work > w->program.work_floats ? work : w->program.work_floats;
            w->rule_bytes += rule_floats(w->rules[i]) * sizeof(float);
        }
    }
    return STATUS_OK;
}

/* Relevance that goes down to the image takes the first convolution's transpose. */
static status choose_layout(arena *a, walk *w)
{
    graph *own;
    if (w->options.to_input && !w->at.g->blocked_images) {
        TRY_ALLOC(own, a, 1);
        *own = *w->at.g;
        own->blocked_images = true;
        w->at.g = own;
    }
    return STATUS_OK;
}

static walk described(const graph *g, const composite *c, const backend_def *backend, size_t batch, const walk_options *options)
{
    return (walk){.at = {.g = g, .backend = backend, .batch = batch, .lanes = backend->block()}, .c = c, .options = *options};
}

static status compile(arena *a, walk *w)
{
    TRY(choose_layout(a, w));
    TRY(walk_compile(a, w->at.g, w->c, w->at.lanes, w->at.batch, &w->options, &w->program));
    w->at.buffers = w->program.buffers;
    const size_t image = w->at.batch * shape_count(w->at.g->input); /* walk_read_input() wants room for a factor in plain order */
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
    TRY(forward_build_for_walk(a, w->at.g, backend, batch, w->program.relu_allowed, options->weights, &w->at.forward));
    TRY(build_rules(a, w, true));
    for (node_id id = 0; options->keep && id < g->n_nodes; id++) { /* walk_read_relevance() wants room for an array in plain order */
        const size_t floats = batch * shape_count(g->nodes[id].out);
        w->program.work_floats = floats > w->program.work_floats ? floats : w->program.work_floats;
    }
    TRY_ALLOC(w->at.slab, a, w->program.slab_floats);
    TRY_ALLOC(w->at.work, a, w->program.work_floats);
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
    return forward_taken(w->at.forward) + w->rule_bytes + (w->program.slab_floats + w->program.work_floats) * sizeof(float);
}

static status needs(arena *scratch, walk *w, size_t *bytes)
{
    TRY(compile(scratch, w));
    const size_t activations = forward_bytes_for_walk(w->at.g, w->at.backend, w->at.batch, w->program.relu_allowed, w->options.weights);
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
    const node *n = &w->at.g->nodes[s->id];
    bool same = false;
    for (size_t k = 0; k < n->n_in; k++) {
        same = same || w->program.relevance[n->in[k]].buffer == s->r_out.buffer;
    }
    return same && !s->runs;
}

status walk_ways(arena *a, const graph *g, const composite *c, const walk_way **out)
{
    walk w = {.at = {.g = g, .batch = 1, .lanes = 1}, .c = c};
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

static void read_relevance(const walk *w, node_id id, float *out)
{
    const relevance_at r = w->program.relevance[id];
    images_load(w->at.batch, w->at.g->nodes[id].out, forward_block(w->at.g, w->at.backend, id), step_buffer(&w->at, r.buffer), out);
    if (r.factor != NO_FACTOR) {
        float *factor = w->at.work; /* free between runs, and large enough where relevance may be read */
        forward_read(w->at.forward, r.factor, factor);
        kernel_multiply(w->at.batch * shape_count(w->at.g->nodes[id].out), factor, out);
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
        memset(out, 0, w->at.batch * shape_count(w->at.g->input) * sizeof *out);
    } else {
        read_relevance(w, 0, out);
    }
}

void walk_forward(walk *w, const float *images)
{
    forward_run(w->at.forward, images, NULL);
}

forward *walk_activations(const walk *w)
{
    return w->at.forward;
}

float *walk_initial(walk *w)
{
    return w->program.n_steps == 0 ? NULL : step_buffer(&w->at, w->program.steps[0].r_out.buffer);
}

status walk_start_audit(arena *a, walk *w)
{
    return walk_audit_build(a, w->at.g, &w->program, w->at.batch, &w->audit);
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
        const size_t floats = step_floats(&w->at, r[i].at) / w->at.batch;
        const float *t = step_buffer(&w->at, r[i].buffer), *f = step_factor(&w->at, (relevance_at){r[i].buffer, r[i].factor});
        if (i + 1 < n && r[i + 1].buffer == r[i].buffer && f != NULL && r[i + 1].factor != NO_FACTOR) {
            walk_audit_totals(w->at.batch, floats, t, f, forward_output(w->at.forward, r[i + 1].factor), r[i].total, r[i + 1].total);
            i++;
        } else {
            walk_audit_total(w->at.batch, floats, t, f, r[i].total);
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
    walk_audit_add(w->at.batch, step_floats(&w->at, w->at.g->nodes[s->id].in[input]) / w->at.batch, step_buffer(&w->at, sum->before.buffer), step_factor(&w->at, sum->mine),
                   step_buffer(&w->at, sum->to), read->share->total, read->after->total);
    return true;
}

static void run_step(const walk *w, const walk_step *s, const rule_plan *rule, const walk_visitor *v)
{
    const bool weighted = s->component != NO_BUFFER && v->component_weight != NULL;
    step_relevance(&w->at, s, rule, NULL, weighted ? v->component_weight(v->to, s->id) : NULL);
    audit(w, s);
    for (size_t i = 0; i < w->at.g->nodes[s->id].n_in; i++) {
        if (s->sum[i].to != NO_BUFFER && !audit_sums(w, s, i)) {
            step_add_up(&w->at, s, i);
        }
    }
}

void walk_backward(walk *w, const walk_visitor *v)
{
    for (size_t i = 0; i < w->program.n_steps; i++) {
        const walk_step *s = &w->program.steps[i];
        const bool seen = w->at.g->nodes[s->id].n_components > 0 || (w->options.watched != NULL && w->options.watched[s->id]);
        if (s->runs) {
            run_step(w, s, w->rules[i], v);
        }
        if (seen) {
            const walk_view view = step_view(&w->at, s);
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
    const graph *g = d->walk->at.g;
    float *rows = d->rows + g->nodes[v->id].first_component;
    step_rows(&d->walk->at, v, d->stride, rows + WALK_ABSOLUTE * g->n_components, rows + WALK_SIGNED * g->n_components);
}

void walk_run_from(walk *w, const float *images, const walk_start *start, const size_t label[], size_t stride, float *rows)
{
    walk_forward(w, images);
    if (w->program.n_steps > 0) {
        const float *logits = forward_logits(w->at.forward);
        start_choose(start, w->at.batch, w->at.g->n_classes, logits, label, w->start);
        start_fill(start, w->at.batch, w->at.g->n_classes, logits, w->start, walk_initial(w));
        walk_backward(w, &(walk_visitor){.to = &(summed){w, stride, rows}, .visit = sum_components});
    }
}

void walk_run(walk *w, const float *images, const size_t target[], float *rows)
{
    walk_run_from(w, images, &(walk_start){.value = START_ONE}, target, WALK_MOMENTS * w->at.g->n_components, rows);
}
