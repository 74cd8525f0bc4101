/* What the spectrum stage will do, take and last. */
#include "core/rng.h"
#include "parallel/eigen.h"
#include "parallel/node_copy.h"
#include "stages/rows.h"
#include "stages/spectrum.h"

static size_t matrix_bytes(const stage_ctx *c, const spectrum_task *t, size_t n_components)
{
    return gram_open_bytes(n_components) + (t->rank < 0 ? eigen_bytes(t->order, c->comm->size) : gram_eigenvalues_bytes(t->order));
}

/* What spectrum_parts() takes. */
static size_t parts_bytes(const study_model *m)
{
    return forecast_block(m->graph->n_layers + m->n_kinds + 1, sizeof(spectrum_part)) + forecast_block(m->graph->n_components, sizeof(size_t)) +
           forecast_block(spectrum_components(m), sizeof(size_t));
}

/* What pair_open() and measure() leave. */
static size_t kept_bytes(const study *s, const study_model *m, size_t n_parts, size_t n_values)
{
    const size_t n = s->n_references * n_parts;
    return parts_bytes(m) + forecast_block(n, sizeof(size_t)) + forecast_block(n, sizeof(double *)) + forecast_block(n, 1) + forecast_block(n, sizeof(spectrum)) +
           forecast_block(n_values, sizeof(double));
}

/* Lists of a pair. */
static size_t list_bytes(const stage_ctx *c, size_t n_parts)
{
    const study *s = c->study;
    size_t sum = forecast_block(s->n_references * n_parts, sizeof(spectrum_task)) +
                 forecast_block((size_t)c->comm->size, sizeof(double)) + forecast_block(s->n_references, sizeof(size_t *));
    for (size_t r = 0; r < s->n_references; r++) {
        sum += forecast_block(s->references[r].samples.n, sizeof(size_t));
    }
    return sum;
}

static status forecast_pair(const stage_ctx *c, arena *scratch, size_t model, stage_forecast *out)
{
    const study *s = c->study;
    const study_model *m = &s->models[model];
    const spectrum_part *parts;
    spectrum_task *tasks;
    stage_forecast one = {0};
    size_t n_parts = 0, n = 0, n_values = 0, most = 0;
    arena_reset(scratch);
    TRY(spectrum_parts(scratch, m, &n_parts, &parts));
    TRY(spectrum_tasks(scratch, s, c->comm->size, n_parts, parts, &n, &tasks));
    for (size_t i = 0; i < n; i++) {
        const bool mine = tasks[i].rank < 0 || tasks[i].rank == c->comm->rank;
        const size_t bytes = mine ? matrix_bytes(c, &tasks[i], parts[tasks[i].part].n) : 0;
        most = bytes > most ? bytes : most;
        n_values += tasks[i].order;
    }
    one.shared = node_copy_shared(c->comm, rows_pair_bytes(s, model));
    forecast_add(&one, "scores of single images", node_copy_bytes(c->comm, rows_pair_bytes(s, model)));
    forecast_add(&one, "a matrix and its eigenvalues", most);
    forecast_add(&one, "lists of matrices and images", list_bytes(c, n_parts));
    forecast_add(&one, "eigenvalues of other ranks", comm_reduce_bytes(c->comm, n_values * sizeof(double)));
    forecast_keep_most(out, &one, c->comm->node_size);
    out->items += n;
    out->kept += kept_bytes(s, m, n_parts, n_values);
    return STATUS_OK;
}

status spectrum_forecast(stage_ctx *c, arena *scratch, stage_forecast *out)
{
    const study *s = c->study;
    const size_t n = s->n_models * s->config->n_criteria;
    *out = (stage_forecast){.idle = !s->config->spectrum, .shared_what = "scores of single images"};
    if (out->idle) {
        return STATUS_OK;
    }
    out->kept = forecast_block(n, sizeof(spectrum_pair));
    for (size_t i = 0; i < n; i++) {
        if (spectrum_exists(s, i / s->config->n_criteria, i % s->config->n_criteria)) {
            TRY(forecast_pair(c, scratch, i / s->config->n_criteria, out));
        }
    }
    return STATUS_OK;
}

/* Seconds of a core for one element of a Gram matrix and one number of its sum, and of eigenvalues by the cube of the order: measured on a
 * small matrix of numbers that were drawn. */
typedef struct speed {
    double product, cube;
} speed;

static status try_matrix(arena *a, speed *out)
{
    enum { ORDER = 256, LENGTH = 512 };
    float *rows;
    size_t *numbers;
    double *matrix, *values;
    gram g;
    TRY_ALLOC(rows, a, (size_t)ORDER * LENGTH);
    TRY_ALLOC(numbers, a, LENGTH);
    TRY_ALLOC(matrix, a, (size_t)ORDER * ORDER);
    TRY_ALLOC(values, a, ORDER);
    for (size_t i = 0; i < (size_t)ORDER * LENGTH; i++) {
        rows[i] = (float)rng_uniform(0, RNG_SCORES, 0, (uint32_t)i);
    }
    for (size_t i = 0; i < LENGTH; i++) {
        numbers[i] = i;
    }
    TRY(gram_open(a, rows, LENGTH, ORDER, numbers, LENGTH, numbers, &g));
    const double started = log_seconds();
    gram_fill(&g, 0, 1, 0, 1, matrix, ORDER);
    const double filled = log_seconds();
    TRY(gram_eigenvalues(a, &g, values));
    out->product = (filled - started) / (0.5 * ORDER * ORDER * LENGTH);
    out->cube = (log_seconds() - filled - (filled - started)) / ((double)ORDER * ORDER * ORDER);
    out->cube = out->cube > 0.0 ? out->cube : 0.0;
    return STATUS_OK;
}

/* Of this rank for one pair. */
static status pair_seconds(const stage_ctx *c, arena *scratch, size_t model, const speed *v, double *seconds)
{
    const spectrum_part *parts;
    spectrum_task *tasks;
    size_t n_parts = 0, n = 0;
    arena_reset(scratch);
    TRY(spectrum_parts(scratch, &c->study->models[model], &n_parts, &parts));
    TRY(spectrum_tasks(scratch, c->study, c->comm->size, n_parts, parts, &n, &tasks));
    for (size_t i = 0; i < n; i++) {
        const double tiles = (double)((tasks[i].order + GRAM_TILE - 1) / GRAM_TILE), order = (double)tasks[i].order;
        const double one = v->product * 0.5 * tiles * (tiles + 1.0) * GRAM_TILE * GRAM_TILE * (double)tasks[i].length + v->cube * order * order * order;
        *seconds += tasks[i].rank < 0 ? one / c->comm->size : tasks[i].rank == c->comm->rank ? one : 0.0;
    }
    return STATUS_OK;
}

status spectrum_trial(stage_ctx *c, arena *a, arena *images, double budget, double *seconds)
{
    const study *s = c->study;
    speed v = {0.0, 0.0};
    (void)images;
    (void)budget;
    *seconds = 0.0;
    if (!s->config->spectrum) {
        return STATUS_OK;
    }
    arena_release(a);
    TRY(try_matrix(a, &v));
    for (size_t i = 0; i < s->n_models * s->config->n_criteria; i++) {
        if (spectrum_exists(s, i / s->config->n_criteria, i % s->config->n_criteria)) {
            TRY(pair_seconds(c, a, i / s->config->n_criteria, &v, seconds));
        }
    }
    return STATUS_OK;
}
