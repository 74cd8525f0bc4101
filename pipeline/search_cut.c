/* How an exhaustive search is cut into rounds, so that the memory of a round does not grow with the number of settings. */
#include <string.h>

#include "pipeline/search_parts.h"

/* Of the masks of a round, which a rank keeps until they are evaluated; sums and rankings take about three times as much beside them. A part of what a
 * search does, so it must not depend on the machine. */
static const double most_mask_bytes = 512.0 * 1024.0 * 1024.0;

/* A byte for each component of the network, task, rate and kind. */
static double mask_bytes(const search_study *s)
{
    return (double)s->model.graph->n_components * (double)s->study.n_tasks * (double)s->config.n_rates * (double)s->model.n_kinds;
}

search_cut search_cut_of(const search_study *s, size_t settings, double most)
{
    const space *p = &s->space.space;
    const double limit = most > 0.0 ? most : most_mask_bytes;
    search_cut cut = {.n = 1};
    const size_t walked = settings_walked(&s->space, cut.dimension);
    while (cut.n_dimensions < walked && (double)settings / (double)cut.n * mask_bytes(s) > limit) {
        cut.n *= p->dimension[cut.dimension[cut.n_dimensions++]].n_choices;
    }
    return cut;
}

static size_t round_of(const search_cut *cut, const space *s, const double point[])
{
    size_t number = 0;
    for (size_t i = 0; i < cut->n_dimensions; i++) {
        number = number * s->dimension[cut->dimension[i]].n_choices + (size_t)point[cut->dimension[i]];
    }
    return number;
}

status search_cut_round(arena *a, target *t, size_t number, search_round *out)
{
    const space *s = &t->tuning.space.space;
    size_t *trial;
    double *points;
    TRY_ALLOC(trial, a, t->room);
    TRY_ALLOC(points, a, t->room * s->n);
    *out = (search_round){.of = &t->tuning, .trial = trial};
    for (size_t i = 0; i < t->room; i++) {
        if (round_of(&t->cut, s, t->point + i * s->n) == number) {
            memcpy(points + out->n * s->n, t->point + i * s->n, s->n * sizeof *points);
            trial[out->n++] = i;
        }
    }
    return search_study_settings(a, &t->tuning, out->n, points);
}

status search_exhaust(target *t)
{
    search_fill(t);
    for (size_t i = 0; i < t->cut.n; i++) {
        TRY(search_round_of(t, search_cut_round, i));
    }
    t->n = t->room;
    return STATUS_OK;
}
