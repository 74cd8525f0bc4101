#include "bench/engine.h"

#include <math.h>

#include "attribution/walk_steps.h"
#include "bench/networks.h"
#include "core/rng.h"
#include "nn/forward.h"

struct engine {
    engine_case c;
    float *images;
    forward *forward;
    const uint8_t *const *mask; /* [c.masks] */
    size_t n_runs;
    composite composite;
    composite_entry everywhere;
    walk *walk;
    size_t *target; /* [batch] */
    float *rows;    /* [batch, n_row] */
    size_t n_row;
};

const char *engine_task_name(engine_task t)
{
    return t == TASK_FORWARD ? "forward" : t == TASK_WINOGRAD ? "winograd" : "lrp";
}

static void choose_rule(engine *e)
{
    const rule_def *rule = rule_find(e->c.rule);
    e->everywhere = (composite_entry){.rule = rule};
    for (size_t i = 0; i < rule->n_fields; i++) {
        e->everywhere.parameters[i] = rule->fields[i].def;
    }
    e->composite = (composite){.n = 1, .entries = &e->everywhere, .epsilon = 1e-6};
}

static status open_lrp(arena *a, engine *e)
{
    choose_rule(e);
    e->n_row = WALK_MOMENTS * e->c.g->n_components;
    TRY_ALLOC(e->rows, a, e->c.batch * e->n_row);
    TRY_ALLOC(e->target, a, e->c.batch);
    for (size_t i = 0; i < e->c.batch; i++) {
        e->target[i] = i % e->c.g->n_classes;
    }
    return walk_build(a, e->c.g, &e->composite, e->c.backend, e->c.batch, &e->walk);
}

static status draw_masks(arena *a, engine *e)
{
    const uint8_t **mask;
    TRY_ALLOC(mask, a, e->c.masks);
    for (size_t i = 0; i < e->c.masks; i++) {
        uint8_t *alive;
        TRY_ALLOC(alive, a, e->c.g->n_components);
        for (size_t c = 0; c < e->c.g->n_components; c++) {
            alive[c] = rng_uniform(3, RNG_TEST, (uint32_t)i, (uint32_t)c) < 0.5;
        }
        mask[i] = alive;
    }
    e->mask = mask;
    return STATUS_OK;
}

status engine_open(arena *a, const engine_case *c, engine **out)
{
    engine *e;
    TRY_ALLOC(e, a, 1);
    *e = (engine){.c = *c};
    TRY(network_images(a, c->g, c->batch, &e->images));
    *out = e;
    TRY(draw_masks(a, e));
    return c->task == TASK_LRP
               ? open_lrp(a, e)
               : forward_build_for_logits(a, c->g, c->backend, c->batch, c->task == TASK_WINOGRAD, &e->forward);
}

void engine_run(engine *e)
{
    if (e->c.task != TASK_LRP) {
        forward_run(e->forward, e->images, e->c.masks == 0 ? NULL : e->mask[e->n_runs++ % e->c.masks]);
    } else {
        walk_run(e->walk, e->images, e->target, e->rows);
    }
}

const float *engine_logits(const engine *e)
{
    return forward_logits(e->forward);
}

status engine_check(const engine *e)
{
    const float *x = e->c.task == TASK_LRP ? e->rows : engine_logits(e);
    const size_t n = e->c.batch * (e->c.task == TASK_LRP ? e->n_row : e->c.g->n_classes);
    bool differ = false;
    for (size_t i = 0; i < n; i++) {
        differ |= x[i] != x[0];
        if (!isfinite(x[i])) {
            return FAIL(ST_BUG, "%s: expected finite results, found %g", engine_task_name(e->c.task), (double)x[i]);
        }
    }
    return differ ? STATUS_OK
                  : FAIL(ST_BUG, "%s: expected results that differ, found %g everywhere", engine_task_name(e->c.task),
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

static status step_macs(const engine *e, const walk_step *s, uint64_t *out)
{
    const node *n = &e->c.g->nodes[s->id];
    const uint64_t macs = s->runs ? node_macs(e->c.g, n) : 0;
    if (macs == 0 || s->rule != NULL) {
        *out = macs * walk_products(e->walk, s->id);
    } else if (n->op == &op_attention) {
        *out = attention_macs(macs, s);
    } else {
        return FAIL(ST_BUG, "'%s': the bench does not know what the relevance of %s layers costs", n->name,
                    n->op->name);
    }
    return STATUS_OK;
}

static status walk_macs(arena *scratch, const engine *e, uint64_t *out)
{
    walk_program p;
    TRY(walk_compile(scratch, e->c.g, &e->composite, 1, 1, &(walk_options){0}, &p));
    for (size_t i = 0; i < p.n_steps; i++) {
        uint64_t macs = 0;
        TRY(step_macs(e, &p.steps[i], &macs));
        *out += macs;
    }
    return STATUS_OK;
}

status engine_macs(const engine *e, uint64_t *out)
{
    arena *scratch = NULL;
    uint64_t parameters;
    graph_cost(e->c.g, &parameters, out, NULL, NULL);
    if (e->c.task != TASK_LRP) {
        return STATUS_OK;
    }
    status st = arena_open("bench costs", &scratch);
    if (status_ok(st)) {
        st = walk_macs(scratch, e, out);
    }
    arena_close(&scratch);
    return st;
}
