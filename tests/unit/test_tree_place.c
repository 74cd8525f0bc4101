/* Places of a tree's buffers: what is alive together does not overlap, and memory is used again. */
#include "support/support.h"

#include <string.h>

#include "attribution/tree_place.h"
#include "core/rng.h"

enum { LINE = 16, ROUNDS = 20 };

static size_t draw(uint32_t round, uint32_t stream, size_t i, size_t below)
{
    return (size_t)(rng_u64(round, RNG_TEST, stream, (uint32_t)i) % below);
}

static size_t lines(size_t floats)
{
    return (floats + LINE - 1) / LINE * LINE;
}

static size_t most_alive(size_t n_steps, size_t n, const block b[])
{
    size_t most = 0;
    for (size_t step = 0; step < n_steps; step++) {
        size_t alive = 0;
        for (size_t i = 0; i < n; i++) {
            alive += b[i].first <= step && step <= b[i].last ? lines(b[i].size) : 0;
        }
        most = alive > most ? alive : most;
    }
    return most;
}

static void assert_apart(size_t n, const block b[], size_t total)
{
    for (size_t i = 0; i < n; i++) {
        assert_true(b[i].offset % LINE == 0 && b[i].offset + b[i].size <= total);
        for (size_t j = 0; j < i; j++) {
            const bool together = b[i].first <= b[j].last && b[j].first <= b[i].last;
            const bool apart = b[i].offset + b[i].size <= b[j].offset || b[j].offset + b[j].size <= b[i].offset;
            assert_true(!together || apart);
        }
    }
}

static void buffers_alive_together_are_apart(void **state)
{
    (void)state;
    enum { N = 80, STEPS = 46 };
    arena *scratch = NULL;
    assert_ok(arena_open("place test", &scratch));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        block b[N], again[N];
        size_t total, same, sum = 0;
        for (size_t i = 0; i < N; i++) { /* in no order; some of no size, some for one step, some for all */
            const size_t first = draw(round, 0, i, STEPS), length = i % 9 == 0 ? STEPS : draw(round, 1, i, 6);
            b[i] = (block){.size = draw(round, 2, i, 500),
                           .first = first,
                           .last = first + length < STEPS ? first + length : STEPS - 1};
            sum += lines(b[i].size);
        }
        memcpy(again, b, sizeof again);
        assert_ok(tree_place(scratch, STEPS, N, b, &total));
        assert_ok(tree_place(scratch, STEPS, N, again, &same));
        assert_apart(N, b, total);
        assert_true(total >= most_alive(STEPS, N, b) && total < sum);
        assert_int_equal(total, same);
        for (size_t i = 0; i < N; i++) {
            assert_int_equal(b[i].offset, again[i].offset);
        }
    }
    arena_close(&scratch);
}

/* A tree whose branches all have the same sizes: each branch takes the places of the one before, so that many take no more than one. */
static size_t place_branches(arena *scratch, size_t branches)
{
    enum { MOST = 64, DEPTH = 8 };
    block b[1 + MOST * DEPTH];
    const size_t n = 1 + branches * DEPTH;
    size_t total;
    b[0] = (block){.size = 1000, .first = 0, .last = n - 1}; /* where they branch */
    for (size_t i = 0; i < branches * DEPTH; i++) {
        const size_t step = i + 1;
        b[step] = (block){.size = 64 * (i % DEPTH + 1), .first = step, .last = i % DEPTH == DEPTH - 1 ? step : step + 1};
    }
    assert_ok(tree_place(scratch, n, n, b, &total));
    assert_apart(n, b, total);
    assert_true(total <= most_alive(n, n, b) * 5 / 4);
    return total;
}

static void branches_take_the_same_places(void **state)
{
    (void)state;
    arena *scratch = NULL;
    assert_ok(arena_open("place test", &scratch));
    assert_int_equal(place_branches(scratch, 64), place_branches(scratch, 1));
    arena_close(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_alive_together_are_apart),
        cmocka_unit_test(branches_take_the_same_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
