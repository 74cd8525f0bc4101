#include "support/support.h"

#include <string.h>

#include "pipeline/plan.h"

enum { CLASSES = 10, PER_CLASS = 20 };

/* Two data sets of ten classes with twenty images each, and a config with the given lists. */
typedef struct fixture {
    arena *a, *scratch;
    size_t first[CLASSES + 1];
    const char *names[CLASSES];
    uint32_t label[CLASSES * PER_CLASS];
    dataset data;
    config cfg;
    study s;
} fixture;

static void open_fixture(fixture *f, size_t n_tasks, const size_t *tasks, size_t n_seeds, const uint64_t *seeds, size_t n_references,
                         const size_t *references)
{
    memset(f, 0, sizeof *f);
    assert_ok(arena_open("test", &f->a));
    assert_ok(arena_open("scratch", &f->scratch));
    for (size_t i = 0; i < CLASSES; i++) {
        f->names[i] = "class";
        f->first[i + 1] = (i + 1) * PER_CLASS;
    }
    f->data = (dataset){.root = "data", .n_classes = CLASSES, .n_samples = CLASSES * PER_CLASS, .class_name = f->names,
                        .class_first = f->first, .label = f->label};
    f->cfg = (config){.path = "test.yaml", .n_tasks = n_tasks, .task_classes = tasks, .n_seeds = n_seeds, .seeds = seeds,
                      .n_references = n_references, .references = references};
    f->s = (study){.config = &f->cfg, .reference_data = &f->data, .evaluation_data = &f->data};
}

static void close_fixture(fixture *f)
{
    arena_close(&f->scratch);
    arena_close(&f->a);
}

static bool has(const sample_list *list, size_t sample)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->sample[i] == sample) {
            return true;
        }
    }
    return false;
}

static void assert_ascending_subset(const sample_list *small, const sample_list *large)
{
    for (size_t i = 0; i < small->n; i++) {
        assert_true(i == 0 || small->sample[i - 1] < small->sample[i]);
        assert_true(has(large, small->sample[i]));
    }
}

static void smaller_draws_are_parts_of_larger_ones(void **state)
{
    (void)state;
    const size_t tasks[] = {3, 5, 10}, references[] = {2, 7};
    const uint64_t seeds[] = {0, 1, 40};
    fixture f;
    open_fixture(&f, 3, tasks, 3, seeds, 2, references);
    assert_ok(plan_samples(f.a, f.scratch, &f.s));
    assert_int_equal(f.s.n_tasks, 9);
    assert_int_equal(f.s.n_references, 18);
    for (size_t seed = 0; seed < 3; seed++) {
        for (size_t k = 0; k < 3; k++) {
            const study_reference *two = &f.s.references[(k * 3 + seed) * 2], *seven = two + 1;
            assert_int_equal(two->samples.n, 2 * tasks[k]);
            assert_int_equal(seven->samples.n, 7 * tasks[k]);
            assert_ascending_subset(&two->samples, &seven->samples);
            assert_ascending_subset(&seven->samples, &f.s.explained);
            if (k > 0) {
                assert_ascending_subset(&f.s.references[((k - 1) * 3 + seed) * 2 + 1].samples, &seven->samples);
            }
        }
    }
    assert_memory_not_equal(f.s.tasks[0].classes, f.s.tasks[1].classes, 3 * sizeof(uint32_t));
    close_fixture(&f);
}

static void tasks_with_the_same_classes_share_an_evaluation_set(void **state)
{
    (void)state;
    const size_t tasks[] = {10}, references[] = {1};
    const uint64_t seeds[] = {0, 1, 2};
    fixture f;
    open_fixture(&f, 1, tasks, 3, seeds, 1, references);
    assert_ok(plan_samples(f.a, f.scratch, &f.s));
    assert_int_equal(f.s.n_evaluations, 1);
    assert_int_equal(f.s.evaluations[0].samples.n, CLASSES * PER_CLASS);
    for (size_t i = 0; i < CLASSES; i++) {
        assert_int_equal(f.s.evaluations[0].class_total[i], PER_CLASS);
    }
    close_fixture(&f);
}

/* Part of the results: a change here changes every published number. */
static void draws_never_change(void **state)
{
    (void)state;
    const size_t tasks[] = {3}, references[] = {1};
    const uint64_t seeds[] = {0};
    fixture f;
    open_fixture(&f, 1, tasks, 1, seeds, 1, references);
    assert_ok(plan_samples(f.a, f.scratch, &f.s));
    const uint32_t classes[] = {3, 5, 9};
    const size_t samples[] = {78, 102, 195};
    assert_memory_equal(f.s.tasks[0].classes, classes, sizeof classes);
    assert_memory_equal(f.s.references[0].samples.sample, samples, sizeof samples);
    close_fixture(&f);
}

static void more_than_there_is_is_refused(void **state)
{
    (void)state;
    const size_t eleven[] = {11}, three[] = {3}, one[] = {1}, many[] = {PER_CLASS + 1};
    const uint64_t seeds[] = {0};
    fixture f;
    open_fixture(&f, 1, eleven, 1, seeds, 1, one);
    assert_fails(plan_samples(f.a, f.scratch, &f.s), ST_CONFIG, "test.yaml: tasks.classes", "at most 10", "found 11", NULL);
    close_fixture(&f);
    open_fixture(&f, 1, three, 1, seeds, 1, many);
    assert_fails(plan_samples(f.a, f.scratch, &f.s), ST_CONFIG, "test.yaml: tasks.references", "at most 20", "found 21", NULL);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smaller_draws_are_parts_of_larger_ones),
        cmocka_unit_test(tasks_with_the_same_classes_share_an_evaluation_set),
        cmocka_unit_test(draws_never_change),
        cmocka_unit_test(more_than_there_is_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
