#include "pruning/aggregate.h"

#include <math.h>

const char *const aggregate_moments[] = {
    [AGGREGATE_ABSOLUTE] = "absolute", [AGGREGATE_SIGNED] = "signed", [AGGREGATE_SQUARE] = "square"};
const char *const aggregate_absolutes[] = {
    [ABSOLUTE_TOKEN] = "token", [ABSOLUTE_SAMPLE] = "sample", [ABSOLUTE_SUM] = "sum", [ABSOLUTE_NEVER] = "never", NULL};
const char *const aggregate_norms[] = {
    [NORM_NONE] = "none", [NORM_L1] = "l1", [NORM_L2] = "l2", [NORM_MAX] = "max", NULL};

size_t aggregate_summand(const aggregate *a)
{
    return a->absolute == ABSOLUTE_TOKEN || a->absolute == ABSOLUTE_SAMPLE ? AGGREGATE_ABSOLUTE : AGGREGATE_SIGNED;
}

static double norm_over(const aggregate *a, const graph *g, component_kind kind, const float *s)
{
    double sum = 0.0, most = 0.0;
    for (size_t l = 0; l < g->n_layers; l++) {
        const node *n = &g->nodes[g->layers[l]];
        for (size_t c = n->first_component; n->components == kind && c < n->first_component + n->n_components; c++) {
            const double x = fabs((double)s[c]);
            sum += a->normalise == NORM_L2 ? x * x : x;
            most = x > most || isnan(x) ? x : most;
        }
    }
    return a->normalise == NORM_MAX ? most : a->normalise == NORM_L2 ? sqrt(sum) : sum;
}

/* A sample without any relevance stays without. */
static void divide(const graph *g, component_kind kind, double norm, float *row)
{
    for (size_t l = 0; norm != 0.0 && l < g->n_layers; l++) {
        const node *n = &g->nodes[g->layers[l]];
        for (size_t c = n->first_component; n->components == kind && c < n->first_component + n->n_components; c++) {
            for (size_t m = 0; m < AGGREGATE_SQUARE; m++) {
                float *x = row + m * g->n_components + c;
                *x = (float)((double)*x / norm);
            }
        }
    }
}

static void complete(const aggregate *a, const graph *g, float *row)
{
    const size_t n = g->n_components;
    for (size_t c = 0; a->absolute != ABSOLUTE_TOKEN && c < n; c++) {
        row[AGGREGATE_ABSOLUTE * n + c] = fabsf(row[AGGREGATE_SIGNED * n + c]);
    }
    for (int kind = COMPONENT_NONE + 1; a->normalise != NORM_NONE && kind < COMPONENT_KINDS; kind++) {
        divide(g, (component_kind)kind, norm_over(a, g, (component_kind)kind, row + aggregate_summand(a) * n), row);
    }
    for (size_t c = 0; c < n; c++) {
        const float s = row[aggregate_summand(a) * n + c];
        row[AGGREGATE_SQUARE * n + c] = s * s;
    }
}

void aggregate_rows(const aggregate *a, const graph *g, size_t batch, size_t stride, float *rows)
{
    for (size_t b = 0; b < batch; b++) {
        complete(a, g, rows + b * stride);
    }
}

void aggregate_finish(const aggregate *a, size_t n_components, const double *sums, double *score)
{
    for (size_t c = 0; c < n_components; c++) {
        const double s = sums[aggregate_summand(a) * n_components + c];
        score[c] = a->absolute == ABSOLUTE_SUM ? fabs(s) : s;
    }
}
