#include "stages/rows.h"

#include <string.h>

bool rows_exist(const study *s, size_t model, size_t criterion)
{
    const criterion_def *method = s->config->criteria[criterion].method;
    const criterion_setup setup = study_setup(s, model, criterion);
    return method->uses_samples && criterion_score_moment(method, &setup) != NO_MOMENT;
}

size_t rows_scored(const study *s, size_t criterion)
{
    return attribute_index(s, 0, criterion, 0) / s->n_references;
}

bool rows_are_kept(const study *s, size_t model, size_t criterion)
{
    return (s->config->spectrum || rows_are_stored(s)) && rows_exist(s, model, criterion);
}

const size_t rows_auto_bytes = (size_t)1 << 30;

bool rows_are_stored(const study *s)
{
    return s->config->rows == ROWS_KEEP || (s->config->rows == ROWS_AUTO && rows_bytes(s) <= rows_auto_bytes);
}

/* The micro-batches that a rank computes of one pair, about. */
static size_t fair_batches(const stage_ctx *c)
{
    return forecast_share(study_batches(&c->study->explained, c->study->config->micro_batch), c->comm->size);
}

status rows_open(const stage_ctx *c, arena *a, size_t model, size_t criterion, row_keeper *out)
{
    const study *s = c->study;
    const criterion_setup setup = study_setup(s, model, criterion);
    const criterion_def *method = s->config->criteria[criterion].method;
    const size_t n = setup.graph->n_components;
    *out = (row_keeper){.keep = rows_are_kept(s, model, criterion),
                        .n_samples = s->explained.n,
                        .n_components = n,
                        .micro_batch = s->config->micro_batch,
                        .n_batches = study_batches(&s->explained, s->config->micro_batch),
                        .rank = c->comm->rank};
    if (!out->keep) {
        return STATUS_OK;
    }
    out->moment = criterion_score_moment(method, &setup) * n;
    TRY_ALLOC(out->owner, a, out->n_batches);
    if (out->rank == 0) {
        TRY_ALLOC(out->all, c->arena, out->n_samples * n);
        return STATUS_OK;
    }
    out->arena = a;
    TRY_ALLOC(out->mine, a, out->n_batches);
    return STATUS_OK;
}

static size_t samples_of(const row_keeper *k, size_t index)
{
    const size_t left = k->n_samples - index * k->micro_batch;
    return left < k->micro_batch ? left : k->micro_batch;
}

/* Where a micro-batch is on this rank, or shall be on rank 0. */
static float *place(const row_keeper *k, size_t index)
{
    return k->rank == 0 ? k->all + index * k->micro_batch * k->n_components : k->mine[index];
}

status rows_keep(row_keeper *k, size_t index, size_t n, const float *rows, size_t n_values)
{
    if (!k->keep) {
        return STATUS_OK;
    }
    k->owner[index] = k->rank;
    if (k->rank != 0) {
        TRY_ALLOC(k->mine[index], k->arena, n * k->n_components);
    }
    float *to = place(k, index);
    for (size_t i = 0; i < n; i++) {
        memcpy(to + i * k->n_components, rows + i * n_values + k->moment, k->n_components * sizeof *to);
    }
    return STATUS_OK;
}

/* One micro-batch after the other, straight to where it belongs: no rank needs memory beyond what it has. */
void rows_gather(const comm *c, row_keeper *k, const float **out)
{
    *out = NULL;
    if (!k->keep) {
        return;
    }
    comm_sum_i64(c, k->n_batches, k->owner); /* who has computed it: all others count 0 */
    for (size_t b = 0; b < k->n_batches; b++) {
        comm_fetch(c, (int)k->owner[b], samples_of(k, b) * k->n_components * sizeof(float), place(k, b));
    }
    *out = k->all;
}

size_t rows_pair_bytes(const study *s, size_t model)
{
    return forecast_block(s->explained.n * s->models[model].graph->n_components, sizeof(float));
}

void rows_forecast(const stage_ctx *c, size_t model, size_t criterion, stage_forecast *out)
{
    const study *s = c->study;
    const size_t batches = study_batches(&s->explained, s->config->micro_batch);
    if (!rows_are_kept(s, model, criterion)) {
        return;
    }
    if (c->comm->rank == 0) {
        forecast_add(out, "rows that are kept: bookkeeping", forecast_block(batches, sizeof(int64_t)));
        out->kept += rows_pair_bytes(s, model);
        out->gathered += rows_pair_bytes(s, model);
    } else {
        forecast_add(out, "rows on their way to rank 0",
                     forecast_block(batches, sizeof(int64_t)) + forecast_block(batches, sizeof(float *)) +
                         fair_batches(c) * forecast_block(s->config->micro_batch * s->models[model].graph->n_components, sizeof(float)));
    }
}

size_t rows_bytes(const study *s)
{
    size_t sum = 0;
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < s->config->n_criteria; k++) {
            sum += rows_exist(s, m, k) && rows_scored(s, k) == k ? rows_pair_bytes(s, m) : 0;
        }
    }
    return sum;
}
