#include "bench/engine.h"

#include <math.h>

#include "attribution/walk_steps.h"
#include "core/rng.h"
#include "nn/forward.h"
#include "pruning/criterion.h"

struct engine {
    const graph *g;
    engine_task task;
    size_t batch;
    float *images;
    forward *forward;
    size_t n_masks, n_runs;
    const uint8_t *const *mask; /* [n_masks] */
    const criterion_def *lrp;
    void *walk;
    uint64_t *sample;
    size_t *target; /* [batch] */
    float *rows;    /* [batch, n_row] */
    size_t n_row;
};

const char *engine_task_name(engine_task t)
{
    return t == TASK_FORWARD ? "forward" : t == TASK_WINOGRAD ? "winograd" : "lrp";
}

static status find_lrp(const criterion_def **out, double parameters[MAX_CRITERION_PARAMETERS])
{
    *out = criterion_find("lrp");
    if (*out == NULL) {
        return FAIL(ST_BUG, "the criterion 'lrp' is missing from the table");
    }
    for (size_t i = 0; i < (*out)->n_fields; i++) {
        parameters[i] = (*out)->fields[i].def;
    }
    return STATUS_OK;
}

static status open_lrp(arena *a, const backend_def *backend, engine *e)
{
    double parameters[MAX_CRITERION_PARAMETERS];
    TRY(find_lrp(&e->lrp, parameters));
    const criterion_setup setup = {.graph = e->g, .backend = backend, .batch = e->batch, .parameters = parameters};
    e->n_row = criterion_row(e->lrp, &setup);
    TRY_ALLOC(e->rows, a, e->batch * e->n_row);
    TRY_ALLOC(e->target, a, e->batch);
    TRY_ALLOC(e->sample, a, e->batch);
    for (size_t i = 0; i < e->batch; i++) {
        e->target[i] = i % e->g->n_classes;
        e->sample[i] = i;
    }
    return e->lrp->open(a, &setup, &e->walk);
}

static status draw_masks(arena *a, size_t n, engine *e)
{
    const uint8_t **mask;
    TRY_ALLOC(mask, a, n);
    for (size_t i = 0; i < n; i++) {
        uint8_t *alive;
        TRY_ALLOC(alive, a, e->g->n_components);
        for (size_t c = 0; c < e->g->n_components; c++) {
            alive[c] = rng_uniform(3, RNG_TEST, (uint32_t)i, (uint32_t)c) < 0.5;
        }
        mask[i] = alive;
    }
    e->mask = mask;
    e->n_masks = n;
    return STATUS_OK;
}

status engine_open(arena *a, const graph *g, const backend_def *backend, engine_task task, size_t batch, size_t masks,
                   engine **out)
{
    engine *e;
    const size_t n = batch * shape_count(g->input);
    TRY_ALLOC(e, a, 1);
    *e = (engine){.g = g, .task = task, .batch = batch};
    TRY_ALLOC(e->images, a, n);
    for (size_t i = 0; i < n; i++) { /* about the range of normalised pixels */
        e->images[i] = (float)(4.0 * rng_uniform(2, RNG_TEST, 0, (uint32_t)i) - 2.0);
    }
    *out = e;
    TRY(draw_masks(a, masks, e));
    return task == TASK_LRP ? open_lrp(a, backend, e)
                            : forward_build_for_logits(a, g, backend, batch, task == TASK_WINOGRAD, &e->forward);
}

void engine_run(engine *e)
{
    if (e->task != TASK_LRP) {
        forward_run(e->forward, e->images, e->n_masks == 0 ? NULL : e->mask[e->n_runs++ % e->n_masks]);
    } else {
        const criterion_batch b = {.images = e->images, .target = e->target, .sample = e->sample};
        e->lrp->rows(e->walk, &b, e->rows);
    }
}

const float *engine_logits(const engine *e)
{
    return forward_logits(e->forward);
}

status engine_check(const engine *e)
{
    const float *x = e->task == TASK_LRP ? e->rows : engine_logits(e);
    const size_t n = e->batch * (e->task == TASK_LRP ? e->n_row : e->g->n_classes);
    bool differ = false;
    for (size_t i = 0; i < n; i++) {
        differ |= x[i] != x[0];
        if (!isfinite(x[i])) {
            return FAIL(ST_BUG, "%s: expected finite results, found %g", engine_task_name(e->task), (double)x[i]);
        }
    }
    return differ ? STATUS_OK
                  : FAIL(ST_BUG, "%s: expected results that differ, found %g everywhere", engine_task_name(e->task),
                         (double)x[0]);
}

/* A layer's forward multiply-adds for one image. */
static uint64_t node_macs(const graph *g, const node *n)
{
    shape in[MAX_INPUTS] = {{0}};
    for (size_t i = 0; i < n->n_in; i++) {
        in[i] = g->nodes[n->in[i]].out;
    }
    return n->op->cost == NULL ? 0 : n->op->cost(n, in, NULL, NULL).macs;
}

/* Attention: S = q k' and O = A v are two products of equal size, so that every product of the adjoint costs half of
 * the forward pass: G v' for the relevance of A, A' G towards v, G k towards q, G' q towards k. */
static uint64_t attention_macs(uint64_t macs, const walk_step *s)
{
    uint64_t products = 1;
    for (size_t i = 0; i < MAX_INPUTS; i++) {
        products += s->r_in[i] != NO_BUFFER;
    }
    return macs / 2 * products;
}

static status step_macs(const graph *g, const walk_step *s, uint64_t *out)
{
    const node *n = &g->nodes[s->id];
    const uint64_t macs = s->runs ? node_macs(g, n) : 0;
    if (macs == 0 || s->rule != NULL) {
        *out = macs; /* epsilon: W' s */
    } else if (n->op == &op_attention) {
        *out = attention_macs(macs, s);
    } else {
        return FAIL(ST_BUG, "'%s': the bench does not know what the relevance of %s layers costs", n->name,
                    n->op->name);
    }
    return STATUS_OK;
}

static status walk_macs(arena *scratch, const graph *g, uint64_t *out)
{
    const criterion_def *lrp;
    const composite *c;
    double parameters[MAX_CRITERION_PARAMETERS];
    walk_program p;
    TRY(find_lrp(&lrp, parameters));
    TRY(composite_epsilon(scratch, parameters[0], &c));
    TRY(walk_compile(scratch, g, c, 1, 1, false, &p));
    for (size_t i = 0; i < p.n_steps; i++) {
        uint64_t macs = 0;
        TRY(step_macs(g, &p.steps[i], &macs));
        *out += macs;
    }
    return STATUS_OK;
}

status engine_macs(const graph *g, engine_task task, uint64_t *out)
{
    arena *scratch = NULL;
    uint64_t parameters;
    graph_cost(g, &parameters, out, NULL, NULL);
    if (task != TASK_LRP) {
        return STATUS_OK;
    }
    status st = arena_open("bench costs", &scratch);
    if (status_ok(st)) {
        st = walk_macs(scratch, g, out);
    }
    arena_close(&scratch);
    return st;
}
