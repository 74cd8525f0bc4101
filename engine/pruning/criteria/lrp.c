#include "attribution/walk.h"
#include "pruning/criterion.h"

/* Layer-wise relevance propagation, epsilon rule in every layer (docs/attribution.md, sections b to f): relevance of
 * the target logit at each component, absolute per sample and token unless the signed sum is asked for. */
enum { EPSILON, ABSOLUTE };

static const field fields[] = {
    [EPSILON] = {.name = "epsilon",
                 .kind = FIELD_REAL,
                 .def = 1e-6,
                 .min = 0.0,
                 .max = 1.0,
                 .scale = SCALE_LOG,
                 .help = "stabiliser of every denominator"},
    [ABSOLUTE] = {.name = "absolute",
                  .kind = FIELD_BOOL,
                  .def = 1.0,
                  .min = 0.0,
                  .max = 1.0,
                  .help = "rank by the sum of absolute relevance (true) or of signed relevance (false)"},
};
static const char *const moments[WALK_MOMENTS] = {[WALK_ABSOLUTE] = "absolute", [WALK_SIGNED] = "signed"};

static status choose(arena *a, const criterion_setup *s, const composite **out)
{
    return composite_epsilon(a, s->parameters[EPSILON], out);
}

static status open_walk(arena *a, const criterion_setup *s, void **state)
{
    const composite *c;
    walk *w;
    TRY(choose(a, s, &c));
    TRY(walk_build(a, s->graph, c, s->backend, s->batch, &w));
    *state = w;
    return STATUS_OK;
}

static status bytes(const criterion_setup *s, size_t *out)
{
    arena *scratch = NULL;
    const composite *c;
    TRY(arena_open("composite", &scratch));
    status st = choose(scratch, s, &c);
    if (status_ok(st)) {
        st = walk_needs(s->graph, c, s->backend, s->batch, out);
    }
    arena_close(&scratch);
    return st;
}

static void rows(void *state, const criterion_batch *b, float *out)
{
    walk_run(state, b->images, b->target, out);
}

static void finish(const criterion_setup *s, size_t n_samples, const double *sums, double *score)
{
    (void)n_samples;
    const size_t n = s->graph->n_components;
    const double *moment = sums + (s->parameters[ABSOLUTE] != 0.0 ? WALK_ABSOLUTE : WALK_SIGNED) * n;
    for (size_t i = 0; i < n; i++) {
        score[i] = moment[i];
    }
}

const criterion_def criterion_lrp = {
    .name = "lrp",
    .help = "layer-wise relevance propagation, epsilon rule in every layer, from the target logit",
    .fields = fields,
    .n_fields = COUNT(fields),
    .uses_samples = true,
    .logits_only = true,
    .n_moments = WALK_MOMENTS,
    .moments = moments,
    .open = open_walk,
    .bytes = bytes,
    .rows = rows,
    .finish = finish,
    .composite = choose,
};
