/* Spectra that are stopped in between: matrices that were solved are noted, and not solved again. Any number of ranks. */
#include "support/made_items.h"
#include "support/support.h"

#include <string.h>

#include "parallel/eigen.h"
#include "pipeline/plan.h"
#include "stages/spectrum.h"
#include "stages/stage.h"

extern const stage_def stage_spectrum;

static comm world;
static arena *memory;
static plan resolved;
static stage_ctx scored; /* up to the ranking */
static item_service nowhere;

static void no_tick(void *progress, double images)
{
    (void)progress;
    (void)images;
}

static status run_stages(void)
{
    const char *const sets[] = {"tasks.seeds=1", "tasks.classes=[3]", "tasks.references=[1, 3]", "rates=[0, 0.5]", "rows=keep", "spectrum=true",
                                eigen_built() ? "spectrum_lapack=8" : "spectrum_lapack=9", /* of 9 images */
                                "criteria=[{name: plain, method: lrp}]"};
    TRY(plan_build(&world, memory, source_path("configs/digits.yaml"), COUNT(sets), sets, &resolved));
    const study *s = &resolved.study;
    TRY(items_open(&world, memory, &nowhere));
    scored = (stage_ctx){.comm = &world, .study = s, .arena = memory, .tick = no_tick, .items = &nowhere};
    TRY_ALLOC(scored.reference_mark, memory, s->reference_data->n_samples);
    TRY_ALLOC(scored.evaluation_mark, memory, s->evaluation_data->n_samples);
    for (size_t i = 0; i < stage_count && strcmp(stage_table[i]->name, "prune") != 0; i++) {
        TRY(stage_table[i]->run(&scored));
    }
    return STATUS_OK;
}

static int open_all(void **state)
{
    (void)state;
    if (status_ok(arena_open("test", &memory)) && status_ok(run_stages())) {
        return 0;
    }
    print_message("%s\n", status_message());
    return 1;
}

static int close_all(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

typedef struct outcome {
    stage_ctx ctx;
    made_run run; /* of matrices */
} outcome;

static void solve(const char *folder, long after, outcome *out)
{
    *out = (outcome){.ctx = scored};
    out->run = made_stage_run(&stage_spectrum, memory, &out->ctx, folder, after);
}

static void assert_same(const stage_ctx *found, const stage_ctx *expected)
{
    for (size_t m = 0; m < resolved.study.n_models; m++) {
        const spectrum_pair *a = spectrum_of_pair(found, m, 0), *b = spectrum_of_pair(expected, m, 0);
        assert_true(a != NULL && b != NULL && a->n_parts == b->n_parts);
        for (size_t i = 0; i < resolved.study.n_references * a->n_parts; i++) {
            assert_int_equal(a->order[i], b->order[i]);
            assert_memory_equal(a->values[i], b->values[i], a->order[i] * sizeof(double));
        }
    }
}

static void what_was_solved_is_not_solved_again(void **state)
{
    (void)state;
    const char *folder = made_folder(&world, memory, "spectrum");
    outcome straight, part, all;
    int64_t known = 0, starts = 0;
    solve(NULL, -1, &straight);
    assert_true(straight.run.stopped == 0 && straight.run.restored == 0 && straight.run.computed > 4 * world.size);
    do {
        solve(folder, 2, &part);
        assert_true(part.run.restored <= known); /* a rank that stops does not read back the rest */
        known += part.run.computed;
        starts++;
        assert_true(part.run.computed > 0 && starts <= straight.run.computed);
    } while (part.run.stopped > 0);
    assert_true(starts > 1);
    assert_int_equal(known, straight.run.computed);
    assert_same(&part.ctx, &straight.ctx);
    solve(folder, 0, &all); /* nothing is left to be stopped */
    assert_true(all.run.stopped == 0 && all.run.computed == 0 && all.run.restored == straight.run.computed);
    assert_same(&all.ctx, &straight.ctx);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_solved_is_not_solved_again)};
    if (!status_ok(comm_start(&argc, &argv, &world))) {
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, open_all, close_all);
    comm_finish(&world);
    return failed;
}
