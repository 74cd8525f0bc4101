#include "support/support.h"

#include <math.h>
#include <string.h>

#include "core/log.h"
#include "pipeline/progress.h"
#include "pipeline/report.h"

enum { RATES = 3 };

static const double rates[RATES] = {0.0, 0.5, 0.9};
static const char *const criterion_names[] = {"good", "bad"};
static const char *const task_names[] = {"2", "animals"};
static const result_model models[] = {{.name = "net"}};
/* good: 10, 10, 10 of 10; bad, two seeds: 10, 4, 0 and 10, 6, 0 of 10 */
static const uint64_t good[] = {10, 10, 10}, bad_one[] = {10, 4, 0}, bad_two[] = {10, 6, 0};
static const uint64_t whole[RATES] = {0}, late[RATES] = {0, 0, 2}; /* layers that are empty */
static const result_cell cells[] = {
    {.kind = COMPONENT_FILTER, .n_classes = 2, .n_references = 5, .total = 10, .correct = good, .layers_emptied = whole},
    {.kind = COMPONENT_FILTER, .n_classes = 2, .n_references = 5, .total = 10, .correct = good, .layers_emptied = whole},
    {.criterion = 1, .kind = COMPONENT_FILTER, .n_classes = 2, .total = 10, .correct = bad_one, .layers_emptied = late},
    {.criterion = 1, .kind = COMPONENT_FILTER, .n_classes = 2, .total = 10, .correct = bad_two, .layers_emptied = whole},
};
static const result_summary summary[] = {
    {.criterion = 0, .kind = COMPONENT_FILTER, .n_classes = 2, .n_references = 5, .n_seeds = 2, .accuracy = 1.0, .a_pr_mean = 1.0,
     .highest_rate = 0.9, .parameters_removed = 0.876, .macs_removed = 0.985},
    {.criterion = 1, .kind = COMPONENT_FILTER, .n_classes = 2, .n_seeds = 2, .accuracy = 1.0, .a_pr_mean = 0.5, .a_pr_error = 0.0333},
};
static const results sample = {.study = "test", .n_models = 1, .models = models, .n_criteria = 2, .criterion_name = criterion_names,
                               .n_rates = RATES, .rates = rates, .n_tasks = COUNT(task_names), .task_name = task_names, .n_cells = COUNT(cells), .cells = cells,
                               .n_summary = COUNT(summary), .summary = summary};

static void read_back(FILE *from, char *text, size_t size)
{
    rewind(from);
    text[fread(text, 1, size - 1, from)] = '\0';
    (void)fclose(from);
}

static void the_table_shows_what_the_summary_says(void **state)
{
    (void)state;
    char text[4096];
    FILE *to = tmpfile();
    report_table(to, &sample);
    read_back(to, text, sizeof text);
    assert_non_null(strstr(text, "1.0000  1.0000 +- 0.0000     90 %  (88 %, 98 %)"));
    assert_non_null(strstr(text, "1.0000  0.5000 +- 0.0333      0 %  (0 %, 0 %)"));
    assert_non_null(strstr(text, "1 of 4 curves lose a whole layer, the first at 90 %"));
    assert_non_null(strstr(text, "over the 3 pruning rates, +- standard error over 2 seeds."));
}

/* A stated subset is called by its name, in a column as wide as it. */
static void stated_subsets_have_their_names(void **state)
{
    (void)state;
    char text[8192];
    result_summary rows[COUNT(summary)];
    result_cell of[COUNT(cells)];
    results r = sample;
    memcpy(rows, summary, sizeof rows);
    memcpy(of, cells, sizeof of);
    rows[0].task = 1;
    of[0].task = of[1].task = 1;
    of[0].n_classes = of[1].n_classes = 3;
    r.summary = rows;
    r.cells = of;
    FILE *to = tmpfile();
    report_table(to, &r);
    read_back(to, text, sizeof text);
    assert_non_null(strstr(text, "net    filters  animals  good                5"));
    assert_non_null(strstr(text, "net    filters        2  bad                 -"));
    to = tmpfile();
    arena *a = NULL;
    assert_ok(arena_open("test", &a));
    assert_ok(report_plot(a, to, &r));
    arena_close(&a);
    read_back(to, text, sizeof text);
    assert_non_null(strstr(text, "removed components, animals (3 classes), mean over seeds:  * good  o bad"));
    assert_null(strchr(strstr(text, "1.0 |"), 'o')); /* the other task is not drawn */
}

static void one_seed_has_no_standard_error(void **state)
{
    (void)state;
    char text[4096];
    result_summary rows[COUNT(summary)];
    memcpy(rows, summary, sizeof rows);
    for (size_t i = 0; i < COUNT(rows); i++) {
        rows[i].n_seeds = 1;
        rows[i].a_pr_error = NAN;
    }
    results alone = sample;
    alone.summary = rows;
    FILE *to = tmpfile();
    report_table(to, &alone);
    read_back(to, text, sizeof text);
    assert_non_null(strstr(text, "1.0000  0.5000 +- -           0 %")); /* as wide as with a number */
    assert_non_null(strstr(text, "over the 3 pruning rates, of one seed: a standard error needs two."));
}

static char *line_of(char *text, const char *start)
{
    char *at = strstr(text, start);
    assert_non_null(at);
    char *end = strchr(at, '\n');
    assert_non_null(end);
    *end = '\0';
    return at;
}

static void the_plot_draws_curves_where_they_are(void **state)
{
    (void)state;
    char text[8192], copy[8192];
    arena *a = NULL;
    FILE *to = tmpfile();
    assert_ok(arena_open("test", &a));
    assert_ok(report_plot(a, to, &sample));
    arena_close(&a);
    read_back(to, text, sizeof text);
    assert_non_null(strstr(text, "2 classes, mean over seeds:  * good  o bad"));
    memcpy(copy, text, sizeof copy);
    const char *top = line_of(copy, " 1.0 |");
    assert_int_equal(strcspn(top, "*"), 6); /* the good curve runs along the top from the first column ... */
    assert_int_equal(strspn(top + 6, "*"), 44); /* ... to the last, and hides the start of the bad one */
    memcpy(copy, text, sizeof copy);
    const char *bottom = line_of(copy, " 0.0 |");
    assert_int_equal(bottom[6 + 43], 'o'); /* the bad one ends at zero */
    assert_int_equal(bottom[6], ' ');
    assert_non_null(strstr(text, "90 %"));
}

static const char *plot_of(arena *a, const results *r)
{
    FILE *to = tmpfile();
    char *text = arena_alloc(a, 1 << 14, 1);
    assert_non_null(text);
    assert_ok(report_plot(a, to, r));
    read_back(to, text, 1 << 14);
    return text;
}

/* The study's prediction decides which counts are drawn; the table says so. */
static void masked_counts_are_shown_where_the_study_asks(void **state)
{
    (void)state;
    char text[4096];
    arena *a;
    static const uint64_t none[RATES] = {0};
    result_cell masked[COUNT(cells)];
    results r = sample;
    FILE *to = tmpfile();
    memcpy(masked, cells, sizeof masked);
    for (size_t i = 0; i < COUNT(masked); i++) {
        masked[i].correct_masked = cells[i].correct;
        masked[i].correct = none;
    }
    r.cells = masked;
    r.prediction = PREDICTION_MASKED;
    assert_ok(arena_open("plot", &a));
    assert_string_equal(plot_of(a, &r), plot_of(a, &sample));
    arena_close(&a);
    report_table(to, &r);
    read_back(to, text, sizeof text);
    assert_non_null(strstr(text, "those outside the task set to 0"));
    to = tmpfile();
    report_table(to, &sample);
    read_back(to, text, sizeof text);
    assert_null(strstr(text, "set to 0"));
}

static void progress_counts_for_all_ranks(void **state)
{
    (void)state;
    progress p;
    log_start(0, LOG_ERROR);
    progress_start(&p, 1, 4);
    assert_false(p.speaks);
    progress_stage(&p, "evaluate", 100.0);
    progress_tick(&p, 60.0);
    progress_tick(&p, 70.0); /* more than announced must not break the line */
    assert_true(p.done == 130.0);
    progress_end(&p);
    assert_null(p.stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_shows_what_the_summary_says),
        cmocka_unit_test(one_seed_has_no_standard_error),
        cmocka_unit_test(stated_subsets_have_their_names),
        cmocka_unit_test(the_plot_draws_curves_where_they_are),
        cmocka_unit_test(masked_counts_are_shown_where_the_study_asks),
        cmocka_unit_test(progress_counts_for_all_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
