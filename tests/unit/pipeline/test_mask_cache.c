/* Counts of pruned networks that were evaluated before are found by model, evaluation set and mask, and by nothing less. */
#include "support/support.h"

#include <string.h>

#include "core/rng.h"
#include "stages/mask_cache.h"

enum { N = 3000 }; /* more than it has room for at first, twice over */

static arena *memory;

static int open_memory(void **state)
{
    (void)state;
    return status_ok(arena_open("cache test", &memory)) ? 0 : 1;
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

/* Digests that agree in their first half, and some of them in all but the last byte. */
static void digest_of(size_t i, uint8_t out[16])
{
    memset(out, 7, 8);
    const uint64_t more = rng_u64(1, RNG_TEST, 0, (uint32_t)(i / 2));
    memcpy(out + 8, &more, 8);
    out[15] = (uint8_t)(i % 2);
}

static void add(mask_cache *c, size_t i, size_t n)
{
    uint8_t digest[16];
    int64_t counters[4] = {(int64_t)i, -(int64_t)i, 1, 2};
    digest_of(i, digest);
    assert_ok(mask_cache_add(c, i % 3, i % 5, digest, n, counters));
    memset(counters, 0xff, sizeof counters); /* they were copied */
}

static void assert_found(const mask_cache *c, size_t i)
{
    uint8_t digest[16];
    digest_of(i, digest);
    const int64_t *found = mask_cache_find(c, i % 3, i % 5, digest);
    assert_non_null(found);
    assert_int_equal(found[0], (int64_t)i);
    assert_int_equal(found[1], -(int64_t)i);
    assert_null(mask_cache_find(c, i % 3 + 3, i % 5, digest));
    assert_null(mask_cache_find(c, i % 3, (i + 1) % 5, digest));
    digest[0] ^= 1;
    assert_null(mask_cache_find(c, i % 3, i % 5, digest));
    digest[0] ^= 1;
    digest[15] ^= 2;
    assert_null(mask_cache_find(c, i % 3, i % 5, digest));
}

static void what_was_added_is_found_again(void **state)
{
    (void)state;
    mask_cache c = {.arena = memory};
    uint8_t digest[16];
    digest_of(0, digest);
    assert_null(mask_cache_find(&c, 0, 0, digest)); /* there is nothing yet */
    mask_cache_sort(&c);
    assert_null(mask_cache_find(&c, 0, 0, digest));
    for (size_t i = 0; i < N; i++) {
        add(&c, i, 2 + i % 3);
    }
    mask_cache_sort(&c);
    for (size_t i = 0; i < N; i++) {
        assert_found(&c, i);
    }
}

/* While a round is under way nothing of it is found, and all of the rounds before is: whether a mask is known may not depend on which mask of
 * its round comes first. */
static void a_round_is_found_when_it_is_over(void **state)
{
    (void)state;
    mask_cache c = {.arena = memory};
    for (size_t i = 0; i < N; i++) {
        uint8_t digest[16];
        add(&c, i, 2);
        digest_of(i, digest);
        assert_null(mask_cache_find(&c, i % 3, i % 5, digest));
        if (i % 700 == 699) {
            mask_cache_sort(&c);
        }
        if (i >= 700) {
            assert_found(&c, i / 700 * 700 - 1 - i % 700);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_added_is_found_again, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_round_is_found_when_it_is_over, open_memory, close_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
