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
    size_t settings = 0, images = 0;
    TRY(search_study_trials(&t, &settings));
    const bool by_kind = o->method != SEARCH_EVERYTHING && t.model.n_kinds > 1; /* each kind of components has a search of its own */
    const size_t curves = settings * t.study.n_tasks * t.model.n_kinds;
    for (size_t i = 0; i < t.study.n_tasks; i++) {
        images += t.study.evaluations[t.study.tasks[i].evaluation].samples.n;
    }
    (void)fprintf(to, "  %s: %zu settings%s, %zu explained images, %zu curves of %zu rates: at most %.4g images through pruned networks\n",
                  t.model.config->name, settings, by_kind ? " for each kind of components" : "", t.study.explained.n, curves, s->config->n_rates,
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
