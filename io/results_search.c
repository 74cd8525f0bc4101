/* /search: every setting that a search tried, what it found there, and what the best ones are worth where the search did not look. */
#include "io/results_parts.h"

static status put_dimensions(h5_group *g, const result_search *s)
{
    static const h5_variable name = {"dimension", "dimension", H5_STRING, NULL, "what a setting chooses", NULL, NULL};
    static const h5_variable choices = {"choices", "dimension", H5_STRING, NULL, "what the numbers 0, 1, ... of `point` stand for; empty: they are values",
                                        NULL, NULL};
    static const h5_variable alone = {"importance_main", "dimension", H5_REAL, "1",
                                      "share of the variance of the objective over all settings that the dimension explains by itself; NaN: not known", NULL,
                                      NULL};
    static const h5_variable total = {"importance_total", "dimension", H5_REAL, "1", "the same with all that it does together with others", NULL, NULL};
    TRY(h5_dim_add(g, &name, s->n_dimensions, s->dimension));
    TRY(h5_put(g, &choices, s->choice));
    TRY(h5_put(g, &alone, s->main));
    return h5_put(g, &total, s->total);
}

static status put_settings(h5_group *g, const result_search *s)
{
    static const h5_variable point = {"point", "trial dimension", H5_REAL, NULL,
                                      "the setting: number of a choice, or a value; NaN where the dimension does not exist", NULL, NULL};
    static const h5_variable setting = {"setting", "trial", H5_STRING, NULL, "the same as a criterion of a study, in YAML", NULL, NULL};
    static const h5_variable round = {"round", "trial", H5_COUNT, NULL, "settings with the same number were proposed together; with halving, the last rung", NULL, NULL};
    static const h5_variable parent = {"parent", "trial", H5_SIGNED, NULL, "the trial that was taken for the best when this one was proposed; -1: none was", NULL, NULL};
    static const h5_variable state = {"state", "trial", H5_STRING, NULL, "complete; or dropped from a race: worse (clearly, than the leader), share (too many were better)", NULL, NULL};
    static const char *const states[TRIAL_STATES] = {[TRIAL_COMPLETE] = "complete", [TRIAL_WORSE] = "worse", [TRIAL_SHARE] = "share"};
    const char **text;
    TRY_ALLOC(text, g->file->scratch, s->n_trials);
    for (size_t i = 0; i < s->n_trials; i++) {
        text[i] = states[s->state[i]];
    }
    TRY(results_put_numbering(g, "trial", s->n_trials, "setting, in the order in which they were proposed"));
    TRY(h5_put(g, &point, s->point));
    TRY(h5_put(g, &setting, s->setting));
    TRY(h5_put(g, &round, s->round));
    TRY(h5_put(g, &parent, s->parent));
    return h5_put(g, &state, text);
}

static status put_measures(h5_group *g, const result_search *s)
{
    const struct {
        h5_variable variable;
        const double *data;
    } measures[] = {
        {{"objective", "trial", H5_REAL, "1", "what is maximised, on the tuning images and seeds: mean over the seeds", NULL, NULL}, s->objective},
        {{"error", "trial", H5_REAL, "1", "its standard error over the seeds; NaN with one seed", NULL, NULL}, s->error},
        {{"a_pr_mean", "trial", H5_REAL, "1", "A_PR: mean accuracy over the rates, mean over the tuning seeds", NULL, NULL}, s->a_pr_mean},
        {{"a_pr_trapezoid", "trial", H5_REAL, "1", "A_PR: area under accuracy over rate, mean over the tuning seeds", NULL, NULL}, s->a_pr_trapezoid},
        {{"area_parameters", "trial", H5_REAL, "1", "area under accuracy over the share of removed parameters, mean over the tuning seeds", NULL, NULL},
         s->area_parameters},
        {{"area_macs", "trial", H5_REAL, "1", "area under accuracy over the share of removed multiply-adds, mean over the tuning seeds", NULL, NULL},
         s->area_macs},
        {{"accuracy_at", "trial", H5_REAL, "1", "mean accuracy at the rates search.at, mean over the tuning seeds; NaN: there are none", NULL, NULL}, s->accuracy_at},
        {{"cost", "trial", H5_REAL, "1", "images times points of curves that objective and areas rest on; equal masks count for each", NULL, NULL}, s->cost},
        {{"regret", "trial", H5_REAL, "1", "what the best of all settings has above this one; NaN: not known, since not all were measured on everything", NULL, NULL},
         s->regret},
        {{"held_out", "trial", H5_REAL, "1", "what is maximised, on images and seeds that the search never saw; NaN: not reported", NULL, NULL},
         s->held_out},
        {{"held_out_error", "trial", H5_REAL, "1", "its standard error over the seeds; NaN: not reported, or one seed", NULL, NULL}, s->held_out_error},
    };
    for (size_t i = 0; i < COUNT(measures); i++) {
        TRY(h5_put(g, &measures[i].variable, measures[i].data));
    }
    return STATUS_OK;
}

static status put_places(h5_group *g, const result_search *s)
{
    static const h5_variable rank = {"rank", "trial", H5_COUNT, NULL, "place among all settings; 0: the best", NULL, NULL};
    static const h5_variable front = {"front", "trial", H5_INDEX32, NULL,
                                      "Pareto front of the complete settings, 0 for the others: 1 where no other setting is better in A_PR and both areas at once, 2 where only those are, ...", NULL,
                                      NULL};
    uint64_t *place;
    TRY_ALLOC(place, g->file->scratch, s->n_trials);
    for (size_t i = 0; i < s->n_trials; i++) {
        place[i] = s->rank[i];
    }
    TRY(h5_put(g, &rank, place));
    return h5_put(g, &front, s->front);
}

static status put_search(const results_writer *w, const result_search *s)
{
    status st = STATUS_OK;
    h5_group g;
    char *path;
    TRY_TEXT(path, w->file->scratch, "/search/%s/%s", w->names[LIST_MODELS][s->model], w->names[LIST_KINDS][s->kind]);
    TRY(h5_group_create(w->file, path, &g));
    TRY_OR(cleanup, st, h5_attr_text(&g, "coordinates", "setting round rank choices"));
    TRY_OR(cleanup, st, h5_attr_text(&g, "objective", s->maximised == NULL ? "" : s->maximised));
    TRY_OR(cleanup, st, h5_attr_count(&g, "n_masks", s->n_masks));
    TRY_OR(cleanup, st, h5_attr_count(&g, "n_evaluated", s->n_evaluated));
    TRY_OR(cleanup, st, h5_attr_count(&g, "n_images", s->n_images));
    TRY_OR(cleanup, st, h5_attr_count(&g, "n_explained", s->n_explained));
    TRY_OR(cleanup, st, put_dimensions(&g, s));
    TRY_OR(cleanup, st, put_settings(&g, s));
    TRY_OR(cleanup, st, put_measures(&g, s));
    TRY_OR(cleanup, st, put_places(&g, s));
cleanup:
    return h5_group_close(st, &g);
}

status results_put_searches(const results_writer *w)
{
    h5_group search; /* also where there is none, so that readers need not ask */
    TRY(h5_group_create(w->file, "/search", &search));
    TRY(h5_group_close(STATUS_OK, &search));
    for (size_t i = 0; i < w->r->n_searches; i++) {
        TRY(put_search(w, &w->r->searches[i]));
        arena_reset(w->file->scratch); /* each has buffers of its own */
    }
    return STATUS_OK;
}
