#include <string.h>

#include "attribution/walk.h"
#include "attribution/walk_audit.h"
#include "pruning/criterion.h"

/* Layer-wise relevance propagation, epsilon rule in every layer (docs/attribution.md, sections b to f): relevance of
 * the target logit at each component, absolute per sample and token unless the signed sum is asked for. */
enum { EPSILON, ABSOLUTE, AUDIT };

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
    [AUDIT] = {.name = "audit",
               .kind = FIELD_BOOL,
               .def = 1.0,
               .min = 0.0,
               .max = 1.0,
               .help = "add up what every layer takes and hands on: conservation, and where relevance explodes"},
};
static const char *const moments[WALK_MOMENTS] = {[WALK_ABSOLUTE] = "absolute", [WALK_SIGNED] = "signed"};

static status choose(arena *a, const criterion_setup *s, const composite **out)
{
    return composite_epsilon(a, s->parameters[EPSILON], out);
}

static bool audits(const criterion_setup *s)
{
    return s->parameters[AUDIT] != 0.0;
}

static size_t n_extra(const criterion_setup *s)
{
    return audits(s) ? s->graph->n_nodes * AUDIT_SUMS : 0;
}

typedef struct lrp {
    walk *walk;
    size_t batch, n_moments, n_extra; /* numbers of a row */
} lrp;

static status open_walk(arena *a, const criterion_setup *s, void **state)
{
    const composite *c;
    lrp *l;
    TRY_ALLOC(l, a, 1);
    *l = (lrp){.batch = s->batch, .n_moments = WALK_MOMENTS * s->graph->n_components, .n_extra = n_extra(s)};
    TRY(choose(a, s, &c));
    TRY(walk_build(a, s->graph, c, s->backend, s->batch, &l->walk));
    *state = l;
    return audits(s) ? walk_start_audit(a, l->walk) : STATUS_OK;
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

/* The walk leaves its moments one sample after the other: they are moved apart, the last ones first, to make room for the audit. */
static void rows(void *state, const criterion_batch *b, float *out)
{
    const lrp *l = state;
    const size_t row = l->n_moments + l->n_extra;
    walk_run(l->walk, b->images, b->target, out);
    for (size_t i = l->n_extra == 0 ? 0 : l->batch; i-- > 0;) {
        memmove(out + i * row, out + i * l->n_moments, l->n_moments * sizeof *out);
        walk_read_audit(l->walk, i, out + i * row + l->n_moments);
    }
}

static status audit(arena *a, const criterion_setup *s, size_t *n, const audit_step **out)
{
    const composite *c;
    *n = 0;
    TRY(choose(a, s, &c));
    return audits(s) ? walk_audit_steps(a, s->graph, c, n, out) : STATUS_OK;
}

static size_t score_moment(const criterion_setup *s)
{
    return s->parameters[ABSOLUTE] != 0.0 ? WALK_ABSOLUTE : WALK_SIGNED;
}

static void finish(const criterion_setup *s, size_t n_samples, const double *sums, double *score)
{
    (void)n_samples;
    const size_t n = s->graph->n_components;
    const double *moment = sums + score_moment(s) * n;
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
    .n_moments = WALK_MOMENTS,
    .moments = moments,
    .open = open_walk,
    .bytes = bytes,
    .rows = rows,
    .finish = finish,
    .score_moment = score_moment,
    .composite = choose,
    .n_extra = n_extra,
    .audit = audit,
};
