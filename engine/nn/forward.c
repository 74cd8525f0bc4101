#include "nn/forward.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "nn/fusion.h"
#include "nn/layout.h"
#include "nn/sizes.h"

/* One node's run; offsets into the slab, in floats. */
typedef struct step {
    bool runs; /* false: done by another node */
    bool relu;
    size_t out, saved, work;
    size_t block;
    shape in_shape[MAX_INPUTS];
    product *product;
} step;

struct forward {
    const graph *g;
    const backend_def *backend;
    size_t batch;
    forward_keep keep;
    step *steps; /* [n_nodes] */
    float *slab;
    uint8_t *mask; /* [n_components] what the weights are masked with */
    bool masked;
    size_t bytes;
};

/* Blocks of memory of a run; NO_BLOCK: none. Two nodes share a block where one works in place or does the other's work. */
enum { BLOCKS_PER_NODE = 3 };
static const size_t NO_BLOCK = SIZE_MAX;

typedef struct node_blocks {
    size_t out, saved, work;
} node_blocks;

typedef struct run_plan {
    const graph *g;
    const backend_def *backend;
    size_t batch;
    forward_keep keep;
    bool winograd;
    weight_list *weights; /* NULL: weights in the kernels' order are the run's own */
    fusion fusion;
    size_t *last;      /* [n_nodes] step of the last reader */
    product *products; /* [n_nodes] of those that are one and run */
    node_blocks *of;   /* [n_nodes] */
    block *blocks;     /* [n_blocks] */
    size_t n_blocks, total;
} run_plan;

static size_t new_block(run_plan *p, size_t size, size_t first, size_t last)
{
    if (size == 0) {
        return NO_BLOCK;
    }
    p->blocks[p->n_blocks] = (block){.size = size, .first = first, .last = last};
    return p->n_blocks++;
}

/* Step of the last reader of every node; the logits outlive the run. */
static void find_last_readers(const graph *g, size_t last[])
{
    for (size_t id = 0; id < g->n_nodes; id++) {
        last[id] = id;
        for (size_t i = 0; i < g->nodes[id].n_in; i++) {
            last[g->nodes[id].in[i]] = id;
        }
    }
    last[g->n_nodes - 1] = g->n_nodes;
}

/* The images stay in plain order where only convolutions read them: the first one is made for that. */
static bool plain_images(const graph *g)
{
    bool plain = !g->blocked_images;
    for (node_id id = 1; id < g->n_nodes; id++) {
        for (size_t i = 0; i < g->nodes[id].n_in; i++) {
            plain = plain && (g->nodes[id].in[i] != 0 || g->nodes[id].op->product != NULL);
        }
    }
    return plain;
}

size_t forward_block(const graph *g, const backend_def *backend, node_id id)
{
    return g->nodes[id].op == &op_input && plain_images(g) ? 1 : backend->block();
}

void forward_product_shape(const graph *g, node_id id, conv_shape *out)
{
    shape in[MAX_INPUTS];
    const node *n = &g->nodes[id];
    op_input_shapes(g->nodes, n, in);
    n->op->product(n, in, out);
    out->plain_input = g->nodes[n->in[0]].op == &op_input && in[0].rank == 3 && plain_images(g);
}

/* BLAS counts rows, at most batch x tokens, with 32 bits; beyond this no product of sizes can overflow either. */
static status check_batch(const graph *g, size_t batch)
{
    for (size_t id = 0; id < g->n_nodes; id++) {
        const size_t most = MAX_COUNT / images_floats(g->nodes[id].out, MAX_BLOCK) + 1;
        if (batch == 0 || batch > most) {
            return FAIL(ST_CONFIG, "micro_batch: expected 1 to %zu images of this network ('%s'), found %zu", most,
                        g->nodes[id].name, batch);
        }
    }
    return STATUS_OK;
}

static status plan_product(arena *a, run_plan *p, node_id id)
{
    const node *n = &p->g->nodes[id];
    if (n->op->product == NULL) {
        return STATUS_OK;
    }
    conv_shape s;
    const node_id result = p->fusion.result[id];
    const conv_pass pass = {.bias = n->bias != NULL,
                            .add = p->fusion.adds_to[id] != id,
                            .relu = p->g->nodes[result].op == &op_relu,
                            .winograd = p->winograd,
                            .quick = p->keep == KEEP_LOGITS};
    forward_product_shape(p->g, id, &s);
    return product_plan(a, p->backend, &s, p->batch, pass, n->n_components > 0 && p->keep != KEEP_WALK,
                        &p->products[id]);
}

/* The block of an input that nobody reads after `id`, if the layer may write over it. */
static size_t reusable_block(const run_plan *p, node_id id)
{
    const node *n = &p->g->nodes[id];
    for (size_t i = 0; n->op->in_place && i < n->n_in; i++) {
        const size_t input = p->of[n->in[i]].out;
        const bool can = n->op->writes_over == NULL || n->op->writes_over(n, i);
        if (can && p->blocks[input].last == id && shape_count(p->g->nodes[n->in[i]].out) == shape_count(n->out)) {
            return input;
        }
    }
    return NO_BLOCK;
}

/* Where a node's output comes to lie: with the node that computes it, in the summand that it adds to, over an input, or on its own. */
static size_t output_block(const run_plan *p, node_id id)
{
    const node_id by = p->fusion.done_by[id];
    return by != id                            ? p->of[by].out
           : p->fusion.adds_to[id] != id       ? p->of[p->fusion.adds_to[id]].out
           : p->keep == KEEP_LOGITS            ? reusable_block(p, id)
                                               : NO_BLOCK;
}

static void plan_node(run_plan *p, node_id id)
{
    const node *n = &p->g->nodes[id];
    const size_t lanes = forward_block(p->g, p->backend, id), end = p->g->n_nodes;
    const size_t read_until = p->keep == KEEP_LOGITS ? p->last[id] : end;
    shape in[MAX_INPUTS];
    op_input_shapes(p->g->nodes, n, in);
    node_blocks *b = &p->of[id];
    *b = (node_blocks){.out = output_block(p, id), .saved = NO_BLOCK, .work = NO_BLOCK};
    if (b->out == NO_BLOCK) {
        b->out = new_block(p, p->batch * images_floats(n->out, lanes), id, read_until);
    } else if (p->blocks[b->out].last < read_until) {
        p->blocks[b->out].last = read_until;
    }
    if (p->fusion.done_by[id] != id) {
        return;
    }
    if (n->op->saved != NULL && (p->keep != KEEP_LOGITS || n->op->forward_needs_saved)) {
        b->saved = new_block(p, p->batch * n->op->saved(n, in, lanes), id, p->keep == KEEP_LOGITS ? id : end);
    }
    if (n->op->product != NULL) {
        b->work = new_block(p, p->products[id].plan->n_work, id, id);
    }
}

static status plan_run(arena *a, const bool relu_allowed[], run_plan *p)
{
    const graph *g = p->g;
    TRY(check_batch(g, p->batch));
    TRY_ALLOC(p->last, a, g->n_nodes);
    TRY_ALLOC(p->products, a, g->n_nodes);
    TRY_ALLOC(p->of, a, g->n_nodes);
    TRY_ALLOC(p->blocks, a, BLOCKS_PER_NODE * g->n_nodes);
    TRY(fusion_plan(a, g, p->keep == KEEP_LOGITS, relu_allowed, &p->fusion));
    find_last_readers(g, p->last);
    for (node_id id = 0; id < g->n_nodes; id++) {
        TRY(plan_product(a, p, id));
    }
    for (node_id id = 0; id < g->n_nodes; id++) {
        plan_node(p, id);
    }
    return layout_plan(a, p->n_blocks, p->blocks, &p->total);
}

/* What cutting takes: of plans that pack, the most that one of them does; of others it stays. */
static void cutting_floats(const run_plan *p, size_t *passing, size_t *staying)
{
    *passing = *staying = 0;
    for (node_id id = 0; id < p->g->n_nodes; id++) {
        if (p->g->nodes[id].cut != NULL) {
            const size_t floats = product_cut_floats(&p->products[id]);
            if (p->products[id].plan->n_packed == 0) {
                *staying += floats;
            } else {
                *passing = floats > *passing ? floats : *passing;
            }
        }
    }
}

/* Masks and cuts are a rank's own. */
static bool is_wanted(const run_plan *p, node_id id)
{
    return p->weights != NULL && p->g->nodes[id].cut == NULL && !p->products[id].maskable;
}

static size_t plan_bytes(const run_plan *p)
{
    size_t floats = p->total, cutting, cut;
    cutting_floats(p, &cutting, &cut);
    for (node_id id = 0; id < p->g->n_nodes; id++) {
        const product *one = &p->products[id];
        if (one->plan != NULL) {
            floats += is_wanted(p, id) ? 0 : product_floats(one);
        }
    }
    return (floats + cutting + cut) * sizeof(float);
}

static status no_relus(arena *a, const graph *g, const bool **out)
{
    bool *none;
    TRY_ALLOC(none, a, g->n_nodes);
    *out = none;
    return STATUS_OK;
}

static size_t needed_bytes(run_plan *p, const bool relu_allowed[])
{
    arena *scratch = NULL;
    const bool *none = NULL;
    status st = arena_open("forward plan", &scratch);
    if (status_ok(st) && p->keep == KEEP_ALL) {
        st = no_relus(scratch, p->g, &none);
    }
    if (status_ok(st)) {
        st = plan_run(scratch, p->keep == KEEP_ALL ? none : relu_allowed, p);
    }
    for (node_id id = 0; status_ok(st) && id < p->g->n_nodes; id++) {
        if (p->products[id].plan != NULL && is_wanted(p, id)) {
            weights_count(p->weights, product_floats(&p->products[id]));
        }
    }
    const size_t bytes = status_ok(st) ? plan_bytes(p) : SIZE_MAX;
    arena_close(&scratch);
    return bytes;
}

size_t forward_bytes(const graph *g, const backend_def *backend, size_t batch, forward_keep keep)
{
    return needed_bytes(&(run_plan){.g = g, .backend = backend, .batch = batch, .keep = keep}, NULL);
}

size_t forward_bytes_for_walk(const graph *g, const backend_def *backend, size_t batch, const bool relu_allowed[], weight_list *weights)
{
    return needed_bytes(&(run_plan){.g = g, .backend = backend, .batch = batch, .keep = KEEP_WALK, .weights = weights}, relu_allowed);
}

size_t forward_bytes_for_logits(const graph *g, const backend_def *backend, size_t batch, bool winograd)
{
    return needed_bytes(
        &(run_plan){.g = g, .backend = backend, .batch = batch, .keep = KEEP_LOGITS, .winograd = winograd}, NULL);
}

status forward_winograd_layers(arena *a, const graph *g, const backend_def *backend, size_t batch, size_t *n,
                               const node_id **layers)
{
    run_plan p = {.g = g, .backend = backend, .batch = batch, .keep = KEEP_LOGITS, .winograd = true};
    node_id *list;
    arena *scratch = NULL;
    TRY_ALLOC(list, a, g->n_nodes);
    status st = arena_open("forward plan", &scratch);
    if (status_ok(st)) {
        st = plan_run(scratch, NULL, &p);
    }
    *n = 0;
    for (node_id id = 0; status_ok(st) && id < g->n_nodes; id++) {
        if (p.products[id].plan != NULL && p.products[id].plan->winograd) {
            list[(*n)++] = id;
        }
    }
    arena_close(&scratch);
    *layers = list;
    return st;
}

static size_t offset_of(const run_plan *p, size_t index)
{
    return index == NO_BLOCK ? NO_BLOCK : p->blocks[index].offset;
}

static status build_step(arena *a, const run_plan *p, node_id id, float *cutting, step *s)
{
    const node *n = &p->g->nodes[id];
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the plan is complete where plan_run succeeds */
    *s = (step){.runs = p->fusion.done_by[id] == id,
                .relu = p->g->nodes[p->fusion.result[id]].op == &op_relu,
                .out = offset_of(p, p->of[id].out),
                .saved = offset_of(p, p->of[id].saved),
                .work = offset_of(p, p->of[id].work),
                .block = forward_block(p->g, p->backend, id)};
    op_input_shapes(p->g->nodes, n, s->in_shape);
    if (n->op->product != NULL) {
        s->product = &p->products[id];
        TRY(is_wanted(p, id)  ? product_want(p->weights, a, n->weight, n->bias, s->product)
            : n->cut == NULL ? product_load(a, n->weight, n->bias, s->product)
                             : product_load_cut(a, n->weight, n->bias, n->cut, cutting, s->product));
    }
    return STATUS_OK;
}

static status build(arena *a, const bool relu_allowed[], run_plan *p, forward **out)
{
    forward *f;
    float *cutting;
    size_t n_cutting, n_cut;
    TRY(plan_run(a, relu_allowed, p));
    cutting_floats(p, &n_cutting, &n_cut);
    TRY_ALLOC(f, a, 1);
    *f = (forward){
        .g = p->g, .backend = p->backend, .batch = p->batch, .keep = p->keep, .bytes = plan_bytes(p)};
    TRY_ALLOC(f->steps, a, p->g->n_nodes);
    TRY_ALLOC(f->slab, a, p->total);
    TRY_ALLOC(f->mask, a, p->g->n_components);
    TRY_ALLOC(cutting, a, n_cutting);
    for (node_id id = 0; id < p->g->n_nodes; id++) {
        TRY(build_step(a, p, id, cutting, &f->steps[id]));
    }
    *out = f;
    return STATUS_OK;
}

status forward_build(arena *a, const graph *g, const backend_def *backend, size_t batch, forward_keep keep,
                     forward **out)
{
    run_plan p = {.g = g, .backend = backend, .batch = batch, .keep = keep};
    const bool *allowed = NULL;
    if (keep != KEEP_LOGITS) {
        TRY(no_relus(a, g, &allowed));
    }
    return build(a, allowed, &p, out);
}

status forward_build_for_logits(arena *a, const graph *g, const backend_def *backend, size_t batch, bool winograd,
                                forward **out)
{
    run_plan p = {.g = g, .backend = backend, .batch = batch, .keep = KEEP_LOGITS, .winograd = winograd};
    return build(a, NULL, &p, out);
}

status forward_build_for_walk(arena *a, const graph *g, const backend_def *backend, size_t batch,
                              const bool relu_allowed[], weight_list *weights, forward **out)
{
    run_plan p = {.g = g, .backend = backend, .batch = batch, .keep = KEEP_WALK, .weights = weights};
    return build(a, relu_allowed, &p, out);
}

static float *at(const forward *f, size_t offset)
{
    return offset == NO_BLOCK ? NULL : f->slab + offset;
}

/* Weights change only when the mask does. */
static void apply_mask(forward *f, const uint8_t *alive)
{
    if (alive == NULL ? !f->masked : f->masked && memcmp(alive, f->mask, f->g->n_components) == 0) {
        return;
    }
    for (size_t k = 0; k < f->g->n_layers; k++) {
        const node *n = &f->g->nodes[f->g->layers[k]];
        const uint8_t *of_layer = alive == NULL ? NULL : alive + n->first_component;
        const bool same = f->masked && alive != NULL && memcmp(of_layer, f->mask + n->first_component, n->n_components) == 0;
        if (n->op->product != NULL && !same) {
            product_mask(f->steps[f->g->layers[k]].product, of_layer);
        }
    }
    f->masked = alive != NULL;
    if (alive != NULL) {
        memcpy(f->mask, alive, f->g->n_components);
    }
}

/* One node, from what its inputs hold. */
static op_call call_of(const forward *f, node_id id, const float *images, const uint8_t *alive)
{
    const node *n = &f->g->nodes[id];
    const step *s = &f->steps[id];
    op_call c = {
        .node = n,
        .backend = f->backend,
        .batch = f->batch,
        .block = s->block,
        .in_shape = s->in_shape,
        .in = {images}, /* the input node has no other */
        .out = at(f, s->out),
        .saved = at(f, s->saved),
        .work = at(f, s->work),
        .product = s->product,
        .relu = s->relu,
        .alive = alive == NULL || n->components == COMPONENT_NONE ? NULL : alive + n->first_component,
    };
    for (size_t i = 0; i < n->n_in; i++) {
        c.in[i] = at(f, f->steps[n->in[i]].out);
    }
    return c;
}

static void run_nodes(const forward *f, node_id first, const float *images, const uint8_t *alive)
{
    for (node_id id = first; id < f->g->n_nodes; id++) {
        if (f->steps[id].runs) {
            const op_call c = call_of(f, id, images, alive);
            f->g->nodes[id].op->forward(&c);
        }
    }
}

void forward_run(forward *f, const float *images, const uint8_t *alive)
{
    apply_mask(f, alive);
    run_nodes(f, 0, images, alive);
}

void forward_run_behind(forward *f, node_id id)
{
    assert(id > 0 && f->keep != KEEP_LOGITS && f->steps[id].runs);
    if (f->g->nodes[id].op->from_saved != NULL) {
        const op_call c = call_of(f, id, NULL, NULL);
        c.node->op->from_saved(&c);
    }
    run_nodes(f, id + 1, NULL, NULL);
}

float *forward_component(const forward *f, node_id id)
{
    return at(f, f->g->nodes[id].op->from_saved != NULL ? f->steps[id].saved : f->steps[id].out);
}

const float *forward_logits(const forward *f)
{
    return forward_output(f, f->g->n_nodes - 1);
}

const float *forward_output(const forward *f, node_id id)
{
    return at(f, f->steps[id].out);
}

const float *forward_saved(const forward *f, node_id id)
{
    return at(f, f->steps[id].saved);
}

void forward_read(const forward *f, node_id id, float *out)
{
    images_load(f->batch, f->g->nodes[id].out, f->steps[id].block, forward_output(f, id), out);
}

size_t forward_taken(const forward *f)
{
    return f->bytes;
}
