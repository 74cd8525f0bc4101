/* Cheap first: every setting on a few images, rates and seeds, the better ones on more of them (search/halving.h). All settings of a rung see the
 * same; what a rung has in common with the one before is known by its masks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "pipeline/search_parts.h"

typedef struct race {
    target *t;
    size_t n_rungs;
    halving_budget rung[HALVING_MOST_RUNGS]; /* images: shares of `of`; rates: without the first, 0 */
    size_t of;               /* images of the smallest class: a share is an image or more of every class */
    const size_t *rate_order; /* [rates - 1] which rates a rung has are the first of these; rate_order[i] + 1 counts from rate 0 */
    bool *alive;             /* [room] */
    double *by_seed;         /* [room, seeds] of the last rung */
    known_sums known;        /* of those that are alive, from the rung before */
} race;

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t smallest_class(const study *s)
{
    size_t n = SIZE_MAX;
    for (size_t i = 0; i < s->n_evaluations; i++) {
        for (size_t k = 0; k < s->evaluations[i].n_classes; k++) {
            n = least(n, plan_tuning_count(s, s->evaluations[i].classes[k]));
        }
    }
    return n;
}

/* order [n] of the rates behind the first: spread, those that the objective is about before the others. */
static status order_rates(arena *a, const config *c, size_t n, size_t order[])
{
    size_t *spread, at = 0;
    TRY_ALLOC(spread, a, n);
    halving_rate_order(n, spread);
    for (size_t turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < n; i++) {
            bool asked = false;
            for (size_t k = 0; c->search.objective == OBJECTIVE_ACCURACY && k < c->search.n_at; k++) {
                asked = asked || c->rates[spread[i] + 1] == c->search.at[k];
            }
            if (asked == (turn == 0)) {
                order[at++] = spread[i];
            }
        }
    }
    return STATUS_OK;
}

status search_race_rungs(const search_study *s, size_t *of, halving_budget rung[], size_t *n)
{
    const config_search *o = s->space.options;
    const size_t n_rates = s->config.n_rates - 1;
    if (n_rates == 0) {
        return FAIL(ST_CONFIG, "%s: rates: expected some above 0 with search.method halving, found none", s->config.path);
    }
    *of = smallest_class(&s->study);
    const size_t images = (size_t)ceil(o->first_images * (double)*of - 1e-9);
    const halving_budget whole = {*of, n_rates, s->config.n_seeds};
    const halving_budget first = {images < 1 ? 1 : images, least(o->first_rates, n_rates), least(o->first_seeds, whole.seeds)};
    const status st = halving_plan(first, whole, o->eta, rung, n);
    return status_ok(st) ? st : status_about(st, "%s: search", s->config.path);
}

static status open_race(race *r)
{
    const target *t = r->t;
    const study *s = &t->tuning.study;
    const size_t n_rates = s->config->n_rates - 1;
    size_t *order;
    TRY(search_race_rungs(&t->tuning, &r->of, r->rung, &r->n_rungs));
    TRY_ALLOC(order, t->a, n_rates);
    TRY(order_rates(t->a, s->config, n_rates, order));
    r->rate_order = order;
    TRY_ALLOC(r->alive, t->a, t->room);
    TRY_ALLOC(r->by_seed, t->a, t->room * s->config->n_seeds);
    TRY_ALLOC(r->t->first, t->a, t->room);
    for (size_t i = 0; i < t->room; i++) {
        r->alive[i] = true;
    }
    return STATUS_OK;
}

static int compare_reals(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* What rung k has of images, rates and seeds. */
static status rung_of(const race *r, arena *a, size_t k, search_rung *out)
{
    const double *all = r->t->tuning.config.rates;
    double *rates;
    size_t *end;
    *out = (search_rung){.n_seeds = r->rung[k].seeds, .n_rates = r->rung[k].rates + 1, .of = r->of};
    TRY_ALLOC(rates, a, out->n_rates);
    TRY_ALLOC(end, a, k + 1);
    rates[0] = all[0];
    for (size_t i = 0; i < r->rung[k].rates; i++) {
        rates[i + 1] = all[r->rate_order[i] + 1];
    }
    qsort(rates, out->n_rates, sizeof *rates, compare_reals);
    for (size_t i = 0; i <= k; i++) {
        if (i == 0 || r->rung[i].images > r->rung[i - 1].images) {
            end[out->n_parts++] = r->rung[i].images;
        }
    }
    out->rates = rates;
    out->end = end;
    return STATUS_OK;
}

/* Local. Round `number` of the settings that are left, on rung k. */
static status plan_round(const race *r, arena *a, arena *scratch, size_t k, size_t number, search_study *of, search_round *out, size_t *n_rounds)
{
    const target *t = r->t;
    const study_evaluation **part;
    search_rung rung;
    size_t n = 0;
    TRY(rung_of(r, a, k, &rung));
    TRY_ALLOC(part, a, rung.n_parts);
    TRY(search_study_rung(a, scratch, &t->tuning, &rung, of, part));
    for (size_t i = 0; i < t->room; i++) {
        n += r->alive[i];
    }
    const search_cut cut = search_cut_of(of, n, t->most_bytes);
    *n_rounds = cut.n;
    *out = (search_round){.of = of, .n_parts = rung.n_parts, .part = part, .by_seed = r->by_seed};
    TRY(search_cut_take(a, t, &cut, number, r->alive, out));
    return out->n == 0 ? STATUS_OK : search_sums_recall(a, t, &r->known, out);
}

status search_race_foresee(target *t, arena *a, arena *scratch, const foreseen_rung *f, search_study *of, search_round *out, size_t *n_rounds)
{
    race r = {.t = t};
    TRY(open_race(&r));
    for (size_t i = 0; i < t->room; i++) { /* neighbours may share their explanation */
        r.alive[i] = i * f->n / t->room != (i + 1) * f->n / t->room;
    }
    if (f->n_known > 0) { /* what a rung before would leave, without numbers */
        const double **sums;
        TRY_ALLOC(sums, a, t->room * t->tuning.study.n_references);
        r.known = (known_sums){.n_seeds = f->n_known, .sums = sums};
    }
    return plan_round(&r, a, scratch, f->k, f->number, of, out, n_rounds);
}

/* What a rate weighs most in the objective. An area over parameters or multiply-adds is taken as one over rates. */
static double largest_weight(const config *c)
{
    double gap = 0.0;
    size_t n_at = 0;
    for (size_t i = 0; i < c->n_rates; i++) {
        gap = i > 0 ? fmax(gap, (c->rates[i] - c->rates[i - 1]) / (c->rates[c->n_rates - 1] - c->rates[0])) : gap;
        for (size_t k = 0; k < c->search.n_at; k++) {
            n_at += c->rates[i] == c->search.at[k];
        }
    }
    switch (c->search.objective) {
    case OBJECTIVE_MEAN:
        return 1.0 / (double)c->n_rates;
    case OBJECTIVE_ACCURACY:
        return 1.0 / (double)(n_at > 0 ? n_at : 1);
    case OBJECTIVE_TRAPEZOID:
    case OBJECTIVE_PARAMETERS:
    case OBJECTIVE_MACS:
    case CONFIG_OBJECTIVES:
        break;
    }
    return gap;
}

/* The smallest step of the objective of a seed: one answer more or less, at one rate. */
static double resolution(const study *s)
{
    size_t images = SIZE_MAX;
    for (size_t i = 0; i < s->n_evaluations; i++) {
        images = least(images, s->evaluations[i].samples.n);
    }
    return largest_weight(s->config) / (double)images;
}

/* Settings that say the same in everything have the same masks, which cost nothing twice: twin [room] is the first of them. The columns before
 * COLUMN_BINOMIAL are what settings say; it and those behind it, if ever there are any, only say how sure that is. */
static status find_twins(const race *r, arena *a, size_t n_seeds, const size_t **out)
{
    const target *t = r->t;
    size_t *twin;
    TRY_ALLOC(twin, a, t->room);
    for (size_t i = 0; i < t->room; i++) {
        size_t first = 0;
        while (first < i && (!r->alive[first] || twin[first] != first ||
                             memcmp(measure_of(t, first, 0), measure_of(t, i, 0), COLUMN_BINOMIAL * sizeof(double)) != 0 ||
                             memcmp(r->by_seed + first * n_seeds, r->by_seed + i * n_seeds, n_seeds * sizeof *r->by_seed) != 0)) {
            first++;
        }
        twin[i] = r->alive[i] ? first : i;
    }
    *out = twin;
    return STATUS_OK;
}

static status step(race *r, arena *scratch, const halving_options *options, size_t n_seeds, size_t *leader)
{
    static const result_trial_state states[] = {[HALVING_KEPT] = TRIAL_COMPLETE, [HALVING_WORSE] = TRIAL_WORSE, [HALVING_RANK] = TRIAL_SHARE};
    halving_options o = *options;
    halving_fate *fate;
    TRY(find_twins(r, scratch, n_seeds, &o.twin));
    TRY_ALLOC(fate, scratch, o.n_settings);
    TRY(halving_step(scratch, &o, n_seeds, r->by_seed, r->alive, leader, fate, NULL));
    for (size_t i = 0; i < o.n_settings; i++) {
        r->t->state[i] = fate[i] == HALVING_OUT ? r->t->state[i] : states[fate[i]];
    }
    return STATUS_OK;
}

/* Who goes on to the next rung. */
static status drop(race *r, const study *s, size_t k)
{
    enum { LEAST_SEEDS = 3 };
    const target *t = r->t;
    arena *scratch = NULL;
    size_t leader = 0, n = 0;
    const halving_options o = {.confidence = t->tuning.space.options->confidence, .n_settings = t->room, .n_rungs = r->n_rungs - 1,
                         .least_columns = LEAST_SEEDS, .resolution = resolution(s), .eta = t->tuning.space.options->eta};
    TRY(arena_open("rung of a search", &scratch));
    const status st = step(r, scratch, &o, s->config->n_seeds, &leader);
    arena_close(&scratch);
    TRY(st);
    for (size_t i = 0; i < t->room; i++) {
        n += r->alive[i];
    }
    log_line(LOG_INFO, "search rung=%zu of=%zu images=%zu/%zu rates=%zu seeds=%zu leader=%zu left=%zu", k + 1, r->n_rungs, r->rung[k].images, r->of,
             r->rung[k].rates, r->rung[k].seeds, leader, n);
    return STATUS_OK;
}

/* What all settings of the rung are known by. */
static void note_rung(const race *r, size_t k)
{
    const target *t = r->t;
    for (size_t i = 0; i < t->room; i++) {
        t->round[i] = r->alive[i] ? k : t->round[i];
        t->first[i] = k == 0 ? measure_of(t, i, 0)[t->study->config->search.objective] : t->first[i];
    }
}

/* Local. All rounds of rung k are behind it. Of one of several rounds the sums are not kept, as those of all settings are many and it is not known yet which
 * are left: the next rung explains those once more, which is little beside the networks that it runs. */
static status end_rung(race *r, size_t k, const search_round *last, size_t n_rounds, const double *const *sums)
{
    note_rung(r, k);
    if (k + 1 == r->n_rungs) {
        return STATUS_OK;
    }
    TRY(drop(r, &last->of->study, k));
    return n_rounds == 1 ? search_sums_keep(r->t, last, sums, r->alive, &r->known) : STATUS_OK;
}

/* Collective. */
static status run_round(race *r, size_t k, size_t number, size_t *n_rounds)
{
    arena *a = NULL, *scratch = NULL;
    search_study of;
    search_round round = {.n = 0};
    const double *const *sums = NULL;
    status st = arena_open("round of a search", &a);
    if (status_ok(st)) {
        st = arena_open("draws of a rung", &scratch);
    }
    if (status_ok(st)) {
        st = plan_round(r, a, scratch, k, number, &of, &round, n_rounds);
    }
    arena_close(&scratch);
    st = comm_agree(r->t->comm, st);
    if (status_ok(st) && round.n > 0) {
        round.sums = &sums;
        st = search_round_run(r->t, a, &round);
    }
    if (status_ok(st) && number + 1 == *n_rounds) {
        st = comm_agree(r->t->comm, end_rung(r, k, &round, *n_rounds, sums));
    }
    arena_close(&a);
    return st;
}

/* Collective. */
static status run_rung(race *r, size_t k)
{
    size_t n_rounds = 1;
    for (size_t i = 0; i < n_rounds; i++) {
        TRY(run_round(r, k, i, &n_rounds));
    }
    return STATUS_OK;
}

status search_race(target *t)
{
    race r = {.t = t};
    TRY(comm_agree(t->comm, open_race(&r)));
    status st = STATUS_OK;
    for (size_t k = 0; k < r.n_rungs && status_ok(st); k++) {
        st = run_rung(&r, k);
    }
    arena_close(&r.known.arena);
    t->n = t->room;
    return st;
}
