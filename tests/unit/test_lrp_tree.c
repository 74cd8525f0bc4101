/* Criteria of the method lrp that are explained together have, bit for bit, the scores that each has alone, and the sums that these are made of. */
#include "support/tree_case.h"

#include <math.h>
#include <string.h>

#include "core/exact_sum.h"
#include "pruning/aggregate.h"
#include "pruning/lrp_tree.h"

/* Members of a tree: composites of the paper's grid, as a study states them, with the softmax treatments of a transformer. */
typedef struct members {
    size_t n;
    criterion_setup *setup; /* [n] */
    double (*parameters)[MAX_CRITERION_PARAMETERS];
} members;

static const criterion_def *lrp(void)
{
    return criterion_find("lrp");
}

static size_t field_at(const char *name)
{
    size_t i = 0;
    while (strcmp(lrp()->fields[i].name, name) != 0) {
        i++;
    }
    return i;
}

static void set(double parameters[], const char *name, double value)
{
    parameters[field_at(name)] = value;
}

static void set_all(const members *m, const char *name, double value)
{
    for (size_t i = 0; i < m->n; i++) {
        set(m->parameters[i], name, value);
    }
}

static members open_members(const network *n, size_t step)
{
    const size_t treatments = network_is_vit(n) ? 2 : 1;
    const tree_list_of grid = tree_grid(n->work, 1, step);
    members m = {.n = treatments * grid.n};
    m.setup = arena_alloc(n->work, m.n, sizeof *m.setup);
    m.parameters = arena_alloc(n->work, m.n, sizeof *m.parameters);
    assert_true(m.setup != NULL && m.parameters != NULL);
    for (size_t i = 0; i < m.n; i++) {
        for (size_t k = 0; k < lrp()->n_fields; k++) {
            m.parameters[i][k] = lrp()->fields[k].def;
        }
        set(m.parameters[i], "audit", 0.0);
        set(m.parameters[i], "softmax", (double)(i / grid.n)); /* epsilon, then another */
        m.setup[i] = network_setup(n, m.parameters[i]);
        m.setup[i].composite = grid.of[i % grid.n];
    }
    return m;
}

/* Rows of the six samples, exactly. */
static double *sums_of(const network *n, const float *rows, size_t stride)
{
    double *sums = network_doubles(n, stride);
    for (size_t i = 0; i < stride; i++) {
        exact_sum sum = {0};
        for (size_t b = 0; b < NETWORK_BATCH; b++) {
            exact_sum_add(&sum, rows[b * stride + i]);
        }
        sums[i] = exact_sum_value(&sum);
    }
    return sums;
}

static float *rows_for(const network *n, size_t stride)
{
    float *rows = arena_alloc(n->work, NETWORK_BATCH * stride, sizeof *rows);
    assert_non_null(rows);
    memset(rows, 0xff, NETWORK_BATCH * stride * sizeof *rows); /* NaN: every element has to be written */
    return rows;
}

static const double *sums_alone(const network *n, const criterion_setup *s)
{
    const size_t stride = criterion_row(lrp(), s);
    void *state = NULL;
    float *rows = rows_for(n, stride);
    assert_ok(lrp()->open(n->work, s, &state));
    lrp()->rows(state, &(criterion_batch){n->images, n->target, n->sample}, rows);
    return sums_of(n, rows, stride);
}

static void count(void *to)
{
    ++*(size_t *)to;
}

static void assert_as_alone(const network *n, const members *m, const char *what)
{
    const size_t components = n->g->n_components;
    lrp_tree *t;
    size_t ticks = 0;
    assert_ok(lrp_tree_open(n->work, m->n, m->setup, &t));
    float *rows = rows_for(n, lrp_tree_row(t));
    lrp_tree_rows(t, &(criterion_batch){n->images, n->target, n->sample}, rows, count, &ticks);
    assert_true(ticks >= m->n / 4);
    const double *sums = sums_of(n, rows, lrp_tree_row(t));
    for (size_t i = 0; i < m->n; i++) {
        const double *alone = sums_alone(n, &m->setup[i]);
        double *own = network_doubles(n, AGGREGATE_MOMENTS * components), *score = network_doubles(n, components), *expected = network_doubles(n, components);
        memset(own, 0xff, AGGREGATE_MOMENTS * components * sizeof *own);
        lrp_tree_sums(t, i, sums, own);
        const bool tokens = m->parameters[i][field_at("absolute")] == ABSOLUTE_TOKEN; /* else the first moment is not read, and is another one alone */
        for (size_t k = tokens ? 0 : AGGREGATE_SIGNED * components; k < AGGREGATE_MOMENTS * components; k++) {
            const double should = k < AGGREGATE_SQUARE * components ? alone[k] : 0.0;
            if (memcmp(&own[k], &should, sizeof should) != 0) {
                fail_msg("%s, %s, criterion %zu, moment %zu, component %zu: expected %.17g as alone, found %.17g", n->name, what, i, k / components,
                         k % components, should, own[k]);
            }
        }
        lrp()->finish(&m->setup[i], NETWORK_BATCH, alone, expected);
        lrp()->finish(&m->setup[i], NETWORK_BATCH, own, score);
        assert_memory_equal(score, expected, components * sizeof *score);
    }
}

static void sums_and_scores_are_those_of_each_alone(void **state)
{
    (void)state;
    static const size_t steps[] = {11, 13, 17, 19, 37};
    static const aggregate_absolute absolute[] = {ABSOLUTE_TOKEN, ABSOLUTE_NEVER, ABSOLUTE_SUM};
    assert_int_equal(COUNT(steps), tree_network_count);
    for (size_t k = 0; k < tree_network_count; k++) {
        network n;
        network_open(tree_networks[k], &n);
        const members m = open_members(&n, steps[k]);
        for (size_t i = 0; i < COUNT(absolute); i++) {
            set_all(&m, "absolute", (double)absolute[i]);
            assert_true(lrp_tree_takes(lrp(), m.parameters[0]));
            assert_as_alone(&n, &m, aggregate_absolutes[absolute[i]]);
        }
        network_close(&n);
    }
}

/* Where relevance starts is that of the criteria, which agree in it; so are stabilisers, which may differ. */
static void starts_and_stabilisers_are_those_of_the_criteria(void **state)
{
    (void)state;
    network n;
    network_open("vit_tiny.h5", &n);
    const members m = open_members(&n, 51);
    set_all(&m, "target", 1.0);
    set_all(&m, "initial", 1.0);
    for (size_t i = 0; i < m.n; i++) {
        set(m.parameters[i], "epsilon", i % 3 == 0 ? 1e-6 : 1e-3 * (double)i);
    }
    assert_as_alone(&n, &m, "logit of the prediction");
    network_close(&n);
}

/* A criterion that differs in what a tree cannot give has to be explained by itself. */
static void what_is_no_sum_over_samples_is_not_taken(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double value;
        bool takes;
    } cases[] = {{"audit", 1.0, false}, {"absolute", ABSOLUTE_SAMPLE, false}, {"normalise", NORM_L1, false}, {"normalise", NORM_MAX, false},
                 {"absolute", ABSOLUTE_SUM, true}, {"softmax", 2.0, true}, {"epsilon", 0.5, true}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        double parameters[MAX_CRITERION_PARAMETERS] = {0.0};
        for (size_t k = 0; k < lrp()->n_fields; k++) {
            parameters[k] = lrp()->fields[k].def;
        }
        set(parameters, "audit", 0.0);
        set(parameters, cases[i].name, cases[i].value);
        assert_int_equal(lrp_tree_takes(lrp(), parameters), cases[i].takes);
    }
    for (size_t i = 0; i < criterion_count; i++) {
        double parameters[MAX_CRITERION_PARAMETERS] = {0.0};
        assert_true(criterion_table[i] == lrp() || !lrp_tree_takes(criterion_table[i], parameters));
    }
}

static void memory_is_told_before(void **state)
{
    (void)state;
    enum { BOOKKEEPING = 1 << 20 }; /* beside the buffers: nodes, steps, composites */
    arena *scratch = NULL;
    assert_ok(arena_open("scratch", &scratch));
    for (size_t k = 0; k < tree_network_count; k++) {
        network n;
        lrp_tree_need told;
        lrp_tree *t;
        network_open(tree_networks[k], &n);
        const members m = open_members(&n, 21);
        assert_ok(lrp_tree_needs(scratch, m.n, m.setup, &told));
        const size_t before = arena_bytes(n.work);
        assert_ok(lrp_tree_open(n.work, m.n, m.setup, &t));
        const size_t taken = arena_bytes(n.work) - before;
        assert_true(told.bytes <= taken && taken <= told.bytes + BOOKKEEPING);
        assert_int_equal(told.row, lrp_tree_row(t));
        network_close(&n);
    }
    arena_close(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_scores_are_those_of_each_alone),
        cmocka_unit_test(starts_and_stabilisers_are_those_of_the_criteria),
        cmocka_unit_test(what_is_no_sum_over_samples_is_not_taken),
        cmocka_unit_test(memory_is_told_before),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
