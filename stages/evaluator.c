/* One model with all of its masks: what there is to evaluate, numbered, and a micro-batch through a network. */
#include <math.h>
#include <string.h>

#include "io/sha256.h"
#include "stages/counters.h"
#include "stages/evaluate_parts.h"

enum { MOST_RUN = 16 };                                /* micro-batches: cutting a network costs less than one of them */
static const size_t most_run_bytes = (size_t)1 << 28; /* of images */

static size_t most_fitting(const study *s, size_t model)
{
    const size_t bytes = s->config->micro_batch * shape_count(s->models[model].logits_graph->input) * sizeof(float);
    const size_t fit = most_run_bytes / bytes;
    return fit < 1 ? 1 : fit < MOST_RUN ? fit : MOST_RUN;
}

/* As few runs as there can be, as even as they can be. */
static size_t count_runs(size_t batches, size_t most)
{
    return (batches + most - 1) / most;
}

size_t evaluate_most_run(const study *s, size_t model)
{
    size_t most = 1;
    for (size_t i = 0; i < s->n_evaluations; i++) {
        const size_t batches = study_batches(&s->evaluations[i].samples, s->config->micro_batch);
        const size_t runs = count_runs(batches, most_fitting(s, model)), longest = (batches + runs - 1) / runs;
        most = longest > most ? longest : most;
    }
    return most;
}

size_t evaluate_runs(const study *s, size_t model, size_t evaluation)
{
    return count_runs(study_batches(&s->evaluations[evaluation].samples, s->config->micro_batch), most_fitting(s, model));
}

void set_run(const set_plan *p, size_t run, size_t *first, size_t *end)
{
    *first = run * p->n_batches / p->n_runs;
    *end = (run + 1) * p->n_batches / p->n_runs;
}

/* Of the components that are alive, one bit each. */
static status digest_mask(arena *scratch, const mask_use *u, uint8_t out[16])
{
    uint8_t *bits, digest[32];
    const size_t n = (u->n_alive + 7) / 8;
    memset(out, 0, 16);
    if (u->alive == NULL) {
        return STATUS_OK;
    }
    arena_reset(scratch);
    TRY_ALLOC(bits, scratch, n);
    for (size_t i = 0; i < u->n_alive; i++) {
        bits[i / 8] |= (uint8_t)((u->alive[i] != 0) << i % 8);
    }
    sha256(bits, n, digest);
    memcpy(out, digest, 16);
    return STATUS_OK;
}

/* Points whose counters are known go behind the others, but for the unpruned network, which stays the first. */
static status sort_known(arena *a, const mask_cache *cache, const evaluator *e, set_plan *p)
{
    mask_point *in_order;
    size_t n = 0;
    TRY_ALLOC(in_order, a, p->n_points);
    for (size_t turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < p->n_points; i++) {
            mask_point *m = &p->points[i];
            m->known = cache != NULL && mask_cache_find(cache, e->model, p->set->number, m->digest) != NULL;
            if ((m->known && !m->unpruned) == (turn == 1)) {
                in_order[n++] = *m;
            }
        }
        p->n_new = turn == 0 ? n - 1 : p->n_new;
    }
    p->points = in_order;
    return STATUS_OK;
}

/* The masks of a set: use[first..end). */
static status plan_points(const mask_cache *cache, arena *a, arena *scratch, evaluator *e, size_t first, size_t end, set_plan *p)
{
    size_t n = 0;
    TRY_ALLOC(p->points, a, masks_distinct(&e->masks, first, end));
    for (size_t turn = 0; turn < 2; turn++) {
        for (size_t u = first; u < end; u = masks_end(&e->masks, u)) {
            const bool unpruned = e->masks.use[u].rate == 0; /* every study has the rate 0 */
            if (unpruned == (turn == 0)) {
                mask_point *to = &p->points[n++];
                *to = (mask_point){.first = u, .end = masks_end(&e->masks, u), .counters = e->n_counters, .unpruned = unpruned};
                e->n_counters += counters_size(p->set);
                TRY(digest_mask(scratch, &e->masks.use[u], to->digest));
            }
        }
    }
    p->n_points = n;
    return sort_known(a, cache, e, p);
}

static status plan_set(const stage_ctx *c, arena *a, arena *scratch, evaluator *e, size_t first, size_t end)
{
    const study *s = c->study;
    set_plan *p = &e->sets[e->n_sets++];
    *p = (set_plan){.evaluation = e->masks.use[first].evaluation, .set = &s->evaluations[e->masks.use[first].evaluation],
                    .first_run = e->n_runs, .first_whole = e->n_whole, .first_pruned = e->n_pruned, .predictions = e->n_predictions};
    p->n_batches = study_batches(&p->set->samples, s->config->micro_batch);
    p->n_runs = evaluate_runs(s, e->model, p->evaluation);
    TRY(plan_points(c->cache, a, scratch, e, first, end, p));
    e->n_runs += p->n_runs;
    e->n_whole += p->points[0].known ? 0 : p->n_batches;
    e->n_pruned += p->n_runs * p->n_new;
    e->n_predictions += p->n_batches * s->config->micro_batch;
    return STATUS_OK;
}

static status plan_in(const stage_ctx *c, arena *a, arena *scratch, size_t model, evaluator *out)
{
    *out = (evaluator){.model = model, .loaded = NO_RUN, .asked = NO_RUN};
    TRY(masks_collect(a, c->study, model, c->prune.removed_at, c->prune.removed, &out->masks));
    TRY_ALLOC(out->sets, a, c->study->n_evaluations);
    for (size_t first = 0; first < out->masks.n;) {
        const size_t end = masks_set_end(&out->masks, first);
        TRY(plan_set(c, a, scratch, out, first, end));
        first = end;
    }
    return STATUS_OK;
}

status evaluator_plan(const stage_ctx *c, arena *a, size_t model, evaluator *out)
{
    arena *scratch = NULL;
    TRY(arena_open("mask", &scratch));
    const status st = plan_in(c, a, scratch, model, out);
    arena_close(&scratch);
    return st;
}

status evaluator_open(stage_ctx *c, arena *a, arena *small, arena *scratch, evaluator *e)
{
    const study *s = c->study;
    const graph *g = s->models[e->model].logits_graph;
    e->stage = c;
    e->scratch = scratch;
    e->most_run = evaluate_most_run(s, e->model);
    TRY_ALLOC(e->counters, a, e->n_counters);
    TRY_ALLOC(e->unpruned, a, e->n_predictions);
    TRY_ALLOC(e->run, a, e->most_run);
    TRY_ALLOC(e->logits, a, s->config->micro_batch * g->n_classes);
    for (size_t i = 0; i < e->most_run; i++) {
        TRY_ALLOC(e->run[i].images, a, s->config->micro_batch * shape_count(g->input));
    }
    return pruned_open(a, s, e->model, small, &e->pruned);
}

/* An accuracy of a network that computes no numbers would be a number all the same. Of the unpruned network all logits are there. */
static status check_logits(const evaluator *e, const batch *b)
{
    const study *s = e->stage->study;
    const study_model *m = &s->models[e->model];
    const float *logits = forward_logits(e->pruned.run);
    for (size_t i = 0; i < b->n * e->pruned.n_logits; i++) {
        if (!isfinite(logits[i])) {
            return FAIL(ST_DATA, "%s: expected finite logits of the unpruned network '%s', found %f for %s/%s; is the checkpoint damaged?",
                        m->config->checkpoint, m->config->name, (double)logits[i], s->evaluation_data->root,
                        s->evaluation_data->path[b->sample[i / e->pruned.n_logits]]);
        }
    }
    return STATUS_OK;
}

/* The logits of the set's classes, [batch, n_classes]. */
static const float *set_logits(const evaluator *e, const study_evaluation *set, const batch *b)
{
    const float *logits = forward_logits(e->pruned.run);
    if (e->pruned.n_logits == set->n_classes) {
        return logits;
    }
    for (size_t i = 0; i < b->n; i++) {
        for (size_t k = 0; k < set->n_classes; k++) {
            e->logits[i * set->n_classes + k] = logits[i * e->pruned.n_logits + set->classes[k]];
        }
    }
    return e->logits;
}

status evaluate_batch(evaluator *e, const set_plan *p, const batch *b, bool whole, uint32_t *unpruned, int64_t counter[])
{
    stage_ctx *c = e->stage;
    const study *s = c->study;
    const double started = log_seconds();
    forward_run(e->pruned.run, b->images, NULL);
    counters_add_time(p->set, log_seconds() - started, counter);
    const float *logits = set_logits(e, p->set, b);
    if (whole) {
        TRY(check_logits(e, b));
        counters_predict(p->set, b, logits, unpruned);
    }
    counters_add(p->set, s->evaluation_data, s->models[e->model].graph->n_classes, b, logits, unpruned, counter);
    c->tick(c->progress, (double)s->config->micro_batch);
    return STATUS_OK;
}
