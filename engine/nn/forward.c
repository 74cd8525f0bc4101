#include "nn/forward.h"

#include <stdint.h>

#include "nn/layout.h"
#include "nn/sizes.h"

/* One node's run; offsets into the slab, in floats. */
typedef struct step {
    size_t out, saved, work;
    shape in_shape[MAX_INPUTS];
} step;

struct forward {
    const graph *g;
    const backend_def *backend;
    size_t batch;
    step *steps; /* [n_nodes] */
    float *slab;
};

/* Blocks of memory of a run; NO_BLOCK: none. Two nodes share a block where one works in place. */
enum { BLOCKS_PER_NODE = 3 };
static const size_t NO_BLOCK = SIZE_MAX;

typedef struct node_blocks {
    size_t out, saved, work;
} node_blocks;

typedef struct memory_plan {
    node_blocks *of; /* [n_nodes] */
    block *blocks;   /* [n_blocks] */
    size_t n_blocks, total;
} memory_plan;

static size_t new_block(memory_plan *p, size_t size, size_t first, size_t last)
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

/* The block of an input that nobody reads after `id`, if the layer may write over it. */
static size_t reusable_block(const graph *g, node_id id, const memory_plan *p)
{
    const node *n = &g->nodes[id];
    for (size_t i = 0; n->op->in_place && i < n->n_in; i++) {
        const size_t input = p->of[n->in[i]].out;
        if (p->blocks[input].last == id && shape_count(g->nodes[n->in[i]].out) == shape_count(n->out)) {
            return input;
        }
    }
    return NO_BLOCK;
}

static void plan_node(const graph *g, node_id id, size_t batch, forward_keep keep, const size_t last[], memory_plan *p)
{
    const node *n = &g->nodes[id];
    shape in[MAX_INPUTS];
    for (size_t i = 0; i < n->n_in; i++) {
        in[i] = g->nodes[n->in[i]].out;
    }
    const size_t kept_until = keep == KEEP_ALL ? g->n_nodes : id, read_until = keep == KEEP_ALL ? g->n_nodes : last[id];
    node_blocks *b = &p->of[id];
    b->out = keep == KEEP_ALL ? NO_BLOCK : reusable_block(g, id, p);
    if (b->out == NO_BLOCK) {
        b->out = new_block(p, batch * shape_count(n->out), id, read_until);
    } else {
        p->blocks[b->out].last = read_until;
    }
    b->saved = new_block(p, n->op->saved == NULL ? 0 : batch * n->op->saved(n, in), id, kept_until);
    b->work = new_block(p, n->op->workspace == NULL ? 0 : n->op->workspace(n, in, batch), id, id);
}

/* BLAS counts rows, at most batch x tokens, with 32 bits; beyond this no product of sizes can overflow either. */
static status check_batch(const graph *g, size_t batch)
{
    for (size_t id = 0; id < g->n_nodes; id++) {
        if (batch == 0 || batch > MAX_COUNT / shape_count(g->nodes[id].out) + 1) {
            return FAIL(ST_CONFIG, "micro_batch: expected 1 to %zu images of this network ('%s'), found %zu",
                        MAX_COUNT / shape_count(g->nodes[id].out) + 1, g->nodes[id].name, batch);
        }
    }
    return STATUS_OK;
}

static status plan_memory(arena *a, const graph *g, size_t batch, forward_keep keep, memory_plan *p)
{
    size_t *last;
    *p = (memory_plan){0};
    TRY(check_batch(g, batch));
    TRY_ALLOC(last, a, g->n_nodes);
    TRY_ALLOC(p->of, a, g->n_nodes);
    TRY_ALLOC(p->blocks, a, BLOCKS_PER_NODE * g->n_nodes);
    find_last_readers(g, last);
    for (size_t id = 0; id < g->n_nodes; id++) {
        plan_node(g, id, batch, keep, last, p);
    }
    return layout_plan(a, p->n_blocks, p->blocks, &p->total);
}

size_t forward_bytes(const graph *g, size_t batch, forward_keep keep)
{
    arena *scratch = NULL;
    memory_plan p = {0};
    status st = arena_open("forward plan", &scratch);
    if (status_ok(st)) {
        st = plan_memory(scratch, g, batch, keep, &p);
    }
    arena_close(&scratch);
    return status_ok(st) ? p.total * sizeof(float) : SIZE_MAX;
}

static size_t offset_of(const memory_plan *p, size_t index)
{
    return index == NO_BLOCK ? NO_BLOCK : p->blocks[index].offset;
}

status forward_build(arena *a, const graph *g, const backend_def *backend, size_t batch, forward_keep keep,
                     forward **out)
{
    memory_plan p;
    forward *f;
    TRY(plan_memory(a, g, batch, keep, &p));
    TRY_ALLOC(f, a, 1);
    *f = (forward){.g = g, .backend = backend, .batch = batch};
    TRY_ALLOC(f->steps, a, g->n_nodes);
    TRY_ALLOC(f->slab, a, p.total);
    for (size_t id = 0; id < g->n_nodes; id++) {
        const node *n = &g->nodes[id];
        step *s = &f->steps[id];
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the plan is complete where plan_memory succeeds */
        *s = (step){.out = offset_of(&p, p.of[id].out),
                    .saved = offset_of(&p, p.of[id].saved),
                    .work = offset_of(&p, p.of[id].work)};
        for (size_t i = 0; i < n->n_in; i++) {
            s->in_shape[i] = g->nodes[n->in[i]].out;
        }
    }
    *out = f;
    return STATUS_OK;
}

static float *at(const forward *f, size_t offset)
{
    return offset == NO_BLOCK ? NULL : f->slab + offset;
}

void forward_run(forward *f, const float *images, const uint8_t *alive)
{
    for (size_t id = 0; id < f->g->n_nodes; id++) {
        const node *n = &f->g->nodes[id];
        const step *s = &f->steps[id];
        op_call c = {
            .node = n,
            .backend = f->backend,
            .batch = f->batch,
            .in_shape = s->in_shape,
            .in = {images}, /* the input node has no other */
            .out = at(f, s->out),
            .saved = at(f, s->saved),
            .work = at(f, s->work),
            .alive = alive == NULL || n->components == COMPONENT_NONE ? NULL : alive + n->first_component,
        };
        for (size_t i = 0; i < n->n_in; i++) {
            c.in[i] = at(f, f->steps[n->in[i]].out);
        }
        n->op->forward(&c);
    }
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
