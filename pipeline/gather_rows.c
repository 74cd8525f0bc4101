#include "pipeline/gather_rows.h"

#include "stages/rows.h"

/* The explained images; all pairs share them. */
typedef struct samples {
    const char **path;
    uint32_t *class;
} samples;

static status gather_samples(arena *a, const study *s, samples *out)
{
    TRY_ALLOC(out->path, a, s->explained.n);
    TRY_ALLOC(out->class, a, s->explained.n);
    for (size_t i = 0; i < s->explained.n; i++) {
        const size_t sample = s->explained.sample[i];
        out->path[i] = s->reference_data->path[sample];
        out->class[i] = (uint32_t)s->reference_data->label[sample];
    }
    return STATUS_OK;
}

status gather_rows(arena *a, const study *s, const stage_ctx *c, results *out)
{
    result_rows *rows;
    samples of;
    if (s->config->rows != ROWS_KEEP) {
        return STATUS_OK;
    }
    TRY_ALLOC(rows, a, s->n_models * s->config->n_criteria);
    TRY(gather_samples(a, s, &of));
    for (size_t i = 0; i < s->n_models * s->config->n_criteria; i++) {
        const size_t model = i / s->config->n_criteria, criterion = i % s->config->n_criteria;
        const criterion_def *method = s->config->criteria[criterion].method;
        const criterion_setup setup = study_setup(s, model, criterion);
        if (rows_are_kept(s, model, criterion)) {
            rows[out->n_rows++] = (result_rows){.model = model,
                                                .criterion = criterion,
                                                .moment = method->moments[criterion_score_moment(method, &setup)],
                                                .n_samples = s->explained.n,
                                                .n_components = setup.graph->n_components,
                                                .path = of.path,
                                                .class = of.class,
                                                .score = c->attribute.rows[attribute_index(s, model, criterion, 0) / s->n_references]};
        }
    }
    out->rows = rows;
    return STATUS_OK;
}

size_t gather_rows_bytes(const study *s)
{
    return s->config->rows != ROWS_KEEP ? 0
                                        : s->n_models * s->config->n_criteria * sizeof(result_rows) +
                                              s->explained.n * (sizeof(char *) + sizeof(uint32_t));
}

size_t gather_rows_kept_bytes(const study *s)
{
    return rows_bytes(s);
}

size_t gather_rows_file_bytes(const study *s)
{
    size_t statistics = 0, n_classes = 0;
    for (size_t i = 0; i < s->explained.n; i++) {
        const size_t *at = &s->explained.sample[i];
        n_classes += i == 0 || s->reference_data->label[at[0]] != s->reference_data->label[at[-1]];
    }
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < s->config->n_criteria; k++) {
            statistics += rows_exist(s, m, k)
                              ? 2 * n_classes * s->models[m].graph->n_components * sizeof(double)
                              : 0;
        }
    }
    return rows_bytes(s) + statistics;
}
