/* /rows: the score of every component for every explained image, and what they say of a class. */
#include <math.h>
#include <string.h>

#include "io/results_parts.h"

/* The images of a class lie together. */
typedef struct class_run {
    size_t first, n;
} class_run;

typedef struct row_source {
    const result_rows *rows;
    size_t n_classes;
    class_run *run; /* [n_classes] */
} row_source;

static status find_classes(arena *a, const result_rows *r, row_source *out)
{
    *out = (row_source){.rows = r};
    TRY_ALLOC(out->run, a, r->n_samples);
    for (size_t i = 0; i < r->n_samples; i++) {
        if (i == 0 || r->class[i] != r->class[i - 1]) {
            out->run[out->n_classes++] = (class_run){i, 0};
        }
        out->run[out->n_classes - 1].n++;
    }
    return STATUS_OK;
}

static void fill_scores(const void *context, size_t first, size_t n, void *out)
{
    const result_rows *r = ((const row_source *)context)->rows;
    memcpy(out, r->score + first * r->n_components, n * r->n_components * sizeof *r->score);
}

static double mean_of(const result_rows *r, class_run c, size_t component)
{
    double sum = 0.0;
    for (size_t i = 0; i < c.n; i++) {
        sum += (double)r->score[(c.first + i) * r->n_components + component];
    }
    return sum / (double)c.n;
}

static void fill_means(const void *context, size_t first, size_t n, void *out)
{
    const row_source *s = context;
    double *mean = out;
    for (size_t c = first; c < first + n; c++) {
        for (size_t i = 0; i < s->rows->n_components; i++) {
            *mean++ = mean_of(s->rows, s->run[c], i);
        }
    }
}

/* Around the mean and divided by n - 1: not a number for one image. */
static void fill_variances(const void *context, size_t first, size_t n, void *out)
{
    const row_source *s = context;
    const result_rows *r = s->rows;
    double *variance = out;
    for (size_t c = first; c < first + n; c++) {
        for (size_t k = 0; k < r->n_components; k++) {
            const double mean = mean_of(r, s->run[c], k);
            double sum = 0.0;
            for (size_t i = 0; i < s->run[c].n; i++) {
                const double off = (double)r->score[(s->run[c].first + i) * r->n_components + k] - mean;
                sum += off * off;
            }
            *variance++ = s->run[c].n > 1 ? sum / (double)(s->run[c].n - 1) : (double)NAN;
        }
    }
}

static status put_dimensions(const results_writer *w, h5_group *g, const row_source *s)
{
    static const h5_variable class = {"class", "class", H5_COUNT, NULL, "class number of an explained image", NULL, NULL};
    uint64_t *number;
    TRY_ALLOC(number, g->file->scratch, s->n_classes);
    for (size_t c = 0; c < s->n_classes; c++) {
        number[c] = s->rows->class[s->run[c].first];
    }
    TRY(results_put_sets(w, g, s->rows->n_sets, s->rows->sets));
    TRY(results_put_numbering(g, "sample", s->rows->n_samples, "explained image"));
    TRY(h5_dim_add(g, &class, s->n_classes, number));
    return results_put_numbering(g, "component", s->rows->n_components, "component number in /models/<model>");
}

static status put_samples(h5_group *g, const row_source *s)
{
    static const h5_variable member = {"member", "set sample", H5_BYTE, NULL, "does the reference set contain the image", NULL,
                                       "absent member"};
    static const h5_variable path = {"path", "sample", H5_STRING, NULL, "image file within the folder of reference images", NULL, NULL};
    static const h5_variable class = {"sample_class", "sample", H5_COUNT, NULL, "class number of the image", NULL, NULL};
    static const h5_variable counts = {"samples", "class", H5_COUNT, "1", "explained images of the class", NULL, NULL};
    uint64_t *of, *n;
    TRY_ALLOC(of, g->file->scratch, s->rows->n_samples);
    TRY_ALLOC(n, g->file->scratch, s->n_classes);
    for (size_t i = 0; i < s->rows->n_samples; i++) {
        of[i] = s->rows->class[i];
    }
    for (size_t c = 0; c < s->n_classes; c++) {
        n[c] = s->run[c].n;
    }
    TRY(h5_put(g, &member, s->rows->member));
    TRY(h5_put(g, &path, s->rows->path));
    TRY(h5_put(g, &class, of));
    return h5_put(g, &counts, n);
}

static status put_scores(h5_group *g, const row_source *s)
{
    static const h5_variable score = {"score", "sample component", H5_SINGLE, NULL, "score of the component for the image alone", NULL,
                                      NULL};
    static const h5_variable mean = {"mean", "class component", H5_REAL, NULL, "mean of the score over the images of the class", NULL,
                                     NULL};
    static const h5_variable variance = {
        "variance", "class component", H5_REAL, NULL, "its variance, divided by n - 1; NaN for one image", NULL, NULL};
    TRY(h5_put_rows(g, &score, fill_scores, s));
    TRY(h5_put_rows(g, &mean, fill_means, s));
    return h5_put_rows(g, &variance, fill_variances, s);
}

static status put_rows(const results_writer *w, const result_rows *r)
{
    row_source s;
    status st = STATUS_OK;
    h5_group g;
    char *path;
    TRY_TEXT(path, w->file->scratch, "/rows/%s/%s", w->names[LIST_MODELS][r->model], w->names[LIST_CRITERIA][r->criterion]);
    if (r->scored != r->criterion) {
        char *there;
        TRY_TEXT(there, w->file->scratch, "/rows/%s/%s", w->names[LIST_MODELS][r->model], w->names[LIST_CRITERIA][r->scored]);
        return h5_group_link(w->file, there, path);
    }
    TRY(find_classes(w->file->scratch, r, &s));
    TRY(h5_group_create(w->file, path, &g));
    TRY_OR(cleanup, st, h5_attr_text(&g, "coordinates", "path sample_class samples seed task n_classes references"));
    TRY_OR(cleanup, st, h5_attr_text(&g, "moment", r->moment));
    TRY_OR(cleanup, st, put_dimensions(w, &g, &s));
    TRY_OR(cleanup, st, put_samples(&g, &s));
    TRY_OR(cleanup, st, put_scores(&g, &s));
cleanup:
    return h5_group_close(st, &g);
}

status results_put_rows(const results_writer *w)
{
    h5_group rows; /* also where there is none, so that readers need not ask */
    TRY(h5_group_create(w->file, "/rows", &rows));
    TRY(h5_group_close(STATUS_OK, &rows));
    for (size_t i = 0; i < w->r->n_rows; i++) {
        TRY(put_rows(w, &w->r->rows[i]));
        arena_reset(w->file->scratch); /* each has a buffer of its own */
    }
    return STATUS_OK;
}
