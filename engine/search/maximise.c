#include "search/maximise.h"

#include <math.h>
#include <string.h>

#include "search/acquisition.h"
#include "search/sobol.h"

enum { BLOCK = 128, CLIMBERS = 6, MOST_STEPS = 200 };
static const double first_step = 0.25, last_step = 1.0 / 256.0; /* of a continuous dimension's scale */

status taken_alloc(arena *a, size_t most, const space *s, taken *out)
{
    *out = (taken){.width = s->n};
    TRY_ALLOC(out->point, a, most * s->n);
    TRY_ALLOC(out->hash, a, most);
    return STATUS_OK;
}

void taken_add(taken *t, const space *s, const double point[])
{
    memcpy(&t->point[t->n * t->width], point, t->width * sizeof *point);
    t->hash[t->n++] = space_hash(s, point);
}

bool taken_has(const taken *t, const space *s, const double point[])
{
    const uint64_t hash = space_hash(s, point);
    for (size_t i = 0; i < t->n; i++) {
        if (t->hash[i] == hash && space_equal(s, &t->point[i * t->width], point)) {
            return true;
        }
    }
    return false;
}

/* Points that wait to be looked at together: one product a block. */
typedef struct block {
    const space *s;
    const gp *g;
    const taken *t;
    double best;
    size_t n;
    double *point, *code, *work, mean[BLOCK], variance[BLOCK], value[BLOCK];
} block;

/* The best so far, in descending order; what comes first stays first among equals. */
typedef struct leaders {
    size_t n, width;
    double value[CLIMBERS], *point; /* [CLIMBERS, width] */
} leaders;

static status block_alloc(arena *a, const space *s, const gp *g, const taken *t, double best, block **out)
{
    TRY_ALLOC(*out, a, 1);
    **out = (block){.s = s, .g = g, .t = t, .best = best};
    TRY_ALLOC((*out)->point, a, BLOCK * s->n);
    TRY_ALLOC((*out)->code, a, BLOCK * s->n_encoded);
    TRY_ALLOC((*out)->work, a, BLOCK * (g->data.n + s->n_encoded));
    return STATUS_OK;
}

static void block_look(block *b)
{
    for (size_t i = 0; i < b->n; i++) {
        space_encode(b->s, &b->point[i * b->s->n], &b->code[i * b->s->n_encoded]);
    }
    gp_predict(b->g, b->n, b->code, b->work, b->mean, b->variance);
    for (size_t i = 0; i < b->n; i++) {
        b->value[i] = log_expected_improvement(b->mean[i], sqrt(b->variance[i]), b->best);
    }
}

static void leaders_add(leaders *l, const double point[], double value)
{
    size_t at = l->n;
    while (at > 0 && value > l->value[at - 1]) {
        at--;
    }
    if (at == CLIMBERS) {
        return;
    }
    const size_t last = l->n < CLIMBERS ? l->n++ : CLIMBERS - 1, w = l->width;
    memmove(&l->value[at + 1], &l->value[at], (last - at) * sizeof l->value[0]);
    memmove(&l->point[(at + 1) * w], &l->point[at * w], (last - at) * w * sizeof l->point[0]);
    l->value[at] = value;
    memcpy(&l->point[at * w], point, w * sizeof *point);
}

static void block_flush(block *b, leaders *l)
{
    if (b->n > 0) {
        block_look(b);
        for (size_t i = 0; i < b->n; i++) {
            leaders_add(l, &b->point[i * b->s->n], b->value[i]);
        }
        b->n = 0;
    }
}

static void block_add(block *b, leaders *l, const double point[])
{
    if (!taken_has(b->t, b->s, point)) {
        memcpy(&b->point[b->n++ * b->s->n], point, b->s->n * sizeof *point);
        if (b->n == BLOCK) {
            block_flush(b, l);
        }
    }
}

/* What appears with a choice starts at its first choice, or in the middle. */
static void settle(const space *s, double point[])
{
    for (size_t i = 0; i < s->n; i++) {
        if (!space_exists(s, point, i)) {
            point[i] = NAN;
        } else if (isnan(point[i])) {
            point[i] = s->dimension[i].kind == SPACE_CATEGORICAL ? 0.0 : space_value(&s->dimension[i], 0.5);
        }
    }
}

/* All neighbours of `from`, seen: the best of them goes to the leaders `l`. */
static void add_neighbours(block *b, leaders *l, const double from[], double step)
{
    const space *s = b->s;
    double point[SPACE_MOST_DIMENSIONS];
    for (size_t i = 0; i < s->n; i++) {
        const space_dimension *d = &s->dimension[i];
        if (isnan(from[i])) {
            continue;
        }
        const size_t n = d->kind == SPACE_CATEGORICAL ? d->n_choices : 2;
        for (size_t c = 0; c < n; c++) {
            memcpy(point, from, s->n * sizeof *point);
            point[i] = d->kind == SPACE_CATEGORICAL ? (double)c : space_value(d, space_unit(d, from[i]) + (c == 0 ? step : -step));
            if (point[i] != from[i]) {
                settle(s, point);
                block_add(b, l, point);
            }
        }
    }
}

static void climb(block *b, leaders *near, double point[], double *value)
{
    double step = first_step;
    for (size_t i = 0; i < MOST_STEPS && step >= last_step; i++) {
        near->n = 0;
        add_neighbours(b, near, point, step);
        block_flush(b, near);
        if (near->n > 0 && near->value[0] > *value) {
            memcpy(point, near->point, b->s->n * sizeof *point);
            *value = near->value[0];
        } else {
            step = b->s->n_continuous == 0 ? 0.0 : step / 2.0;
        }
    }
}

static bool go_through(block *b, leaders *l)
{
    double point[SPACE_MOST_DIMENSIONS];
    if (b->s->n_continuous > 0 || space_combinations(b->s) > MAXIMISE_ENUMERATE) {
        return false;
    }
    space_first(b->s, point);
    do {
        block_add(b, l, point);
    } while (space_next(b->s, point));
    block_flush(b, l);
    return true;
}

status maximise_improvement(arena *scratch, const space *s, const gp *g, double best, const taken *t, uint64_t seed, size_t n_candidates,
                            size_t n_near, const double near[], double point[], bool *found)
{
    block *b;
    leaders l = {.width = s->n}, neighbours = {.width = s->n};
    double unit[SPACE_MOST_DIMENSIONS], candidate[SPACE_MOST_DIMENSIONS];
    TRY(block_alloc(scratch, s, g, t, best, &b));
    TRY_ALLOC(l.point, scratch, CLIMBERS * s->n);
    TRY_ALLOC(neighbours.point, scratch, CLIMBERS * s->n);
    if (!go_through(b, &l)) {
        for (size_t i = 0; i < n_candidates; i++) {
            sobol_point(seed, s->n, (uint32_t)i, unit);
            space_from_unit(s, unit, candidate);
            block_add(b, &l, candidate);
        }
        for (size_t i = 0; i < n_near; i++) { /* they are taken, what lies around them is not */
            add_neighbours(b, &l, &near[i * s->n], first_step / 4.0);
        }
        block_flush(b, &l);
        for (size_t i = 0; i < l.n; i++) {
            climb(b, &neighbours, &l.point[i * s->n], &l.value[i]);
        }
    }
    size_t winner = 0;
    for (size_t i = 1; i < l.n; i++) {
        winner = l.value[i] > l.value[winner] ? i : winner;
    }
    *found = l.n > 0;
    if (*found) {
        memcpy(point, &l.point[winner * s->n], s->n * sizeof *point);
    }
    return STATUS_OK;
}
