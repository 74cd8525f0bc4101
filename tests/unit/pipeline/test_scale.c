/* The simulation of claims against what can be worked out by hand, and the laws that any schedule obeys. */
#include "support/support.h"

#include <math.h>
#include <time.h>

#include "pipeline/scale.h"

enum { MOST_KINDS = 4 };

/* A machine on which nothing but items takes time. */
static scale_machine ideal(size_t ranks, size_t per_node)
{
    return (scale_machine){.ranks = ranks, .per_node = per_node, .bandwidth = INFINITY, .creates = INFINITY, .writes = INFINITY};
}

static work_list list_of(const work_part *part, size_t stretch)
{
    return (work_list){.stage = "evaluate", .n_parts = 1, .part = part, .stretch = stretch, .payload = 100};
}

static scale_result run(const scale_machine *m, size_t n, const work_list lists[])
{
    arena *a;
    scale_result r;
    assert_ok(arena_open("test", &a));
    assert_ok(scale_run(a, m, n, lists, &r));
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += r.list_seconds[i];
    }
    assert_true(fabs(sum - r.seconds) <= 1e-9 * (1.0 + r.seconds));
    r.list_seconds = NULL;
    arena_close(&a);
    /* Every second of every rank is accounted for, once, and all items were computed. */
    const double all = (double)m->ranks * r.seconds, told = r.busy + r.reading + r.starved + r.ended + r.joined + r.noting;
    assert_true(fabs(all - told) <= 1e-9 * (1.0 + all));
    double every = 0.0;
    for (size_t i = 0; i < n; i++) {
        every += lists[i].every_rank * (double)m->ranks;
    }
    const double work = scale_work(m, n, lists) + every;
    assert_true(fabs(work - r.busy) <= 1e-9 * (1.0 + work));
    return r;
}

#define assert_near(x, y) assert_true(fabs((x) - (y)) <= 1e-9 * (1.0 + fabs(y)))

static void one_rank_takes_as_long_as_all_items_together(void **state)
{
    (void)state;
    static const double seconds[MOST_KINDS] = {0.5, 1.0, 0.25, 2.0};
    const work_part part = {.n = 103, .n_kinds = MOST_KINDS, .seconds = seconds, .ticks = 3};
    const work_list list = list_of(&part, 16);
    scale_machine m = ideal(1, 1);
    assert_near(run(&m, 1, &list).seconds, 25 * 3.75 + 0.5 + 1.0 + 0.25);
    m.spread = 0.3;
    const scale_result r = run(&m, 1, &list);
    assert_near(r.seconds, scale_work(&m, 1, &list));
    assert_near(scale_idle_share(&m, &r), 0.0);
    assert_true(fabs(r.seconds / (25 * 3.75 + 1.75) - 1.0) < 0.1); /* the mean is kept */
    assert_int_equal(r.answers, 0);
}

static void equal_items_end_within_one_of_each_other(void **state)
{
    (void)state;
    static const double second = 1.0;
    for (size_t n = 1; n < 100; n += 7) {
        for (size_t ranks = 1; ranks < 20; ranks += 3) {
            const work_part part = {.n = n, .n_kinds = 1, .seconds = &second, .ticks = 1};
            const work_list list = list_of(&part, 1);
            const scale_machine m = ideal(ranks, ranks);
            const scale_result r = run(&m, 1, &list);
            assert_near(r.seconds, ceil((double)n / (double)ranks));
            assert_near(scale_idle_share(&m, &r), 1.0 - (double)n / ((double)ranks * r.seconds));
        }
    }
}

/* Two nodes of a rank each, four items of a second. Rank 0 takes items 0 and 1 and computes; the question of rank 1, which comes after that, waits
 * until item 0 is done. Item 2 is its answer; rank 1 asks again at once, and waits for that answer with item 2 in hand until rank 0 has done item 1
 * (at 2 s, and two answers). Rank 0 has taken item 3: the answer is that nothing is left. */
static void two_nodes_as_worked_out_by_hand(void **state)
{
    (void)state;
    static const double second = 1.0;
    const work_part part = {.n = 4, .n_kinds = 1, .seconds = &second, .ticks = 1};
    const work_list list = list_of(&part, 1);
    scale_machine m = ideal(2, 1);
    m.latency = 0.002;
    m.claim = 0.001;
    m.poll = 0.01;
    m.answer = 0.003;
    const scale_result r = run(&m, 1, &list);
    const double before = m.latency, behind = 6.0 * m.latency; /* one meeting, six agreements: one level each */
    assert_near(r.seconds, 3.0 + m.claim + 2.0 * m.answer + m.latency + 2.0 * m.poll + before + behind);
    assert_int_equal(r.answers, 2);
    assert_near(r.messages, 7.0 + 2.0 * 2.0 / 2.0);
    assert_near(r.ended, m.latency + 2.0 * m.poll);
}

/* The same with items that look at messages ten times: the first question is answered after a tenth of an item, the second one also. */
static void whoever_ticks_more_often_answers_sooner(void **state)
{
    (void)state;
    static const double second = 1.0;
    work_part part = {.n = 4, .n_kinds = 1, .seconds = &second, .ticks = 10};
    const work_list list = list_of(&part, 1);
    scale_machine m = ideal(2, 1);
    m.latency = 0.002;
    m.poll = 0.01;
    const scale_result r = run(&m, 1, &list);
    /* Asked at 0.002, answered at 0.1, taken at 0.122; asked at once, answered at 0.2, known at 0.222: item 2 (and item 3, of this answer). */
    assert_near(r.seconds - 7.0 * m.latency, 2.222);
    part.ticks = 1;
    assert_true(run(&m, 1, &list).seconds > r.seconds + 0.5);
}

/* Whatever the machine: no schedule is shorter than the work over the ranks or than the longest item. */
static void nothing_is_faster_than_it_can_be(void **state)
{
    (void)state;
    static const double seconds[MOST_KINDS] = {0.5, 1.0, 0.25, 2.0};
    const work_part parts[] = {{.n = 480, .n_kinds = MOST_KINDS, .seconds = seconds, .read_seconds = 0.3, .ticks = 16},
                               {.n = 33, .n_kinds = 3, .seconds = seconds, .read_seconds = 0.1, .ticks = 4}};
    const work_list lists[] = {{.stage = "attribute", .n_parts = 2, .part = parts, .stretch = 1, .payload = 100000, .summed = 1000000, .every_rank = 0.5},
                               {.stage = "evaluate", .n_parts = 2, .part = parts, .stretch = 16, .payload = 100}};
    double before = INFINITY;
    for (size_t ranks = 1; ranks <= 256; ranks *= 2) {
        for (size_t each = 1; each <= ranks; each *= 4) {
            scale_machine m = scale_common(ranks, each);
            m.spread = 0.1;
            const scale_result r = run(&m, 2, lists);
            assert_true(r.seconds >= scale_work(&m, 2, lists) / (double)ranks + 0.5);
            assert_true(r.seconds >= 2.0);
            assert_in_range(r.journal_files, ranks < 100 ? ranks : 1, ranks);
            assert_near(r.journal_bytes, 513.0 * (64.0 + 100032.0 + 64.0 + 128.0));
            assert_true((r.answers == 0) == (ranks <= each));
        }
        const scale_machine m = scale_common(ranks, ranks);
        const double seconds_now = run(&m, 2, lists).seconds;
        assert_true(seconds_now <= before);
        before = seconds_now;
    }
}

static void images_are_read_meanwhile(void **state)
{
    (void)state;
    static const double second = 1.0;
    const work_part part = {.n = 10, .n_kinds = 1, .seconds = &second, .read_seconds = 0.4, .ticks = 1};
    const work_list list = list_of(&part, 1);
    scale_machine m = ideal(1, 1);
    assert_near(run(&m, 1, &list).seconds, 14.0);
    m.read_threads = 1;
    assert_near(run(&m, 1, &list).seconds, 10.4); /* the first ones are waited for */
    const work_part slow = {.n = 10, .n_kinds = 1, .seconds = &second, .read_seconds = 3.0, .ticks = 1};
    const work_list limited = list_of(&slow, 1);
    assert_near(run(&m, 1, &limited).seconds, 31.0);
    m.read_threads = 3;
    assert_near(run(&m, 1, &limited).seconds, 11.0);
}

/* So many files in a second: the last rank waits for all of them. */
static void journal_files_are_made_one_after_the_other(void **state)
{
    (void)state;
    static const double second = 1.0;
    const work_part part = {.n = 100, .n_kinds = 1, .seconds = &second, .ticks = 1};
    const work_list list = list_of(&part, 1);
    scale_machine m = ideal(100, 100);
    m.journal = true;
    m.creates = 50.0;
    m.sync = 0.1;
    m.sync_every = 3.0;
    const scale_result r = run(&m, 1, &list);
    assert_near(r.seconds, 1.0 + 100.0 / 50.0 + 0.2);
    assert_int_equal(r.journal_files, 100);
    const work_list twice[] = {list, list};
    assert_near(run(&m, 2, twice).seconds, r.seconds + 1.0); /* files are made once */
}

static void sixteen_thousand_ranks_take_seconds(void **state)
{
    (void)state;
    static const double second = 1.0;
    const work_part part = {.n = 300000, .n_kinds = 1, .seconds = &second, .read_seconds = 0.1, .ticks = 16};
    const work_list list = list_of(&part, 16);
    scale_machine m = scale_common(16384, 128);
    m.spread = 0.1;
    const clock_t begun = clock();
    const scale_result r = run(&m, 1, &list);
    print_message("16,384 ranks, 300,000 items: %.2f s simulated in %.2f s, idle %.3f\n", r.seconds, (double)(clock() - begun) / CLOCKS_PER_SEC,
                  scale_idle_share(&m, &r));
    assert_true((double)(clock() - begun) / CLOCKS_PER_SEC < 30.0);
    assert_int_equal(r.journal_files, 16384);
}

static void no_items_take_no_time(void **state)
{
    (void)state;
    const work_list list = {.stage = "evaluate", .stretch = 1};
    const scale_machine m = ideal(8, 2);
    const scale_result r = run(&m, 1, &list);
    assert_near(r.seconds, 0.0);
    assert_int_equal(r.journal_files, 0);
    assert_near(scale_idle_share(&m, &r), 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_rank_takes_as_long_as_all_items_together),
        cmocka_unit_test(equal_items_end_within_one_of_each_other),
        cmocka_unit_test(two_nodes_as_worked_out_by_hand),
        cmocka_unit_test(whoever_ticks_more_often_answers_sooner),
        cmocka_unit_test(nothing_is_faster_than_it_can_be),
        cmocka_unit_test(images_are_read_meanwhile),
        cmocka_unit_test(journal_files_are_made_one_after_the_other),
        cmocka_unit_test(sixteen_thousand_ranks_take_seconds),
        cmocka_unit_test(no_items_take_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
