#include "support/support.h"

#include "core/rng.h"
#include "nn/layout.h"

static void blocks_alive_together_are_apart(void **state)
{
    (void)state;
    enum { N = 60 };
    arena *scratch = NULL;
    assert_ok(arena_open("layout test", &scratch));
    for (uint32_t round = 0; round < 20; round++) {
        block b[N];
        size_t sum = 0, total, most = 0;
        for (uint32_t i = 0; i < N; i++) {
            const size_t first = rng_u64(round, RNG_TEST, 0, i) % 40, length = rng_u64(round, RNG_TEST, 1, i) % 6;
            b[i] = (block){.size = rng_u64(round, RNG_TEST, 2, i) % 500, .first = first, .last = first + length};
            sum += b[i].size + 15;
        }
        assert_ok(layout_plan(scratch, N, b, &total));
        for (size_t i = 0; i < N; i++) {
            assert_true(b[i].offset % 16 == 0 && b[i].offset + b[i].size <= total);
            for (size_t j = 0; j < i; j++) {
                const bool together = b[i].first <= b[j].last && b[j].first <= b[i].last;
                const bool apart = b[i].offset + b[i].size <= b[j].offset || b[j].offset + b[j].size <= b[i].offset;
                assert_true(!together || apart);
            }
        }
        for (size_t at = 0; at < 46; at++) {
            size_t living = 0;
            for (size_t i = 0; i < N; i++) {
                living += b[i].first <= at && at <= b[i].last ? b[i].size : 0;
            }
            most = living > most ? living : most;
        }
        assert_true(total >= most && total < sum / 2); /* at most 46 steps of up to 6: reuse has to show */
    }
    arena_close(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_alive_together_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
