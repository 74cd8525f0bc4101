/* Which matrices the spectrum stage solves, and who solves them. */
#include <stdlib.h>

#include "backend/dense.h"
#include "parallel/eigen.h"
#include "stages/rows.h"
#include "stages/spectrum.h"

const char *const spectrum_level_names[SPECTRUM_LEVELS + 1] = {"layer", "kind", "network", NULL};

/* Is any criterion with these scores for the model? */
static bool is_wanted(const study *s, size_t model, size_t criterion)
{
    size_t k = 0;
    while (k < s->config->n_criteria && (rows_scored(s, k) != criterion || !study_wants(s, model, k))) {
        k++;
    }
    return k < s->config->n_criteria;
}

bool spectrum_exists(const study *s, size_t model, size_t criterion)
{
    return s->config->spectrum && rows_exist(s, model, criterion) && rows_scored(s, criterion) == criterion && is_wanted(s, model, criterion);
}

size_t spectrum_components(const study_model *m)
{
    size_t n = 0;
    for (size_t k = 0; k < m->n_kinds; k++) {
        n += m->n_components[k];
    }
    return n;
}

static bool is_pruned(const study_model *m, component_kind kind)
{
    size_t k = 0;
    while (k < m->n_kinds && m->kinds[k] != kind) {
        k++;
    }
    return k < m->n_kinds;
}

status spectrum_parts(arena *a, const study_model *m, size_t *n, const spectrum_part **out)
{
    const graph *g = m->graph;
    spectrum_part *parts;
    size_t *numbers, *all, filled = 0;
    *n = 0;
    TRY_ALLOC(parts, a, g->n_layers + m->n_kinds + 1);
    TRY_ALLOC(numbers, a, g->n_components);
    for (size_t i = 0; i < g->n_components; i++) {
        numbers[i] = i;
    }
    for (size_t l = 0; l < g->n_layers; l++) {
        const node *layer = &g->nodes[g->layers[l]];
        if (is_pruned(m, layer->components)) {
            parts[*n] = (spectrum_part){layer->name, SPECTRUM_LAYER, layer->components, layer->n_components, numbers + layer->first_component, *n};
            (*n)++;
        }
    }
    for (size_t k = 0; k < m->n_kinds; k++, (*n)++) {
        parts[*n] = (spectrum_part){component_kind_name(m->kinds[k]), SPECTRUM_KIND, m->kinds[k], m->n_components[k], m->component[k], *n};
    }
    TRY_ALLOC(all, a, spectrum_components(m));
    for (size_t l = 0; l < g->n_layers; l++) { /* in the order of the graph */
        const node *layer = &g->nodes[g->layers[l]];
        for (size_t i = 0; i < layer->n_components && is_pruned(m, layer->components); i++) {
            all[filled++] = layer->first_component + i;
        }
    }
    parts[*n] = m->n_kinds == 1 ? (spectrum_part){"network", SPECTRUM_NETWORK, m->kinds[0], filled, m->component[0], *n - 1}
                                : (spectrum_part){"network", SPECTRUM_NETWORK, COMPONENT_NONE, filled, all, *n};
    (*n)++;
    *out = parts;
    return STATUS_OK;
}

double spectrum_cost(const spectrum_task *t)
{
    const double n = (double)t->order;
    return n * n * (0.5 * (double)t->length + 2.0 * n); /* the Gram matrix; its tridiagonal form, at half the speed of a product or less */
}

/* Dearest first; equal ones in their order. */
static int dearer(const void *a, const void *b)
{
    const spectrum_task *x = a, *y = b;
    const double cx = spectrum_cost(x), cy = spectrum_cost(y);
    if (cx != cy) {
        return cx > cy ? -1 : 1;
    }
    return x->index < y->index ? -1 : 1;
}

status spectrum_tasks(arena *a, const study *s, int ranks, size_t n_parts, const spectrum_part parts[], size_t *n, spectrum_task **out)
{
    spectrum_task *tasks;
    double *load;
    size_t alone = 0;
    *n = 0;
    TRY_ALLOC(tasks, a, s->n_references * n_parts);
    TRY_ALLOC(load, a, (size_t)ranks);
    for (int all = 0; all < 2; all++) { /* those of one rank, then those of all */
        for (size_t i = 0; i < s->n_references * n_parts; i++) {
            const size_t images = s->references[i / n_parts].samples.n, components = parts[i % n_parts].n;
            const spectrum_task t = {.reference = i / n_parts, .part = i % n_parts, .index = i, .rank = -1,
                                     .order = images < components ? images : components, .length = images < components ? components : images};
            if (parts[t.part].same_as == t.part && (t.order > s->config->spectrum_lapack) == (all != 0)) {
                tasks[(*n)++] = t;
            }
        }
        alone = all == 0 ? *n : alone;
    }
    qsort(tasks, alone, sizeof *tasks, dearer);
    for (size_t i = 0; i < alone; i++) {
        int least = 0;
        for (int rank = 1; rank < ranks; rank++) {
            least = load[rank] < load[least] ? rank : least;
        }
        tasks[i].rank = least;
        load[least] += spectrum_cost(&tasks[i]);
    }
    *out = tasks;
    return STATUS_OK;
}

status spectrum_samples(arena *a, const study *s, size_t reference, const size_t **out)
{
    const sample_list *list = &s->references[reference].samples;
    size_t *at;
    TRY_ALLOC(at, a, list->n);
    for (size_t i = 0, k = 0; k < list->n; i++) { /* both ascend, and every image of a set is explained */
        if (s->explained.sample[i] == list->sample[k]) {
            at[k++] = i;
        }
    }
    *out = at;
    return STATUS_OK;
}

static bool any_rows(const study *s)
{
    for (size_t i = 0; i < s->n_models * s->config->n_criteria; i++) {
        if (spectrum_exists(s, i / s->config->n_criteria, i % s->config->n_criteria)) {
            return true;
        }
    }
    return false;
}

status spectrum_check(const study *s, int ranks)
{
    if (!s->config->spectrum) {
        return STATUS_OK;
    }
    if (!any_rows(s)) {
        return FAIL(ST_CONFIG, "%s: spectrum: expected a criterion whose score adds up those of single images, like lrp, found none; add one, or leave the "
                    "key out", s->config->path);
    }
    for (size_t m = 0; m < s->n_models; m++) {
        size_t most = 0;
        for (size_t r = 0; r < s->n_references; r++) {
            const size_t images = s->references[r].samples.n, components = spectrum_components(&s->models[m]);
            const size_t order = images < components ? images : components;
            most = order > most ? order : most;
        }
        if (most > s->config->spectrum_lapack && !status_ok(eigen_check(most, ranks))) {
            char why[256];
            (void)snprintf(why, sizeof why, "%s", status_message());
            status_clear();
            const size_t alone = most < DENSE_MOST ? most : DENSE_MOST; /* what the key takes */
            return FAIL(ST_ENVIRONMENT, "%s: spectrum of %s, all layers together: %s; or take fewer reference images, or let one rank do it (spectrum_lapack: "
                        "%zu)", s->config->path, s->models[m].config->name, why, alone);
        }
    }
    return STATUS_OK;
}
