/* What a search will try. */
#include "pipeline/dry_run_parts.h"
#include "pipeline/search_parts.h"

/* Of a race, of one kind of components: how many rounds a rung with all of these settings goes in. */
static size_t rounds_of(const search_study *whole, const halving_budget *rung, size_t settings)
{
    search_study s = *whole;
    s.model.n_kinds = 1;
    s.config.n_rates = rung->rates + 1;
    s.study.n_tasks = whole->study.n_tasks / whole->config.n_seeds * rung->seeds;
    return search_cut_of(&s, settings, 0.0).n;
}

/* Of a race. Who is clearly worse goes too, so there may be fewer. */
static status print_rungs(FILE *to, const search_study *t, size_t settings, size_t kinds)
{
    halving_budget rung[HALVING_MOST_RUNGS];
    size_t n = 0, of = 0, alive[HALVING_MOST_RUNGS], all[HALVING_MOST_RUNGS];
    TRY(search_race_rungs(t, &of, rung, &n));
    halving_alive(settings, t->space.options->eta, n, alive);
    for (size_t k = 0; k < n; k++) {
        const size_t rounds = rounds_of(t, &rung[k], alive[k]);
        all[k] = settings;
        (void)fprintf(to, "    rung %zu: at most %zu settings%s that differ, %.3g %% of the images, %zu rates, %zu seeds", k + 1, alive[k],
                      kinds > 1 ? " for each kind" : "", 100.0 * (double)rung[k].images / (double)of, rung[k].rates + 1, rung[k].seeds);
        (void)(rounds > 1 ? fprintf(to, ", in at most %zu rounds\n", rounds) : fprintf(to, "\n"));
    }
    (void)fprintf(to, "    at most %.3g %% of the images that all settings on everything take\n", 100.0 * halving_work(n, rung, alive) / halving_work(n, rung, all));
    return STATUS_OK;
}

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
    const char *rounds = "";
    if (o->method == SEARCH_EVERYTHING && search_cut_of(&t, settings, 0.0).n > 1) {
        TRY_TEXT(rounds, a, " in %zu rounds", search_cut_of(&t, settings, 0.0).n);
    }
    (void)fprintf(to, "  %s: %zu settings%s%s, %zu explained images, %zu curves of %zu rates: at most %.4g images through pruned networks\n",
                  t.model.config->name, settings, by_kind ? " for each kind of components" : "", rounds, t.study.explained.n, curves, s->config->n_rates,
                  (double)images / (double)t.study.n_tasks * (double)curves * (double)s->config->n_rates);
    return o->method == SEARCH_BY_HALVING ? print_rungs(to, &t, settings, t.model.n_kinds) : STATUS_OK;
}

status dry_run_print_search(arena *a, FILE *to, const dry_run_report *r)
{
    const study *s = &r->plan->study;
    if (!s->config->search.on) {
        return STATUS_OK;
    }
    (void)fprintf(to, "\nSearch (equal masks are evaluated once, which the times below do not know):\n");
    for (size_t m = 0; m < s->n_models; m++) {
        TRY(print_model(a, to, s, m));
    }
    return STATUS_OK;
}
