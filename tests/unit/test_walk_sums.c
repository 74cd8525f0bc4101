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
    sums_of_maps(2, 19, 1, maps, NULL, absolute, with_sign);
    assert_true(with_sign[0] == -5.5f && absolute[0] == 5.5f && with_sign[1] == 190.0f && absolute[1] == 190.0f);
    float tokens[3 * 130], wide_absolute[130], wide_signed[130];
    for (size_t c = 0; c < 130; c++) {
        tokens[c] = (float)c;
        tokens[130 + c] = -1.0f;
        tokens[260 + c] = 0.25f;
    }
    sums_of_tokens(3, 130, tokens, NULL, wide_absolute, wide_signed);
    for (size_t c = 0; c < 130; c++) {
        assert_true(wide_absolute[c] == (float)c + 1.25f && wide_signed[c] == (float)c - 0.75f);
    }
    double values[3 * 130];
    for (size_t i = 0; i < COUNT(values); i++) {
        values[i] = (double)tokens[i];
        tokens[i] = -1.0f; /* not looked at */
    }
    sums_of_values(3, 130, values, wide_absolute, wide_signed);
    for (size_t c = 0; c < 130; c++) {
        assert_true(wide_absolute[c] == (float)c + 1.25f && wide_signed[c] == (float)c - 0.75f);
    }
    const float cancel[] = {1e8f, 1.0f, -1e8f}; /* in float the 1 would be lost */
    sums_of_maps(1, 3, 1, cancel, NULL, absolute, with_sign);
    assert_true(with_sign[0] == 1.0f);
    float apart[24] = {[3] = 1e8f, [11] = 1.0f, [19] = -1e8f}; /* the same for partial sums of every eighth value */
    sums_of_maps(1, 24, 1, apart, NULL, absolute, with_sign);
    assert_true(with_sign[0] == 1.0f);
    sums_of_tokens(3, 1, cancel, NULL, absolute, with_sign);
    assert_true(with_sign[0] == 1.0f);
}

/* Channels in blocks, some lanes empty; with a factor. */
static void sums_of_blocks(void **state)
{
    (void)state;
    enum { N = 10, SPACE = 19 };
    static const size_t lanes[] = {1, 8, 16};
    for (size_t k = 0; k < COUNT(lanes); k++) {
        float t[16 * SPACE] = {0.0f}, f[16 * SPACE] = {0.0f}, absolute[N], with_sign[N], plain[N], factored[N];
        for (size_t c = 0; c < N; c++) {
            plain[c] = factored[c] = 0.0f;
            for (size_t i = 0; i < SPACE; i++) {
                const size_t at = c / lanes[k] * lanes[k] * SPACE + i * lanes[k] + c % lanes[k];
                t[at] = (float)c - (float)i;
                f[at] = (float)(i % 3);
                plain[c] += t[at];
                factored[c] += t[at] * f[at];
            }
        }
        sums_of_maps(N, SPACE, lanes[k], t, NULL, absolute, with_sign);
        assert_memory_equal(with_sign, plain, sizeof plain);
        sums_of_maps(N, SPACE, lanes[k], t, f, absolute, with_sign);
        assert_memory_equal(with_sign, factored, sizeof factored);
        assert_true(absolute[0] == -factored[0] && factored[0] < 0.0f);
    }
    const float t[] = {1.0f, -2.0f, 3.0f, 4.0f}, f[] = {2.0f, 1.0f, -1.0f, 0.5f};
    float absolute[2], with_sign[2];
    sums_of_tokens(2, 2, t, f, absolute, with_sign);
    assert_true(absolute[0] == 5.0f && with_sign[0] == -1.0f && absolute[1] == 4.0f && with_sign[1] == 0.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_by_hand),
        cmocka_unit_test(sums_of_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
