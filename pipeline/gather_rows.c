#include "pipeline/gather_rows.h"

#include "pipeline/gather_audit.h"
#include "stages/rows.h"

/* The explained images and the sets that contain them; all pairs share them. */
typedef struct samples {
    const char **path;
    uint32_t *class;
    uint8_t *member; /* [n_references, explained.n] */
    const result_set *sets;
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
    TRY_ALLOC(out->member, a, s->n_references * s->explained.n);
    for (size_t r = 0; r < s->n_references; r++) {
        const sample_list *list = &s->references[r].samples;
        for (size_t i = 0, k = 0; k < list->n; i++) { /* both ascend, and every image of a set is explained */
            const bool member = s->explained.sample[i] == list->sample[k];
            out->member[r * s->explained.n + i] = member;
            k += member;
        }
    }
    return gather_sets(a, s, &out->sets);
}

/* The first criterion with the same scores that is for the model too: its rows are those of all. */
size_t gather_first_scored(const study *s, size_t model, size_t criterion)
{
    size_t k = 0;
    while (rows_scored(s, k) != rows_scored(s, criterion) || !study_wants(s, model, k)) {
        k++;
    }
    return k;
}

status gather_rows(arena *a, const study *s, const stage_ctx *c, results *out)
{
    result_rows *rows;
    samples of;
    if (!rows_are_stored(s)) {
        return STATUS_OK;
    }
    TRY_ALLOC(rows, a, s->n_models * s->config->n_criteria);
    TRY(gather_samples(a, s, &of));
    for (size_t i = 0; i < s->n_models * s->config->n_criteria; i++) {
        const size_t model = i / s->config->n_criteria, criterion = i % s->config->n_criteria;
        const criterion_def *method = s->config->criteria[criterion].method;
        const criterion_setup setup = study_setup(s, model, criterion);
        if (rows_are_kept(s, model, criterion) && study_wants(s, model, criterion)) {
            rows[out->n_rows++] = (result_rows){.model = model,
                                                .criterion = criterion,
                                                .scored = gather_first_scored(s, model, criterion),
                                                .moment = method->moments[criterion_score_moment(method, &setup)],
                                                .n_samples = s->explained.n,
                                                .n_components = setup.graph->n_components,
                                                .path = of.path,
                                                .class = of.class,
                                                .n_sets = s->n_references,
                                                .sets = of.sets,
                                                .member = of.member,
                                                .score = c->attribute.rows[attribute_index(s, model, criterion, 0) / s->n_references]};
        }
    }
    out->rows = rows;
    return STATUS_OK;
}

size_t gather_rows_bytes(const study *s)
{
    return !rows_are_stored(s) ? 0
                                        : s->n_models * s->config->n_criteria * sizeof(result_rows) +
                                              s->explained.n * (sizeof(char *) + sizeof(uint32_t) + s->n_references) +
                                              s->n_references * sizeof(result_set);
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
            statistics += rows_exist(s, m, k) && rows_scored(s, k) == k
                              ? 2 * n_classes * s->models[m].graph->n_components * sizeof(double)
                              : 0;
        }
    }
    return rows_bytes(s) + statistics;
}

bool gather_rows_stored(const study *s)
{
    return rows_are_stored(s);
}

size_t gather_rows_auto_bytes(void)
{
    return rows_auto_bytes;
}
