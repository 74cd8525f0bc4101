/* What the settings of a race take along to the next rung, which has more seeds: the sums of relevance over the reference sets of those that it had.
 *
 * Rows of all images and settings of a ResNet-50 would be 8 GB a rank, sums of the settings that are left a few hundred MB, and new seeds have whole
 * reference sets. Bits stay, since a sum over a set is exact and rounded once. The stage is told which sets are wanted, as for a criterion that is for some
 * numbers of references; the journal has the rows alone. */
#include <string.h>

#include "pipeline/search_parts.h"
#include "stages/stage.h"

/* A reference set of a rung among those of the whole search, which has more seeds. */
static size_t whole_reference(const target *t, const study *rung, size_t reference)
{
    const study *whole = &t->tuning.study;
    const size_t task = rung->references[reference].task, n_seeds = rung->config->n_seeds;
    return task / n_seeds * whole->config->n_seeds + task % n_seeds; /* one reference set a task */
}

static size_t seed_of(const study *rung, size_t reference)
{
    return rung->references[reference].task % rung->config->n_seeds;
}

status search_sums_recall(arena *a, const target *t, const known_sums *k, search_round *round)
{
    study *s = &round->of->study;
    const double **known;
    uint8_t *needed;
    if (k->sums == NULL) {
        return STATUS_OK;
    }
    TRY_ALLOC(known, a, round->n * s->n_references);
    TRY_ALLOC(needed, a, s->n_references);
    for (size_t r = 0; r < s->n_references; r++) {
        needed[r] = seed_of(s, r) >= k->n_seeds;
        for (size_t i = 0; i < round->n && !needed[r]; i++) {
            known[i * s->n_references + r] = k->sums[round->trial[i] * t->tuning.study.n_references + whole_reference(t, s, r)];
        }
    }
    round->known = known;
    return plan_explain_sets(a, s, needed);
}

static size_t row_of(const study *s, size_t criterion)
{
    const criterion_setup setup = study_setup(s, 0, criterion);
    return criterion_row(s->config->criteria[criterion].method, &setup);
}

/* The sums of setting i of the round, which others with the same scores may have already: copies [attribute_index()]. */
static status keep_setting(const target *t, const search_round *round, size_t i, const double *const *sums, arena *a, const double **copies,
                           const double **out)
{
    const study *s = &round->of->study;
    const size_t n = row_of(s, i);
    for (size_t r = 0; r < s->n_references; r++) {
        const size_t at = attribute_index(s, 0, i, r);
        if (copies[at] == NULL) {
            double *copy;
            TRY_ALLOC(copy, a, n);
            memcpy(copy, sums[at], n * sizeof *copy);
            copies[at] = copy;
        }
        out[round->trial[i] * t->tuning.study.n_references + whole_reference(t, s, r)] = copies[at];
    }
    return STATUS_OK;
}

static status keep_in(arena *a, arena *scratch, const target *t, const search_round *round, const double *const *sums, const bool alive[],
                      known_sums *out)
{
    const study *s = &round->of->study;
    const double **copies, **table;
    TRY_ALLOC(copies, scratch, s->config->n_criteria * s->n_references);
    TRY_ALLOC(table, a, t->room * t->tuning.study.n_references);
    for (size_t i = 0; i < round->n; i++) {
        if (alive[round->trial[i]]) {
            TRY(keep_setting(t, round, i, sums, a, copies, table));
        }
    }
    *out = (known_sums){.arena = a, .n_seeds = s->config->n_seeds, .sums = table};
    return STATUS_OK;
}

status search_sums_keep(const target *t, const search_round *round, const double *const *sums, const bool alive[], known_sums *k)
{
    arena *a = NULL, *scratch = NULL;
    known_sums kept = {.arena = NULL};
    if (k->n_seeds >= round->of->study.config->n_seeds) {
        return STATUS_OK; /* those of the settings that went are not asked for any more */
    }
    status st = arena_open("sums of a search", &a);
    if (status_ok(st)) {
        st = arena_open("sums of a rung", &scratch);
    }
    if (status_ok(st)) {
        st = keep_in(a, scratch, t, round, sums, alive, &kept);
    }
    arena_close(&scratch);
    if (!status_ok(st)) {
        arena_close(&a);
        return st;
    }
    arena_close(&k->arena); /* the round's sums may be those that were known */
    *k = kept;
    return STATUS_OK;
}

size_t search_sums_bytes(const target *t, const study *rung, size_t settings)
{
    return forecast_block(t->room * t->tuning.study.n_references, sizeof(double *)) +
           settings * rung->n_references * forecast_block(row_of(rung, 0), sizeof(double));
}
