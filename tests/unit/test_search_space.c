#include "support/support.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "search/kernel.h"
#include "search/space.h"

enum { LOW_RULE, LOW_GAMMA, FC_RULE, FC_EPSILON, FC_START, ORDER, DIMENSIONS };
enum { EPSILON, GAMMA, Z_PLUS };

/* gamma exists where the rule is gamma; epsilon where it is epsilon or gamma; the start, a choice, where the rule is z-plus. */
static const space_dimension dimensions[DIMENSIONS] = {
    [LOW_RULE] = {"low.rule", SPACE_CATEGORICAL, .n_choices = 3, .parent = SPACE_ALWAYS},
    [LOW_GAMMA] = {"low.gamma", SPACE_CONTINUOUS, .min = 0.01, .max = 1.0, .scale = SCALE_LOG, .parent = LOW_RULE, .when = 1 << GAMMA},
    [FC_RULE] = {"fc.rule", SPACE_CATEGORICAL, .n_choices = 3, .parent = SPACE_ALWAYS},
    [FC_EPSILON] = {"fc.epsilon", SPACE_CONTINUOUS, .min = -1.0, .max = 3.0, .parent = FC_RULE, .when = 1 << EPSILON | 1 << GAMMA},
    [FC_START] = {"fc.start", SPACE_CATEGORICAL, .n_choices = 4, .parent = FC_RULE, .when = 1 << Z_PLUS},
    [ORDER] = {"order", SPACE_CATEGORICAL, .n_choices = 2, .parent = SPACE_ALWAYS},
};

static arena *scratch;
static space s;

static int set_up(void **state)
{
    (void)state;
    return status_ok(arena_open("space test", &scratch)) && status_ok(space_build(scratch, DIMENSIONS, dimensions, &s)) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&scratch);
    return 0;
}

static void draw(uint32_t i, double point[])
{
    double unit[DIMENSIONS];
    for (uint32_t d = 0; d < DIMENSIONS; d++) {
        unit[d] = rng_uniform(7, RNG_TEST, d, i);
    }
    space_from_unit(&s, unit, point);
}

static void what_does_not_exist_makes_no_difference(void **state)
{
    (void)state;
    double a[DIMENSIONS] = {EPSILON, 0.5, Z_PLUS, 1e9, 2.0, 1.0}, b[DIMENSIONS] = {EPSILON, NAN, Z_PLUS, -3.0, 2.0, 1.0};
    double code_a[16], code_b[16];
    assert_ok(space_canonical(&s, a));
    assert_ok(space_canonical(&s, b));
    assert_true(isnan(a[LOW_GAMMA]) && isnan(a[FC_EPSILON]) && a[FC_START] == 2.0);
    assert_true(space_equal(&s, a, b) && space_hash(&s, a) == space_hash(&s, b));
    space_encode(&s, a, code_a);
    space_encode(&s, b, code_b);
    assert_true(kernel_distance2(s.n_encoded, code_a, code_b) == 0.0);
    b[ORDER] = 0.0;
    assert_false(space_equal(&s, a, b));
    assert_true(space_hash(&s, a) != space_hash(&s, b));
    double zero[DIMENSIONS] = {EPSILON, NAN, EPSILON, -0.0, NAN, 0.0}, minus[DIMENSIONS] = {EPSILON, NAN, EPSILON, 0.0, NAN, -0.0};
    assert_ok(space_canonical(&s, zero));
    assert_ok(space_canonical(&s, minus));
    assert_true(space_hash(&s, zero) == space_hash(&s, minus));
}

/* The point that a code is of: nothing that exists is lost in it. */
static void decode(const double code[], double point[])
{
    size_t at = 0;
    for (size_t i = 0; i < s.n; i++) {
        const space_dimension *d = &s.dimension[i];
        const bool exists = space_exists(&s, point, i);
        if (d->kind == SPACE_CONTINUOUS) {
            point[i] = exists ? space_value(d, code[at]) : NAN;
            at++;
            continue;
        }
        size_t best = 0;
        for (size_t c = 1; c < d->n_choices; c++) {
            best = code[at + c] > code[at + best] ? c : best;
        }
        point[i] = exists ? (double)best : NAN;
        at += d->n_choices;
    }
}

static void points_go_through_their_code(void **state)
{
    (void)state;
    assert_int_equal(s.n_encoded, 3 + 1 + 3 + 1 + 4 + 2);
    assert_int_equal(s.n_continuous, 2);
    for (uint32_t i = 0; i < 300; i++) {
        double point[DIMENSIONS], again[DIMENSIONS], code[16];
        draw(i, point);
        memcpy(again, point, sizeof point);
        assert_ok(space_canonical(&s, again)); /* a drawn point is canonical */
        assert_true(space_equal(&s, point, again));
        space_encode(&s, point, code);
        for (size_t c = 0; c < s.n_encoded; c++) {
            assert_true(code[c] >= 0.0 && code[c] <= 1.0);
        }
        decode(code, again);
        for (size_t d = 0; d < DIMENSIONS; d++) {
            assert_true(isnan(point[d]) ? isnan(again[d]) : fabs(again[d] - point[d]) <= 1e-12);
        }
    }
}

static void two_choices_are_at_distance_one(void **state)
{
    (void)state;
    double a[DIMENSIONS] = {EPSILON, NAN, EPSILON, 0.0, NAN, 0.0}, b[DIMENSIONS] = {Z_PLUS, NAN, EPSILON, 0.0, NAN, 0.0};
    double code_a[16], code_b[16];
    space_encode(&s, a, code_a);
    space_encode(&s, b, code_b);
    assert_true(fabs(kernel_distance2(s.n_encoded, code_a, code_b) - 1.0) < 1e-15);
    b[LOW_RULE] = GAMMA; /* gamma in the middle of its scale lies where a missing one is imagined */
    b[LOW_GAMMA] = 0.1;
    space_encode(&s, b, code_b);
    assert_true(fabs(kernel_distance2(s.n_encoded, code_a, code_b) - 1.0) < 1e-15);
    b[LOW_GAMMA] = 1.0;
    space_encode(&s, b, code_b);
    assert_true(fabs(kernel_distance2(s.n_encoded, code_a, code_b) - 1.25) < 1e-15);
}

static void scales_are_even(void **state)
{
    (void)state;
    const space_dimension *gamma = &dimensions[LOW_GAMMA], *epsilon = &dimensions[FC_EPSILON];
    assert_true(fabs(space_value(gamma, 0.5) - 0.1) < 1e-15);
    assert_true(space_value(gamma, 0.0) == 0.01 && space_value(gamma, 1.0) == 1.0);
    assert_true(space_value(gamma, -5.0) == 0.01 && space_value(gamma, 5.0) == 1.0 && space_value(gamma, NAN) == 0.01);
    assert_true(space_value(epsilon, 0.25) == 0.0 && space_unit(epsilon, 3.0) == 1.0);
    for (double u = 0.0; u <= 1.0; u += 0.01) {
        assert_true(fabs(space_unit(gamma, space_value(gamma, u)) - u) < 1e-14);
    }
    size_t count[3] = {0};
    for (uint32_t i = 0; i < 3000; i++) {
        double point[DIMENSIONS];
        draw(i, point);
        count[(size_t)point[LOW_RULE]]++;
    }
    assert_true(count[0] > 900 && count[1] > 900 && count[2] > 900);
}

/* 3 rules x (epsilon, gamma, or z-plus with 4 starts) x 2 orders, each once, all canonical, in rising order. */
static void enumeration_is_complete(void **state)
{
    (void)state;
    double point[DIMENSIONS];
    size_t n = 0;
    uint64_t seen[64];
    assert_int_equal(space_combinations(&s), 3 * (1 + 1 + 4) * 2);
    space_first(&s, point);
    do {
        double again[DIMENSIONS];
        memcpy(again, point, sizeof point);
        assert_ok(space_canonical(&s, again));
        assert_true(space_equal(&s, point, again));
        seen[n] = space_hash(&s, point);
        for (size_t i = 0; i < n; i++) {
            assert_true(seen[i] != seen[n]);
        }
        n++;
    } while (n < 64 && space_next(&s, point));
    assert_int_equal(n, space_combinations(&s));
}

static void huge_spaces_are_counted(void **state)
{
    (void)state;
    space_dimension many[40];
    space large;
    for (size_t i = 0; i < 40; i++) {
        static const char *const names = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        many[i] = (space_dimension){&names[i], SPACE_CATEGORICAL, .n_choices = 3, .parent = SPACE_ALWAYS};
    }
    assert_ok(space_build(scratch, 40, many, &large));
    assert_int_equal(space_combinations(&large), 12157665459056928801ULL); /* 3^40 < 2^64 */
    many[0].n_choices = 64;
    assert_ok(space_build(scratch, 40, many, &large));
    assert_int_equal(space_combinations(&large), SIZE_MAX);
    for (size_t i = 1; i < 40; i++) { /* a chain: each exists where the one before has its first choice */
        many[i].parent = (int)i - 1;
        many[i].when = 1;
    }
    many[0].n_choices = 3;
    assert_ok(space_build(scratch, 40, many, &large));
    assert_int_equal(space_combinations(&large), 2 * 40 + 1);
    many[2] = (space_dimension){"x", SPACE_CATEGORICAL, .n_choices = 5, .parent = 0, .when = 1 | 4}; /* a second child of the first */
    assert_ok(space_build(scratch, 3, many, &large));
    assert_int_equal(space_combinations(&large), 3 * 5 + 1 + 5);
}

static void bad_spaces_are_refused(void **state)
{
    (void)state;
    space_dimension d[2] = {{"rule", SPACE_CATEGORICAL, .n_choices = 2, .parent = SPACE_ALWAYS},
                            {"gamma", SPACE_CONTINUOUS, .min = 0.0, .max = 1.0, .parent = 0, .when = 2}};
    space out;
    assert_ok(space_build(scratch, 2, d, &out));
    assert_fails(space_build(scratch, 0, d, &out), ST_CONFIG, "0 dimensions", NULL);
    d[1].scale = SCALE_LOG;
    assert_fails(space_build(scratch, 2, d, &out), ST_CONFIG, "gamma", "logarithmic", NULL);
    d[1].scale = SCALE_LINEAR;
    d[1].max = NAN;
    assert_fails(space_build(scratch, 2, d, &out), ST_CONFIG, "gamma", "nan", NULL);
    d[1].max = 0.0;
    assert_fails(space_build(scratch, 2, d, &out), ST_CONFIG, "gamma", "0 to 0", NULL);
    d[1].max = 1.0;
    d[1].when = 4;
    assert_fails(space_build(scratch, 2, d, &out), ST_CONFIG, "gamma", "rule", NULL);
    d[1].when = 0;
    assert_fails(space_build(scratch, 2, d, &out), ST_CONFIG, "gamma", "rule", NULL);
    d[1].when = 1;
    d[1].parent = 1;
    assert_fails(space_build(scratch, 2, d, &out), ST_CONFIG, "gamma", "earlier", NULL);
    d[1].parent = -7;
    assert_fails(space_build(scratch, 2, d, &out), ST_CONFIG, "gamma", "earlier", NULL);
    d[1] = d[0];
    assert_fails(space_build(scratch, 2, d, &out), ST_CONFIG, "two dimensions", "rule", NULL);
    d[0].n_choices = 65;
    assert_fails(space_build(scratch, 1, d, &out), ST_CONFIG, "65 choices", NULL);
}

static void bad_points_are_refused(void **state)
{
    (void)state;
    const double bad[][DIMENSIONS] = {
        {3.0, NAN, EPSILON, 0.0, NAN, 0.0},  {NAN, NAN, EPSILON, 0.0, NAN, 0.0},   {GAMMA, NAN, EPSILON, 0.0, NAN, 0.0},
        {GAMMA, 2.0, EPSILON, 0.0, NAN, 0.0}, {0.5, NAN, EPSILON, 0.0, NAN, 0.0},  {-1.0, NAN, EPSILON, 0.0, NAN, 0.0},
        {EPSILON, NAN, Z_PLUS, NAN, 4.0, 0.0}, {EPSILON, NAN, 1e300, NAN, 4.0, 0.0}, {EPSILON, NAN, EPSILON, INFINITY, NAN, 0.0},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        double point[DIMENSIONS];
        memcpy(point, bad[i], sizeof point);
        assert_fails(space_canonical(&s, point), ST_DATA, "search point", "expected", NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_exist_makes_no_difference),
        cmocka_unit_test(points_go_through_their_code),
        cmocka_unit_test(two_choices_are_at_distance_one),
        cmocka_unit_test(scales_are_even),
        cmocka_unit_test(enumeration_is_complete),
        cmocka_unit_test(huge_spaces_are_counted),
        cmocka_unit_test(bad_spaces_are_refused),
        cmocka_unit_test(bad_points_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
