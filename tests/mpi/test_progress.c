/* How much work a stage says that it has, against what it does: of several networks that share masks, with masks that are known from before, and in the jobs
 * of an array. What is left is told right from the first pass of a stage on, not from its last network on. Any number of ranks. */
#include "support/made_items.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

#include "pipeline/plan.h"
#include "stages/stage.h"

extern const stage_def stage_evaluate;

enum { JOBS = 3, MICRO_BATCH = 8 };

static comm world;
static arena *memory;
static plan resolved;
static stage_ctx ctx;
static item_service nowhere;

/* Of this rank, in images. */
typedef struct seen {
    double ticked, skipped;
    double skipped_first; /* before the first tick */
    bool any;
} seen;

static void tick(void *seen_, double images)
{
    seen *s = seen_;
    s->skipped_first = s->any ? s->skipped_first : s->skipped;
    s->any = true;
    s->ticked += images;
}

static void take_back(void *seen_, double images)
{
    seen *s = seen_;
    s->skipped += images;
}

static double of_all(double mine)
{
    double sum = 0.0;
    assert_int_equal(MPI_Allreduce(&mine, &sum, 1, MPI_DOUBLE, MPI_SUM, world.mpi), MPI_SUCCESS);
    return sum;
}

static void assert_near(double found, double expected)
{
    if (!(fabs(found - expected) < 1e-6)) { /* thirds of images among them */
        fail_msg("expected %g images, found %g", expected, found);
    }
}

/* The stage with these items; what it computes and what is no work is what it said. */
static seen run_stage(const stage_def *stage, item_service *items)
{
    seen s = {.any = false};
    ctx.tick = tick;
    ctx.progress = &s;
    ctx.items = items;
    items->skip = take_back;
    items->progress = &s;
    const double said = of_all(stage->work(&ctx));
    assert_ok(stage->run(&ctx));
    assert_near(of_all(s.ticked + s.skipped), said);
    return s;
}

/* Two networks; two seeds, which share the masks of `size` where all classes are evaluated, and masks of which nothing is removed at 0.001. */
static int open_all(void **state)
{
    (void)state;
    const char *const sets[] = {"models=[{name: net, checkpoint: ../examples/digits/models/digits_vgg_bn/model.safetensors},"
                                " {name: vit, checkpoint: ../examples/digits/models/digits_vit/model.safetensors, components: [neurons, heads]}]",
                                "criteria=[{name: lrp, method: lrp}, {name: size, method: magnitude}]", "tasks.seeds=[0, 3]", "tasks.classes=[3, 10]",
                                "tasks.references=[1]", "rates=[0, 0.001, 0.3, 0.6]", "micro_batch=8"};
    if (!status_ok(arena_open("test", &memory)) || !status_ok(items_open(&world, memory, &nowhere)) ||
        !status_ok(plan_build(&world, memory, source_path("configs/digits.yaml"), COUNT(sets), sets, &resolved))) {
        print_message("%s\n", status_message());
        return 1;
    }
    ctx = (stage_ctx){.comm = &world, .study = &resolved.study, .arena = memory};
    ctx.reference_mark = arena_alloc(memory, resolved.study.reference_data->n_samples, sizeof *ctx.reference_mark);
    ctx.evaluation_mark = arena_alloc(memory, resolved.study.evaluation_data->n_samples, sizeof *ctx.evaluation_mark);
    return ctx.reference_mark != NULL && ctx.evaluation_mark != NULL ? 0 : 1;
}

static int close_all(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

/* ---- what there is to evaluate, by definition ---- */

static bool same_mask(size_t cell, size_t rate, size_t other, size_t other_rate)
{
    const study *s = &resolved.study;
    const study_cell *a = &s->cells[cell], *b = &s->cells[other];
    if (a->model != b->model || s->tasks[a->task].evaluation != s->tasks[b->task].evaluation) {
        return false;
    }
    const size_t removed = ctx.prune.removed[cell][rate];
    if (removed != ctx.prune.removed[other][other_rate] || (removed > 0 && a->kind != b->kind)) {
        return false;
    }
    for (size_t i = 0; i < ctx.prune.n_components[cell] && removed > 0; i++) {
        if ((ctx.prune.removed_at[cell][i] > rate) != (ctx.prune.removed_at[other][i] > other_rate)) {
            return false;
        }
    }
    return true;
}

static double padded_images(size_t cell)
{
    const study *s = &resolved.study;
    return (double)(study_batches(&s->evaluations[s->tasks[s->cells[cell].task].evaluation].samples, MICRO_BATCH) * MICRO_BATCH);
}

/* Through every network that there is once; unpruned: through those of which nothing is removed alone. */
static double distinct_images(bool unpruned)
{
    const study *s = &resolved.study;
    const size_t n = s->config->n_rates, uses = s->n_cells * n;
    double images = 0.0;
    for (size_t u = 0; u < uses; u++) {
        bool seen_before = unpruned && ctx.prune.removed[u / n][u % n] > 0;
        for (size_t v = 0; v < u && !seen_before; v++) {
            seen_before = same_mask(u / n, u % n, v / n, v % n);
        }
        images += seen_before ? 0.0 : padded_images(u / n);
    }
    return images;
}

/* ---- tests ---- */

static void stages_do_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < stage_count; i++) {
        const seen s = run_stage(stage_table[i], &nowhere);
        assert_true(stage_table[i] != &stage_evaluate || of_all(s.ticked) > 0.0);
    }
}

static void shared_networks_are_no_work_from_the_first_pass_on(void **state)
{
    (void)state;
    const seen s = run_stage(&stage_evaluate, &nowhere);
    const double all = of_all(stage_evaluate.work(&ctx));
    assert_true(distinct_images(false) < 0.9 * all);
    assert_near(of_all(s.ticked), distinct_images(false));
    assert_near((double)world.size * s.skipped, all - distinct_images(false)); /* the same on all ranks */
    assert_true(!s.any || s.skipped_first == s.skipped);
}

static void known_networks_are_no_work(void **state)
{
    (void)state;
    const size_t n = resolved.study.n_cells * resolved.study.config->n_rates;
    mask_cache cache = {.arena = memory};
    ctx.cache = &cache;
    seen s = run_stage(&stage_evaluate, &nowhere);
    assert_near(of_all(s.ticked), distinct_images(false));
    const evaluate_point *before = ctx.evaluate.points;
    s = run_stage(&stage_evaluate, &nowhere);
    assert_near(of_all(s.ticked), 0.0); /* predictions of the unpruned ones, which the others are compared with, are known too */
    assert_true(!s.any || s.skipped_first == s.skipped);
    for (size_t i = 0; i < n; i++) {
        assert_memory_equal(ctx.evaluate.points[i].correct, before[i].correct, sizeof before[i].correct);
    }
    ctx.cache = NULL;
}

/* Each job counts its share; what all need and another has not done yet comes on top. */
static void jobs_of_an_array_have_their_share(void **state)
{
    (void)state;
    const char *folder = made_folder(&world, memory, "array");
    const double all = distinct_images(false), unpruned = distinct_images(true);
    double ticked = 0.0;
    for (size_t task = 0; task < JOBS; task++) {
        item_service items;
        made_service(&world, memory, folder, &items);
        items.task = task;
        items.n_tasks = JOBS;
        const seen s = run_stage(&stage_evaluate, &items);
        const double done = of_all(s.ticked), said = of_all(stage_evaluate.work(&ctx));
        assert_near(said - of_all(s.skipped), done);
        if (task == 0) { /* a third, and the unpruned networks, which nobody else has seen yet */
            assert_true(fabs(done - unpruned - (all - unpruned) / JOBS) < 0.1 * all);
            if (s.any) { /* what was left at the first pass: a third of all */
                assert_true(fabs(said - (double)world.size * s.skipped_first - all / JOBS) < 0.1 * all);
            }
        }
        ticked += done;
        journal_close(&items.writer);
    }
    assert_near(ticked, all);
}

/* `pollard status` counts the items of all networks as soon as the first one's turn has come. */
static void curves_of_all_networks_are_noted_at_once(void **state)
{
    (void)state;
    const char *folder = made_folder(&world, memory, "noted");
    ctx.tick = tick;
    ctx.progress = &(seen){.any = false};
    ctx.items = &nowhere;
    const made_run run = made_stage_run(&stage_evaluate, memory, &ctx, folder, 1);
    assert_true(run.stopped > 0 && run.computed > 0);
    journal_index index;
    assert_ok(journal_scan(memory, folder, "made\n", &index));
    for (uint32_t model = 0; model < resolved.study.n_models; model++) {
        const journal_key key = {.stage = ITEM_CURVES, .model = model};
        assert_non_null(journal_find(&index, &key));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_do_what_they_say),
        cmocka_unit_test(shared_networks_are_no_work_from_the_first_pass_on),
        cmocka_unit_test(known_networks_are_no_work),
        cmocka_unit_test(jobs_of_an_array_have_their_share),
        cmocka_unit_test(curves_of_all_networks_are_noted_at_once),
    };
    if (!status_ok(comm_start(&argc, &argv, &world))) {
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, open_all, close_all);
    comm_finish(&world);
    return failed;
}
