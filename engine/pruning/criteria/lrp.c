#include "attribution/walk.h"
#include "attribution/walk_audit.h"
#include "pruning/aggregate.h"
#include "pruning/criterion.h"

/* Layer-wise relevance propagation (docs/attribution.md, sections b to f) by the rules of a composite: relevance of
 * the explained class's logit at each component. */
enum { EPSILON, ABSOLUTE, TARGET, INITIAL, NORMALISE, SOFTMAX, PROJ_BIAS, AUDIT };
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
    [ABSOLUTE] = AGGREGATE_FIELD_ABSOLUTE(ABSOLUTE_TOKEN),
    [TARGET] = START_FIELD_TARGET,
    [INITIAL] = START_FIELD_INITIAL_OF_RULES,
    [NORMALISE] = AGGREGATE_FIELD_NORMALISE,
    [SOFTMAX] = {.name = "softmax",
                 .kind = FIELD_CHOICE,
                 .max = 3.0,
                 .choices = softmax_rule_names,
                 .help = "rule of the softmax in attention (transformers)"},
    [PROJ_BIAS] = {.name = "proj_bias",
                   .kind = FIELD_CHOICE,
                   .def = TEXTBOOK,
                   .max = 1.0,
                   .choices = proj_biases,
                   .help = "bias of q, k, v and output projections in z-plus, alpha-beta and gamma: as in other layers, or as in the "
                           "paper's program, where it enters every term"},
    [AUDIT] = {.name = "audit",
               .kind = FIELD_BOOL,
               .def = 1.0,
               .min = 0.0,
               .max = 1.0,
               .help = "add up what every layer takes and hands on: conservation, and where relevance explodes"},
};

typedef struct explainer {
    walk *walk;
    walk_start start;
    aggregate aggregate;
    const graph *graph;
    size_t batch, n_moments, row; /* numbers of the moments, and of a row */
} explainer;

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

static bool audits(const criterion_setup *s)
{
    return s->parameters[AUDIT] != 0.0;
}

static size_t n_extra(const criterion_setup *s)
{
    return audits(s) ? s->graph->n_nodes * AUDIT_SUMS : 0;
}

static aggregate aggregate_of(const criterion_setup *s)
{
    return aggregate_read(s->parameters[ABSOLUTE], s->parameters[NORMALISE]);
}

static status open_walk(arena *a, const criterion_setup *s, void **state)
{
    const composite *c = NULL;
    explainer *e;
    TRY_ALLOC(e, a, 1);
    *e = (explainer){.start = start_read(s->parameters[TARGET], s->parameters[INITIAL]),
                     .aggregate = aggregate_of(s),
                     .graph = s->graph,
                     .batch = s->batch,
                     .n_moments = AGGREGATE_MOMENTS * s->graph->n_components,
                     .row = AGGREGATE_MOMENTS * s->graph->n_components + n_extra(s)};
    TRY(choose(a, s, &c));
    TRY(walk_build_with(a, s->graph, c, s->backend, s->batch, &(walk_options){.weights = s->weights}, &e->walk));
    *state = e;
    return audits(s) ? walk_start_audit(a, e->walk) : STATUS_OK;
}

static status bytes(const criterion_setup *s, size_t *out)
{
    arena *scratch = NULL;
    const composite *c = NULL;
    TRY(arena_open("composite", &scratch));
    status st = choose(scratch, s, &c);
    if (status_ok(st)) {
        st = walk_needs_with(s->graph, c, s->backend, s->batch, &(walk_options){.weights = s->weights}, out);
    }
    arena_close(&scratch);
    return st;
}

static void rows(void *state, const criterion_batch *b, float *out)
{
    const explainer *e = state;
    walk_run_from(e->walk, b->images, &e->start, b->target, e->row, out);
    aggregate_rows(&e->aggregate, e->graph, e->batch, e->row, out);
    for (size_t i = 0; e->row > e->n_moments && i < e->batch; i++) {
        walk_read_audit(e->walk, i, out + i * e->row + e->n_moments);
    }
}

static status audit(arena *a, const criterion_setup *s, size_t *n, const audit_step **out)
{
    const composite *c = NULL;
    *n = 0;
    TRY(choose(a, s, &c));
    return audits(s) ? walk_audit_steps(a, s->graph, c, n, out) : STATUS_OK;
}

static size_t score_moment(const criterion_setup *s)
{
    const aggregate how = aggregate_of(s);
    return aggregate_summand(&how);
}

static void finish(const criterion_setup *s, size_t n_samples, const double *sums, double *score)
{
    (void)n_samples;
    const aggregate how = aggregate_of(s);
    aggregate_finish(&how, s->graph->n_components, sums, score);
}

const criterion_def criterion_lrp = {
    .name = "lrp",
    .help = "layer-wise relevance propagation from one class's logit, by the rules of a composite",
    .fields = fields,
    .n_fields = COUNT(fields),
    .uses_samples = true,
    .logits_only = true,
    .takes_composite = true,
    .n_moments = AGGREGATE_MOMENTS,
    .moments = aggregate_moments,
    .open = open_walk,
    .bytes = bytes,
    .rows = rows,
    .finish = finish,
    .score_moment = score_moment,
    .composite = choose,
    .n_extra = n_extra,
    .audit = audit,
};
