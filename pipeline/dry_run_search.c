/* What a search will try. */
#include "pipeline/dry_run_parts.h"
#include "pipeline/search_study.h"

static status print_model(arena *a, FILE *to, const study *s, size_t model)
{
    const config_search *o = &s->config->search;
    search_study t;
    arena *scratch = NULL;
    TRY(arena_open("search", &scratch));
    const status st = search_study_open(a, scratch, s, model, ALL_KINDS, &t);
    arena_close(&scratch);
    TRY(st);
    const size_t all = t.space.space.n_continuous > 0 ? SIZE_MAX : space_combinations(&t.space.space);
    const size_t settings = o->method == SEARCH_EVERYTHING || all < o->trials ? all : o->trials;
    const size_t curves = settings * t.study.n_tasks * t.model.n_kinds * (o->method == SEARCH_EVERYTHING ? 1 : t.model.n_kinds);
    size_t images = 0;
    for (size_t i = 0; i < t.study.n_tasks; i++) {
        images += t.study.evaluations[t.study.tasks[i].evaluation].samples.n;
    }
    (void)fprintf(to, "  %s: %zu settings, %zu explained images, %zu curves of %zu rates: at most %.4g images through pruned networks\n",
                  t.model.config->name, settings, t.study.explained.n, curves, s->config->n_rates,
                  (double)images / (double)t.study.n_tasks * (double)curves * (double)s->config->n_rates);
    return STATUS_OK;
}

status dry_run_print_search(arena *a, FILE *to, const study *s)
{
    if (!s->config->search.on) {
        return STATUS_OK;
    }
    (void)fprintf(to, "\nSearch (equal masks are evaluated once; neither memory nor time below count it, nor the settings that it finds):\n");
    for (size_t m = 0; m < s->n_models; m++) {
        TRY(print_model(a, to, s, m));
    }
    return STATUS_OK;
}
