#include "stages/blame.h"

#include <math.h>

#include "attribution/walk_audit.h"
#include "nn/op.h"

/* The audit of the cell's reference set: the first step that hands on what is not finite; found = false: there is none, or no audit. */
static status ask_audit(const stage_ctx *c, const study_cell *cell, arena *scratch, bool *found, audit_step *out)
{
    const criterion_def *method = c->study->config->criteria[cell->criterion].method;
    const criterion_setup setup = study_setup(c->study, cell->model, cell->criterion);
    const audit_step *steps;
    double *sums;
    size_t n = 0;
    *found = false;
    if (method->audit == NULL) {
        return STATUS_OK;
    }
    TRY(method->audit(scratch, &setup, &n, &steps));
    if (n == 0) {
        return STATUS_OK;
    }
    TRY_ALLOC(sums, scratch, n * AUDIT_SUMS);
    audit_select(n, steps,
                 c->attribute.sums[attribute_index(c->study, cell->model, cell->criterion, cell->reference)] +
                     criterion_audit(method, &setup),
                 sums);
    const audit_verdict v = audit_judge(n, sums);
    *found = v.finding == AUDIT_NOT_FINITE;
    *out = steps[v.step];
    return STATUS_OK;
}

/* Of the layers with such a score the one nearest to the logits, since what goes wrong there goes wrong below too. */
static const node *nearest_to_logits(const graph *g, const double *score, size_t *component)
{
    node_id nearest = 0;
    for (size_t l = 0; l < g->n_layers; l++) {
        const node *n = &g->nodes[g->layers[l]];
        for (size_t i = 0; i < n->n_components && g->layers[l] > nearest; i++) {
            if (isnan(score[n->first_component + i])) {
                nearest = g->layers[l];
                *component = i;
            }
        }
    }
    return &g->nodes[nearest];
}

status blame_layer(const stage_ctx *c, const study_cell *cell, arena *scratch, const double *score)
{
    const criterion_setup setup = study_setup(c->study, cell->model, cell->criterion);
    const graph *g = setup.graph; /* the one that was explained */
    const char *criterion = c->study->config->criteria[cell->criterion].name, *model = c->study->models[cell->model].config->name;
    bool found = false;
    audit_step step;
    size_t component = 0;
    TRY(ask_audit(c, cell, scratch, &found, &step));
    if (found) {
        const node *n = &g->nodes[step.id];
        return FAIL(ST_DATA,
                    "criterion '%s' on model '%s': relevance is no longer finite in layer '%s' (%s, rule %s), the first on the way from "
                    "the logits, so components cannot be ranked; take a larger epsilon, give the layer another rule, or look for "
                    "activations and weights that are not finite",
                    criterion, model, n->name, n->op->name, step.rule != NULL ? step.rule->rule->name : n->op->relevance_name);
    }
    const node *n = nearest_to_logits(g, score, &component);
    return FAIL(ST_DATA,
                "criterion '%s' on model '%s': the score of component %zu (of %zu) of layer '%s' is not a number, the first on the way "
                "from the logits, so components cannot be ranked; take a larger epsilon, or look for activations and weights that are "
                "not finite",
                criterion, model, component, n->n_components, n->name);
}
