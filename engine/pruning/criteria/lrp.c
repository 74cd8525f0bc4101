#include "attribution/walk.h"
#include "pruning/criterion.h"

/* Layer-wise relevance propagation (docs/attribution.md, sections b to f) by the rules of a composite: relevance of
 * the target logit at each component, absolute per sample and token unless the signed sum is asked for. */
enum { EPSILON, SOFTMAX, PROJ_BIAS, ABSOLUTE };
enum { TEXTBOOK, REFERENCE };
static const char *const proj_biases[] = {[TEXTBOOK] = "textbook", [REFERENCE] = "reference", NULL};

static const field fields[] = {
    [EPSILON] = {.name = "epsilon",
                 .kind = FIELD_REAL,
                 .def = 1e-6,
                 .min = 0.0,
                 .max = 1.0,
                 .scale = SCALE_LOG,
                 .help = "stabiliser of every denominator for which the composite states none of its own"},
    [SOFTMAX] = {.name = "softmax",
                 .kind = FIELD_CHOICE,
                 .choices = softmax_rule_names,
                 .help = "rule of the softmax in attention (transformers)"},
    [PROJ_BIAS] = {.name = "proj_bias",
                   .kind = FIELD_CHOICE,
                   .def = TEXTBOOK,
                   .choices = proj_biases,
                   .help = "bias of q, k, v and output projections in z-plus, alpha-beta and gamma: as in other layers, or as in the "
                           "paper's program, where it enters every term"},
    [ABSOLUTE] = {.name = "absolute",
                  .kind = FIELD_BOOL,
                  .def = 1.0,
                  .min = 0.0,
                  .max = 1.0,
                  .help = "rank by the sum of absolute relevance (true) or of signed relevance (false)"},
};
static const char *const moments[WALK_MOMENTS] = {[WALK_ABSOLUTE] = "absolute", [WALK_SIGNED] = "signed"};

/* Without a stated list, the epsilon rule in every layer. */
static status choose(arena *a, const criterion_setup *s, const composite **out)
{
    const composite *stated = s->composite;
    const composite settings = {.epsilon = s->parameters[EPSILON],
                                .softmax_rule = (int)s->parameters[SOFTMAX],
                                .proj_bias = s->parameters[PROJ_BIAS] == REFERENCE,
                                .pixels = {s->n_channels, s->mean, s->std}};
    if (stated == NULL) {
        TRY(composite_epsilon(a, s->parameters[EPSILON], &stated));
    }
    return composite_complete(a, stated, &settings, out);
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
    .help = "layer-wise relevance propagation from the target logit, by the rules of a composite",
    .fields = fields,
    .n_fields = COUNT(fields),
    .uses_samples = true,
    .takes_composite = true,
    .n_moments = WALK_MOMENTS,
    .moments = moments,
    .open = open_walk,
    .bytes = bytes,
    .rows = rows,
    .finish = finish,
    .composite = choose,
};
