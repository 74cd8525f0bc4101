/* How many independent components a network's layers, and the network, amount to: docs/spectrum.md. */
#include "stages/spectrum.h"

#include <math.h>
#include <string.h>

#include "parallel/eigen.h"
#include "parallel/node_copy.h"
#include "stages/item_keys.h"
#include "stages/items.h"
#include "stages/rows.h"

static const char what[] = "scores of single images";

/* One (model, criterion) while it is worked on. */
typedef struct solver {
    stage_ctx *c;
    size_t model, criterion;
    const float *rows;              /* [explained.n, stride] */
    size_t stride;
    const size_t *const *sample;    /* [n_references] */
    const spectrum_pair *pair;
    double *values;                 /* of all matrices, one behind the other: zeros but for those that this rank has solved */
    size_t n_values;
} solver;

const spectrum_pair *spectrum_of_pair(const stage_ctx *c, size_t model, size_t criterion)
{
    const study *s = c->study;
    const size_t scored = rows_scored(s, criterion);
    return c->spectrum.pairs == NULL || !spectrum_exists(s, model, scored) ? NULL : &c->spectrum.pairs[model * s->config->n_criteria + scored];
}

/* Room for what comes out, on every rank. */
static status pair_open(const stage_ctx *c, size_t n_tasks, const spectrum_task tasks[], spectrum_pair *out, solver *v)
{
    const study *s = c->study;
    size_t *order;
    const double **values;
    uint8_t *over_ranks;
    const size_t n = s->n_references * out->n_parts;
    TRY_ALLOC(order, c->arena, n);
    TRY_ALLOC(values, c->arena, n);
    TRY_ALLOC(over_ranks, c->arena, n);
    for (size_t i = 0; i < n_tasks; i++) {
        v->n_values += tasks[i].order;
    }
    TRY_ALLOC(v->values, c->arena, v->n_values);
    for (size_t i = 0, at = 0; i < n_tasks; at += tasks[i++].order) {
        order[tasks[i].index] = tasks[i].order;
        values[tasks[i].index] = v->values + at;
        over_ranks[tasks[i].index] = tasks[i].rank < 0;
    }
    for (size_t i = 0; i < n; i++) {
        const size_t from = i / out->n_parts * out->n_parts + out->parts[i % out->n_parts].same_as;
        order[i] = order[from];
        values[i] = values[from];
        over_ranks[i] = over_ranks[from];
    }
    out->order = order;
    out->values = values;
    out->over_ranks = over_ranks;
    return STATUS_OK;
}

static status open_matrix(const solver *v, arena *a, const spectrum_task *t, gram *out)
{
    const study *s = v->c->study;
    const spectrum_part *p = &v->pair->parts[t->part];
    size_t sample = 0, component = 0;
    TRY(gram_open(a, v->rows, v->stride, s->references[t->reference].samples.n, v->sample[t->reference], p->n, p->component, out));
    if (gram_is_finite(out, &sample, &component)) {
        return STATUS_OK;
    }
    const size_t row = v->sample[t->reference][sample];
    return FAIL(ST_DATA,
                "spectrum of %s under %s: component %zu of %s: expected finite scores of all images, found %g for %s; see the audit in docs/"
                "attribution.md for which layer it begins in, and take other rules or parameters, or leave out `spectrum`",
                s->models[v->model].config->name, s->config->criteria[v->criterion].name, component, p->name,
                (double)v->rows[row * v->stride + p->component[component]], s->reference_data->path[s->explained.sample[row]]);
}

static double *values_of(const solver *v, const spectrum_task *t)
{
    return v->values + (v->pair->values[t->index] - v->values);
}

/* ---- what was solved before, and what is noted ---- */

static journal_key key_of(const solver *v, const spectrum_task *t)
{
    return (journal_key){ITEM_SPECTRUM, (uint32_t)v->model, (uint32_t)v->criterion, (uint32_t)t->index, {0}};
}

static bool restore(const solver *v, const spectrum_task *t)
{
    item_service *items = v->c->items;
    const journal_key key = key_of(v, t);
    const bool known = items->index.n > 0 && journal_load(&items->index, &key, values_of(v, t), t->order * sizeof(double));
    items->n_restored += known;
    return known;
}

static status note(const solver *v, const spectrum_task *t, double seconds)
{
    item_service *items = v->c->items;
    const journal_key key = key_of(v, t);
    stop_note(items->stop, seconds);
    items->item_seconds += seconds;
    items->n_computed++;
    return items->writer == NULL ? STATUS_OK : journal_append(items->writer, &key, seconds, values_of(v, t), t->order * sizeof(double));
}

/* ---- solving ---- */

static status solve_alone(const solver *v, arena *a, const spectrum_task *t)
{
    gram g;
    const double started = log_seconds();
    if (restore(v, t)) {
        return STATUS_OK;
    }
    TRY(stop_check(v->c->items->stop));
    arena_release(a);
    TRY(open_matrix(v, a, t, &g));
    TRY(gram_eigenvalues(a, &g, values_of(v, t)));
    return note(v, t, log_seconds() - started);
}

static void fill(const void *context, size_t i, size_t p, size_t j, size_t q, double *to, size_t ldc)
{
    gram_fill(context, i, p, j, q, to, ldc);
}

/* Collective. Rank 0 has the eigenvalues. */
static status solve_together(const solver *v, arena *a, const spectrum_task *t)
{
    comm *c = v->c->comm;
    gram g;
    const double started = log_seconds();
    int64_t known = c->rank == 0 && restore(v, t);
    comm_sum_i64(c, 1, &known);
    if (known > 0) {
        return STATUS_OK;
    }
    TRY(comm_agree(c, stop_check(v->c->items->stop)));
    arena_release(a);
    TRY(comm_agree(c, open_matrix(v, a, t, &g)));
    const eigen_matrix m = {.order = t->order, .context = &g, .fill = fill};
    TRY(eigen_values(c, a, &m, values_of(v, t)));
    status st = STATUS_OK;
    if (c->rank == 0) {
        gram_to_covariance(&g, values_of(v, t));
        st = note(v, t, log_seconds() - started);
    }
    return comm_agree(c, st);
}

/* This rank's matrices; ends early when another rank has failed or is to stop. Then those of all ranks. */
static status solve_all(const solver *v, arena *a, size_t n, const spectrum_task tasks[])
{
    comm *c = v->c->comm;
    status st = STATUS_OK;
    size_t i = 0;
    for (; i < n && tasks[i].rank >= 0; i++) {
        if (comm_alarm(c, st)) {
            break;
        }
        if (tasks[i].rank == c->rank) {
            st = solve_alone(v, a, &tasks[i]);
        }
    }
    const double finished = log_seconds();
    TRY(comm_agree(c, st));
    v->c->items->idle_seconds += log_seconds() - finished;
    for (; i < n; i++) {
        TRY(solve_together(v, a, &tasks[i]));
    }
    return STATUS_OK;
}

static status measure(const stage_ctx *c, spectrum_pair *out)
{
    const study *s = c->study;
    spectrum *measures;
    TRY_ALLOC(measures, c->arena, s->n_references * out->n_parts);
    for (size_t i = 0; i < s->n_references * out->n_parts; i++) {
        measures[i] = spectrum_of(s->references[i / out->n_parts].samples.n, out->order[i], out->values[i]);
    }
    out->measures = measures;
    return STATUS_OK;
}

/* Local. What is needed before rows are there. `lasting` until the pair is done. */
static status prepare(stage_ctx *c, arena *lasting, size_t model, spectrum_pair *pair, solver *v, size_t *n, spectrum_task **tasks)
{
    const study *s = c->study;
    const size_t **sample;
    TRY(spectrum_parts(c->arena, &s->models[model], &pair->n_parts, &pair->parts));
    TRY(spectrum_tasks(lasting, s, c->comm->size, pair->n_parts, pair->parts, n, tasks));
    TRY_ALLOC(sample, lasting, s->n_references);
    for (size_t r = 0; r < s->n_references; r++) {
        TRY(spectrum_samples(lasting, s, r, &sample[r]));
    }
    v->sample = sample;
    v->pair = pair;
    return pair_open(c, *n, *tasks, pair, v);
}

static status solve_pair(stage_ctx *c, arena *lasting, arena *a, size_t model, size_t criterion, spectrum_pair *out)
{
    const study *s = c->study;
    solver v = {.c = c, .model = model, .criterion = criterion, .stride = s->models[model].graph->n_components};
    const void *rows = NULL;
    size_t n = 0;
    spectrum_task *tasks = NULL;
    arena_release(lasting);
    TRY(comm_agree(c->comm, prepare(c, lasting, model, out, &v, &n, &tasks)));
    TRY(node_copy(c->comm, lasting, what, s->explained.n * v.stride * sizeof(float),
                  c->attribute.rows[attribute_index(s, model, criterion, 0) / s->n_references], &rows));
    v.rows = rows;
    TRY(solve_all(&v, a, n, tasks));
    comm_or_bytes(c->comm, v.n_values * sizeof(double), v.values);
    return comm_agree(c->comm, measure(c, out));
}

static status solve_pairs(stage_ctx *c, arena *lasting, arena *a)
{
    const study *s = c->study;
    const size_t n = s->n_models * s->config->n_criteria;
    spectrum_pair *pairs = arena_alloc(c->arena, n, sizeof *pairs);
    TRY(comm_agree(c->comm, pairs == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    for (size_t i = 0; i < n; i++) {
        const size_t model = i / s->config->n_criteria, criterion = i % s->config->n_criteria;
        if (spectrum_exists(s, model, criterion)) {
            TRY(solve_pair(c, lasting, a, model, criterion, &pairs[i]));
        }
    }
    c->spectrum.pairs = pairs;
    return STATUS_OK;
}

static double work(const stage_ctx *c)
{
    (void)c;
    return 0.0; /* no images */
}

static status run(stage_ctx *c)
{
    arena *lasting = NULL, *a = NULL;
    if (!c->study->config->spectrum) {
        return STATUS_OK;
    }
    status st = arena_open("spectrum", &lasting);
    if (status_ok(st)) {
        st = arena_open("spectrum, one matrix", &a);
    }
    st = comm_agree(c->comm, st);
    if (status_ok(st)) {
        st = solve_pairs(c, lasting, a);
    }
    if (!status_ok(st) && c->items->writer != NULL) {
        st = status_first(st, journal_sync(c->items->writer));
    }
    arena_close(&a);
    arena_close(&lasting);
    return st;
}

const stage_def stage_spectrum = {
    .name = "spectrum",
    .help = "with `spectrum: true`, count how many independent components the layers and the network amount to",
    .work = work,
    .run = run,
    .forecast = spectrum_forecast,
    .trial = spectrum_trial,
    .at_the_end = true,
};
