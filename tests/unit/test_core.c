#include "support/support.h"

#include <math.h>
#include <string.h>

#include "core/exact_sum.h"
#include "core/rng.h"
#include "core/text.h"

static void exact_sum_is_independent_of_order(void **state)
{
    (void)state;
    enum { N = 4000 };
    static float x[N];
    for (size_t i = 0; i < N; i++) {
        const double u = rng_uniform(1, RNG_TEST, 0, (uint32_t)i) - 0.5;
        x[i] = (float)ldexp(u, (int)(rng_u64(1, RNG_TEST, 1, (uint32_t)i) % 200) - 100);
    }
    exact_sum forward = {0}, backward = {0}, parts[3] = {{{0}}};
    for (size_t i = 0; i < N; i++) {
        exact_sum_add(&forward, x[i]);
        exact_sum_add(&backward, x[N - 1 - i]);
        exact_sum_add(&parts[i % 3], x[i]);
    }
    for (size_t p = 0; p < 3; p++) {
        exact_sum_carry(&parts[p]);
    }
    exact_sum_merge(&parts[0], &parts[1]);
    exact_sum_merge(&parts[0], &parts[2]);
    const double a = exact_sum_value(&forward), b = exact_sum_value(&backward), c = exact_sum_value(&parts[0]);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_equal(&a, &c, sizeof a);
    assert_true(isfinite(a) && a != 0.0);
}

static double sum_of(size_t n, const float x[])
{
    exact_sum s = {0};
    for (size_t i = 0; i < n; i++) {
        exact_sum_add(&s, x[i]);
    }
    return exact_sum_value(&s);
}

static void exact_sum_rounds_once(void **state)
{
    (void)state;
    const float cancel[] = {1e30f, 1.0f, -1e30f, 0x1p-149f};
    assert_true(sum_of(4, cancel) == 1.0); /* 2^-149 is far below the last bit of 1 */
    const float tie_even[] = {0x1p53f, 1.0f};
    assert_true(sum_of(2, tie_even) == 0x1p53);
    const float above_tie[] = {0x1p53f, 1.0f, 0x1p-149f};
    assert_true(sum_of(3, above_tie) == 0x1p53 + 2.0);
    const float negative[] = {-0x1p53f, -1.0f, -0x1p-149f};
    assert_true(sum_of(3, negative) == -0x1p53 - 2.0);
    const float tiny[] = {0x1p-149f, 0x1p-149f, -0x1p-126f};
    assert_true(sum_of(3, tiny) == 0x1p-148 - 0x1p-126);
    const float largest[] = {3.402823466e38f, 3.402823466e38f};
    assert_true(sum_of(2, largest) == 2.0 * (double)3.402823466e38f);
    assert_true(sum_of(0, NULL) == 0.0);
}

static void exact_sum_carries_many_values(void **state)
{
    (void)state;
    exact_sum s = {0};
    for (size_t i = 0; i < 3000000; i++) {
        exact_sum_add(&s, -0.1f);
    }
    assert_true(exact_sum_value(&s) == -(double)0.1f * 3000000.0); /* 24 + 22 bits: exact in double */
}

static void exact_sum_keeps_infinities_and_nan(void **state)
{
    (void)state;
    const float inf[] = {1.0f, INFINITY};
    assert_true(sum_of(2, inf) == INFINITY);
    const float negative[] = {1.0f, -INFINITY};
    assert_true(sum_of(2, negative) == -INFINITY);
    const float both[] = {-INFINITY, INFINITY};
    assert_true(isnan(sum_of(2, both)));
    const float nan[] = {NAN, 1.0f};
    assert_true(isnan(sum_of(2, nan)));
}

static void philox_matches_its_published_vector(void **state)
{
    (void)state;
    /* Random123 kat_vectors, philox4x32 10: counter 0, key 0 -> 6627e8d5 e169c58d bc57ac4c 9b00dbd8 */
    assert_true(rng_u64(0, (rng_purpose)0, 0, 0) == 0xe169c58d6627e8d5u);
    const double u = rng_uniform(7, RNG_TEST, 3, 9);
    assert_true(u >= 0.0 && u < 1.0);
    double pair[2];
    rng_uniform_pair(7, RNG_TEST, 3, 9, pair);
    assert_true(pair[0] == u && pair[1] != u);
    rng_uniform_pair(0, (rng_purpose)0, 0, 0, pair);
    assert_true(pair[1] == (double)(UINT64_C(0x9b00dbd8bc57ac4c) >> 11) * 0x1p-53);
}

static void subsets_are_nested_and_without_repetition(void **state)
{
    (void)state;
    size_t scratch[50], small[5], large[50], seen[50] = {0};
    rng_subset(3, RNG_TEST, 0, 50, 5, scratch, small);
    rng_subset(3, RNG_TEST, 0, 50, 50, scratch, large);
    assert_memory_equal(small, large, sizeof small);
    for (size_t i = 0; i < 50; i++) {
        seen[large[i]]++;
    }
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(seen[i], 1);
    }
}

static char endings[8];

static void note_ending(void *thing)
{
    const size_t n = strlen(endings);
    assert_true(n + 1 < sizeof endings);
    endings[n] = *(const char *)thing;
}

/* Last asked for, first run; once; at a reset and at the close. */
static void arena_runs_what_was_asked_for(void **state)
{
    (void)state;
    char last[] = "z";
    arena *a = NULL;
    assert_ok(arena_open("test", &a));
    char *things = arena_alloc(a, 2, 1);
    assert_non_null(things);
    memcpy(things, "xy", 2);
    assert_ok(arena_at_end(a, note_ending, &things[0]));
    assert_ok(arena_at_end(a, note_ending, &things[1]));
    assert_string_equal(endings, "");
    arena_reset(a);
    assert_string_equal(endings, "yx");
    arena_reset(a);
    assert_string_equal(endings, "yx");
    assert_ok(arena_at_end(a, note_ending, last));
    arena_close(&a);
    assert_string_equal(endings, "yxz");
}

static void arena_aligns_zeroes_and_refuses(void **state)
{
    (void)state;
    arena *a = NULL;
    assert_ok(arena_open("test", &a));
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 1; i < 3000; i += 7) {
            unsigned char *p = arena_alloc(a, i, 3);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 64, 0);
            for (size_t k = 0; k < 3 * i; k++) {
                assert_int_equal(p[k], 0);
            }
            memset(p, 0xab, 3 * i);
        }
        unsigned char *big = arena_alloc(a, (size_t)5 << 20, 1);
        assert_non_null(big);
        arena_reset(a);
        assert_int_equal(arena_bytes(a), 0);
    }
    assert_null(arena_alloc(a, SIZE_MAX / 2, 3));
    assert_non_null(strstr(status_message(), "larger than the address space"));
    status_clear();
    arena_close(&a);
    assert_null(a);
}

static status third(void)
{
    return FAIL(ST_DATA, "first cause %d", 7);
}

static status second(void)
{
    status st = STATUS_OK;
    TRY_OR(cleanup, st, third());
cleanup:
    return status_first(st, FAIL(ST_BUG, "clean-up failed too"));
}

static void the_first_failure_is_kept(void **state)
{
    (void)state;
    assert_fails(second(), ST_DATA, "first cause 7", NULL);
    assert_string_equal(status_message(), "");
}

static void closest_word(void **state)
{
    (void)state;
    const char *const words[] = {"reference", "evaluation", "seeds", "rates"};
    assert_string_equal(text_closest("refrence", 4, words), "reference");
    assert_string_equal(text_closest("evlauation", 4, words), "evaluation");
    assert_string_equal(text_closest("seed", 4, words), "seeds");
    assert_null(text_closest("banana", 4, words));
}

static void messages_cannot_command_the_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *found, *shown;
    } cases[] = {
        {"4\x1b[2J", "4?[2J"},
        {"a\nb\tc\r", "a?b?c?"},
        {"\x7f", "?"},
        {"\xc2\x9b" "31m", "\?\?31m"},
        {"\x9b" "31m", "?31m"},           /* the same outside UTF-8 */
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xc2\xa0\xc3\x9b", "\xc2\xa0\xc3\x9b"}, /* 0x9b within a character */
        {"\xe9 of Latin-1", "\xe9 of Latin-1"},
        {"cut \xc2", "cut \xc2"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        (void)FAIL(ST_DATA, "found '%s'", cases[i].found);
        char expected[64];
        (void)snprintf(expected, sizeof expected, "found '%s'", cases[i].shown);
        assert_string_equal(status_message(), expected);
        status_clear();
    }
}

static void utf8_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t left, length;
    } cases[] = {
        {"a", 1, 1},
        {"", 1, 1},
        {"\xc3\xa9", 2, 2},
        {"\xc3\xa9", 1, 0},
        {"\xe2\x82\xac", SIZE_MAX, 3},
        {"\xe2\x82", SIZE_MAX, 0},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        {"\xf4\x90\x80\x80", 4, 0}, /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", 4, 0},
        {"\xf0\x8f\xbf\xbf", 4, 0}, /* overlong */
        {"\xe0\x9f\xbf", 3, 0},
        {"\xc1\xbf", 2, 0},
        {"\xed\x9f\xbf", 3, 3},
        {"\xed\xa0\x80", 3, 0}, /* a surrogate */
        {"\x80", 1, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(text_utf8_length(cases[i].text, cases[i].left), cases[i].length);
    }
}

/* Forecasts count on it. */
static void arena_takes_what_it_says(void **state)
{
    (void)state;
    arena *a = NULL;
    assert_ok(arena_open("test", &a));
    for (size_t count = 0; count < 300; count++) {
        const size_t before = arena_bytes(a);
        assert_non_null(arena_alloc(a, count, 3));
        assert_int_equal(arena_bytes(a) - before, arena_block_bytes(count, 3));
    }
    assert_int_equal(arena_block_bytes(0, 8), 64);
    assert_int_equal(arena_block_bytes(16, 4), 64);
    assert_int_equal(arena_block_bytes(17, 4), 128);
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_sum_is_independent_of_order),
        cmocka_unit_test(exact_sum_rounds_once),
        cmocka_unit_test(exact_sum_carries_many_values),
        cmocka_unit_test(exact_sum_keeps_infinities_and_nan),
        cmocka_unit_test(philox_matches_its_published_vector),
        cmocka_unit_test(subsets_are_nested_and_without_repetition),
        cmocka_unit_test(arena_aligns_zeroes_and_refuses),
        cmocka_unit_test(arena_runs_what_was_asked_for),
        cmocka_unit_test(arena_takes_what_it_says),
        cmocka_unit_test(the_first_failure_is_kept),
        cmocka_unit_test(closest_word),
        cmocka_unit_test(messages_cannot_command_the_terminal),
        cmocka_unit_test(utf8_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
