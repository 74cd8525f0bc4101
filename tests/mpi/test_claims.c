/* Units of work that ranks claim: each by one rank, whoever is slow or fails. Under POLLARD_RANKS_PER_NODE a host is several nodes. */
#include "support/support.h"

#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "parallel/claims.h"

static comm world;
static arena *memory;
static claims *deal;

enum { MOST = 1000 };

static int open_claims(void **state)
{
    (void)state;
    return status_ok(arena_open("claims", &memory)) && status_ok(claims_open(&world, memory, &deal)) ? 0 : 1;
}

static int close_claims(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

static void sleep_us(long us)
{
    const struct timespec t = {.tv_nsec = us * 1000};
    (void)nanosleep(&t, NULL);
}

/* What one rank does in a round. */
typedef struct part {
    long us;          /* that each of its units takes */
    long fails_after; /* so many units; < 0: never */
    bool claims_on;   /* after its failure, as one that holds units already may */
} part;

/* count [n]: how often each unit was claimed, over all ranks; *mine: units of this rank. This rank's verdict as the agreement has it. */
static status play(size_t n, part p, int64_t count[MOST], size_t *mine)
{
    size_t unit, last = 0;
    status st = STATUS_OK;
    memset(count, 0, MOST * sizeof count[0]);
    *mine = 0;
    claims_begin(deal, n);
    while (!comm_alarm(&world, st)) {
        const bool got = (p.fails_after < 0 || *mine < (size_t)p.fails_after) && claims_next(deal, &unit);
        if (!got && p.fails_after >= 0) { /* at the latest when nothing is left */
            st = FAIL(ST_DATA, "this rank was told to fail");
            continue;
        }
        if (!got) {
            break;
        }
        assert_true(unit < n);
        assert_true(*mine == 0 || unit > last);
        last = unit;
        count[unit]++;
        ++*mine;
        if (p.us > 0) {
            sleep_us(p.us);
        }
        claims_tick(deal);
    }
    if (!status_ok(st) && p.claims_on) {
        assert_false(claims_next(deal, &unit)); /* nothing for who has failed, and no waiting */
    }
    claims_end(deal);
    st = comm_agree(&world, st);
    comm_sum_i64(&world, MOST, count);
    return st;
}

static void assert_each_once(size_t n, const int64_t count[MOST])
{
    for (size_t i = 0; i < MOST; i++) {
        if (count[i] != (i < n)) {
            fail_msg("unit %zu of %zu was claimed %jd times", i, n, (intmax_t)count[i]);
        }
    }
}

static const part willing = {.fails_after = -1};

static void each_unit_is_claimed_once(void **state)
{
    (void)state;
    const size_t size = (size_t)world.size, sizes[] = {0, 1, 2, size - 1, size, size + 1, 2 * size, 37, MOST};
    int64_t count[MOST];
    size_t mine;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        assert_ok(play(sizes[i], willing, count, &mine));
        assert_each_once(sizes[i], count);
    }
}

static void round_after_round(void **state)
{
    (void)state;
    int64_t count[MOST];
    size_t mine;
    for (uint32_t round = 0; round < 300; round++) {
        const size_t n = rng_u64(1, RNG_TEST, 1, round) % 40;
        const part p = {.us = (long)(rng_u64(1, RNG_TEST, 2, round * 64 + (uint32_t)world.rank) % 60), .fails_after = -1};
        assert_ok(play(n, p, count, &mine));
        assert_each_once(n, count);
    }
}

/* Counted, not timed: the others take what the slow one does not come for. A node of one rank gets its share of half of the units at once. */
static void a_slow_rank_holds_up_nobody(void **state)
{
    (void)state;
    int64_t count[MOST];
    size_t mine;
    for (int slow = 0; slow < world.size; slow++) {
        const part p = {.us = world.rank == slow && world.size > 1 ? 3000 : 0, .fails_after = -1};
        assert_ok(play(MOST, p, count, &mine));
        assert_each_once(MOST, count);
        if (world.size > 1 && world.rank == slow) {
            assert_in_range(mine, 0, MOST / world.size * 3 / 4);
        }
    }
}

/* All but one are slow, or all are as slow as each other. */
static void a_fast_rank_does_most(void **state)
{
    (void)state;
    int64_t count[MOST];
    size_t mine;
    for (int fast = 0; fast < world.size; fast++) {
        const part p = {.us = world.rank == fast ? 0 : 3000, .fails_after = -1};
        assert_ok(play(MOST, p, count, &mine));
        assert_each_once(MOST, count);
        if (world.rank == fast) {
            assert_in_range(mine, MOST / world.size + (world.size > 1), MOST);
        }
    }
}

/* The others hear of it and stop, nobody waits for ever, and the next round knows nothing of it. */
static void a_failure_ends_the_round_for_all(void **state)
{
    (void)state;
    int64_t count[MOST];
    size_t mine;
    for (uint32_t round = 0; round < 200; round++) {
        const int fails = (int)(round % (uint32_t)world.size);
        const part p = {.us = (long)(rng_u64(2, RNG_TEST, 1, round * 64 + (uint32_t)world.rank) % 200),
                        .fails_after = world.rank == fails ? (long)(rng_u64(2, RNG_TEST, 2, round) % 6) : -1,
                        .claims_on = round % 3 == 0};
        const status st = play(MOST, p, count, &mine);
        if (world.rank == fails) {
            assert_fails(st, ST_DATA, "this rank was told to fail", NULL);
        } else {
            assert_fails(st, ST_PEER, NULL);
        }
        for (size_t i = 0; i < MOST; i++) {
            assert_in_range(count[i], 0, 1);
        }
        const size_t n = round % 5 == 0 ? MOST : 20;
        assert_ok(play(n, willing, count, &mine));
        assert_each_once(n, count);
    }
}

static void many_may_fail_at_once(void **state)
{
    (void)state;
    int64_t count[MOST];
    size_t mine;
    for (uint32_t round = 0; round < 60; round++) {
        const part p = {.us = 50, .fails_after = rng_u64(3, RNG_TEST, 1, round * 64 + (uint32_t)world.rank) % 2 == 0 ? (long)(round % 4) : -1};
        int64_t failing = p.fails_after >= 0;
        comm_sum_i64(&world, 1, &failing);
        const status st = play(MOST, p, count, &mine);
        if (failing == 0) {
            assert_ok(st);
        } else {
            assert_fails(st, p.fails_after < 0 || st.code == ST_PEER ? ST_PEER : ST_DATA, NULL); /* heard of another before it could */
        }
        assert_ok(play(MOST, willing, count, &mine));
        assert_each_once(MOST, count);
    }
}

/* Who has failed before the round begins claims nothing and waits for nothing. */
static void a_failure_before_the_round(void **state)
{
    (void)state;
    int64_t count[MOST];
    size_t mine, unit;
    for (int fails = 0; fails < world.size; fails++) {
        const status before = world.rank == fails ? FAIL(ST_DATA, "failed early") : STATUS_OK;
        const bool heard = comm_alarm(&world, before);
        assert_true(world.rank != fails || heard);
        claims_begin(deal, MOST);
        while (claims_next(deal, &unit) && world.rank != fails) {
            sleep_us(100);
        }
        claims_end(deal);
        assert_false(status_ok(comm_agree(&world, before)));
        status_clear();
        assert_ok(play(MOST, willing, count, &mine));
        assert_each_once(MOST, count);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_unit_is_claimed_once, open_claims, close_claims),
        cmocka_unit_test_setup_teardown(round_after_round, open_claims, close_claims),
        cmocka_unit_test_setup_teardown(a_slow_rank_holds_up_nobody, open_claims, close_claims),
        cmocka_unit_test_setup_teardown(a_fast_rank_does_most, open_claims, close_claims),
        cmocka_unit_test_setup_teardown(a_failure_ends_the_round_for_all, open_claims, close_claims),
        cmocka_unit_test_setup_teardown(many_may_fail_at_once, open_claims, close_claims),
        cmocka_unit_test_setup_teardown(a_failure_before_the_round, open_claims, close_claims),
    };
    if (!status_ok(comm_start(&argc, &argv, &world))) {
        (void)fprintf(stderr, "%s\n", status_message());
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_finish(&world);
    return failed;
}
