#include "pipeline/gather_differences.h"

#include "pruning/paired.h"

static const double confidence = 0.95;

/* Rows of /summary, as numbers of their first cells, whose curves can be set against each other: the same network, components and tasks,
 * and as many references, unless one of the criteria needs none. */
static bool comparable(const study *s, size_t first, size_t other)
{
    const study_cell *a = &s->cells[first], *b = &s->cells[other];
    const bool same_tasks = s->tasks[a->task].subset == s->tasks[b->task].subset;
    const bool same_references = a->reference == NO_REFERENCE || b->reference == NO_REFERENCE ||
                                 s->references[a->reference].per_class == s->references[b->reference].per_class;
    return a->model == b->model && a->kind == b->kind && a->criterion < b->criterion && same_tasks && same_references;
}

static size_t count(const study *s)
{
    const size_t n_seeds = s->config->n_seeds;
    size_t n = 0;
    for (size_t i = 0; i < s->n_cells; i += n_seeds) {
        for (size_t k = i + n_seeds; k < s->n_cells; k += n_seeds) {
            n += comparable(s, i, k);
        }
    }
    return n;
}

static void fill(const study *s, const results *r, size_t first, size_t other, double *difference, result_difference *out)
{
    const size_t n = s->config->n_seeds;
    const result_cell *x = &r->cells[first], *y = &r->cells[other];
    for (size_t i = 0; i < n; i++) {
        difference[i] = x[i].a_pr_mean - y[i].a_pr_mean;
    }
    const paired p = paired_difference(n, difference, confidence);
    *out = (result_difference){.model = x->model, .criterion = x->criterion, .other = y->criterion, .kind = x->kind, .task = x->task, .n_classes = x->n_classes,
                               .n_references = x->n_references > y->n_references ? x->n_references : y->n_references, .n_seeds = n,
                               .mean = p.mean, .error = p.error, .low = p.low, .high = p.high};
}

status gather_differences(arena *a, const study *s, results *out)
{
    const size_t n_seeds = s->config->n_seeds;
    result_difference *rows;
    double *scratch;
    TRY_ALLOC(rows, a, count(s));
    TRY_ALLOC(scratch, a, n_seeds);
    out->differences = rows;
    for (size_t i = 0; i < s->n_cells; i += n_seeds) {
        for (size_t k = i + n_seeds; k < s->n_cells; k += n_seeds) {
            if (comparable(s, i, k)) {
                fill(s, out, i, k, scratch, &rows[out->n_differences++]);
            }
        }
    }
    return STATUS_OK;
}

size_t gather_differences_bytes(const study *s)
{
    return count(s) * sizeof(result_difference) + s->config->n_seeds * sizeof(double);
}
