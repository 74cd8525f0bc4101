/* A search before it runs: its rounds as far as they are known, counted by the stages themselves. */
#include "pipeline/search_forecast.h"

#include <math.h>
#include <string.h>

#include "pipeline/search_parts.h"
#include "pipeline/search_proposals.h"
#include "stages/counters.h"

/* What is counted while rounds are gone through. */
typedef struct counting {
    comm *comm;
    search_forecast *to;
    search_part *part;
    arena *scratch;
    bool known;         /* masks of earlier rounds are known, by part of the images */
    double masks;       /* bytes for the masks of the round at hand, as if none of them were known */
} counting;

static void keep_most(const counting *c, size_t stage, const stage_forecast *one, size_t n_parts)
{
    stage_forecast *most = &c->to->stage[stage];
    const bool evaluates = strcmp(stage_table[stage]->name, "evaluate") == 0;
    const size_t kept = one->kept * (evaluates && n_parts > 0 ? n_parts + 1 : 1); /* points of each part, and of all together */
    forecast_keep_most(most, one, c->comm->node_size);
    most->kept = kept > most->kept ? kept : most->kept;
    most->items = one->items > most->items ? one->items : most->items;
    size_t *fewest = &c->to->fewest[stage];
    const bool fewer = *fewest == 0 || one->items < *fewest;
    *fewest = one->items > 0 && fewer ? one->items : *fewest; /* a rung may have nothing to explain */
    most->images = one->images > most->images ? one->images : most->images;
    most->at_most = most->at_most || one->at_most;
}

/* Bytes of what is remembered of so many networks on each of the parts of the images. */
static size_t remembered(const study *s, size_t networks, size_t n_parts)
{
    enum { GROWTH = 2 }; /* a list that doubles leaves its predecessors behind */
    size_t counters = 0;
    for (size_t i = 0; i < s->n_evaluations; i++) {
        const size_t n = counters_size(&s->evaluations[i]);
        counters = n > counters ? n : counters;
    }
    return networks * (n_parts > 0 ? n_parts : 1) * (GROWTH * sizeof(mask_cache_entry) + forecast_block(counters, sizeof(int64_t)));
}

/* Bytes of the predictions of the unpruned network. */
static size_t remembered_predictions(const study *s, size_t n_parts)
{
    size_t bytes = 0;
    for (size_t i = 0; i < s->n_evaluations; i++) {
        const size_t batches = study_batches(&s->evaluations[i].samples, s->config->micro_batch) + n_parts; /* each part is padded */
        bytes += forecast_block(counters_predictions(batches * s->config->micro_batch), sizeof(int64_t));
    }
    return bytes;
}

/* A round, which comes `times` times. */
static status count_round(counting *c, arena *a, const study *s, size_t n_parts, double times)
{
    stage_ctx ctx = {.comm = c->comm, .study = s, .arena = a};
    c->masks = 0.0;
    for (size_t i = 0; i < stage_count; i++) {
        if (!search_runs(stage_table[i]->name)) {
            continue;
        }
        stage_forecast one = {0};
        TRY(stage_table[i]->forecast(&ctx, c->scratch, &one));
        keep_most(c, i, &one, n_parts);
        c->part->macs += times * one.macs;
        if (c->known && one.distinct > 0) {
            const size_t predictions = remembered_predictions(s, n_parts);
            c->masks = (double)remembered(s, one.distinct, n_parts);
            c->part->predictions = predictions > c->part->predictions ? predictions : c->part->predictions; /* of a rung's images the next one has all */
        }
    }
    c->part->rankings += times * (double)s->config->n_criteria;
    return STATUS_OK;
}

static void keep_lists(const counting *c, size_t bytes)
{
    c->to->lists = bytes > c->to->lists ? bytes : c->to->lists;
}

/* A rung, all of its rounds: *masks, of which none are known; *sums, of as many of its settings as the next rung has; *n_rounds. */
static status count_rung(counting *c, arena *a, target *t, foreseen_rung r, size_t next, double *masks, size_t *sums, size_t *n_rounds)
{
    arena *draws = NULL;
    TRY(arena_open("draws of a rung", &draws));
    status st = STATUS_OK;
    *masks = 0.0;
    *n_rounds = 1;
    for (r.number = 0; r.number < *n_rounds && status_ok(st); r.number++) {
        search_study one;
        search_round round = {.n = 0};
        const size_t lists = arena_bytes(a);
        st = search_race_foresee(t, a, draws, &r, &one, &round, n_rounds);
        if (status_ok(st) && round.n > 0) {
            keep_lists(c, arena_bytes(a) - lists);
            st = count_round(c, a, &one.study, round.n_parts, 1.0);
            *masks += c->masks;
            *sums = search_sums_bytes(t, &one.study, next);
        }
    }
    arena_close(&draws);
    return st;
}

static status count_race(counting *c, arena *a, target *t)
{
    halving_budget rung[HALVING_MOST_RUNGS];
    size_t n = 0, of = 0, most = 0, kept = 0, n_known = 0, alive[HALVING_MOST_RUNGS];
    double before = 0.0;
    TRY(search_race_rungs(&t->tuning, &of, rung, &n));
    halving_alive(t->room, t->tuning.space.options->eta, n, alive);
    for (size_t k = 0; k < n; k++) {
        const bool last = k + 1 == n;
        size_t sums = 0, n_rounds = 0;
        double masks = 0.0;
        TRY(count_rung(c, a, t, (foreseen_rung){.k = k, .n = alive[k], .n_known = n_known}, last ? 0 : alive[k + 1], &masks, &sums, &n_rounds));
        /* Of the settings that are left, those masks of the rung before are known. */
        c->part->masks += (size_t)ceil(fmax(0.0, masks - (k == 0 ? 0.0 : before * (double)alive[k] / (double)alive[k - 1])));
        before = masks;
        if (!last && n_rounds == 1 && rung[k].seeds > n_known) { /* what is left to the next rung lies beside what was left to this one */
            most = kept + sums > most ? kept + sums : most;
            kept = sums;
            n_known = rung[k].seeds;
        }
    }
    const double whole = (double)rung[n - 1].images * (double)(rung[n - 1].rates + 1) * (double)rung[n - 1].seeds;
    c->part->settings = halving_work(n, rung, alive) / whole;
    c->part->sums = most;
    return STATUS_OK;
}

/* Rounds of `n` settings, the last one maybe of fewer. */
static status count_rounds_of(counting *c, arena *a, target *t, size_t n)
{
    const size_t lists = arena_bytes(a);
    TRY(search_study_settings(a, &t->tuning, n, t->point));
    keep_lists(c, arena_bytes(a) - lists);
    c->part->settings = (double)t->room;
    const double times = (double)t->room / (double)n;
    TRY(count_round(c, a, &t->tuning.study, 0, times));
    c->part->masks = (size_t)ceil(times * c->masks);
    return STATUS_OK;
}

/* Bytes of all trials, from those of one. */
static status count_trials(const counting *c, const target *t)
{
    const search_study *s = &t->tuning;
    enum { RESULTS = 16 }; /* columns of result_search */
    config_criterion one;
    const char *text = NULL;
    arena_reset(c->scratch);
    const size_t before = arena_bytes(c->scratch);
    TRY(settings_criterion(c->scratch, &s->space, t->point, "setting", &one));
    TRY(settings_text(c->scratch, &one, &text));
    const size_t texts = arena_bytes(c->scratch) - before;
    c->to->trials += t->room * (s->space.space.n * sizeof(double) + n_kinds(t) * (texts + (RESULTS + COLUMNS + MEASURES) * sizeof(double)));
    return STATUS_OK;
}

/* Does a criterion of the study, or one in place of another that will be found for the model, have these scores? */
static status has_scores(arena *a, const study *s, const search_outcome *found, size_t model, const char *scoring, bool *out)
{
    *out = false;
    for (size_t i = 0; i < s->config->n_criteria && !*out; i++) {
        *out = strcmp(s->config->scoring[i], scoring) == 0;
    }
    for (size_t i = 0; i < found->n_tuned && !*out; i++) {
        const char *other = NULL;
        TRY(settings_scoring(a, &found->tuned[i], &other));
        *out = found->tuned[i].models[0] == model && strcmp(other, scoring) == 0;
    }
    return STATUS_OK;
}

/* Criteria in place of those that will be found: the last settings with scores that the study does not have yet, as long as there are any. */
static status place_holders(arena *a, const study *s, const target *t, search_outcome *found)
{
    const space *p = &t->tuning.space.space;
    const size_t wanted = t->tuning.space.options->report, report = wanted < t->room ? wanted : t->room;
    for (size_t k = 0; k < n_kinds(t); k++) {
        const size_t before = found->n_tuned;
        for (size_t i = 2 * t->room; i-- > 0 && found->n_tuned - before < report;) { /* the second time whatever there is */
            const char *name = NULL, *scoring = NULL;
            config_criterion *c = &found->tuned[found->n_tuned];
            size_t *model;
            bool known = false;
            TRY_ALLOC(model, a, 1);
            *model = t->model;
            TRY(search_tuned_name(a, t, t->tuning.model.kinds[k], found->n_tuned - before + 1, &name));
            TRY(settings_criterion(a, &t->tuning.space, t->point + i % t->room * p->n, name, c));
            TRY(settings_scoring(a, c, &scoring));
            TRY(has_scores(a, s, found, t->model, scoring, &known));
            c->n_models = 1;
            c->models = model;
            found->n_tuned += !known || (i < t->room && found->n_tuned - before < report);
        }
    }
    return STATUS_OK;
}

/* All of an exhaustive search, one after the other. */
static status count_cut(counting *c, arena *a, target *t)
{
    const size_t n = target_cut(t).n;
    double masks = 0.0;
    for (size_t i = 0; i < n; i++) {
        const size_t lists = arena_bytes(a);
        search_round round;
        TRY(search_cut_round(a, t, i, &round));
        keep_lists(c, arena_bytes(a) - lists);
        TRY(count_round(c, a, &t->tuning.study, 0, 1.0));
        masks += c->masks;
    }
    c->part->settings = (double)t->room;
    c->part->masks = (size_t)masks;
    return STATUS_OK;
}

static status count_rounds(counting *c, arena *a, target *t)
{
    const config_search *o = t->tuning.space.options;
    if (o->method == SEARCH_EVERYTHING) {
        return count_cut(c, a, t);
    }
    if (o->method == SEARCH_BY_HALVING) {
        return count_race(c, a, t);
    }
    return count_rounds_of(c, a, t, o->batch > t->room ? t->room : o->batch);
}

/* Every setting; or as many as will be tried, evenly spread, in place of what will be proposed. */
static status fill(arena *scratch, target *t)
{
    const search_options options = {.method = SEARCH_SOBOL, .seed = t->tuning.space.options->seed};
    search_report report;
    if (search_is_whole(t->tuning.space.options)) {
        search_fill(t);
        return STATUS_OK;
    }
    arena_reset(scratch);
    return search_propose(scratch, &t->tuning.space.space, 0, NULL, &options, t->room, t->point, &t->room, &report);
}

/* `a`: of what lasts; `rounds`: of this part alone. */
static status count_part(counting *c, arena *a, arena *rounds, const study *s, search_outcome *found)
{
    target t = {.comm = c->comm, .a = rounds, .study = s, .model = c->part->model, .kind = c->part->kind};
    TRY(search_target_open(&t, c->scratch));
    c->to->drawn += arena_bytes(rounds);
    if (t.tuning.space.options->method == SEARCH_BY_BAYES) {
        const size_t proposals = search_proposals_bytes(&t.tuning.space.space, t.room, t.tuning.space.options->batch);
        c->to->proposals = proposals > c->to->proposals ? proposals : c->to->proposals;
    }
    TRY(fill(c->scratch, &t));
    c->known = has_rounds(&t);
    TRY(count_rounds(c, rounds, &t));
    const size_t known = c->part->masks + c->part->predictions + c->part->sums;
    c->to->known = known > c->to->known ? known : c->to->known;
    TRY(count_trials(c, &t));
    TRY(settings_open(a, t.tuning.space.options, &t.tuning.model, &t.tuning.space)); /* outlives the part */
    return place_holders(a, s, &t, found);
}

static status count_parts(comm *c, arena *a, arena *scratch, const study *s, search_forecast *out, search_outcome *found)
{
    counting counts = {.comm = c, .to = out, .scratch = scratch};
    status st = STATUS_OK;
    for (size_t i = 0; i < out->n_parts && status_ok(st); i++) {
        arena *rounds = NULL;
        counts.part = &out->part[i];
        st = arena_open("rounds of a search", &rounds);
        if (status_ok(st)) {
            st = count_part(&counts, a, rounds, s, found);
        }
        arena_close(&rounds);
    }
    return st;
}

status search_forecast_open(comm *c, arena *a, const study *s, search_forecast *out, study *extended)
{
    search_outcome found;
    arena *scratch = NULL;
    *out = (search_forecast){.n_parts = 0};
    *extended = *s;
    TRY_ALLOC(out->stage, a, stage_count);
    TRY_ALLOC(out->seconds, a, stage_count);
    TRY_ALLOC(out->fewest, a, stage_count);
    if (!s->config->search.on) {
        return STATUS_OK;
    }
    TRY_ALLOC(out->part, a, s->n_models * COMPONENT_KINDS);
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < search_targets(s, m); k++) {
            out->part[out->n_parts++] = (search_part){.model = m, .kind = search_target_kind(s, k)};
        }
    }
    TRY(search_outcome_open(a, s, &found));
    TRY(arena_open("search", &scratch));
    const status st = count_parts(c, a, scratch, s, out, &found);
    arena_close(&scratch);
    TRY(st);
    out->n_tuned = found.n_tuned;
    return search_extend(a, &found, extended);
}

/* Collective. One setting, and how often each stage does as much. */
static status try_stages(stage_ctx *ctx, arena *work, arena *images, double budget, const search_part *p, search_forecast *f)
{
    for (size_t i = 0; i < stage_count; i++) {
        stage_forecast one = {0};
        double seconds = 0.0;
        if (!search_runs(stage_table[i]->name)) {
            continue;
        }
        TRY(comm_agree(ctx->comm, stage_table[i]->forecast(ctx, work, &one)));
        arena_release(work);
        TRY(comm_agree(ctx->comm, stage_table[i]->trial(ctx, work, images, budget, &seconds)));
        const bool ranks = strcmp(stage_table[i]->name, "prune") == 0;
        f->seconds[i] += seconds * (one.macs > 0.0 ? p->macs / one.macs : ranks ? p->rankings : p->settings);
    }
    return STATUS_OK;
}

static status open_probe(arena *a, arena *scratch, const study *s, const search_part *p, search_study *out)
{
    double *point;
    arena_reset(scratch);
    TRY(search_study_open(a, scratch, s, p->model, p->kind, out));
    TRY_ALLOC(point, a, out->space.space.n);
    space_first(&out->space.space, point);
    return search_study_settings(a, out, 1, point);
}

/* Local, but all ranks at once. */
static status try_proposals(arena *scratch, const search_study *s, double budget, search_forecast *f)
{
    size_t room = 0;
    double seconds = 0.0;
    TRY(search_study_trials(s, &room));
    TRY(search_proposals_try(scratch, &s->space.space, s->space.options, room, budget, &seconds));
    f->proposal_seconds += seconds;
    return STATUS_OK;
}

static status try_part(stage_ctx *ctx, arena *a, arena *work, arena *images, double budget, const search_part *p, search_forecast *f)
{
    search_study one;
    TRY(comm_agree(ctx->comm, open_probe(a, work, ctx->study, p, &one)));
    ctx->study = &one.study;
    ctx->arena = a;
    ctx->noted = NULL;
    TRY(try_stages(ctx, work, images, budget / 2.0, p, f));
    return comm_agree(ctx->comm, try_proposals(images, &one, budget / 4.0, f));
}

status search_forecast_try(stage_ctx *ctx, arena *work, arena *images, double budget, search_forecast *f)
{
    const stage_ctx before = *ctx;
    status st = STATUS_OK;
    for (size_t i = 0; i < f->n_parts && status_ok(st); i++) {
        arena *a = NULL;
        st = comm_agree(ctx->comm, arena_open("a setting of a search", &a));
        if (status_ok(st)) {
            st = try_part(ctx, a, work, images, budget / (double)f->n_parts, &f->part[i], f);
        }
        *ctx = before;
        arena_close(&a);
    }
    return st;
}
