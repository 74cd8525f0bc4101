#include "stages/masks.h"

#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "stages/forecast.h"

static uint64_t hash_bytes(const uint8_t *data, size_t n) /* FNV-1a: only to sort; equality is checked byte by byte */
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ data[i]) * 1099511628211u;
    }
    return h;
}

static int compare_masks(const mask_use *a, const mask_use *b)
{
    if (a->evaluation != b->evaluation) {
        return a->evaluation < b->evaluation ? -1 : 1;
    }
    if (a->unknown != b->unknown) {
        return a->unknown < b->unknown ? -1 : 1;
    }
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    return a->n_alive == 0 ? 0 : memcmp(a->alive, b->alive, a->n_alive);
}

static int compare_uses(const void *left, const void *right)
{
    const mask_use *a = left, *b = right;
    const int masks = compare_masks(a, b);
    if (masks != 0) {
        return masks;
    }
    const size_t ia[] = {a->cell, a->rate}, ib[] = {b->cell, b->rate};
    return ia[0] != ib[0] ? (ia[0] < ib[0] ? -1 : 1) : (ia[1] > ib[1]) - (ia[1] < ib[1]);
}

static size_t count_uses(const study *s, size_t model)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_cells; i++) {
        n += s->cells[i].model == model ? s->config->n_rates : 0;
    }
    return n;
}

/* The mask of a cell at a rate; `removed_at` NULL where nothing is removed or by a ranking that nobody knows. */
static status find_mask(arena *a, const study *s, const study_cell *cell, const uint16_t *removed_at, mask_use *out)
{
    const study_model *m = &s->models[cell->model];
    uint8_t *alive;
    TRY_ALLOC(alive, a, m->graph->n_components);
    memset(alive, 1, m->graph->n_components);
    for (size_t k = 0; removed_at != NULL && k < m->n_components[cell->kind]; k++) {
        alive[m->component[cell->kind][k]] = removed_at[k] > out->rate;
    }
    out->alive = alive;
    out->n_alive = m->graph->n_components;
    out->hash = hash_bytes(alive, out->n_alive);
    return STATUS_OK;
}

static status add_use(arena *a, const study *s, size_t index, const uint16_t *removed_at, size_t removed, size_t rate,
                      mask_use *out)
{
    const study_cell *cell = &s->cells[index];
    *out = (mask_use){.evaluation = s->tasks[cell->task].evaluation, .cell = index, .rate = rate};
    if (removed_at == NULL && removed > 0) {
        out->unknown = index + 1;
        out->hash = removed;
        return STATUS_OK;
    }
    return find_mask(a, s, cell, removed_at, out);
}

status masks_collect(arena *a, const study *s, size_t model, const uint16_t *const removed_at[],
                     const size_t *const removed[], mask_list *out)
{
    *out = (mask_list){0};
    TRY_ALLOC(out->use, a, count_uses(s, model));
    for (size_t i = 0; i < s->n_cells; i++) {
        for (size_t r = 0; r < s->config->n_rates && s->cells[i].model == model; r++) {
            TRY(add_use(a, s, i, removed_at[i], removed[i][r], r, &out->use[out->n++]));
        }
    }
    qsort(out->use, out->n, sizeof out->use[0], compare_uses);
    return STATUS_OK;
}

size_t masks_bytes(const study *s, size_t model)
{
    const size_t n = count_uses(s, model);
    return forecast_block(n, sizeof(mask_use)) + n * forecast_block(s->models[model].graph->n_components, 1);
}

size_t masks_end(const mask_list *l, size_t first)
{
    size_t end = first + 1;
    while (end < l->n && compare_masks(&l->use[first], &l->use[end]) == 0) {
        end++;
    }
    return end;
}

size_t masks_set_begin(const mask_list *l, size_t use)
{
    while (use > 0 && l->use[use - 1].evaluation == l->use[use].evaluation) {
        use--;
    }
    return use;
}

size_t masks_set_end(const mask_list *l, size_t first)
{
    size_t end = first;
    while (end < l->n && l->use[end].evaluation == l->use[first].evaluation) {
        end++;
    }
    return end;
}

size_t masks_distinct(const mask_list *l, size_t first, size_t end)
{
    size_t n = 0;
    for (; first < end; first = masks_end(l, first)) {
        n++;
    }
    return n;
}

status masks_macs(arena *scratch, const study *s, size_t model, const mask_use *u, const size_t *const removed[], double *out)
{
    const study_model *m = &s->models[model];
    const study_cell *cell = &s->cells[u->cell];
    uint64_t parameters, macs;
    const uint8_t *alive = u->alive;
    arena_reset(scratch);
    if (u->unknown != 0) {
        const size_t n = m->n_components[cell->kind];
        uint8_t *drawn;
        size_t *room, *gone;
        TRY_ALLOC(drawn, scratch, m->graph->n_components);
        TRY_ALLOC(room, scratch, n);
        TRY_ALLOC(gone, scratch, n);
        memset(drawn, 1, m->graph->n_components);
        rng_subset(0, RNG_SCORES, 0, n, removed[u->cell][u->rate], room, gone);
        for (size_t i = 0; i < removed[u->cell][u->rate]; i++) {
            drawn[m->component[cell->kind][gone[i]]] = 0;
        }
        alive = drawn;
    }
    TRY(graph_cost_left(scratch, m->graph, alive, &parameters, &macs));
    *out = (double)macs;
    return STATUS_OK;
}
