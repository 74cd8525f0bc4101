#include "pruning/lrp_tree.h"

#include <assert.h>
#include <string.h>

#include "attribution/start.h"
#include "attribution/walk.h"
#include "pruning/aggregate.h"

struct lrp_tree {
    tree *tree;
    walk_start start;
    size_t batch, n_values, n_components;
    float *rows; /* of the run at hand */
    void (*tick)(void *to);
    void *to;
};

static double parameter(const criterion_def *method, const double parameters[], const char *name)
{
    const size_t i = field_index(method->n_fields, method->fields, name);
    assert(i < method->n_fields);
    return parameters[i];
}

static const criterion_def *lrp(void)
{
    const criterion_def *found = criterion_find("lrp");
    assert(found != NULL);
    return found;
}

bool lrp_tree_takes(const criterion_def *method, const double parameters[])
{
    return method == lrp() && parameter(method, parameters, "audit") == 0.0 && parameter(method, parameters, "normalise") == NORM_NONE &&
           parameter(method, parameters, "absolute") != ABSOLUTE_SAMPLE;
}

/* The composites of all of them, completed. */
static status complete(arena *a, size_t n, const criterion_setup setups[], const composite *const **out)
{
    const composite **list;
    TRY_ALLOC(list, a, n);
    for (size_t i = 0; i < n; i++) {
        TRY(lrp()->composite(a, &setups[i], &list[i]));
    }
    *out = list;
    return STATUS_OK;
}

static tree_options options_of(const criterion_setup *s)
{
    return (tree_options){.sums_bytes = TREE_SUMS_DEFAULT, .weights = s->weights};
}

status lrp_tree_open(arena *a, size_t n, const criterion_setup setups[], lrp_tree **out)
{
    const criterion_setup *s = &setups[0];
    const tree_options options = options_of(s);
    const composite *const *composites;
    lrp_tree *t;
    TRY_ALLOC(t, a, 1);
    TRY(complete(a, n, setups, &composites));
    TRY(tree_build(a, s->graph, n, composites, s->backend, s->batch, &options, &t->tree));
    t->start = start_read(parameter(lrp(), s->parameters, "target"), parameter(lrp(), s->parameters, "initial"));
    t->batch = s->batch;
    t->n_values = tree_values(t->tree);
    t->n_components = s->graph->n_components;
    *out = t;
    return STATUS_OK;
}

status lrp_tree_needs(arena *scratch, size_t n, const criterion_setup setups[], lrp_tree_need *out)
{
    const composite *const *composites;
    tree_need need;
    const tree_options options = options_of(&setups[0]);
    arena_reset(scratch);
    TRY(complete(scratch, n, setups, &composites));
    TRY(tree_needs(setups[0].graph, n, composites, setups[0].backend, setups[0].batch, &options, &need));
    *out = (lrp_tree_need){need.bytes, WALK_MOMENTS * need.n_values, tree_cost_total(&need.cost)};
    return STATUS_OK;
}

size_t lrp_tree_row(const lrp_tree *t)
{
    return WALK_MOMENTS * t->n_values;
}

static void take(void *to, size_t which, const float *rows)
{
    const lrp_tree *t = to;
    const tree_node *n = tree_node_at(t->tree, which);
    for (size_t i = 0; i < t->batch; i++) {
        for (size_t m = 0; m < WALK_MOMENTS; m++) {
            memcpy(t->rows + (i * WALK_MOMENTS + m) * t->n_values + n->first_value, rows + (i * WALK_MOMENTS + m) * n->n_values,
                   n->n_values * sizeof *rows);
        }
    }
}

static void tick_on(void *to, tree_work done, node_id layer)
{
    const lrp_tree *t = to;
    (void)done;
    (void)layer;
    t->tick(t->to);
}

void lrp_tree_rows(lrp_tree *t, const criterion_batch *b, float *rows, void (*tick)(void *to), void *to)
{
    const tree_sink sink = {.to = t, .take = take, .tick = tick == NULL ? NULL : tick_on};
    t->rows = rows;
    t->tick = tick;
    t->to = to;
    tree_run(t->tree, b->images, &t->start, b->target, &sink);
}

void lrp_tree_sums(const lrp_tree *t, size_t which, const double *sums, double *out)
{
    _Static_assert((int)AGGREGATE_ABSOLUTE == (int)WALK_ABSOLUTE && (int)AGGREGATE_SIGNED == (int)WALK_SIGNED, "the first moments of a row are those of a walk");
    for (size_t m = 0; m < WALK_MOMENTS; m++) {
        tree_assemble(t->tree, which, sums + m * t->n_values, out + m * t->n_components);
    }
    memset(out + AGGREGATE_SQUARE * t->n_components, 0, t->n_components * sizeof *out);
}
