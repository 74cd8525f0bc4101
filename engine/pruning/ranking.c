#include "pruning/ranking.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

const char *const ranking_order_names[RANKING_ORDERS + 1] = {"least-first", "most-first", NULL};
const char *const ranking_scope_names[RANKING_SCOPES + 1] = {"global", "layer", NULL};

typedef struct scored {
    double score;
    uint32_t index;
} scored;

size_t ranking_count(size_t n, double rate)
{
    return (size_t)((double)n * rate);
}

size_t ranking_removed(const ranking_options *o, const ranking_layers *l, double rate)
{
    size_t sum = 0;
    for (size_t i = 0; i < l->n_layers; i++) {
        sum += ranking_count(l->size[i], rate);
    }
    return o->scope == RANKING_LAYER ? sum : ranking_count(l->n, rate);
}

size_t ranking_floor(size_t n, double floor)
{
    static const double rounding = 1e-9; /* 0.07 x 100 is a little more than 7, which is meant */
    const double wanted = ceil((double)n * floor - rounding);
    return wanted > 0.0 ? (size_t)wanted : 0;
}

/* Total order, so that qsort gives the same permutation everywhere; -0.0 and 0.0 tie. */
static int by_score_then_index(const void *left, const void *right)
{
    const scored *a = left, *b = right;
    if (a->score != b->score) {
        return a->score < b->score ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

status ranking_build(arena *scratch, size_t n, const double score[], uint32_t order[])
{
    scored *all;
    TRY_ALLOC(all, scratch, n);
    for (size_t i = 0; i < n; i++) {
        if (isnan(score[i])) {
            return FAIL(ST_DATA,
                        "the score of component %zu (of %zu) is not a number, so components cannot be ranked; "
                        "check the network's weights and the images that were explained",
                        i, n);
        }
        all[i] = (scored){.score = score[i], .index = (uint32_t)i};
    }
    qsort(all, n, sizeof *all, by_score_then_index);
    for (size_t i = 0; i < n; i++) {
        order[i] = all[i].index;
    }
    return STATUS_OK;
}

/* The smallest rate at which k or more of n components go, 1 <= k <= n. (double)n x rate is rounded, so that k / n may miss it by a
 * rounding; the product grows with the rate, so that what goes at one rate goes at every larger one too. */
static double smallest_rate(size_t n, size_t k)
{
    double rate = (double)k / (double)n;
    while (ranking_count(n, rate) < k) {
        rate = nextafter(rate, 2.0);
    }
    for (double less = nextafter(rate, 0.0); ranking_count(n, less) >= k; less = nextafter(less, 0.0)) {
        rate = less;
    }
    return rate;
}

/* of [n]: the layer of every component. */
static status list_layers(arena *scratch, const ranking_layers *l, uint32_t **of)
{
    size_t i = 0;
    TRY_ALLOC(*of, scratch, l->n);
    for (size_t k = 0; k < l->n_layers; k++) {
        for (const size_t end = i + l->size[k]; i < end; i++) {
            (*of)[i] = (uint32_t)k;
        }
    }
    assert(i == l->n);
    return STATUS_OK;
}

/* Orders anew by the rate at which each component's layer removes it; `order` tells which goes before which within a layer. */
static status rank_by_layer(arena *scratch, const ranking_layers *l, uint32_t order[])
{
    uint32_t *layer;
    double *rate;
    size_t *gone; /* of each layer */
    TRY(list_layers(scratch, l, &layer));
    TRY_ALLOC(rate, scratch, l->n);
    TRY_ALLOC(gone, scratch, l->n_layers);
    for (size_t i = 0; i < l->n; i++) {
        const uint32_t k = layer[order[i]];
        rate[order[i]] = smallest_rate(l->size[k], ++gone[k]);
    }
    return ranking_build(scratch, l->n, rate, order);
}

/* Moves what the floor protects behind everything else; both parts stay in order. */
static status protect(arena *scratch, const ranking_layers *l, double floor, uint32_t order[])
{
    uint32_t *layer, *last;
    size_t *gone, n_last = 0, n_first = 0;
    TRY(list_layers(scratch, l, &layer));
    TRY_ALLOC(last, scratch, l->n);
    TRY_ALLOC(gone, scratch, l->n_layers);
    for (size_t i = 0; i < l->n; i++) {
        const uint32_t k = layer[order[i]];
        const bool is_protected = ++gone[k] > l->size[k] - ranking_floor(l->size[k], floor);
        if (is_protected) {
            last[n_last++] = order[i];
        } else {
            order[n_first++] = order[i];
        }
    }
    memcpy(order + n_first, last, n_last * sizeof *last);
    return STATUS_OK;
}

status ranking_build_by(arena *scratch, const ranking_options *o, const ranking_layers *l, const double score[],
                        uint32_t order[])
{
    double *key;
    assert(o->floor >= 0.0 && o->floor < 1.0);
    TRY_ALLOC(key, scratch, l->n);
    for (size_t i = 0; i < l->n; i++) {
        key[i] = o->order == RANKING_MOST_FIRST ? -score[i] : score[i];
    }
    TRY(ranking_build(scratch, l->n, key, order));
    if (o->scope == RANKING_LAYER) {
        return rank_by_layer(scratch, l, order);
    }
    return o->floor > 0.0 ? protect(scratch, l, o->floor, order) : STATUS_OK;
}

void ranking_removed_at(size_t n, const uint32_t order[], size_t n_rates, const size_t count[], uint16_t removed_at[])
{
    assert(n_rates <= UINT16_MAX);
    size_t gone = 0;
    for (size_t r = 0; r < n_rates; r++) {
        assert(count[r] <= n);
        for (; gone < count[r]; gone++) {
            removed_at[order[gone]] = (uint16_t)r;
        }
    }
    for (; gone < n; gone++) {
        removed_at[order[gone]] = (uint16_t)n_rates;
    }
}
