#include "support/support.h"

#include "attribution/walk_sums.h"

static void sums_by_hand(void **state)
{
    (void)state;
    float absolute[2], with_sign[2];
    float maps[2 * 19];
    for (size_t i = 0; i < 19; i++) {
        maps[i] = i % 2 == 0 ? -1.0f : 0.5f; /* 10 x -1 + 9 x 0.5 */
        maps[19 + i] = 1.0f + (float)i;
    }
    sums_of_maps(2, 19, maps, absolute, with_sign);
    assert_true(with_sign[0] == -5.5f && absolute[0] == 5.5f && with_sign[1] == 190.0f && absolute[1] == 190.0f);
    float tokens[3 * 130], wide_absolute[130], wide_signed[130];
    for (size_t c = 0; c < 130; c++) {
        tokens[c] = (float)c;
        tokens[130 + c] = -1.0f;
        tokens[260 + c] = 0.25f;
    }
    sums_of_tokens(3, 130, tokens, wide_absolute, wide_signed);
    for (size_t c = 0; c < 130; c++) {
        assert_true(wide_absolute[c] == (float)c + 1.25f && wide_signed[c] == (float)c - 0.75f);
    }
    const float cancel[] = {1e8f, 1.0f, -1e8f}; /* in float the 1 would be lost */
    sums_of_maps(1, 3, cancel, absolute, with_sign);
    assert_true(with_sign[0] == 1.0f);
    float apart[24] = {[3] = 1e8f, [11] = 1.0f, [19] = -1e8f}; /* the same for partial sums of every eighth value */
    sums_of_maps(1, 24, apart, absolute, with_sign);
    assert_true(with_sign[0] == 1.0f);
    sums_of_tokens(3, 1, cancel, absolute, with_sign);
    assert_true(with_sign[0] == 1.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
