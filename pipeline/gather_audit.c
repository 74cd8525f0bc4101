#include "pipeline/gather_audit.h"

#include "attribution/walk_audit.h"
#include "pipeline/rule_text.h"

static status gather_steps(arena *a, const criterion_def *method, const criterion_setup *setup, size_t n, const audit_step given[],
                           const result_audit_step **out)
{
    const graph *g = setup->graph;
    const composite *c;
    result_audit_step *steps;
    TRY(method->composite(a, setup, &c));
    TRY_ALLOC(steps, a, n);
    for (size_t i = 0; i < n; i++) {
        const node *at = &g->nodes[given[i].id];
        const char *rule = rule_text(a, c, given[i].rule, at);
        if (rule == NULL) {
            return (status){ST_ENVIRONMENT};
        }
        steps[i] = (result_audit_step){at->name, at->op->name, rule, given[i].complete};
    }
    *out = steps;
    return STATUS_OK;
}

status gather_sets(arena *a, const study *s, const result_set **out)
{
    result_set *sets;
    TRY_ALLOC(sets, a, s->n_references);
    for (size_t r = 0; r < s->n_references; r++) {
        const study_reference *of = &s->references[r];
        const study_task *t = &s->tasks[of->task];
        sets[r] = (result_set){t->seed, t->subset, t->n_classes, of->per_class, of->samples.n};
    }
    *out = sets;
    return STATUS_OK;
}

/* The reference sets that a criterion is for: reference [n] of them, and what identifies each. */
static status wanted_sets(arena *a, const study *s, size_t criterion, size_t *n, size_t **reference, const result_set **out)
{
    const result_set *all = NULL;
    result_set *sets;
    *n = 0;
    TRY(gather_sets(a, s, &all));
    TRY_ALLOC(*reference, a, s->n_references);
    TRY_ALLOC(sets, a, s->n_references);
    for (size_t r = 0; r < s->n_references; r++) {
        if (study_wants_references(s, criterion, s->references[r].per_class)) {
            (*reference)[*n] = r;
            sets[(*n)++] = all[r];
        }
    }
    *out = sets;
    return STATUS_OK;
}

/* The reference sets of one model and criterion; a criterion without an audit leaves n_steps 0. */
static status gather_audit(arena *a, const study *s, const stage_ctx *c, size_t model, size_t criterion, result_audit *out)
{
    const criterion_def *method = s->config->criteria[criterion].method;
    const criterion_setup setup = study_setup(s, model, criterion);
    const audit_step *steps = NULL;
    const result_set *sets = NULL;
    double *sums;
    size_t n_sets = 0, *reference = NULL;
    out->n_steps = 0;
    if (method->audit == NULL) {
        return STATUS_OK;
    }
    TRY(method->audit(a, &setup, &out->n_steps, &steps));
    const size_t n = out->n_steps, at = n == 0 ? 0 : criterion_audit(method, &setup);
    TRY(wanted_sets(a, s, criterion, &n_sets, &reference, &sets));
    TRY_ALLOC(sums, a, n_sets * n * AUDIT_SUMS);
    for (size_t r = 0; r < n_sets; r++) {
        const double *row = c->attribute.sums[attribute_index(s, model, criterion, reference[r])] + at;
        audit_select(n, steps, row, sums + r * n * AUDIT_SUMS);
    }
    *out = (result_audit){.model = model, .criterion = criterion, .n_steps = n, .n_sets = n_sets, .sets = sets, .sums = sums};
    return gather_steps(a, method, &setup, n, steps, &out->steps);
}

status gather_audits(arena *a, const study *s, const stage_ctx *c, results *out)
{
    result_audit *audits;
    TRY_ALLOC(audits, a, s->n_models * s->config->n_criteria);
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < s->config->n_criteria; k++) {
            if (study_wants(s, m, k)) {
                TRY(gather_audit(a, s, c, m, k, &audits[out->n_audits]));
                out->n_audits += audits[out->n_audits].n_steps > 0;
            }
        }
    }
    out->audits = audits;
    return STATUS_OK;
}

size_t gather_audits_bytes(const study *s)
{
    enum { RULE_TEXT = 64 }; /* a rule in words, while it is put together */
    size_t sum = 0;
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < s->config->n_criteria; k++) {
            const criterion_setup setup = study_setup(s, m, k);
            const size_t most = setup.graph->n_nodes;
            if (s->config->criteria[k].method->audit != NULL) {
                sum += most * (sizeof(audit_step) + sizeof(result_audit_step) + 2 * RULE_TEXT);
                sum += s->n_references * (2 * sizeof(result_set) + sizeof(size_t) + most * AUDIT_SUMS * sizeof(double));
            }
        }
    }
    return sum;
}

/* ---- the warning ---- */

/* The worst of what the reference sets say. */
static audit_verdict judge(const result_audit *w)
{
    audit_verdict worst = {AUDIT_FINE, 0, 0.0, 0.0};
    for (size_t r = 0; r < w->n_sets; r++) {
        const audit_verdict one = audit_judge(w->n_steps, w->sums + r * w->n_steps * AUDIT_SUMS);
        if (one.finding > worst.finding || (one.finding == worst.finding && one.growth > worst.growth)) {
            worst = one;
        }
    }
    return worst;
}

void gather_audits_warn(const results *r)
{
    for (size_t i = 0; i < r->n_audits; i++) {
        const result_audit *w = &r->audits[i];
        const audit_verdict v = judge(w);
        const result_audit_step *step = &w->steps[v.step];
        if (v.finding == AUDIT_NOT_FINITE) {
            log_line(LOG_WARNING,
                     "model=%s criterion=%s layer=%s: relevance is no longer finite in this layer, whose rule is %s; take a larger "
                     "epsilon, or give the layer another rule",
                     r->models[w->model].name, r->criterion_name[w->criterion], step->layer, step->rule);
        } else if (v.finding == AUDIT_EXPLODES) {
            log_line(LOG_WARNING,
                     "model=%s criterion=%s layer=%s: relevance explodes: this layer, whose rule is %s, hands on %.3g times what comes "
                     "in and %.3g times what the walk started with, so that scores from here to the input are what is left of much "
                     "larger sums; take a larger epsilon, or give this layer or those above it another rule",
                     r->models[w->model].name, r->criterion_name[w->criterion], step->layer, step->rule, v.gain, v.growth);
        }
    }
}
