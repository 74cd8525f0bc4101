#include "search/halving.h"

#include <math.h>

#include "pruning/curve.h"

static double work_of(halving_budget b)
{
    return (double)b.images * (double)b.rates * (double)b.seeds;
}

/* One part as large as the work wants, within its limit. */
static void grow(size_t *part, size_t limit, double wanted, halving_budget *b)
{
    const double factor = wanted / work_of(*b);
    if (factor > 1.0) {
        const double size = ceil((double)*part * factor - 1e-9);
        *part = size < (double)limit ? (size_t)size : limit;
    }
}

status halving_plan(halving_budget least, halving_budget full, size_t eta, halving_budget rung[], size_t *n)
{
    if (eta < 2) {
        return FAIL(ST_CONFIG, "halving: each rung has %zu times the work of the one before; expected 2 or more", eta);
    }
    if (least.images == 0 || least.rates == 0 || least.seeds == 0 || least.images > full.images || least.rates > full.rates ||
        least.seeds > full.seeds) {
        return FAIL(ST_CONFIG,
                    "halving: the first rung has %zu images, %zu rates, %zu seeds, the last one %zu, %zu, %zu; expected at least 1 of each and "
                    "no more than in the last",
                    least.images, least.rates, least.seeds, full.images, full.rates, full.seeds);
    }
    halving_budget b = least;
    *n = 0;
    while (work_of(b) < work_of(full)) {
        if (*n == HALVING_MOST_RUNGS - 1) {
            return FAIL(ST_CONFIG, "halving: more than %d rungs; expected a larger first rung or a larger factor", HALVING_MOST_RUNGS);
        }
        rung[(*n)++] = b;
        const double wanted = work_of(b) * (double)eta;
        grow(&b.images, full.images, wanted, &b);
        grow(&b.seeds, full.seeds, wanted, &b);
        grow(&b.rates, full.rates, wanted, &b);
    }
    rung[(*n)++] = full;
    return STATUS_OK;
}

void halving_rate_order(size_t n, size_t order[])
{
    for (size_t k = 0; k < n; k++) {
        size_t best = k == 0 ? n - 1 : 0, widest = 0;
        for (size_t left = 0; k >= 2 && left < n;) { /* gaps between neighbours that are taken */
            size_t right = n;
            for (size_t i = 0; i < k; i++) {
                right = order[i] > left && order[i] < right ? order[i] : right;
            }
            if (right < n && right - left > widest) {
                widest = right - left;
                best = left + widest / 2;
            }
            left = right;
        }
        order[k] = best;
    }
}

void halving_alive(size_t n_settings, size_t eta, size_t n_rungs, size_t alive[])
{
    for (size_t k = 0; k < n_rungs; k++) {
        alive[k] = k == 0 ? n_settings : (alive[k - 1] + eta - 1) / eta;
    }
}

double halving_work(size_t n_rungs, const halving_budget rung[], const size_t alive[])
{
    double work = 0.0, before = 0.0;
    for (size_t k = 0; k < n_rungs; k++) {
        work += (double)alive[k] * (work_of(rung[k]) - before);
        before = work_of(rung[k]);
    }
    return work;
}

static status check(const halving_options *o, size_t n, const double observed[], const bool alive[])
{
    if (!(o->confidence >= 0.5 && o->confidence < 1.0) || o->n_rungs == 0 || o->n_settings == 0 || o->eta == 1 || !(o->resolution >= 0.0)) {
        return FAIL(ST_DATA,
                    "halving: confidence %g, %zu rungs, %zu settings, factor %zu, resolution %g; expected a confidence from 0.5 to below 1, at "
                    "least one rung and setting, a factor of 0 or above 1, a resolution of at least 0",
                    o->confidence, o->n_rungs, o->n_settings, o->eta, o->resolution);
    }
    bool any = false;
    for (size_t s = 0; s < o->n_settings; s++) {
        any = any || alive[s];
        for (size_t i = 0; alive[s] && i < n; i++) {
            if (!isfinite(observed[s * n + i])) {
                return FAIL(ST_DATA, "halving: observation %zu of setting %zu is %g; expected a finite number", i, s, observed[s * n + i]);
            }
        }
    }
    return any && n > 0 ? STATUS_OK : FAIL(ST_DATA, "halving: no setting is left, or nothing was observed");
}

static size_t first_twin(const halving_options *o, size_t s)
{
    return o->twin == NULL ? s : o->twin[s];
}

/* Settings that may stay and come before s: a larger mean, or the same and a lower index. */
static size_t rank_of(const halving_options *o, const double mean[], const halving_fate fate[], size_t s)
{
    size_t rank = 0;
    for (size_t other = 0; other < o->n_settings; other++) {
        const bool stays = (fate[other] == HALVING_KEPT || fate[other] == HALVING_RANK) && first_twin(o, other) == other;
        rank += stays && (mean[other] > mean[s] || (mean[other] == mean[s] && other < s));
    }
    return rank;
}

/* leader - s over the columns, with an interval that errs on each side with probability `one_sided`. */
static paired compare(const halving_options *o, size_t n, const double difference[], double one_sided)
{
    paired p = paired_difference(n, difference, 1.0 - 2.0 * one_sided);
    const double least = o->resolution / sqrt(6.0 * (double)n); /* a value rounded to multiples of r has an error of variance r^2/12 */
    if (n >= 2 && p.error < least) {
        const double half = student_quantile(1.0 - one_sided, (double)(n - 1)) * least;
        p.error = least;
        p.low = p.mean - half;
        p.high = p.mean + half;
    }
    return p;
}

status halving_step(arena *scratch, const halving_options *o, size_t n, const double observed[], bool alive[], size_t *leader,
                    halving_fate fate[], paired to_leader[])
{
    const size_t settings = o->n_settings;
    double *mean, *difference;
    TRY(check(o, n, observed, alive));
    TRY_ALLOC(mean, scratch, settings);
    TRY_ALLOC(difference, scratch, n);
    size_t n_alive = 0, n_different = 0;
    for (size_t s = 0; s < settings; s++) {
        fate[s] = alive[s] ? HALVING_KEPT : HALVING_OUT;
        mean[s] = alive[s] ? curve_mean(n, &observed[s * n]) : -INFINITY;
        *leader = n_alive == 0 || mean[s] > mean[*leader] ? s : *leader;
        n_alive += alive[s];
        n_different += alive[s] && first_twin(o, s) == s;
    }
    const double one_sided = (1.0 - o->confidence) / ((double)(settings > 1 ? settings - 1 : 1) * (double)o->n_rungs);
    const size_t share = o->eta == 0 ? settings : (n_different + o->eta - 1) / o->eta;
    for (size_t s = 0; s < settings; s++) {
        paired p = {NAN, NAN, NAN, NAN};
        for (size_t i = 0; alive[s] && i < n; i++) {
            difference[i] = observed[*leader * n + i] - observed[s * n + i];
        }
        if (alive[s]) {
            p = compare(o, n, difference, one_sided);
        }
        if (n >= o->least_columns && p.low > 0.0) {
            fate[s] = HALVING_WORSE;
        }
        if (to_leader != NULL) {
            to_leader[s] = p;
        }
    }
    for (size_t s = 0; s < settings; s++) {
        if (fate[s] == HALVING_KEPT && rank_of(o, mean, fate, first_twin(o, s)) >= share) {
            fate[s] = HALVING_RANK;
        }
        alive[s] = fate[s] == HALVING_KEPT;
    }
    return STATUS_OK;
}
