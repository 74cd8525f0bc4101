/* Similarity of explanations and what a network answers: by hand. */
#include "support/support.h"

#include <math.h>

#include "attribution/heatmap.h"

static void maps_are_sums_over_channels(void **state)
{
    (void)state;
    static const float r[] = {1, 2, 10, 20, -100, 0.5f};
    float map[2];
    heatmap_fold(3, 2, r, map);
    assert_true(map[0] == -89.0f && map[1] == 22.5f);
}

static void cosines_by_hand(void **state)
{
    (void)state;
    static const float a[] = {3, 4, 0}, b[] = {4, 3, 0}, across[] = {-4, 3, 7}, opposite[] = {-6, -8, 0}, none[] = {0, -0.0f, 0};
    assert_true(heatmap_cosine(3, a, b) == 24.0 / 25.0);
    assert_true(heatmap_cosine(3, a, across) == 0.0);
    assert_true(heatmap_cosine(3, a, opposite) == -1.0);
    assert_true(heatmap_cosine(3, a, none) == 0.0 && heatmap_cosine(3, none, a) == 0.0 && heatmap_cosine(3, none, none) == 0.0);
}

/* Whatever its size: the root of a square is exact. */
static void an_array_is_itself(void **state)
{
    (void)state;
    float x[1000];
    for (int scale = -140; scale < 120; scale += 7) {
        for (size_t i = 0; i < COUNT(x); i++) {
            x[i] = ldexpf(1.0f + 0.37f * (float)(i % 11), scale) * (i % 3 == 0 ? -1.0f : 1.0f);
        }
        assert_true(heatmap_cosine(COUNT(x), x, x) == 1.0);
    }
}

static void what_is_not_finite_has_no_cosine(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < COUNT(bad); i++) {
        const float a[] = {1, bad[i]}, b[] = {1, 2}, none[] = {0, 0};
        assert_true(isnan(heatmap_cosine(2, a, b)) && isnan(heatmap_cosine(2, b, a)));
        assert_true(isnan(heatmap_cosine(2, a, none)) && isnan(heatmap_cosine(2, none, a)) && isnan(heatmap_cosine(2, a, a)));
    }
}

static void answers_by_hand(void **state)
{
    (void)state;
    static const uint32_t classes[] = {1, 3};
    static const float logits[] = {9, 1, 8, 0}, large[] = {0, 1e30f, 0, -1e30f}, equal[] = {0, 2, 0, 2}, bad[] = {0, NAN, 0, 1},
                       outside[] = {NAN, 1, NAN, 0};
    heatmap_answer a = heatmap_ask(logits, 2, classes, 1);
    assert_true(a.logit == 0.0 && a.prediction == 0 && fabs(a.confidence - 1.0 / (1.0 + exp(1.0))) < 1e-15);
    a = heatmap_ask(large, 2, classes, 0);
    assert_true(a.confidence == 1.0 && a.prediction == 0);
    a = heatmap_ask(large, 2, classes, 1);
    assert_true(a.confidence == 0.0 && a.prediction == 0);
    a = heatmap_ask(equal, 2, classes, 1);
    assert_true(a.confidence == 0.5 && a.prediction == 0);
    a = heatmap_ask(bad, 2, classes, 1);
    assert_true(a.logit == 1.0 && isnan(a.confidence) && a.prediction == NO_ANSWER);
    a = heatmap_ask(outside, 2, classes, 0); /* what is not asked for does not matter */
    assert_true(a.prediction == 0 && a.confidence > 0.7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_sums_over_channels), cmocka_unit_test(cosines_by_hand),
        cmocka_unit_test(an_array_is_itself),          cmocka_unit_test(what_is_not_finite_has_no_cosine),
        cmocka_unit_test(answers_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
