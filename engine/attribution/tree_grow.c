/* The composites' walks are compiled one after the other, as they would be alone, and laid over each other: a walk follows the tree as long as
 * its steps are there already and branches off at the first that is not. */
#include "attribution/tree_branch.h"

#include <assert.h>

typedef struct grower {
    const graph *g;
    size_t n_steps;
    buffer_id n_buffers;
    branch root;          /* what comes before the first step */
    branch **end;         /* [n composites] */
    /* of the walk that is laid over the tree: */
    buffer_id *of;        /* the tree's buffer of each of its own, NO_BUFFER: none yet */
} grower;

size_t branch_places(walk_step *s, buffer_id *out[MOST_PLACES])
{
    size_t n = 0;
    out[n++] = &s->r_out.buffer;
    out[n++] = &s->plain;
    out[n++] = &s->component;
    for (size_t i = 0; i < MAX_INPUTS; i++) {
        out[n++] = &s->r_in[i];
        out[n++] = &s->share[i].buffer;
        out[n++] = &s->sum[i].to;
        if (s->sum[i].to != NO_BUFFER) {
            out[n++] = &s->sum[i].mine.buffer;
            out[n++] = &s->sum[i].before.buffer;
        }
    }
    return n;
}

static bool same_factors(const walk_step *a, const walk_step *b)
{
    bool same = a->r_out.factor == b->r_out.factor;
    for (size_t i = 0; i < MAX_INPUTS; i++) {
        same = same && a->share[i].factor == b->share[i].factor && (a->sum[i].to == NO_BUFFER) == (b->sum[i].to == NO_BUFFER) &&
               (a->sum[i].to == NO_BUFFER ||
                (a->sum[i].mine.factor == b->sum[i].mine.factor && a->sum[i].before.factor == b->sum[i].before.factor));
    }
    return same;
}

static bool writes(const branch *b, buffer_id id)
{
    bool found = false;
    for (size_t i = 0; i < b->n_made; i++) {
        found = found || b->made[i].id == id;
    }
    return found;
}

/* Does the walk's step read and write the buffers of the tree's? Then those that it writes are known from here on. */
static bool follow(const grower *w, branch *b, walk_step *mine)
{
    buffer_id *theirs[MOST_PLACES], *own[MOST_PLACES], *noted[MOST_PLACES];
    const size_t n = branch_places(&b->step, theirs);
    size_t n_noted = 0;
    bool same = branch_places(mine, own) == n;
    for (size_t i = 0; same && i < n; i++) {
        const buffer_id is = *theirs[i];
        if (*own[i] == NO_BUFFER || is == NO_BUFFER) {
            same = *own[i] == is;
        } else if (w->of[*own[i]] == NO_BUFFER) {
            same = writes(b, is);
            w->of[*own[i]] = is;
            noted[n_noted++] = &w->of[*own[i]];
        } else {
            same = w->of[*own[i]] == is;
        }
    }
    for (size_t i = 0; !same && i < n_noted; i++) {
        *noted[i] = NO_BUFFER;
    }
    return same;
}

static branch *find(const grower *w, const branch *at, walk_step *s)
{
    for (branch *b = at->child; b != NULL; b = b->next) {
        if (tree_same_step(w->g, &b->step, s) && same_factors(&b->step, s) && follow(w, b, s)) {
            return b;
        }
    }
    return NULL;
}

/* A new step under `at`; buffers that the walk has not named before are new ones of the tree. */
static status branch_off(arena *scratch, grower *w, branch *at, const walk_step *s, const block *own, branch **out)
{
    branch *b;
    buffer_id *place[MOST_PLACES];
    TRY_ALLOC(b, scratch, 1);
    b->parent = at;
    b->step = *s;
    const size_t n = branch_places(&b->step, place);
    for (size_t i = 0; i < n; i++) {
        if (*place[i] == NO_BUFFER) {
            continue;
        }
        buffer_id *of = &w->of[*place[i]];
        if (*of == NO_BUFFER) {
            assert(b->n_made < STEP_BUFFERS);
            *of = w->n_buffers++;
            b->made[b->n_made++] = (made_buffer){*of, own[*place[i]].size};
        }
        *place[i] = *of;
    }
    if (at->last == NULL) {
        at->child = b;
    } else {
        at->last->next = b;
    }
    at->last = b;
    w->n_steps++;
    *out = b;
    return STATUS_OK;
}

static status lay_over(arena *scratch, grower *w, const walk_program *p, branch **end)
{
    branch *at = &w->root;
    for (size_t i = 0; i < p->n_buffers; i++) {
        w->of[i] = NO_BUFFER;
    }
    if (p->n_steps > 0) {
        w->of[p->steps[0].r_out.buffer] = 0;
    }
    for (size_t i = 0; i < p->n_steps; i++) {
        walk_step s = p->steps[i];
        branch *b = find(w, at, &s);
        if (b == NULL) {
            TRY(branch_off(scratch, w, at, &s, p->buffers, &b));
        }
        at = b;
        at->walks++;
    }
    at->ends = true;
    *end = at;
    return STATUS_OK;
}

/* One composite: compiled in an arena for the time being. */
static status add_walk(arena *scratch, arena *one, grower *w, const composite *c, size_t lanes, size_t batch, const walk_options *options,
                       tree_program *out, branch **end)
{
    walk_program p;
    TRY(walk_compile_steps(one, w->g, c, lanes, batch, options, &p));
    TRY_ALLOC(w->of, one, p.n_buffers);
    for (node_id id = 0; id < w->g->n_nodes; id++) {
        out->relu_allowed[id] = out->relu_allowed[id] && p.relu_allowed[id];
    }
    out->work_floats = p.work_floats > out->work_floats ? p.work_floats : out->work_floats;
    if (p.n_steps > 0 && w->root.n_made == 0) {
        w->root.made[w->root.n_made++] = (made_buffer){w->n_buffers++, p.buffers[p.steps[0].r_out.buffer].size};
    }
    return lay_over(scratch, w, &p, end);
}

static status grow(arena *a, arena *scratch, arena *one, const graph *g, size_t n, const composite *const composites[], size_t lanes,
                   size_t batch, const walk_options *options, tree_program *out)
{
    grower w = {.g = g};
    TRY_ALLOC(w.end, scratch, n);
    TRY_ALLOC(out->relu_allowed, a, g->n_nodes);
    for (node_id id = 0; id < g->n_nodes; id++) {
        out->relu_allowed[id] = true;
    }
    for (size_t i = 0; i < n; i++) {
        arena_reset(one);
        TRY(add_walk(scratch, one, &w, composites[i], lanes, batch, options, out, &w.end[i]));
    }
    return tree_list(a, g, &w.root, w.n_steps, (size_t)w.n_buffers, n, w.end, out);
}

status tree_grow(arena *a, const graph *g, size_t n, const composite *const composites[], size_t lanes, size_t batch,
                 const walk_options *options, tree_program *out)
{
    arena *scratch = NULL, *one = NULL;
    *out = (tree_program){0};
    TRY(arena_open("composite tree", &scratch));
    status st = arena_open("walk plan", &one);
    if (status_ok(st)) {
        st = grow(a, scratch, one, g, n, composites, lanes, batch, options, out);
    }
    arena_close(&one);
    arena_close(&scratch);
    return st;
}
