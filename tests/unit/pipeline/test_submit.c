/* What a job for Slurm is to be given. */
#include "support/support.h"

#include <string.h>

#include "pipeline/dry_run.h"
#include "pipeline/submit_parts.h"

enum { STAGES = 16 };
static const slurm_node unknown = {0, 0.0};

/* A plan of a study without networks: a stage in the middle of so many items and seconds, and one at the end. */
typedef struct made {
    plan plan;
    stage_forecast stage[STAGES];
    double seconds[STAGES];
    dry_run_report report;
} made;

static size_t stage_of(bool at_the_end)
{
    size_t i = 0;
    while (i < stage_count && stage_table[i]->at_the_end != at_the_end) {
        i++;
    }
    assert_true(i < stage_count && stage_count <= STAGES);
    return i;
}

static void make(made *m, double seconds, double seconds_at_the_end)
{
    memset(m, 0, sizeof *m);
    m->report = (dry_run_report){.plan = &m->plan, .ranks = 1, .stage = m->stage, .seconds = m->seconds, .tried = true};
    m->report.memory = m->report.others = (rank_memory){.ranks = 1, .most = 1e8, .when = "result"};
    m->stage[stage_of(false)].items = 1000;
    m->seconds[stage_of(false)] = seconds;
    m->stage[stage_of(true)].items = seconds_at_the_end > 0.0 ? 64000 : 0;
    m->seconds[stage_of(true)] = seconds_at_the_end;
}

/* Ranks together, with twice the time and ten minutes, in steps of five: all of a job alone; of shares all but the end, which the last job has to itself. */
static void the_end_is_for_the_job_that_joins(void **state)
{
    (void)state;
    made m;
    job_shape one = {.nodes = 1, .per_node = 10}, shares = {.nodes = 1, .per_node = 10, .shares = 5};
    make(&m, 90000.0, 30000.0);
    assert_ok(submit_shape(&m.report, &unknown, &one));
    assert_true(one.run_seconds == 12000.0 && one.core_seconds == 120000.0 && one.seconds == 24600.0);
    assert_ok(submit_shape(&m.report, &unknown, &shares));
    assert_true(shares.run_seconds == 1800.0 && shares.core_seconds == 120000.0 && shares.seconds == 4200.0);
    assert_true(shares.merge_seconds == 60600.0);
    make(&m, 90000.0, 300000.0); /* it would begin again: a day is no bound */
    shares = (job_shape){.nodes = 1, .per_node = 10, .shares = 5};
    assert_ok(submit_shape(&m.report, &unknown, &shares));
    assert_true(shares.seconds == 4200.0 && shares.merge_seconds == 600600.0);
}

/* A search comes before the study, on the same ranks, and its widest round may have more items than that. */
static void a_search_is_part_of_the_job(void **state)
{
    (void)state;
    made m;
    stage_forecast stage[STAGES] = {{0}};
    double seconds[STAGES] = {0.0};
    size_t fewest[STAGES] = {0};
    const slurm_node large = {50000, 0.0};
    job_shape one = {.nodes = 1, .per_node = 10}, free = {.nodes = 1, .shares = 5};
    make(&m, 90000.0, 0.0);
    stage[stage_of(false)].items = 4000;
    fewest[stage_of(false)] = 5; /* a rung of a race with few images: five ranks of the ten have work */
    seconds[stage_of(false)] = 60000.0;
    m.report.search = (search_forecast){.n_parts = 1, .stage = stage, .seconds = seconds, .fewest = fewest};
    assert_ok(submit_shape(&m.report, &unknown, &one));
    assert_true(one.run_seconds == 21000.0 && one.core_seconds == 150000.0 && one.seconds == 42600.0);
    assert_ok(submit_shape(&m.report, &large, &free));
    assert_int_equal(free.per_node, 800);
    one = (job_shape){.nodes = 1, .per_node = 10};
    m.report.search.proposal_seconds = 300.0; /* of each of ten ranks */
    assert_ok(submit_shape(&m.report, &unknown, &one));
    assert_true(one.run_seconds == 21300.0 && one.core_seconds == 153000.0 && one.seconds == 43200.0);
}

/* Whoever goes through a search again proposes again; of its stages the journals know everything. */
static void who_joins_shares_proposes_again(void **state)
{
    (void)state;
    made m;
    stage_forecast stage[STAGES] = {{0}};
    double seconds[STAGES] = {0.0};
    size_t fewest[STAGES] = {0};
    job_shape shares = {.nodes = 1, .per_node = 10, .shares = 5};
    make(&m, 90000.0, 30000.0);
    seconds[stage_of(false)] = 60000.0;
    m.report.search = (search_forecast){.n_parts = 1, .stage = stage, .seconds = seconds, .fewest = fewest, .proposal_seconds = 9000.0};
    assert_ok(submit_shape(&m.report, &unknown, &shares));
    assert_true(shares.merge_seconds == 78600.0); /* twice 9000 + 30000, and ten minutes */
    make(&m, 90000.0, 0.0);
    m.report.search.proposal_seconds = 0.0;
    shares = (job_shape){.nodes = 1, .per_node = 10, .shares = 5};
    assert_ok(submit_shape(&m.report, &unknown, &shares));
    assert_true(shares.merge_seconds == 3600.0);
}

static void a_job_that_only_joins_gets_an_hour(void **state)
{
    (void)state;
    made m;
    const double ends[] = {0.0, 10.0};
    for (size_t i = 0; i < COUNT(ends); i++) {
        job_shape s = {.nodes = 1, .per_node = 1, .shares = 2, .seconds = 7200.0};
        make(&m, 90000.0, ends[i]);
        assert_ok(submit_shape(&m.report, &unknown, &s));
        assert_true(s.seconds == 7200.0 && s.merge_seconds == 3600.0);
    }
}

/* Nothing tells how long the end takes: as long as somebody has said of a share, if there is an end. */
static void times_that_nobody_has_tried(void **state)
{
    (void)state;
    made m;
    const double ends[] = {0.0, 1.0}, expected[] = {3600.0, 7200.0};
    for (size_t i = 0; i < COUNT(ends); i++) {
        job_shape s = {.nodes = 1, .per_node = 1, .shares = 2, .seconds = 7200.0}, open = {.nodes = 1, .per_node = 1, .shares = 2};
        make(&m, 0.0, ends[i]);
        m.report.tried = false;
        assert_ok(submit_shape(&m.report, &unknown, &s));
        assert_true(s.seconds == 7200.0 && s.merge_seconds == expected[i] && s.run_seconds < 0.0);
        assert_fails(submit_shape(&m.report, &unknown, &open), ST_ENVIRONMENT, "--time", NULL);
    }
}

/* More ranks than items would wait; matrices of the end are no items of a share. */
static void ranks_are_for_items(void **state)
{
    (void)state;
    made m;
    const slurm_node large = {50000, 0.0};
    job_shape one = {.nodes = 2}, shares = {.nodes = 2, .shares = 5};
    make(&m, 1.0, 1.0);
    assert_ok(submit_shape(&m.report, &large, &one));
    assert_int_equal(one.per_node, 32000);
    assert_ok(submit_shape(&m.report, &large, &shares));
    assert_int_equal(shares.per_node, 100);
}

/* What one rank alone gathers and writes is not that of each: sixteen of them fit where sixteen times the first would not. */
static void memory_of_a_node(void **state)
{
    (void)state;
    made m;
    const double gib = 1073741824.0;
    const slurm_node small = {16, 6.0 * gib};
    job_shape s = {.nodes = 1, .per_node = 16};
    make(&m, 100.0, 0.0);
    m.report.memory.most = 1.0 * gib;
    m.report.others.most = 0.125 * gib;
    assert_ok(submit_shape(&m.report, &small, &s));
    assert_true(s.node_bytes == (1.25 * (1.0 + 15 * 0.125) + 0.5) * gib && s.merge_bytes == (1.25 * 1.0 + 0.5) * gib);
    m.report.others.most = 1.0 * gib;
    assert_fails(submit_shape(&m.report, &small, &s), ST_ENVIRONMENT, "16 ranks a node need 20992 MiB", "6144 MiB", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_is_for_the_job_that_joins),
        cmocka_unit_test(a_search_is_part_of_the_job),
        cmocka_unit_test(who_joins_shares_proposes_again),
        cmocka_unit_test(a_job_that_only_joins_gets_an_hour),
        cmocka_unit_test(times_that_nobody_has_tried),
        cmocka_unit_test(ranks_are_for_items),
        cmocka_unit_test(memory_of_a_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
