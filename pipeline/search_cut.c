/* How many settings are cut into rounds, so that the memory of a round does not grow with their number. */
#include <math.h>
#include <string.h>

#include "core/exact_sum.h"
#include "pipeline/search_parts.h"
#include "pruning/aggregate.h"

/* Of what a rank has in memory for the settings of a round. A part of what a search does, so it must not depend on the machine. */
static const double most_round_bytes = 4.0 * 1024.0 * 1024.0 * 1024.0;

double search_setting_bytes(const search_study *s)
{
    static const double ranking = sizeof(double) + sizeof(uint32_t) + sizeof(uint16_t); /* stages/prune.c */
    const double rounded = AGGREGATE_MOMENTS * sizeof(double), exact = AGGREGATE_MOMENTS * sizeof(exact_sum);
    const double later = (double)s->model.n_kinds * (ranking + (double)s->config.n_rates);
    return (double)s->model.graph->n_components * (double)s->study.n_tasks * (rounded + fmax(exact, later));
}

search_cut search_cut_of(const search_study *s, size_t settings, double most)
{
    const space *p = &s->space.space;
    const double limit = most > 0.0 ? most : most_round_bytes;
    search_cut cut = {.n = 1};
    const size_t walked = settings_walked(&s->space, cut.dimension);
    while (cut.n_dimensions < walked && (double)settings / (double)cut.n * search_setting_bytes(s) > limit) {
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

status search_cut_take(arena *a, const target *t, const search_cut *cut, size_t number, const bool alive[], search_round *out)
{
    const space *s = &t->tuning.space.space;
    size_t *trial;
    double *points;
    TRY_ALLOC(trial, a, t->room);
    TRY_ALLOC(points, a, t->room * s->n);
    out->n = 0;
    out->trial = trial;
    for (size_t i = 0; i < t->room; i++) {
        if ((alive == NULL || alive[i]) && round_of(cut, s, t->point + i * s->n) == number) {
            memcpy(points + out->n * s->n, t->point + i * s->n, s->n * sizeof *points);
            trial[out->n++] = i;
        }
    }
    return out->n == 0 ? STATUS_OK : search_study_settings(a, out->of, out->n, points);
}

status search_cut_round(arena *a, target *t, size_t number, search_round *out)
{
    const search_cut cut = target_cut(t);
    *out = (search_round){.of = &t->tuning};
    return search_cut_take(a, t, &cut, number, NULL, out);
}

status search_exhaust(target *t)
{
    const size_t n = target_cut(t).n;
    search_fill(t);
    for (size_t i = 0; i < n; i++) {
        TRY(search_round_of(t, search_cut_round, i));
    }
    t->n = t->room;
    return STATUS_OK;
}
