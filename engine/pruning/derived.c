#include "pruning/derived.h"

typedef struct derived {
    path *path;
    aggregate aggregate;
    const graph *graph;
    size_t batch;
} derived;

walk_start derived_start(const criterion_setup *s)
{
    return start_read(s->parameters[DERIVED_TARGET], s->parameters[DERIVED_INITIAL]);
}

aggregate derived_aggregate(const criterion_setup *s)
{
    return aggregate_read(s->parameters[DERIVED_ABSOLUTE], s->parameters[DERIVED_NORMALISE]);
}

path_setup derived_path(const criterion_setup *s)
{
    return (path_setup){.graph = s->graph,
                        .backend = s->backend,
                        .batch = s->batch,
                        .measure = MEASURE_ONE,
                        .points = POINTS_SAMPLE,
                        .n = 1,
                        .start = derived_start(s),
                        .weights = s->weights,
                        .per_token = derived_aggregate(s).absolute == ABSOLUTE_TOKEN};
}

status derived_open(arena *a, const criterion_setup *s, const path_setup *p, void **state)
{
    derived *d;
    TRY_ALLOC(d, a, 1);
    *d = (derived){.aggregate = derived_aggregate(s), .graph = s->graph, .batch = s->batch};
    TRY(path_build(a, p, &d->path));
    *state = d;
    return STATUS_OK;
}

void derived_rows(void *state, const criterion_batch *b, float *rows)
{
    const derived *d = state;
    const size_t stride = AGGREGATE_MOMENTS * d->graph->n_components;
    path_run(d->path, b->images, b->target, b->sample, stride, rows);
    aggregate_rows(&d->aggregate, d->graph, d->batch, stride, rows);
}

size_t derived_score_moment(const criterion_setup *s)
{
    const aggregate how = derived_aggregate(s);
    return aggregate_summand(&how);
}

void derived_finish(const criterion_setup *s, size_t n_samples, const double *sums, double *score)
{
    (void)n_samples;
    const aggregate how = derived_aggregate(s);
    aggregate_finish(&how, s->graph->n_components, sums, score);
}
