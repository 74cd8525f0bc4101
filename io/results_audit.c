/* /audit: what relevance every layer took and handed on, per reference set. */
#include <math.h>

#include "attribution/walk_audit.h"
#include "io/results_parts.h"

#define STEP(field) offsetof(result_audit_step, field)

static const h5_column steps[] = {
    COLUMN("layer", "step", H5_STRING, NULL, "name of the layer", FROM_TEXT, STEP(layer), 0),
    COLUMN("type", "step", H5_STRING, NULL, "type of the layer", FROM_TEXT, STEP(type), 0),
    COLUMN("rule", "step", H5_STRING, NULL, "relevance rule of the layer and its parameters", FROM_TEXT, STEP(rule), 0),
};

static status put_complete(h5_group *g, const result_audit *a)
{
    static const h5_variable v = {"complete", "step", H5_BYTE, NULL, "does relevance go to all inputs of the layer", NULL,
                                  "partial complete"};
    uint8_t *complete;
    TRY_ALLOC(complete, g->file->scratch, a->n_steps);
    for (size_t i = 0; i < a->n_steps; i++) {
        complete[i] = a->steps[i].complete;
    }
    return h5_put(g, &v, complete);
}

static status put_sums(h5_group *g, const result_audit *a)
{
    static const h5_variable variables[AUDIT_SUMS] = {
        [AUDIT_OUT] = {"relevance_out", "set step", H5_REAL, NULL, "relevance at the layer's output, summed over the images", NULL,
                       NULL},
        [AUDIT_ABS_OUT] = {"absolute_out", "set step", H5_REAL, NULL, "sum of its absolute values", NULL, NULL},
        [AUDIT_IN] = {"relevance_in", "set step", H5_REAL, NULL, "relevance handed on to the layer's inputs", NULL, NULL},
        [AUDIT_ABS_IN] = {"absolute_in", "set step", H5_REAL, NULL, "sum of its absolute values", NULL, NULL},
    };
    const size_t n = a->n_sets * a->n_steps;
    double *one;
    TRY_ALLOC(one, g->file->scratch, n);
    for (size_t k = 0; k < AUDIT_SUMS; k++) {
        for (size_t i = 0; i < n; i++) {
            one[i] = a->sums[i * AUDIT_SUMS + k];
        }
        TRY(h5_put(g, &variables[k], one));
    }
    return STATUS_OK;
}

/* What follows from the sums, for convenience. */
static status put_ratios(h5_group *g, const result_audit *a)
{
    static const h5_variable residual = {"residual", "set step", H5_REAL, "1",
                                         "(relevance_in - relevance_out) / absolute_out; NaN where not complete", NULL,
                                         NULL};
    static const h5_variable growth = {"growth", "set step", H5_REAL, "1", "absolute_in / absolute_out of the first step", NULL,
                                       NULL};
    const size_t n = a->n_sets * a->n_steps;
    double *ratio;
    TRY_ALLOC(ratio, g->file->scratch, 2 * n);
    for (size_t i = 0; i < n; i++) {
        const double *start = a->sums + i / a->n_steps * a->n_steps * AUDIT_SUMS;
        ratio[i] = a->steps[i % a->n_steps].complete ? audit_residual(a->sums + i * AUDIT_SUMS) : (double)NAN;
        ratio[n + i] = a->sums[i * AUDIT_SUMS + AUDIT_ABS_IN] / start[AUDIT_ABS_OUT];
    }
    TRY(h5_put(g, &residual, ratio));
    return h5_put(g, &growth, ratio + n);
}

static status put_audit(const results_writer *w, const result_audit *a)
{
    const h5_table of_steps = {a->n_steps, sizeof *a->steps, a->steps, 0, w->names};
    status st = STATUS_OK;
    h5_group g;
    char *path;
    TRY_TEXT(path, w->file->scratch, "/audit/%s/%s", w->names[LIST_MODELS][a->model], w->names[LIST_CRITERIA][a->criterion]);
    TRY(h5_group_create(w->file, path, &g));
    TRY_OR(cleanup, st, h5_attr_text(&g, "coordinates", "seed task n_classes references layer"));
    TRY_OR(cleanup, st, results_put_sets(w, &g, a->n_sets, a->sets));
    TRY_OR(cleanup, st, results_put_numbering(&g, "step", a->n_steps, "step of the walk, from the logits towards the input"));
    TRY_OR(cleanup, st, h5_put_table(&g, &of_steps, COUNT(steps), steps));
    TRY_OR(cleanup, st, put_complete(&g, a));
    TRY_OR(cleanup, st, put_sums(&g, a));
    TRY_OR(cleanup, st, put_ratios(&g, a));
cleanup:
    return h5_group_close(st, &g);
}

status results_put_audits(const results_writer *w)
{
    h5_group audits; /* also where there is none, so that readers need not ask */
    TRY(h5_group_create(w->file, "/audit", &audits));
    TRY(h5_group_close(STATUS_OK, &audits));
    for (size_t i = 0; i < w->r->n_audits; i++) {
        TRY(put_audit(w, &w->r->audits[i]));
    }
    return STATUS_OK;
}
