/* What forecasts are made of: sizes of blocks, shares of ranks, micro-batches of a trial, its clock; and stages by name. */
#include "support/support.h"

#include "stages/forecast.h"
#include "stages/stage.h"

static void parts_of_a_forecast(void **state)
{
    (void)state;
    const config cfg = {.micro_batch = 16};
    const study s = {.config = &cfg};
    trial t;
    assert_int_equal(forecast_block(0, 8), 64);
    assert_int_equal(forecast_block(9, 8), 128);
    assert_int_equal(forecast_share(5, 2), 3);
    assert_int_equal(forecast_share(6, 3), 2);
    trial_open(&s, 1e6, 0.1, &t);
    assert_int_equal(t.study.config->micro_batch, 16);
    trial_open(&s, 1e8, 0.1, &t); /* 4e9 a second on a slow core: four images */
    assert_int_equal(t.study.config->micro_batch, 4);
    trial_open(&s, 1e12, 0.1, &t);
    assert_int_equal(t.study.config->micro_batch, 1);
    trial_clock c = {0};
    trial_lap(&c, 7.0);
    assert_true(trial_mean(&c) == 7.0);
    trial_lap(&c, 2.0);
    trial_lap(&c, 4.0);
    assert_true(trial_mean(&c) == 3.0);
}

static void stages_are_found_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < stage_count; i++) {
        assert_ptr_equal(stage_find(stage_table[i]->name), stage_table[i]);
    }
    assert_null(stage_find("no such stage"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_of_a_forecast), cmocka_unit_test(stages_are_found_by_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
