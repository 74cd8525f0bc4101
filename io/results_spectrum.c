/* /spectrum: eigenvalues of the covariance of scores, for every layer, kind and the network, and how many components they amount to. */
#include <math.h>
#include <string.h>

#include "io/results_parts.h"

#define PART(field) offsetof(result_part, field)

static const h5_column parts[] = {
    COLUMN("name", "part", H5_STRING, NULL, "name of the layer or kind", FROM_TEXT, PART(name), 0),
    COLUMN("level", "part", H5_STRING, NULL, "layer, kind (all layers of it), network (all kinds)", FROM_TEXT, PART(level), 0),
    COLUMN("kind", "part", H5_STRING, NULL, "what is pruned; empty: several kinds", FROM_TEXT, PART(kind), 0),
    COLUMN("components", "part", H5_COUNT, "1", "components of the part", FROM_SIZE, PART(n_components), 0),
};

static size_t cases(const result_spectrum *s)
{
    return s->n_sets * s->n_parts;
}

static size_t most_values(const result_spectrum *s)
{
    size_t most = 0;
    for (size_t i = 0; i < cases(s); i++) {
        most = s->order[i] > most ? s->order[i] : most;
    }
    return most;
}

/* Of the sets first .. first + n - 1; not a number where a part has fewer. */
static void fill_values(const void *context, size_t first, size_t n, void *out)
{
    const result_spectrum *s = context;
    const size_t width = most_values(s);
    double *to = out;
    for (size_t i = first * s->n_parts; i < (first + n) * s->n_parts; i++) {
        for (size_t k = 0; k < width; k++) {
            *to++ = k < s->order[i] ? s->values[i][k] : (double)NAN;
        }
    }
}

static status put_measures(h5_group *g, const result_spectrum *s)
{
    static const struct {
        h5_variable variable;
        size_t offset;
    } measures[] = {
        {{"variance", "set part", H5_REAL, NULL, "sum of the eigenvalues: of the variances of the components' scores", NULL, NULL},
         offsetof(spectrum, trace)},
        {{"participation", "set part", H5_REAL, "1", "effective number of independent components: participation ratio", NULL, NULL},
         offsetof(spectrum, participation)},
        {{"adjusted", "set part", H5_REAL, "1", "participation ratio without the effect of few images, for normal scores; NaN: not known", NULL,
          NULL},
         offsetof(spectrum, adjusted)},
        {{"effective_rank", "set part", H5_REAL, "1", "effective number of independent components: exponential of the entropy", NULL, NULL},
         offsetof(spectrum, effective_rank)},
    };
    double *one;
    TRY_ALLOC(one, g->file->scratch, cases(s));
    for (size_t k = 0; k < COUNT(measures); k++) {
        for (size_t i = 0; i < cases(s); i++) {
            memcpy(&one[i], (const char *)&s->measures[i] + measures[k].offset, sizeof *one);
        }
        TRY(h5_put(g, &measures[k].variable, one));
    }
    return STATUS_OK;
}

static status put_modes(h5_group *g, const result_spectrum *s)
{
    static const h5_variable share = {"share", "share", H5_REAL, "1", "share of the variance", NULL, NULL};
    static const h5_variable modes = {"modes", "set part share", H5_REAL, "1", "fewest eigenvalues that hold the share", NULL, NULL};
    double *all;
    TRY_ALLOC(all, g->file->scratch, cases(s) * SPECTRUM_SHARES);
    for (size_t i = 0; i < cases(s); i++) {
        memcpy(all + i * SPECTRUM_SHARES, s->measures[i].modes, sizeof s->measures[i].modes);
    }
    TRY(h5_dim_add(g, &share, SPECTRUM_SHARES, spectrum_shares));
    return h5_put(g, &modes, all);
}

static status put_values(h5_group *g, const result_spectrum *s)
{
    static const h5_variable over_ranks = {"solver", "set part", H5_BYTE, NULL, "who found the eigenvalues", NULL, "one_rank all_ranks"};
    static const h5_variable value = {"eigenvalue", "set part mode", H5_REAL, NULL,
                                      "eigenvalues of the covariance of scores over the images, descending; NaN beyond the last", NULL, NULL};
    TRY(results_put_numbering(g, "mode", most_values(s), "place of an eigenvalue"));
    TRY(h5_put(g, &over_ranks, s->over_ranks));
    return h5_put_rows(g, &value, fill_values, s);
}

static status put_spectrum(const results_writer *w, const result_spectrum *s)
{
    const h5_table of_parts = {s->n_parts, sizeof *s->parts, s->parts, 0, w->names};
    status st = STATUS_OK;
    h5_group g;
    char *path;
    TRY_TEXT(path, w->file->scratch, "/spectrum/%s/%s", w->names[LIST_MODELS][s->model], w->names[LIST_CRITERIA][s->criterion]);
    if (s->scored != s->criterion) {
        char *there;
        TRY_TEXT(there, w->file->scratch, "/spectrum/%s/%s", w->names[LIST_MODELS][s->model], w->names[LIST_CRITERIA][s->scored]);
        return h5_group_link(w->file, there, path);
    }
    TRY(h5_group_create(w->file, path, &g));
    TRY_OR(cleanup, st, h5_attr_text(&g, "coordinates", "seed task n_classes references images name level kind components"));
    TRY_OR(cleanup, st, h5_attr_text(&g, "agreement", "solver one_rank: the same bits on any number of ranks; all_ranks: eigenvalues to 1e-12 of the "
                                                      "largest one"));
    TRY_OR(cleanup, st, results_put_sets(w, &g, s->n_sets, s->sets));
    TRY_OR(cleanup, st, results_put_numbering(&g, "part", s->n_parts, "part of the network: its layers, then its kinds, then all of it"));
    TRY_OR(cleanup, st, h5_put_table(&g, &of_parts, COUNT(parts), parts));
    TRY_OR(cleanup, st, put_measures(&g, s));
    TRY_OR(cleanup, st, put_modes(&g, s));
    TRY_OR(cleanup, st, put_values(&g, s));
cleanup:
    return h5_group_close(st, &g);
}

status results_put_spectra(const results_writer *w)
{
    h5_group spectra; /* also where there is none, so that readers need not ask */
    TRY(h5_group_create(w->file, "/spectrum", &spectra));
    TRY(h5_group_close(STATUS_OK, &spectra));
    for (size_t i = 0; i < w->r->n_spectra; i++) {
        TRY(put_spectrum(w, &w->r->spectra[i]));
        arena_reset(w->file->scratch); /* each has buffers of its own */
    }
    return STATUS_OK;
}
