#include "pipeline/search_study.h"

#include <assert.h>
#include <string.h>

status search_study_open(arena *a, arena *scratch, const study *s, size_t model, size_t kind, search_study *out)
{
    const config_search *o = &s->config->search;
    size_t *references;
    *out = (search_study){.config = *s->config, .study = *s, .model = s->models[model]};
    TRY_ALLOC(references, a, 1);
    references[0] = o->references;
    out->config.n_models = 1;
    out->config.models = s->models[model].config;
    out->config.n_seeds = o->n_seeds;
    out->config.seeds = o->seeds;
    out->config.n_references = 1;
    out->config.references = references;
    out->config.rows = ROWS_STREAM;
    out->config.spectrum = false;
    out->config.heatmaps = (config_heatmaps){.images = 0};
    out->config.n_criteria = 0;
    if (kind != ALL_KINDS) {
        study_model *m = &out->model;
        m->n_kinds = 1;
        m->kinds[0] = s->models[model].kinds[kind];
        m->component[0] = s->models[model].component[kind];
        m->n_components[0] = s->models[model].n_components[kind];
        m->layers[0] = s->models[model].layers[kind];
    }
    out->study.config = &out->config;
    out->study.part = PART_TUNING;
    out->study.n_models = 1;
    out->study.models = &out->model;
    out->study.n_evaluations = out->study.n_cells = 0;
    TRY(plan_samples(a, scratch, &out->study));
    return settings_open(a, o, &out->model, &out->space);
}

status search_study_settings(arena *a, search_study *s, size_t n, const double points[])
{
    config_criterion *criteria;
    const char **scoring, *name;
    TRY_ALLOC(criteria, a, n);
    TRY_ALLOC(scoring, a, n);
    for (size_t i = 0; i < n; i++) {
        TRY_TEXT(name, a, "setting-%zu", i);
        TRY(settings_criterion(a, &s->space, points + i * s->space.space.n, name, &criteria[i]));
        TRY(settings_scoring_in_tree(a, &criteria[i], &scoring[i]));
    }
    s->config.n_criteria = n;
    s->config.criteria = criteria;
    s->config.scoring = scoring;
    return plan_cells(a, &s->study);
}

status search_study_trials(const search_study *s, size_t *out)
{
    enum { MOST_TRIALS = 4096 };
    const config_search *o = s->space.options;
    const space *p = &s->space.space;
    const size_t all = p->n_continuous > 0 ? SIZE_MAX : space_combinations(p);
    const bool whole = search_is_whole(o);
    if (whole && all > MOST_TRIALS) {
        return FAIL(ST_CONFIG, "%s: search: expected at most %d settings with the method %s, found %zu; take fewer rules, or method: bayes",
                    s->config.path, MOST_TRIALS, o->method == SEARCH_EVERYTHING ? "exhaustive" : "halving", all);
    }
    *out = whole || all < o->trials ? all : o->trials;
    return STATUS_OK;
}

/* The whole study has each evaluation set of a rung too. */
static size_t number_of(const study *whole, const study_evaluation *e)
{
    size_t i = 0;
    while (i < whole->n_evaluations && (whole->evaluations[i].n_classes != e->n_classes ||
                                        memcmp(whole->evaluations[i].classes, e->classes, e->n_classes * sizeof e->classes[0]) != 0)) {
        i++;
    }
    assert(i < whole->n_evaluations);
    return i;
}

/* Tasks, reference images and evaluation sets, drawn as they are for the whole study. */
static status draw(arena *a, arena *scratch, study *s, size_t first, size_t end, size_t of)
{
    s->share = (study_share){first, end, of};
    s->n_evaluations = s->n_cells = 0;
    return plan_samples(a, scratch, s);
}

static status draw_part(arena *a, arena *scratch, const search_study *whole, const study *rung, const search_rung *r, size_t p, const study_evaluation **out)
{
    study s = *rung;
    study_evaluation *sets;
    TRY(draw(a, scratch, &s, p == 0 ? 0 : r->end[p - 1], r->end[p], r->of));
    TRY_ALLOC(sets, a, s.n_evaluations);
    for (size_t i = 0; i < s.n_evaluations; i++) {
        sets[i] = s.evaluations[i];
        sets[i].number = p * whole->study.n_evaluations + number_of(&whole->study, &sets[i]);
    }
    *out = sets;
    return STATUS_OK;
}

status search_study_rung(arena *a, arena *scratch, const search_study *whole, const search_rung *r, search_study *out, const study_evaluation *part[])
{
    *out = *whole;
    out->config.n_seeds = r->n_seeds;
    out->config.n_rates = r->n_rates;
    out->config.rates = r->rates;
    out->study.config = &out->config;
    out->study.models = &out->model;
    TRY(draw(a, scratch, &out->study, 0, r->end[r->n_parts - 1], r->of));
    for (size_t p = 0; p < r->n_parts; p++) {
        TRY(draw_part(a, scratch, whole, &out->study, r, p, &part[p]));
    }
    return STATUS_OK;
}
