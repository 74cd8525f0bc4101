#include "support/support.h"

#include <string.h>
#include <time.h>

#include "parallel/comm.h"

static comm world;

static void all_fine_agree(void **state)
{
    (void)state;
    assert_ok(comm_agree(&world, STATUS_OK));
}

static void one_failure_reaches_everybody(void **state)
{
    (void)state;
    const int last = world.size - 1;
    const status mine = world.rank == last ? FAIL(ST_DATA, "rank %d found a broken file", last) : STATUS_OK;
    const status st = comm_agree(&world, mine);
    if (world.rank == last) {
        assert_fails(st, ST_DATA, "broken file", NULL);
    } else {
        assert_fails(st, ST_PEER, "rank", "failed", NULL);
    }
    assert_ok(comm_agree(&world, STATUS_OK));
}

/* A rank in a long loop hears of another's failure, and the next round starts silent. */
static void the_alarm_ends_loops_of_others(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        status st = STATUS_OK;
        const struct timespec nap = {0, 1000000};
        long laps = 0;
        while (!comm_alarm(&world, st)) {
            if (world.rank == 0 && laps == 5) {
                st = FAIL(ST_DATA, "lap 5");
            }
            (void)nanosleep(&nap, NULL);
            laps++;
            assert_true(laps < 20000);
        }
        assert_false(status_ok(comm_agree(&world, st)));
        status_clear();
        assert_false(world.raised);
        assert_ok(comm_agree(&world, STATUS_OK));
        assert_false(comm_alarm(&world, STATUS_OK));
        assert_ok(comm_agree(&world, STATUS_OK));
    }
}

static void bytes_are_shared(void **state)
{
    (void)state;
    arena *a = NULL;
    assert_ok(arena_open("test", &a));
    const void *data = world.rank == 0 ? "seven b" : NULL;
    size_t size = world.rank == 0 ? 7 : 99;
    assert_ok(comm_share_bytes(&world, a, &data, &size));
    assert_int_equal(size, 7);
    assert_string_equal(data, "seven b");
    size = 0;
    data = NULL;
    assert_ok(comm_share_bytes(&world, a, &data, &size));
    assert_int_equal(size, 0);
    arena_close(&a);
}

static void integers_add_up(void **state)
{
    (void)state;
    int64_t value[3] = {world.rank, INT64_C(1) << 40, -1};
    comm_sum_i64(&world, 3, value);
    assert_true(value[0] == (int64_t)world.size * (world.size - 1) / 2);
    assert_true(value[1] == (int64_t)world.size << 40);
    assert_true(value[2] == -world.size);
    uint8_t bits[8] = {0};
    bits[world.rank % 8] = (uint8_t)(world.rank + 1);
    comm_or_bytes(&world, sizeof bits, bits);
    for (int i = 0; i < world.size && i < 8; i++) {
        assert_int_equal(bits[i], i + 1);
    }
}

/* Arrays larger than what goes at once, their last piece a smaller one. */
static void large_arrays_add_up(void **state)
{
    (void)state;
    enum { ENOUGH = 1 << 30 };
    const size_t at_once = comm_reduce_bytes(&(comm){.size = 2}, ENOUGH), n = 2 * at_once / sizeof(int64_t) + 3;
    arena *a;
    assert_true(at_once > 0 && at_once < ENOUGH && comm_reduce_bytes(&(comm){.size = 2}, 5) == 5 && comm_reduce_bytes(&(comm){.size = 1}, ENOUGH) == 0);
    assert_ok(arena_open("test", &a));
    int64_t *value = arena_alloc(a, n, sizeof *value);
    uint8_t *bits = arena_alloc(a, 2 * at_once + 3, 1);
    assert_true(value != NULL && bits != NULL);
    for (size_t i = 0; i < n; i++) {
        value[i] = (int64_t)i + world.rank;
    }
    for (size_t i = (size_t)world.rank; i < 2 * at_once + 3; i += (size_t)world.size) {
        bits[i] = (uint8_t)(i % 251);
    }
    comm_sum_i64(&world, n, value);
    comm_or_bytes(&world, 2 * at_once + 3, bits);
    for (size_t i = 0; i < n; i++) {
        assert_true(value[i] == (int64_t)i * world.size + (int64_t)world.size * (world.size - 1) / 2);
    }
    for (size_t i = 0; i < 2 * at_once + 3; i++) {
        assert_true(bits[i] == i % 251);
    }
    arena_close(&a);
}

/* Every rank's array comes to rank 0, where the others' have other sizes, one of them none. */
static void arrays_are_fetched(void **state)
{
    (void)state;
    enum { MOST = 1000 };
    int32_t value[MOST] = {0};
    for (int from = 0; from < world.size; from++) {
        const size_t n = from == 1 ? 0 : MOST - 7 * (size_t)from;
        for (size_t i = 0; i < MOST; i++) {
            value[i] = world.rank == from ? 1000 * from + (int32_t)i : -1;
        }
        comm_fetch(&world, from, n * sizeof value[0], value);
        for (size_t i = 0; i < MOST; i++) {
            const bool here = world.rank == from || (world.rank == 0 && i < n);
            assert_int_equal(value[i], here ? 1000 * from + (int32_t)i : -1);
        }
    }
    assert_ok(comm_agree(&world, STATUS_OK));
}

static void everybody_hears_everybody(void **state)
{
    (void)state;
    arena *a = NULL;
    const double *value = NULL;
    const char *const *text = NULL;
    char mine[300];
    assert_ok(arena_open("test", &a));
    (void)snprintf(mine, sizeof mine, "rank %d", world.rank);
    assert_ok(comm_gather_f64(&world, a, 0.5 * world.rank, &value));
    assert_ok(comm_gather_text(&world, a, mine, &text));
    for (int i = 0; i < world.size; i++) {
        (void)snprintf(mine, sizeof mine, "rank %d", i);
        assert_true(value[i] == 0.5 * i);
        assert_string_equal(text[i], mine);
    }
    arena_close(&a);
}

/* The cause decides the exit code, whoever else only heard of it. */
static void all_leave_with_the_code_of_the_cause(void **state)
{
    (void)state;
    assert_int_equal(comm_report(&world, STATUS_OK, false), 0);
    const int last = world.size - 1;
    const status st = comm_agree(&world, world.rank == last ? FAIL(ST_NO_INPUT, "an expected message of this test") : STATUS_OK);
    assert_int_equal(comm_report(&world, st, false), ST_NO_INPUT);
    status_clear();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_fine_agree),
        cmocka_unit_test(one_failure_reaches_everybody),
        cmocka_unit_test(the_alarm_ends_loops_of_others),
        cmocka_unit_test(bytes_are_shared),
        cmocka_unit_test(integers_add_up),
        cmocka_unit_test(large_arrays_add_up),
        cmocka_unit_test(arrays_are_fetched),
        cmocka_unit_test(everybody_hears_everybody),
        cmocka_unit_test(all_leave_with_the_code_of_the_cause),
    };
    if (!status_ok(comm_start(&argc, &argv, &world))) {
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_finish(&world);
    return failed;
}
