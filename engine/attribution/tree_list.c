/* From the grown tree to the list of its steps: depth first, in nodes, with the lives of buffers and what each node shows. */
#include "attribution/tree_branch.h"

/* A layer whose relevance is complete above the branch in which its own step is. */
typedef struct ahead {
    struct ahead *next;       /* of the same node */
    node_id id;
    relevance_at r_out;
    const branch *first;      /* the first step that has it */
    size_t walks;             /* how many composites' walks have it so */
    bool hoisted;             /* all that pass through the node */
} ahead;

typedef struct lister {
    const graph *g;
    branch *root;
    arena *scratch;
    const branch **maker; /* [n_buffers] the step that writes it; the root: what the walk starts from */
    ahead **of_node;      /* [n_nodes] */
    tree_layer *layers;   /* of the node that is being listed */
} lister;

static bool starts_node(const branch *b)
{
    return b->parent->parent == NULL || b->parent->child != b->parent->last || b->parent->ends;
}

/* Depth first; NULL behind the last. */
static branch *next_of(branch *b)
{
    if (b->child != NULL) {
        return b->child;
    }
    while (b->next == NULL && b->parent != NULL) {
        b = b->parent;
    }
    return b->next;
}

static void count_nodes(branch *root, tree_program *out)
{
    for (branch *b = root->child; b != NULL; b = next_of(b)) {
        out->n_nodes += starts_node(b);
        b->node = out->n_nodes - 1;
    }
}

/* ---- where components are shown ---- */

/* Relevance of heads is found by their own step; what the walk starts from has no node. */
static bool may_be_ahead(const lister *l, const branch *b)
{
    const node *n = &l->g->nodes[b->step.id];
    const branch *maker = l->maker[b->step.r_out.buffer];
    return n->n_components > 0 && n->components != COMPONENT_HEAD && maker != l->root && maker->node != b->node;
}

static ahead *find_ahead(const lister *l, const branch *b)
{
    ahead *x = l->of_node[l->maker[b->step.r_out.buffer]->node];
    while (x != NULL && (x->id != b->step.id || x->r_out.buffer != b->step.r_out.buffer || x->r_out.factor != b->step.r_out.factor)) {
        x = x->next;
    }
    return x;
}

/* The relevance at a layer's output is complete where its buffer is written. Where walks branch between there and the layer's own step, because of
 * its rule or of another layer's beside it, it is the same for all branches: the node that writes it shows it, once, if every walk through the
 * node goes on to have it so. */
static status look_ahead(lister *l)
{
    for (branch *b = l->root->child; b != NULL; b = next_of(b)) {
        if (!may_be_ahead(l, b)) {
            continue;
        }
        const branch *maker = l->maker[b->step.r_out.buffer];
        ahead *x = find_ahead(l, b);
        if (x == NULL) {
            TRY_ALLOC(x, l->scratch, 1);
            *x = (ahead){.next = l->of_node[maker->node], .id = b->step.id, .r_out = b->step.r_out, .first = b};
            l->of_node[maker->node] = x;
        }
        x->walks += b->walks;
        x->hoisted = x->walks == maker->walks;
    }
    return STATUS_OK;
}

static bool shows(const lister *l, const branch *b)
{
    return l->g->nodes[b->step.id].n_components > 0 && !(may_be_ahead(l, b) && find_ahead(l, b)->hoisted);
}

static size_t count_ahead(const lister *l, size_t k)
{
    size_t n = 0;
    for (const ahead *x = l->of_node[k]; x != NULL; x = x->next) {
        n += x->hoisted;
    }
    return n;
}

/* Layers that a node which begins with `b` shows. */
static size_t count_layers(const lister *l, const branch *b)
{
    size_t n = count_ahead(l, b->node);
    for (const branch *c = b; c != NULL && c->node == b->node; c = c->child) {
        n += shows(l, c);
    }
    return n;
}

/* ---- the list ---- */

static void live(tree_program *p, buffer_id id, size_t floats, size_t step)
{
    p->buffers[id] = (block){.size = floats, .first = step, .last = step};
}

/* The step's place in the list; what it reads lives at least until then. */
static tree_step *put_step(tree_program *p, const branch *b)
{
    const size_t i = p->n_steps++;
    buffer_id *place[MOST_PLACES];
    p->steps[i] = (tree_step){.step = b->step, .sums = NO_SUMS};
    for (size_t k = 0; k < b->n_made; k++) {
        live(p, b->made[k].id, b->made[k].floats, i);
    }
    const size_t n = branch_places(&p->steps[i].step, place);
    for (size_t k = 0; k < n; k++) {
        if (*place[k] != NO_BUFFER) {
            p->buffers[*place[k]].last = i;
        }
    }
    return &p->steps[i];
}

/* A layer's values come behind those of the node's layers before. */
static void put_layer(const lister *l, tree_node *n, node_id id)
{
    l->layers[n->n_layers++] = (tree_layer){id, n->n_values};
    n->n_values += l->g->nodes[id].n_components;
}

static status begin_node(arena *a, lister *l, tree_program *p, const branch *b)
{
    tree_part *part = &p->parts[b->node];
    TRY_ALLOC(l->layers, a, count_layers(l, b));
    TRY_ALLOC(part->ahead, a, count_ahead(l, b->node));
    part->first_step = p->n_steps;
    p->nodes[b->node] = (tree_node){.parent = b->parent->parent == NULL ? TREE_NO_NODE : b->parent->node, .layers = l->layers};
    return STATUS_OK;
}

static void end_node(const lister *l, tree_program *p, size_t k)
{
    tree_part *part = &p->parts[k];
    for (const ahead *x = l->of_node[k]; x != NULL; x = x->next) {
        if (x->hoisted) {
            part->ahead[part->n_ahead++] = x->first->step;
            put_layer(l, &p->nodes[k], x->id);
        }
    }
}

static status put_steps(arena *a, lister *l, tree_program *p)
{
    for (branch *b = l->root->child; b != NULL; b = next_of(b)) {
        if (starts_node(b)) {
            TRY(begin_node(a, l, p, b));
        }
        p->parts[b->node].n_steps++;
        tree_step *s = put_step(p, b);
        s->shows = shows(l, b);
        if (s->shows) {
            put_layer(l, &p->nodes[b->node], b->step.id);
        }
        if (b->child == NULL || starts_node(b->child)) {
            end_node(l, p, b->node);
        }
    }
    return STATUS_OK;
}

static void count_values(tree_program *p)
{
    for (size_t k = 0; k < p->n_nodes; k++) {
        p->nodes[k].first_value = p->n_values;
        p->n_values += p->nodes[k].n_values;
        p->most_values = p->nodes[k].n_values > p->most_values ? p->nodes[k].n_values : p->most_values;
    }
}

static void find_makers(lister *l, branch *b)
{
    for (; b != NULL; b = next_of(b)) {
        for (size_t k = 0; k < b->n_made; k++) {
            l->maker[b->made[k].id] = b;
        }
    }
}

static status list(arena *a, lister *l, size_t n_buffers, tree_program *out)
{
    TRY_ALLOC(l->maker, l->scratch, n_buffers);
    TRY_ALLOC(l->of_node, l->scratch, out->n_nodes);
    find_makers(l, l->root);
    for (size_t k = 0; k < l->root->n_made; k++) {
        live(out, l->root->made[k].id, l->root->made[k].floats, 0);
    }
    TRY(look_ahead(l));
    TRY(put_steps(a, l, out));
    count_values(out);
    return STATUS_OK;
}

status tree_list(arena *a, const graph *g, branch *root, size_t n_steps, size_t n_buffers, size_t n, branch *const end[], tree_program *out)
{
    lister l = {.g = g, .root = root};
    count_nodes(root, out);
    out->n_buffers = n_buffers;
    TRY_ALLOC(out->steps, a, n_steps);
    TRY_ALLOC(out->nodes, a, out->n_nodes);
    TRY_ALLOC(out->parts, a, out->n_nodes);
    TRY_ALLOC(out->buffers, a, n_buffers);
    TRY_ALLOC(out->leaf, a, n);
    for (size_t i = 0; i < n; i++) {
        out->leaf[i] = end[i] == root ? TREE_NO_NODE : end[i]->node;
    }
    TRY(arena_open("list of a composite tree", &l.scratch));
    const status st = list(a, &l, n_buffers, out);
    arena_close(&l.scratch);
    return st;
}
