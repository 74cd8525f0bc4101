/* /tracks: relevance, rankings and masks of all cells of one (model, kind, criterion). */
#include "io/results_parts.h"

static status put_coordinates(h5_group *g, const results *r, const result_track *t)
{
    static const h5_variable cell = {"cell", "cell", H5_COUNT, NULL, "cell number in /curves", NULL, NULL};
    static const h5_variable component = {
        "component", "component", H5_COUNT, NULL, "component number in /models/<model>", NULL, NULL};
    uint64_t *number;
    TRY_ALLOC(number, g->file->scratch, t->n_cells + t->n_components);
    for (size_t i = 0; i < t->n_cells; i++) {
        number[i] = t->cell[i];
    }
    TRY(h5_dim_add(g, &cell, t->n_cells, number));
    for (size_t i = 0; i < t->n_components; i++) {
        number[i] = t->component[i];
    }
    TRY(h5_dim_add(g, &component, t->n_components, number));
    TRY(results_put_rates(g, r));
    return results_put_numbering(g, "position", t->n_components, "place in the ranking");
}

static status put_removed(h5_group *g, const results *r, const result_track *t)
{
    static const h5_variable v = {
        "removed", "cell rate", H5_COUNT, "1", "how many positions of the ranking are removed", NULL, NULL};
    uint64_t *removed;
    TRY_ALLOC(removed, g->file->scratch, t->n_cells * r->n_rates);
    for (size_t c = 0; c < t->n_cells; c++) {
        for (size_t i = 0; i < t->n_components; i++) {
            for (size_t k = t->removed_at[c * t->n_components + i]; k < r->n_rates; k++) {
                removed[c * r->n_rates + k]++;
            }
        }
    }
    return h5_put(g, &v, removed);
}

typedef struct mask_source {
    const result_track *track;
    size_t n_rates;
} mask_source;

static void fill_masks(const void *context, size_t first, size_t n, void *out)
{
    const mask_source *s = context;
    const size_t n_components = s->track->n_components;
    uint8_t *mask = out;
    for (size_t c = first; c < first + n; c++) {
        for (size_t i = 0; i < s->n_rates; i++) {
            for (size_t k = 0; k < n_components; k++) {
                *mask++ = s->track->removed_at[c * n_components + k] > i;
            }
        }
    }
}

static status put_moments(h5_group *g, const result_track *t)
{
    static const h5_variable name = {"moment", "moment", H5_STRING, NULL, "name of the moment", NULL, NULL};
    static const h5_variable sums = {
        "moments", "cell moment component", H5_REAL, NULL, "exact sums over the reference images", NULL, NULL};
    if (t->n_moments == 0) {
        return STATUS_OK;
    }
    if (t->score_moment != NULL) {
        TRY(h5_attr_text(g, "score_moment", t->score_moment));
    }
    TRY(h5_dim_add(g, &name, t->n_moments, t->moment_names));
    return h5_put(g, &sums, t->moments);
}

static status put_rankings(h5_group *g, const results *r, const result_track *t)
{
    static const h5_variable relevance = {
        "relevance", "cell component", H5_REAL, NULL, "score that ranks; /criteria says which end goes first", NULL,
        NULL};
    static const h5_variable ranking = {"ranking",
                                        "cell position",
                                        H5_INDEX32,
                                        NULL,
                                        "positions along `component`; what is removed first comes first",
                                        NULL,
                                        NULL};
    static const h5_variable removed_at = {
        "removed_at",
        "cell component",
        H5_INDEX16,
        NULL,
        "position along `rate` of the first rate without it; the number of rates: never",
        NULL,
        NULL};
    static const h5_variable mask = {"mask", "cell rate component", H5_BYTE, NULL, "is the component kept at the rate",
                                     NULL,   "removed kept"};
    const mask_source source = {t, r->n_rates};
    TRY(h5_put(g, &relevance, t->relevance));
    TRY(h5_put(g, &ranking, t->ranking));
    TRY(h5_put(g, &removed_at, t->removed_at));
    TRY(put_removed(g, r, t));
    TRY(h5_put_rows(g, &mask, fill_masks, &source));
    return put_moments(g, t);
}

static status put_track(const results_writer *w, const result_track *t)
{
    status st = STATUS_OK;
    h5_group g;
    char *path;
    TRY_TEXT(path, w->file->scratch, "/tracks/%s/%s/%s", w->names[LIST_MODELS][t->model], component_kind_name(t->kind),
             w->names[LIST_CRITERIA][t->criterion]);
    TRY(h5_group_create(w->file, path, &g));
    TRY_OR(cleanup, st, put_coordinates(&g, w->r, t));
    TRY_OR(cleanup, st, put_rankings(&g, w->r, t));
cleanup:
    return h5_group_close(st, &g);
}

status results_put_tracks(const results_writer *w)
{
    h5_group tracks; /* also where there is none, so that readers need not ask */
    TRY(h5_group_create(w->file, "/tracks", &tracks));
    TRY(h5_group_close(STATUS_OK, &tracks));
    for (size_t i = 0; i < w->r->n_tracks; i++) {
        TRY(put_track(w, &w->r->tracks[i]));
    }
    return STATUS_OK;
}
