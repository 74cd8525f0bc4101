#include "attribution/tree_sums.h"

#include <stdlib.h>
#include <string.h>

#include "attribution/tree_cost.h"

/* What some steps have in common. */
typedef struct wanted_sums {
    struct wanted_sums *next; /* of the same layer */
    const void *key;
    size_t floats, uses, first, last, number; /* steps; in the order in which they were found */
    uint64_t macs;                            /* of one time */
    size_t kept;                              /* index, or NO_SUMS */
} wanted_sums;

static wanted_sums *find(wanted_sums *first, const void *key)
{
    while (first != NULL && first->key != key) {
        first = first->next;
    }
    return first;
}

/* Every step's sums: of[step], NULL: it has none. All of them in all[*n]. */
static status collect(arena *scratch, const graph *g, const tree_program *p, wanted_sums **of, wanted_sums **all, size_t *n)
{
    wanted_sums **layer;
    TRY_ALLOC(layer, scratch, g->n_nodes);
    for (size_t i = 0; i < p->n_steps; i++) {
        const tree_step *s = &p->steps[i];
        const size_t floats = s->rule == NULL ? 0 : rule_sums(s->rule);
        if (floats == 0) {
            continue;
        }
        wanted_sums *w = find(layer[s->step.id], rule_sums_key(s->rule));
        if (w == NULL) {
            TRY_ALLOC(w, scratch, 1);
            *w = (wanted_sums){.next = layer[s->step.id],
                               .key = rule_sums_key(s->rule),
                               .floats = floats,
                               .first = i,
                               .number = *n,
                               .macs = node_macs(g, s->step.id) * rule_sum_products(s->rule),
                               .kept = NO_SUMS};
            layer[s->step.id] = w;
            all[(*n)++] = w;
        }
        w->uses++;
        w->last = i;
        of[i] = w;
    }
    return STATUS_OK;
}

static double gain(const wanted_sums *w)
{
    return (double)(w->uses - 1) * (double)w->macs / (double)w->floats;
}

static int larger_gain_first(const void *a, const void *b)
{
    const wanted_sums *const *x = a, *const *y = b;
    const double gx = gain(*x), gy = gain(*y);
    if (gx != gy) {
        return gx > gy ? -1 : 1;
    }
    return (*x)->number < (*y)->number ? -1 : 1; /* the same plan with every qsort */
}

static status choose(arena *a, arena *scratch, const graph *g, size_t most_bytes, tree_program *p, tree_sums *out)
{
    wanted_sums **of, **all;
    block *buffers;
    size_t n = 0;
    TRY_ALLOC(of, scratch, p->n_steps);
    TRY_ALLOC(all, scratch, p->n_steps);
    TRY(collect(scratch, g, p, of, all, &n));
    qsort(all, n, sizeof *all, larger_gain_first);
    TRY_ALLOC(out->kept, a, n);
    TRY_ALLOC(buffers, a, p->n_buffers + n);
    memcpy(buffers, p->buffers, p->n_buffers * sizeof *buffers);
    for (size_t k = 0; k < n; k++) {
        wanted_sums *w = all[k];
        const size_t bytes = w->floats * sizeof(float);
        if (w->uses < 2 || bytes > most_bytes - out->bytes) {
            continue;
        }
        out->bytes += bytes;
        w->kept = out->n;
        buffers[p->n_buffers] = (block){.size = w->floats, .first = w->first, .last = w->last};
        out->kept[out->n++] = (kept_sums){.buffer = (buffer_id)p->n_buffers++, .first = w->first};
    }
    p->buffers = buffers;
    for (size_t i = 0; i < p->n_steps; i++) {
        p->steps[i].sums = of[i] == NULL ? NO_SUMS : of[i]->kept;
    }
    return STATUS_OK;
}

status tree_sums_choose(arena *a, const graph *g, size_t most_bytes, tree_program *p, tree_sums *out)
{
    arena *scratch = NULL;
    *out = (tree_sums){0};
    TRY(arena_open("sums of a composite tree", &scratch));
    const status st = choose(a, scratch, g, most_bytes, p, out);
    arena_close(&scratch);
    return st;
}
