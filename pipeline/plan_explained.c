/* Which reference images are explained: for the whole study, and for each criterion that is for some numbers of references only. */
#include <string.h>

#include "pipeline/plan.h"
#include "stages/rows.h"

/* The union of the reference sets for which needed [n_references] is not 0; NULL: of all. used [reference_data->n_samples] is written. */
static status unite(arena *a, const study *s, const uint8_t needed[], uint8_t used[], sample_list *out)
{
    size_t *sample, n = 0;
    memset(used, 0, s->reference_data->n_samples);
    for (size_t r = 0; r < s->n_references; r++) {
        const sample_list *l = &s->references[r].samples;
        for (size_t k = 0; k < l->n && (needed == NULL || needed[r]); k++) {
            used[l->sample[k]] = 1;
        }
    }
    for (size_t i = 0; i < s->reference_data->n_samples; i++) {
        n += used[i];
    }
    TRY_ALLOC(sample, a, n);
    *out = (sample_list){n, sample};
    for (size_t i = 0; i < s->reference_data->n_samples; i++) {
        if (used[i]) {
            *sample++ = i;
        }
    }
    return STATUS_OK;
}

status plan_explained(arena *a, study *s)
{
    uint8_t *used;
    TRY_ALLOC(used, a, s->reference_data->n_samples);
    s->explanations = NULL;
    return unite(a, s, NULL, used, &s->explained);
}

/* Rows of single images, which the result or the spectrum wants, are one table over the images of the whole study. The settings of a search are all for
 * the same images, and explained together. */
static bool each_explains_all(const study *s)
{
    size_t restricted = 0;
    for (size_t k = 0; k < s->config->n_criteria; k++) {
        restricted += s->config->criteria[k].n_references > 0;
    }
    return restricted == 0 || s->part == PART_TUNING || s->config->spectrum || rows_are_stored(s);
}

/* Has a criterion with the scores of this one cells of the model and the reference set? */
static bool needs(const study *s, size_t model, size_t criterion, size_t reference)
{
    const config *cfg = s->config;
    size_t k = 0;
    while (k < cfg->n_criteria && (strcmp(cfg->scoring[k], cfg->scoring[criterion]) != 0 || !study_wants(s, model, k) ||
                                   !study_wants_references(s, k, s->references[reference].per_class))) {
        k++;
    }
    return k < cfg->n_criteria && cfg->criteria[criterion].method->uses_samples;
}

/* Pairs that need the same sets share their list: earlier [n] are there. */
static status explain(arena *a, const study *s, const uint8_t needed[], uint8_t used[], size_t n, const study_explanation earlier[],
                      study_explanation *out)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(earlier[i].needed, needed, s->n_references) == 0) {
            *out = earlier[i];
            return STATUS_OK;
        }
    }
    out->needed = needed;
    return unite(a, s, needed, used, &out->samples);
}

status plan_explanations(arena *a, study *s)
{
    const size_t n = s->n_models * s->config->n_criteria;
    study_explanation *out;
    uint8_t *used;
    s->explanations = NULL;
    if (each_explains_all(s)) {
        return STATUS_OK;
    }
    TRY_ALLOC(out, a, n);
    TRY_ALLOC(used, a, s->reference_data->n_samples);
    for (size_t i = 0; i < n; i++) {
        uint8_t *needed;
        TRY_ALLOC(needed, a, s->n_references);
        for (size_t r = 0; r < s->n_references; r++) {
            needed[r] = needs(s, i / s->config->n_criteria, i % s->config->n_criteria, r);
        }
        TRY(explain(a, s, needed, used, i, out, &out[i]));
    }
    s->explanations = out;
    return STATUS_OK;
}

status plan_explain_sets(arena *a, study *s, const uint8_t needed[])
{
    const size_t n = s->n_models * s->config->n_criteria;
    study_explanation *out;
    uint8_t *used;
    TRY_ALLOC(out, a, n);
    TRY_ALLOC(used, a, s->reference_data->n_samples);
    for (size_t i = 0; i < n; i++) {
        TRY(explain(a, s, needed, used, i, out, &out[i]));
    }
    s->explanations = out;
    return STATUS_OK;
}
