/* On which images and seeds a search judges, and on which others it is judged. */
#include "unit/pipeline/search_sample.h"

#include <math.h>

/* Which images of the data set a part of a study judges by, of the classes that its tasks have: 1 or 0; -1 where no task has the class. */
static int *part_of(const study *s)
{
    const dataset *d = s->evaluation_data;
    int *in = arena_alloc(memory, d->n_samples, sizeof *in);
    assert_non_null(in);
    for (size_t i = 0; i < d->n_samples; i++) {
        in[i] = -1;
    }
    for (size_t k = 0; k < s->n_evaluations; k++) {
        const study_evaluation *e = &s->evaluations[k];
        size_t n = 0;
        for (size_t c = 0; c < e->n_classes; c++) {
            size_t of_class = 0;
            for (size_t i = d->class_first[e->classes[c]]; i < d->class_first[e->classes[c] + 1]; i++) {
                const bool there = n < e->samples.n && e->samples.sample[n] == i;
                assert_true(in[i] == -1 || in[i] == there); /* the same for all tasks */
                in[i] = there;
                n += there;
                of_class += there;
            }
            assert_int_equal(of_class, e->class_total[c]);
        }
        assert_int_equal(n, e->samples.n); /* ascending, and nothing else */
    }
    return in;
}

static const int *tuning_part(const plan *p)
{
    search_study t;
    assert_ok(search_study_open(memory, scratch, &p->study, 0, ALL_KINDS, &t));
    assert_int_equal(t.study.part, PART_TUNING);
    assert_true(t.study.evaluations != p->study.evaluations);
    return part_of(&t.study);
}

static void parts_are_disjoint_and_all(void **state)
{
    (void)state;
    static const double splits[] = {0.5, 0.25, 0.9};
    for (size_t k = 0; k < COUNT(splits); k++) {
        const char *split = arena_text(memory, "split: %g, seeds: 3", splits[k]);
        const plan *p = open_plan("classes: [10], seeds: 1, references: [3]", split);
        const plan *few = open_plan("classes: [3, 4], seeds: [5, 99, 7], references: [1, 2]", split);
        const int *tuning = tuning_part(p), *held_out = part_of(&p->study), *of_few = tuning_part(few), *held_of_few = part_of(&few->study);
        const dataset *d = p->study.evaluation_data;
        size_t seen = 0, in_front = 0;
        for (size_t c = 0; c < d->n_classes; c++) {
            const size_t n = d->class_first[c + 1] - d->class_first[c];
            size_t n_tuning = 0;
            size_t last = d->class_first[c];
            for (size_t i = d->class_first[c]; i < d->class_first[c + 1]; i++) {
                assert_int_equal(tuning[i] + held_out[i], 1);
                assert_true(of_few[i] == -1 || of_few[i] == tuning[i]);
                assert_true(held_of_few[i] == -1 || held_of_few[i] == held_out[i]);
                seen += of_few[i] != -1 && held_of_few[i] != -1;
                n_tuning += (size_t)tuning[i];
                last = tuning[i] ? i : last;
            }
            assert_int_equal(n_tuning, (size_t)floor((double)n * splits[k] + 0.5));
            in_front += last == d->class_first[c] + n_tuning - 1;
        }
        assert_true(in_front < 2); /* they are drawn, not the first ones: neighbours may be alike */
        assert_true(seen > 0);
    }
}

/* Without a search a study has all images, whatever a split would be. */
static void studies_without_a_search_have_all_images(void **state)
{
    (void)state;
    const plan *p = open_plan(tasks, "split: 0.5");
    study s = p->study;
    s.part = PART_ALL;
    s.n_evaluations = 0;
    s.explained = (sample_list){0};
    assert_ok(plan_samples(memory, scratch, &s));
    const int *in = part_of(&s);
    for (size_t i = 0; i < s.evaluation_data->n_samples; i++) {
        assert_true(in[i] != 0);
    }
}

static void seeds_of_a_search_are_others(void **state)
{
    (void)state;
    const plan *p = open_plan("classes: [3], seeds: [4, 2], references: [3, 5]", "seeds: 3, references: 3");
    search_study t;
    assert_ok(search_study_open(memory, scratch, &p->study, VIT, 1, &t));
    assert_int_equal(t.study.n_tasks, 3);
    assert_int_equal(t.study.n_references, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(t.study.tasks[i].seed, 5 + i);
        assert_int_equal(t.study.references[i].per_class, 3);
    }
    assert_int_equal(t.model.n_kinds, 1); /* one of the two: its own components */
    assert_int_equal(t.model.kinds[0], p->study.models[VIT].kinds[1]);
    assert_int_equal(t.model.n_components[0], p->study.models[VIT].n_components[1]);
    assert_ptr_equal(t.model.component[0], p->study.models[VIT].component[1]);
}

/* 1 for an image of the set, else 0; and how many. */
static size_t mark_images(const study *s, const study_evaluation *e, int in[])
{
    memset(in, 0, s->evaluation_data->n_samples * sizeof *in);
    for (size_t i = 0; i < e->samples.n; i++) {
        in[e->samples.sample[i]]++;
    }
    return e->samples.n;
}

/* The parts of a rung have no image in common and together all of the rung's, which are among those of the search; a class has some in each. Tasks,
 * references and parts are the same on the next rung, with the same numbers. */
static void rungs_contain_each_other(void **state)
{
    (void)state;
    static const double rates[] = {0.0, 0.5, 0.95};
    static const size_t end[] = {3, 7, 20};
    enum { PARTS = 3, OF = 20, SEEDS = 4 };
    const plan *p = open_plan("classes: [3, 4], seeds: 1, references: [2]", "seeds: [5, 99, 5000, 7], split: 0.6");
    search_study whole, rung[PARTS];
    const study_evaluation *part[PARTS][PARTS];
    const size_t n = p->study.evaluation_data->n_samples;
    int *all = arena_alloc(memory, n, sizeof *all), *of_rung = arena_alloc(memory, n, sizeof *all), *one = arena_alloc(memory, n, sizeof *all);
    assert_true(all != NULL && of_rung != NULL && one != NULL);
    assert_ok(search_study_open(memory, scratch, &p->study, 0, ALL_KINDS, &whole));
    for (size_t k = 0; k < PARTS; k++) {
        const search_rung r = {.n_seeds = k + 2, .n_rates = COUNT(rates), .rates = rates, .of = OF, .n_parts = k + 1, .end = end};
        assert_ok(search_study_rung(memory, scratch, &whole, &r, &rung[k], part[k]));
        const study *s = &rung[k].study;
        assert_ptr_equal(s->config, &rung[k].config);
        assert_int_equal(s->n_tasks, 2 * (k + 2));
        for (size_t t = 0; t < s->n_tasks; t++) {
            const study_task *task = &s->tasks[t], *same = &whole.study.tasks[t / (k + 2) * SEEDS + t % (k + 2)];
            const study_evaluation *mine = &s->evaluations[task->evaluation], *theirs = &whole.study.evaluations[same->evaluation];
            assert_true(task->seed == same->seed && task->n_classes == same->n_classes);
            assert_memory_equal(task->classes, same->classes, task->n_classes * sizeof task->classes[0]);
            const study_reference *a = &s->references[t], *b = &whole.study.references[t / (k + 2) * SEEDS + t % (k + 2)];
            assert_true(a->task == t && a->samples.n == b->samples.n);
            assert_memory_equal(a->samples.sample, b->samples.sample, a->samples.n * sizeof a->samples.sample[0]);
            (void)mark_images(s, theirs, all);
            const size_t size = mark_images(s, mine, of_rung);
            size_t sum = 0;
            for (size_t q = 0; q <= k; q++) {
                const study_evaluation *e = &part[k][q][task->evaluation];
                sum += mark_images(s, e, one);
                assert_int_equal(e->number, q * whole.study.n_evaluations + same->evaluation);
                for (size_t i = 0; i < n; i++) {
                    assert_true(one[i] <= of_rung[i] && of_rung[i] <= all[i] && all[i] <= 1);
                    of_rung[i] -= one[i];
                }
                for (size_t c = 0; c < task->n_classes; c++) {
                    assert_true(e->class_total[c] > 0);
                }
                if (k > 0 && q < k && t % (k + 2) < k + 1) { /* there on the rung before */
                    const study_task *before = &rung[k - 1].study.tasks[t / (k + 2) * (k + 1) + t % (k + 2)];
                    const study_evaluation *earlier = &part[k - 1][q][before->evaluation];
                    assert_true(earlier->number == e->number && earlier->samples.n == e->samples.n);
                    assert_memory_equal(earlier->samples.sample, e->samples.sample, e->samples.n * sizeof e->samples.sample[0]);
                }
            }
            assert_int_equal(sum, size); /* and nothing is left of the rung's, since no part has what is not there */
            assert_true(size < mark_images(s, theirs, one) || k == PARTS - 1);
            assert_true(k < PARTS - 1 || size == theirs->samples.n);
        }
    }
}

static void too_few_images_are_refused(void **state)
{
    (void)state;
    const plan *p = open_plan(tasks, "");
    static const struct {
        size_t n;
        double split;
        bool fits;
        const char *found;
    } cases[] = {{1, 0.5, false, "found 1 of 1"}, {2, 0.5, true, ""}, {2, 0.9, false, "found 2 of 2"}, {3, 0.1, false, "found 0 of 3"}, {5, 0.1, true, ""}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        dataset d = *p->study.evaluation_data;
        config c = *p->study.config;
        size_t *first = arena_alloc(memory, d.n_classes + 1, sizeof *first);
        assert_non_null(first);
        for (size_t k = 0; k <= d.n_classes; k++) {
            first[k] = k * cases[i].n;
        }
        d.class_first = first;
        c.search.split = cases[i].split;
        for (study_part part = PART_TUNING; part <= PART_HELD_OUT; part++) {
            study s = p->study;
            s.config = &c;
            s.part = part;
            s.evaluation_data = &d;
            s.n_evaluations = 0;
            s.explained = (sample_list){0};
            if (cases[i].fits) {
                assert_ok(plan_samples(memory, scratch, &s));
            } else {
                assert_fails(plan_samples(memory, scratch, &s), ST_CONFIG, "study.yaml: search.split: expected some images of class", "on either side",
                             cases[i].found, NULL);
            }
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_MEMORY(parts_are_disjoint_and_all),
        TEST_WITH_MEMORY(studies_without_a_search_have_all_images),
        TEST_WITH_MEMORY(seeds_of_a_search_are_others),
        TEST_WITH_MEMORY(rungs_contain_each_other),
        TEST_WITH_MEMORY(too_few_images_are_refused),
    };
    RETURN_RUN_WITH_RANKS(tests, argc, argv);
}
