#include "support/golden.h"

#include <string.h>

#include "pipeline/plan.h"

enum { CLASSES = 10, PER_CLASS = 20 };

/* Two data sets of ten classes with twenty images each, and a config with the given lists. */
typedef struct fixture {
    arena *a, *scratch;
    size_t first[CLASSES + 1];
    char name[CLASSES][8];
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
        (void)snprintf(f->name[i], sizeof f->name[i], "class%zu", i);
        f->names[i] = f->name[i];
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

static const char *const places[] = {"s.yaml:9:5: x[0]", "s.yaml:9:7: x[1]", "s.yaml:9:9: x[2]", "s.yaml:9:11: x[3]"};

/* By name or number, in any order; the images are those that a drawn subset with the same class would have. */
static void stated_subsets_have_their_classes(void **state)
{
    (void)state;
    static const char *const class[] = {"class7", "2", "class9"};
    static const config_subset subsets[] = {{"own", 3, class, places}};
    const size_t tasks[] = {10, 3}, references[] = {4};
    const uint64_t seeds[] = {0, 5};
    fixture f;
    open_fixture(&f, 2, tasks, 2, seeds, 1, references);
    f.cfg.n_subsets = 1;
    f.cfg.subsets = subsets;
    assert_ok(plan_samples(f.a, f.scratch, &f.s));
    const uint32_t expected[] = {2, 7, 9}, stated[] = {7, 2, 9};
    for (size_t seed = 0; seed < 2; seed++) {
        const study_task *t = &f.s.tasks[2 + seed];
        assert_int_equal(t->subset, 1);
        assert_int_equal(t->seed, seeds[seed]);
        assert_memory_equal(t->classes, expected, sizeof expected);
        assert_memory_equal(t->stated, stated, sizeof stated);
        assert_null(f.s.tasks[seed].stated);
        assert_int_equal(f.s.references[2 + seed].samples.n, 12);
        assert_ascending_subset(&f.s.references[2 + seed].samples, &f.s.references[seed].samples);
    }
    assert_int_equal(f.s.tasks[2].evaluation, f.s.tasks[3].evaluation);
    assert_memory_not_equal(f.s.references[2].samples.sample, f.s.references[3].samples.sample, 12 * sizeof(size_t));
    close_fixture(&f);
}

/* A folder may be called like another one's number. */
static void names_of_classes_come_before_numbers(void **state)
{
    (void)state;
    fixture f;
    uint32_t stated[2];
    static const char *const class[] = {"3", "4"};
    const config_subset subset = {"own", 2, class, places};
    open_fixture(&f, 0, NULL, 0, NULL, 0, NULL);
    f.names[8] = "3";
    assert_ok(plan_subset(f.scratch, &f.data, &subset, stated));
    assert_int_equal(stated[0], 8);
    assert_int_equal(stated[1], 4);
    close_fixture(&f);
}

static void classes_that_are_not_there_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *class[3], *place, *message, *more;
    } cases[] = {
        {{"class1", "clas2", "3"}, "s.yaml:9:7: x[1]: ", "expected one of the 10 classes of data, by name or by number from 0, found 'clas2'", "did you mean 'class2'?"},
        {{"1", "2", "10"}, "s.yaml:9:9: x[2]: ", "found '10'", "the first is 'class0'"},
        {{"1", "2", "01"}, "s.yaml:9:9: x[2]: ", "found '01'", "the first is"},
        {{"99999999999999999999", "2", "3"}, "s.yaml:9:5: x[0]: ", "found '99999999999999999999'", "the first is"},
        {{"1", "2", "-1"}, "s.yaml:9:9: x[2]: ", "found '-1'", "the first is"},
        {{"1", "2", "class1"}, "s.yaml:9:9: x[2]: ", "expected every class once, found 'class1', which is class 1 ('class1') and is [0] already", ""},
    };
    fixture f;
    uint32_t stated[3];
    open_fixture(&f, 0, NULL, 0, NULL, 0, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const config_subset subset = {"own", 3, cases[i].class, places};
        arena_reset(f.scratch);
        assert_fails(plan_subset(f.scratch, &f.data, &subset, stated), ST_CONFIG, cases[i].place, cases[i].message, cases[i].more, NULL);
    }
    close_fixture(&f);
}

/* `sampling: torch`: what a seed draws, stated in the drawn order, has the same images; in another order it has others. */
static void torch_draws_the_images_of_stated_subsets(void **state)
{
    (void)state;
    fixture f;
    uint32_t drawn[4];
    size_t sample[12], same[12], other[12], n = 0;
    open_fixture(&f, 0, NULL, 0, NULL, 0, NULL);
    const study_task random = {.n_classes = 4, .seed = 3};
    assert_ok(plan_torch_classes(f.scratch, &f.data, &random, drawn));
    assert_ok(plan_torch_references(f.scratch, &f.data, &random, 3, &n, sample));
    const study_task stated = {.n_classes = 4, .seed = 3, .stated = drawn};
    assert_ok(plan_torch_references(f.scratch, &f.data, &stated, 3, &n, same));
    assert_int_equal(n, 12);
    assert_memory_equal(sample, same, sizeof same);
    const uint32_t turned[] = {drawn[1], drawn[0], drawn[2], drawn[3]};
    const study_task swapped = {.n_classes = 4, .seed = 3, .stated = turned};
    assert_ok(plan_torch_references(f.scratch, &f.data, &swapped, 3, &n, other));
    for (size_t k = 0; k < 12; k++) {
        assert_int_equal(other[k] / PER_CLASS, turned[k / 3]);
        assert_int_equal(other[k] % PER_CLASS, sample[k] % PER_CLASS); /* classes of one size: the draws go by the place */
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

/* Seed 0 draws the classes 44, 37 and 675 of 1000, then the images of each, as the golden file has them. */
static void torch_draws_as_the_reference_program(void **state)
{
    (void)state;
    enum { ALL = 1000 };
    static const char *names[ALL];
    static size_t first[ALL + 1];
    static const size_t drawn[] = {44, 37, 675}, sizes[] = {1300, 732, 1300};
    arena *a = NULL;
    for (size_t i = 0; i < ALL; i++) {
        names[i] = "class";
        first[i + 1] = first[i] + (i == 44 || i == 675 ? 1300 : i == 37 ? 732 : 5);
    }
    const dataset d = {.root = "data", .n_classes = ALL, .n_samples = first[ALL], .class_name = names, .class_first = first};
    const study_task t = {.n_classes = 3, .seed = 0};
    uint32_t classes[3];
    size_t sample[30], n = 0;
    assert_ok(arena_open("test", &a));
    assert_ok(plan_torch_classes(a, &d, &t, classes));
    assert_ok(plan_torch_references(a, &d, &t, 10, &n, sample));
    assert_int_equal(n, 30);
    golden *g = golden_open("preproc_rng.h5");
    for (size_t i = 0; i < 3; i++) {
        const golden_array images = golden_read(g, "randperm/seed0/then%zu_perm%zu_first10", i, sizes[i]);
        assert_int_equal(classes[i], drawn[i]);
        for (size_t k = 0; k < 10; k++) {
            assert_int_equal(sample[10 * i + k], first[drawn[i]] + (size_t)images.integer[k]);
        }
    }
    golden_close(&g);
    const study_task more = {.n_classes = 6, .seed = 0}; /* classes of five images give all five and draw nothing */
    size_t many[60];
    assert_ok(plan_torch_references(a, &d, &more, 10, &n, many));
    assert_int_equal(n, 30 + 3 * 5);
    for (size_t k = 31; k < 35; k++) {
        assert_int_equal(many[k], many[k - 1] + 1);
    }
    static size_t other[ALL + 1]; /* the first class has too few: the second one's draw is the first */
    for (size_t i = 0; i < ALL; i++) {
        other[i + 1] = other[i] + (i == 37 ? 1300 : 5);
    }
    const dataset few = {.root = "data", .n_classes = ALL, .n_samples = other[ALL], .class_name = names, .class_first = other};
    assert_ok(plan_torch_references(a, &few, &t, 10, &n, sample));
    assert_int_equal(n, 20);
    g = golden_open("preproc_rng.h5");
    const golden_array images = golden_read(g, "randperm/seed0/then0_perm1300_first10");
    for (size_t k = 0; k < 10; k++) {
        assert_int_equal(sample[5 + k], other[37] + (size_t)images.integer[k]);
    }
    golden_close(&g);
    arena_close(&a);
}

/* The whole plan: sorted samples, classes ascending, and as many images as there are. */
static void a_plan_by_torch_is_sorted(void **state)
{
    (void)state;
    fixture f;
    const size_t tasks[] = {3, 10}, references[] = {5, 50};
    const uint64_t seeds[] = {0, 7};
    open_fixture(&f, 2, tasks, 2, seeds, 2, references);
    f.cfg.sampling = SAMPLING_TORCH;
    assert_ok(plan_samples(f.a, f.scratch, &f.s));
    for (size_t i = 0; i < f.s.n_references; i++) {
        const study_reference *r = &f.s.references[i];
        const study_task *t = &f.s.tasks[r->task];
        assert_int_equal(r->samples.n, t->n_classes * (r->per_class == 5 ? 5 : PER_CLASS));
        for (size_t k = 1; k < r->samples.n; k++) {
            assert_true(r->samples.sample[k - 1] < r->samples.sample[k]);
        }
    }
    uint32_t drawn[3];
    assert_ok(plan_torch_classes(f.scratch, &f.data, &f.s.tasks[0], drawn));
    for (size_t i = 0; i < 3; i++) {
        bool found = false;
        for (size_t k = 0; k < 3; k++) {
            found = found || f.s.tasks[0].classes[k] == drawn[i];
        }
        assert_true(found);
    }
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smaller_draws_are_parts_of_larger_ones),
        cmocka_unit_test(tasks_with_the_same_classes_share_an_evaluation_set),
        cmocka_unit_test(stated_subsets_have_their_classes),
        cmocka_unit_test(names_of_classes_come_before_numbers),
        cmocka_unit_test(classes_that_are_not_there_are_named),
        cmocka_unit_test(torch_draws_the_images_of_stated_subsets),
        cmocka_unit_test(draws_never_change),
        cmocka_unit_test(torch_draws_as_the_reference_program),
        cmocka_unit_test(a_plan_by_torch_is_sorted),
        cmocka_unit_test(more_than_there_is_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
