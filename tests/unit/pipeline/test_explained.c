/* Which images are explained for criteria that are for some models and numbers of references only, and that all who count them count the same. */
#include "support/with_ranks.h"

#include <string.h>

#include "pipeline/dry_run_parts.h"
#include "pipeline/gather_rows.h"
#include "pipeline/search.h"
#include "pipeline/search_study.h"
#include "pipeline/watch.h"
#include "stages/rows.h"
#include "stages/work_list.h"

/* Two digits networks; more: further keys. */
static plan *open_plan(const char *criteria, const char *more)
{
    plan *p = arena_alloc(memory, 1, sizeof *p);
    const char *path = arena_text(memory, "%s/study.yaml", scratch_folder());
    assert_true(p != NULL && path != NULL);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fprintf(f, "study: test\ndata: {reference: %s", source_path("examples/digits/data/train"));
    (void)fprintf(f, ", evaluation: %s}\nmodels:\n", source_path("examples/digits/data/val"));
    (void)fprintf(f, "  - {name: vgg, checkpoint: %s}\n", source_path("examples/digits/models/digits_vgg_bn/model.safetensors"));
    (void)fprintf(f, "  - {name: vit, checkpoint: %s}\n", source_path("examples/digits/models/digits_vit/model.safetensors"));
    (void)fprintf(f, "criteria:\n%stasks: {classes: [3, 10], seeds: 3, references: [1, 2, 5]}\nmicro_batch: 4\n%s", criteria, more);
    assert_int_equal(fclose(f), 0);
    assert_ok(plan_build(&world, memory, path, 0, NULL, p));
    return p;
}

/* `again` shares the scores of `one`, `third` has some of its own. */
static const char limited[] =
    "  - {name: one, method: lrp, references: [1]}\n"
    "  - {name: again, method: lrp, references: [5], models: [vit], order: most-first}\n"
    "  - {name: third, method: activation, references: [2], models: [vgg]}\n"
    "  - {name: size, method: magnitude}\n";
enum { ONE, AGAIN, THIRD, SIZE };
/* ... and one for everything. */
static const char mixed[] =
    "  - {name: one, method: lrp, references: [1]}\n  - {name: all, method: activation}\n  - {name: chance, method: random}\n";

static bool has(const sample_list *l, size_t sample)
{
    size_t k = 0;
    while (k < l->n && l->sample[k] != sample) {
        k++;
    }
    return k < l->n;
}

/* Has a cell of the model, of this criterion or one with its scores, the image? */
static bool wanted(const study *s, size_t model, size_t criterion, size_t sample)
{
    for (size_t i = 0; i < s->n_cells; i++) {
        const study_cell *c = &s->cells[i];
        if (c->model == model && c->reference != NO_REFERENCE && strcmp(s->config->scoring[c->criterion], s->config->scoring[criterion]) == 0 &&
            has(&s->references[c->reference].samples, sample)) {
            return true;
        }
    }
    return false;
}

/* Every list is what its cells say, ascending. Distinct images and micro-batches, of pairs that have scores of their own: counted here. */
static void check_lists(const study *s, size_t *images, size_t *explained, size_t *batches)
{
    *images = *explained = *batches = 0;
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < s->config->n_criteria; k++) {
            const sample_list *l = study_explained(s, m, k);
            size_t n = 0;
            for (size_t i = 0; i < s->reference_data->n_samples; i++) {
                if (wanted(s, m, k, i)) {
                    assert_true(n < l->n);
                    assert_int_equal(l->sample[n++], i);
                }
            }
            assert_true(n == l->n || !attribute_explains(s, m, k));
            assert_true(n > 0 || !attribute_explains(s, m, k));
            *explained += attribute_explains(s, m, k) ? n : 0;
            *batches += attribute_explains(s, m, k) ? (n + 3) / 4 : 0;
        }
    }
    for (size_t i = 0; i < s->reference_data->n_samples; i++) {
        bool any = false;
        for (size_t k = 0; k < s->n_models * s->config->n_criteria && !any; k++) {
            any = wanted(s, k / s->config->n_criteria, k % s->config->n_criteria, i);
        }
        *images += any;
    }
}

static void lists_are_what_cells_need(void **state)
{
    (void)state;
    size_t images, explained, batches;
    const study *s = &open_plan(limited, "")->study;
    check_lists(s, &images, &explained, &batches);
    assert_true(study_explained(s, 0, ONE)->n < study_explained(s, 0, THIRD)->n);
    assert_true(study_explained(s, 0, THIRD)->n < s->explained.n);
    assert_int_equal(study_explained(s, 1, ONE)->n, s->explained.n); /* those of `again`, of which its own are some */
    assert_ptr_equal(study_explained(s, 1, ONE)->sample, study_explained(s, 1, AGAIN)->sample);
    assert_int_equal(study_explained(s, 1, SIZE)->n, 0);
    assert_int_equal(images, s->explained.n);
    for (size_t r = 0; r < s->n_references; r++) {
        const size_t n = s->references[r].per_class;
        assert_int_equal(study_needs(s, 0, ONE, r), n == 1);
        assert_int_equal(study_needs(s, 1, ONE, r), n != 2);
        assert_int_equal(study_needs(s, 1, AGAIN, r), n != 2);
        assert_int_equal(study_needs(s, 0, THIRD, r), n == 2);
        assert_false(study_needs(s, 1, THIRD, r) || study_needs(s, 0, SIZE, r));
    }
    s = &open_plan(mixed, "")->study;
    check_lists(s, &images, &explained, &batches);
    assert_true(study_explained(s, 1, 0)->n < s->explained.n && study_explained(s, 1, 1)->n == s->explained.n);
    s = &open_plan("  - {name: one, method: lrp, references: [1]}\n  - {name: two, method: activation, references: [2]}\n", "")->study;
    check_lists(s, &images, &explained, &batches);
    assert_true(images < s->explained.n);
}

/* Models alone leave no image out, and what reads no images none either. */
static void other_studies_explain_everything_for_all(void **state)
{
    (void)state;
    size_t images, explained, batches;
    static const char *const criteria[] = {"  - {name: a, method: lrp}\n  - {name: b, method: activation}\n",
                                           "  - {name: a, method: lrp, models: [vgg]}\n  - {name: b, method: activation, models: [vit]}\n"};
    for (size_t i = 0; i < COUNT(criteria); i++) {
        const study *s = &open_plan(criteria[i], "")->study;
        assert_null(s->explanations);
        check_lists(s, &images, &explained, &batches);
        for (size_t r = 0; r < s->n_references; r++) {
            assert_true(study_needs(s, 0, 0, r) && study_explained(s, 0, 0) == &s->explained);
        }
    }
}

/* All criteria share the table of images that the result or the spectrum wants. */
static void rows_are_of_all_images(void **state)
{
    (void)state;
    static const char *const more[] = {"rows: keep\n", "rows: auto\n", "spectrum: true\n"};
    for (size_t i = 0; i < COUNT(more); i++) {
        const study *s = &open_plan(mixed, more[i])->study;
        assert_true(s->explanations == NULL && rows_are_kept(s, 1, 0));
    }
    assert_non_null(open_plan(mixed, "rows: stream\n")->study.explanations);
    study large = open_plan(mixed, "rows: auto\n")->study; /* the bound is in bytes of all pairs */
    const size_t each = gather_rows_kept_bytes(&large) / large.explained.n;
    large.explained.n = gather_rows_auto_bytes() / each + 20;
    assert_ok(plan_explanations(memory, &large));
    assert_false(rows_are_stored(&large));
    assert_true(large.explanations != NULL && study_explained(&large, 0, 0)->n > 0);
    large.explained.n = gather_rows_auto_bytes() / each - 20;
    assert_ok(plan_explanations(memory, &large));
    assert_true(rows_are_stored(&large) && large.explanations == NULL);
}

static const stage_def *attribute_stage(size_t *index)
{
    *index = 0;
    while (strcmp(stage_table[*index]->name, "attribute") != 0) {
        (*index)++;
    }
    return stage_table[*index];
}

/* The plan, its simulation, the progress line and `status`. */
static void all_count_the_same(void **state)
{
    (void)state;
    static const char *const criteria[] = {limited, mixed};
    for (size_t i = 0; i < COUNT(criteria); i++) {
        arena *planned, *a;
        dry_run_report report;
        size_t at, images, explained, batches, listed = 0, n_lists = 0;
        assert_ok(arena_open("planned", &planned));
        assert_ok(arena_open("report", &a));
        const plan *p = open_plan(criteria[i], "");
        const study *s = &p->study;
        const stage_def *stage = attribute_stage(&at);
        check_lists(s, &images, &explained, &batches);
        assert_ok(dry_run_forecast(&world, planned, a, p, 0.05, &report));
        const stage_forecast *f = &report.stage[at];
        assert_true(f->items == batches && f->passes == batches && f->images == images);
        shared_work w[SHARED_WORK];
        dry_run_shared(&report, w);
        assert_int_equal(w[SHARED_EXPLAINED].once, explained);
        for (size_t l = 0; l < report.lists->n; l++) {
            if (strcmp(report.lists->list[l].stage, stage->name) == 0) {
                listed += report.lists->list[l].part[0].n;
                n_lists++;
            }
        }
        assert_true(listed == batches && n_lists > 1);
        const stage_ctx ctx = {.comm = &world, .study = s};
        assert_true(stage->work(&ctx) == (double)(4 * batches));
        run_note note = {.rows = 0};
        watch_count(s, &note);
        assert_int_equal(note.rows, batches);
        arena_close(&a);
        arena_close(&planned);
    }
}

/* Settings are for all images of the search; what it finds is for all of the study, at last even where it has the scores of a criterion that is not. */
static void a_search_goes_on_from_what_is_limited(void **state)
{
    (void)state;
    size_t images, explained, batches;
    search_study t;
    study s = open_plan(limited, "search: {references: 2, seeds: 2}\n")->study;
    const config *before = s.config;
    assert_non_null(s.explanations);
    assert_ok(search_study_open(memory, scratch, &s, 1, ALL_KINDS, &t));
    assert_null(t.study.explanations);
    double *points = arena_alloc(memory, 2 * t.space.space.n, sizeof *points);
    assert_non_null(points);
    assert_ok(search_study_settings(memory, &t, 2, points));
    assert_true(t.study.part == PART_TUNING && t.study.explanations == NULL && study_explained(&t.study, 0, 1) == &t.study.explained);
    config_criterion limits[] = {t.config.criteria[0], t.config.criteria[1]};
    const size_t few[] = {1};
    limits[1].n_references = 1;
    limits[1].references = few;
    config odd = t.config;
    study of_odd = t.study;
    odd.criteria = limits;
    of_odd.config = &odd;
    assert_ok(plan_explanations(memory, &of_odd));
    assert_null(of_odd.explanations);
    size_t model[] = {1};
    config_criterion tuned[] = {t.config.criteria[0], before->criteria[ONE]};
    for (size_t i = 0; i < COUNT(tuned); i++) {
        tuned[i].name = i == 0 ? "tuned-1" : "tuned-2";
        tuned[i].n_models = 1;
        tuned[i].models = model;
        tuned[i].n_references = 0;
    }
    const search_outcome found = {.n_tuned = COUNT(tuned), .tuned = tuned};
    assert_ok(search_extend(memory, &found, &s));
    assert_int_equal(s.config->n_criteria, before->n_criteria + 2);
    check_lists(&s, &images, &explained, &batches);
    for (size_t r = 0; r < s.n_references; r++) {
        assert_true(study_needs(&s, 1, before->n_criteria, r) && study_needs(&s, 1, before->n_criteria + 1, r));
        assert_int_equal(study_needs(&s, 0, ONE, r), s.references[r].per_class == 1);
        assert_false(study_needs(&s, 0, before->n_criteria, r));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_MEMORY(lists_are_what_cells_need),
        TEST_WITH_MEMORY(other_studies_explain_everything_for_all),
        TEST_WITH_MEMORY(rows_are_of_all_images),
        TEST_WITH_MEMORY(all_count_the_same),
        TEST_WITH_MEMORY(a_search_goes_on_from_what_is_limited),
    };
    RETURN_RUN_WITH_RANKS(tests, argc, argv);
}
