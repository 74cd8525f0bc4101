/* Criteria that are for some models and numbers of references only explain fewer images, and have the same sums, rankings and counts, bit for bit, as in
 * the study without such limits; also where the work is stopped again and again, and where a journal knows other lists of images. Any number of ranks. */
#include "support/made_items.h"
#include "support/support.h"

#include <string.h>

#include "pipeline/plan.h"
#include "stages/stage.h"

extern const stage_def stage_attribute;

static comm world;
static arena *memory;
static item_service nowhere;

enum { LRP, GRADIENTS, MOST, SIZE, CRITERIA };
enum { VGG, RESNET, VIT, MODELS };
enum { FEW = 2, MANY = 8 }; /* images a class */

/* `most` has the scores of `gradients`. */
static const char everything[] =
    "criteria=[{name: lrp, method: lrp}, {name: gradients, method: integrated-gradients, steps: 2},"
    " {name: most, method: integrated-gradients, steps: 2, order: most-first}, {name: size, method: magnitude}]";
static const char restricted[] =
    "criteria=[{name: lrp, method: lrp, references: [8], models: [digits_vit]},"
    " {name: gradients, method: integrated-gradients, steps: 2, references: [2]},"
    " {name: most, method: integrated-gradients, steps: 2, order: most-first, references: [8], models: [digits_vit]}, {name: size, method: magnitude}]";
/* ... but for the numbers of references that `gradients` is for. */
static const char restricted_otherwise[] =
    "criteria=[{name: lrp, method: lrp, references: [8], models: [digits_vit]},"
    " {name: gradients, method: integrated-gradients, steps: 2, references: [8]},"
    " {name: most, method: integrated-gradients, steps: 2, order: most-first, references: [8], models: [digits_vit]}, {name: size, method: magnitude}]";

typedef struct outcome {
    plan p;
    stage_ctx ctx;
    double images; /* through networks, of all ranks, in `attribute` */
    made_run attributed; /* again, with a journal */
} outcome;

static outcome whole, part, otherwise;

static void count(void *progress, double images)
{
    *(double *)progress += images;
}

static status open_study(const char *criteria, outcome *out)
{
    const char *const sets[] = {"tasks.seeds=[0, 3]", "tasks.classes=[3]", "tasks.references=[2, 8]", "rates=[0, 0.5]", "micro_batch=4", criteria};
    TRY(plan_build(&world, memory, source_path("configs/digits.yaml"), COUNT(sets), sets, &out->p));
    out->ctx = (stage_ctx){.comm = &world, .study = &out->p.study, .arena = memory, .tick = count, .progress = &out->images, .items = &nowhere};
    TRY_ALLOC(out->ctx.reference_mark, memory, out->p.study.reference_data->n_samples);
    TRY_ALLOC(out->ctx.evaluation_mark, memory, out->p.study.evaluation_data->n_samples);
    return STATUS_OK;
}

/* In whole images, so that they can be added up. */
static double images_of_all(double mine)
{
    int64_t sum = (int64_t)mine;
    comm_sum_i64(&world, 1, &sum);
    return (double)sum;
}

static status run_stages(outcome *out)
{
    for (size_t i = 0; i < stage_count; i++) {
        const double before = out->images;
        TRY(stage_table[i]->run(&out->ctx));
        out->images = stage_table[i] == &stage_attribute ? images_of_all(out->images) : before;
    }
    return STATUS_OK;
}

static int open_all(void **state)
{
    (void)state;
    if (status_ok(arena_open("test", &memory)) && status_ok(items_open(&world, memory, &nowhere)) && status_ok(open_study(everything, &whole)) &&
        status_ok(open_study(restricted, &part)) && status_ok(open_study(restricted_otherwise, &otherwise)) && status_ok(run_stages(&whole)) &&
        status_ok(run_stages(&part))) {
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

/* Written down by hand: which sums each study has, of criteria with images. */
static bool has_sums(const outcome *o, size_t model, size_t criterion, size_t per_class)
{
    const size_t gradients = o == &otherwise ? MANY : FEW;
    if (o == &whole) {
        return true;
    }
    return criterion == LRP ? model == VIT && per_class == MANY : per_class == gradients || (model == VIT && per_class == MANY);
}

/* The sums that a study has are those of the whole one, and it has no others. */
static void assert_sums(const outcome *o, const stage_ctx *found)
{
    const study *s = &o->p.study;
    size_t n = 0;
    for (size_t i = 0; i < s->n_models * SIZE * s->n_references; i++) {
        const size_t model = i / s->n_references / SIZE, criterion = i / s->n_references % SIZE, r = i % s->n_references;
        const size_t at = attribute_index(s, model, criterion, r);
        const criterion_setup setup = study_setup(s, model, criterion);
        if (!has_sums(o, model, criterion, s->references[r].per_class)) {
            assert_null(found->attribute.sums[at]);
            continue;
        }
        assert_non_null(found->attribute.sums[at]);
        assert_memory_equal(found->attribute.sums[at], whole.ctx.attribute.sums[at],
                            criterion_row(s->config->criteria[criterion].method, &setup) * sizeof(double));
        n++;
    }
    assert_true(n > 0);
}

static void sums_are_those_of_the_whole_study(void **state)
{
    (void)state;
    assert_sums(&whole, &whole.ctx);
    assert_sums(&part, &part.ctx);
}

static size_t same_cell(const study *s, const study_cell *cell)
{
    size_t i = 0;
    while (memcmp(&s->cells[i], cell, sizeof *cell) != 0) {
        i++;
        assert_true(i < s->n_cells);
    }
    return i;
}

/* Cells of both studies have the same numbers of models, criteria and references. */
static void cells_are_those_of_the_whole_study(void **state)
{
    (void)state;
    const study *s = &part.p.study, *all = &whole.p.study;
    const size_t n_rates = s->config->n_rates;
    assert_true(s->n_cells > 0 && s->n_cells < all->n_cells);
    for (size_t i = 0; i < s->n_cells; i++) {
        const size_t k = same_cell(all, &s->cells[i]), n = part.ctx.prune.n_components[i];
        assert_int_equal(n, whole.ctx.prune.n_components[k]);
        assert_memory_equal(part.ctx.prune.score[i], whole.ctx.prune.score[k], n * sizeof(double));
        assert_memory_equal(part.ctx.prune.order[i], whole.ctx.prune.order[k], n * sizeof(uint32_t));
        for (size_t r = 0; r < n_rates; r++) {
            const evaluate_point *a = &part.ctx.evaluate.points[i * n_rates + r], *b = &whole.ctx.evaluate.points[k * n_rates + r];
            assert_memory_equal(a->correct, b->correct, sizeof a->correct);
            assert_memory_equal(a->top5, b->top5, sizeof a->top5);
            assert_true(a->loss_sum == b->loss_sum && a->agree == b->agree && a->removed == b->removed);
        }
    }
}

static size_t batches_of(const study *s, size_t per_class)
{
    const size_t n = s->config->micro_batch;
    uint8_t *used = arena_alloc(memory, s->reference_data->n_samples, 1);
    size_t images = 0;
    assert_non_null(used);
    for (size_t r = 0; r < s->n_references; r++) {
        const sample_list *l = &s->references[r].samples;
        for (size_t k = 0; k < l->n && s->references[r].per_class == per_class; k++) {
            images += !used[l->sample[k]];
            used[l->sample[k]] = 1;
        }
    }
    return (images + n - 1) / n;
}

/* Two steps and the zero input are three passes; of one seed the few images are among the many. */
static void fewer_images_are_explained(void **state)
{
    (void)state;
    const study *s = &part.p.study;
    const size_t few = batches_of(s, FEW), many = batches_of(s, MANY);
    assert_true(few < many);
    assert_true(whole.images == (double)(4 * (MODELS * many + 3 * MODELS * many)));
    assert_true(part.images == (double)(4 * (many + 3 * (2 * few + many))));
}

/* ---- journals ---- */

static void attribute(outcome *o, const char *folder, long after)
{
    o->attributed = made_stage_run(&stage_attribute, memory, &o->ctx, folder, after);
}

static void stopped_work_is_not_done_again(void **state)
{
    (void)state;
    const char *folder = made_folder(&world, memory, "stopped");
    const study *s = &part.p.study;
    const int64_t all = (int64_t)(2 * batches_of(s, MANY) + 2 * batches_of(s, FEW));
    int64_t computed = 0, starts = 0;
    do {
        attribute(&part, folder, 6);
        computed += part.attributed.computed;
        starts++;
        assert_true(part.attributed.computed > 0 && starts <= all);
    } while (part.attributed.stopped > 0);
    assert_true(starts > 1);
    assert_int_equal(computed, all);
    assert_sums(&part, &part.ctx);
    attribute(&part, folder, 0); /* nothing is left to be stopped */
    assert_true(part.attributed.stopped == 0 && part.attributed.computed == 0 && part.attributed.restored == all);
    assert_sums(&part, &part.ctx);
}

/* Micro-batch 0 of few images is none of the many. */
static void items_of_another_list_are_not_taken(void **state)
{
    (void)state;
    const char *folder = made_folder(&world, memory, "another");
    const int64_t few = (int64_t)batches_of(&part.p.study, FEW), many = (int64_t)batches_of(&part.p.study, MANY);
    attribute(&part, folder, -1);
    assert_int_equal(part.attributed.computed, 2 * many + 2 * few);
    attribute(&otherwise, folder, -1);
    assert_int_equal(otherwise.attributed.restored, 2 * many); /* all of the transformer */
    assert_int_equal(otherwise.attributed.computed, 2 * many);
    assert_sums(&otherwise, &otherwise.ctx);
    attribute(&part, folder, -1); /* both are there now */
    assert_int_equal(part.attributed.computed, 0);
    assert_sums(&part, &part.ctx);
    attribute(&whole, folder, -1); /* items of all images are the same whichever study has them */
    assert_int_equal(whole.attributed.restored, 4 * many);
    assert_int_equal(whole.attributed.computed, 2 * many);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_whole_study),
        cmocka_unit_test(cells_are_those_of_the_whole_study),
        cmocka_unit_test(fewer_images_are_explained),
        cmocka_unit_test(stopped_work_is_not_done_again),
        cmocka_unit_test(items_of_another_list_are_not_taken),
    };
    if (!status_ok(comm_start(&argc, &argv, &world))) {
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, open_all, close_all);
    comm_finish(&world);
    return failed;
}
