/* From values per token to scores, and what walks start from: small cases that are worked out by hand. */
#include "support/support.h"

#include <math.h>
#include <string.h>

#include "attribution/start.h"
#include "attribution/walk_sums.h"
#include "pruning/aggregate.h"

enum { FILTERS = 2, HEADS = 3, ALL = FILTERS + HEADS, SAMPLES = 2, STRIDE = AGGREGATE_MOMENTS * ALL + 1 };

static const node nodes[] = {
    {.name = "input"},
    {.components = COMPONENT_FILTER, .n_components = FILTERS, .first_component = 0},
    {.components = COMPONENT_HEAD, .n_components = 2, .first_component = FILTERS},
    {.components = COMPONENT_HEAD, .n_components = 1, .first_component = FILTERS + 2},
};
static const node_id layers[] = {1, 2, 3};
static const graph network = {
    .n_nodes = COUNT(nodes), .nodes = nodes, .n_layers = 3, .layers = layers, .n_components = ALL};

/* Filters have one token, heads two: [token][component]. */
static const double filters[SAMPLES][1][FILTERS] = {{{3.0, -4.0}}, {{-1.0, 2.0}}};
static const double heads[SAMPLES][2][2] = {{{1.0, -2.0}, {-5.0, -2.0}}, {{2.0, 0.5}, {4.0, 0.25}}};
static const double lone[SAMPLES][2][1] = {{{-1.0}, {1.0}}, {{0.0}, {8.0}}};

static void fill(float rows[SAMPLES][STRIDE])
{
    for (size_t b = 0; b < SAMPLES; b++) {
        for (size_t i = 0; i < STRIDE; i++) {
            rows[b][i] = NAN; /* all but the last, which is not ours, has to be written */
        }
        float *absolute = rows[b] + AGGREGATE_ABSOLUTE * ALL, *with_sign = rows[b] + AGGREGATE_SIGNED * ALL;
        sums_of_values(1, FILTERS, filters[b][0], absolute, with_sign);
        sums_of_values(2, 2, heads[b][0], absolute + FILTERS, with_sign + FILTERS);
        sums_of_values(2, 1, lone[b][0], absolute + FILTERS + 2, with_sign + FILTERS + 2);
    }
}

/* Rows completed, the moments of both samples summed, and the scores. */
static void score(aggregate how, float rows[SAMPLES][STRIDE], double out[ALL])
{
    double sums[AGGREGATE_MOMENTS * ALL] = {0.0};
    fill(rows);
    aggregate_rows(&how, &network, SAMPLES, STRIDE, rows[0]);
    for (size_t i = 0; i < AGGREGATE_MOMENTS * ALL; i++) {
        sums[i] = (double)rows[0][i] + (double)rows[1][i];
    }
    assert_true(isnan(rows[0][STRIDE - 1]) && isnan(rows[1][STRIDE - 1]));
    aggregate_finish(&how, ALL, sums, out);
}

static void assert_scores(aggregate_absolute absolute, const double expected[ALL])
{
    float rows[SAMPLES][STRIDE];
    double got[ALL];
    score((aggregate){.absolute = absolute}, rows, got);
    for (size_t i = 0; i < ALL; i++) {
        assert_true(got[i] == expected[i]);
    }
}

static void the_absolute_value_is_taken_where_it_is_asked_for(void **state)
{
    (void)state;
    assert_scores(ABSOLUTE_TOKEN, (const double[]){4, 6, 6 + 6, 4 + 0.75, 2 + 8});
    assert_scores(ABSOLUTE_SAMPLE, (const double[]){4, 6, 4 + 6, 4 + 0.75, 0 + 8});
    assert_scores(ABSOLUTE_SUM, (const double[]){2, 2, 2, 3.25, 8});
    assert_scores(ABSOLUTE_NEVER, (const double[]){2, -2, 2, -3.25, 8});
}

static void squares_are_those_of_the_summands(void **state)
{
    (void)state;
    float rows[SAMPLES][STRIDE];
    double out[ALL];
    for (aggregate_absolute a = ABSOLUTE_TOKEN; a <= ABSOLUTE_NEVER; a++) {
        score((aggregate){.absolute = a}, rows, out);
        for (size_t b = 0; b < SAMPLES; b++) {
            for (size_t c = 0; c < ALL; c++) {
                const bool per_sample = a == ABSOLUTE_TOKEN || a == ABSOLUTE_SAMPLE;
                const float s = rows[b][(size_t)(per_sample ? AGGREGATE_ABSOLUTE : AGGREGATE_SIGNED) * ALL + c];
                assert_true(rows[b][AGGREGATE_SQUARE * ALL + c] == s * s);
            }
        }
    }
}

static double norm(aggregate_norm which, size_t first, size_t n, const float *s)
{
    double sum = 0.0, square = 0.0, most = 0.0;
    for (size_t c = first; c < first + n; c++) {
        sum += fabs((double)s[c]);
        square += (double)s[c] * (double)s[c];
        most = fmax(most, fabs((double)s[c]));
    }
    return which == NORM_L1 ? sum : which == NORM_L2 ? sqrt(square) : most;
}

/* The norm of what is summed is 1 for each kind and sample, and a sample's values keep their ratios. */
static void every_sample_weighs_the_same_after_normalising(void **state)
{
    (void)state;
    for (aggregate_norm n = NORM_L1; n <= NORM_MAX; n++) {
        for (aggregate_absolute a = ABSOLUTE_TOKEN; a <= ABSOLUTE_NEVER; a++) {
            float rows[SAMPLES][STRIDE], plain[SAMPLES][STRIDE];
            double out[ALL];
            score((aggregate){.absolute = a}, plain, out);
            score((aggregate){.absolute = a, .normalise = n}, rows, out);
            const size_t m = a == ABSOLUTE_TOKEN || a == ABSOLUTE_SAMPLE ? AGGREGATE_ABSOLUTE : AGGREGATE_SIGNED;
            for (size_t b = 0; b < SAMPLES; b++) {
                const float *s = rows[b] + m * ALL, *p = plain[b] + m * ALL;
                assert_true(fabs(norm(n, 0, FILTERS, s) - 1.0) < 1e-6 && fabs(norm(n, FILTERS, HEADS, s) - 1.0) < 1e-6);
                assert_true(fabsf(s[0] * p[1] - s[1] * p[0]) < 1e-5f && fabsf(s[2] * p[4] - s[4] * p[2]) < 1e-5f);
            }
        }
    }
    float nothing[STRIDE] = {0.0f};
    aggregate_rows(&(aggregate){.normalise = NORM_L2}, &network, 1, STRIDE, nothing);
    for (size_t i = 0; i < STRIDE; i++) {
        assert_true(nothing[i] == 0.0f); /* no relevance at all: nothing is divided by 0 */
    }
}

static const float logits[2][3] = {{1.0f, 3.0f, 2.0f}, {-1.0f, -2.0f, -1.0f}};
static const size_t label[2] = {2, 1};

static void the_explained_class_is_the_label_or_the_prediction(void **state)
{
    (void)state;
    start_sample s[2];
    start_choose(&(walk_start){.value = START_ONE}, 2, 3, logits[0], label, s);
    assert_true(s[0].class == 2 && s[1].class == 1 && s[0].scale == 1.0f && s[1].scale == 1.0f);
    start_choose(&(walk_start){.value = START_LOGIT, .prediction = true}, 2, 3, logits[0], label, s);
    assert_true(s[0].class == 1 && s[1].class == 0); /* of equal logits the first */
    assert_true(s[0].scale == 3.0f && s[1].scale == -1.0f);
    assert_false(start_reads_logits(&(walk_start){.value = START_ONE}));
    assert_false(start_reads_logits(&(walk_start){.value = START_LOSS}));
    assert_true(start_reads_logits(&(walk_start){.value = START_LOGIT}));
    assert_true(start_reads_logits(&(walk_start){.value = START_LOSS, .prediction = true}));
}

static void a_walk_starts_with_one_the_logit_or_the_derivative_of_the_loss(void **state)
{
    (void)state;
    float r[2][3];
    start_sample s[2];
    const walk_start one = {.value = START_ONE}, logit = {.value = START_LOGIT}, loss = {.value = START_LOSS};
    start_choose(&one, 2, 3, logits[0], label, s);
    start_fill(&one, 2, 3, logits[0], s, r[0]);
    assert_memory_equal(r, ((const float[2][3]){{0, 0, 1}, {0, 1, 0}}), sizeof r);
    start_choose(&logit, 2, 3, logits[0], label, s);
    start_fill(&logit, 2, 3, logits[0], s, r[0]);
    assert_memory_equal(r, ((const float[2][3]){{0, 0, 2}, {0, -2, 0}}), sizeof r);
    start_choose(&loss, 2, 3, logits[0], label, s);
    start_fill(&loss, 2, 3, logits[0], s, r[0]);
    const double z = exp(1.0) + exp(3.0) + exp(2.0);
    assert_true(fabs((double)r[0][0] - exp(1.0) / z) < 1e-7 && fabs((double)r[0][1] - exp(3.0) / z) < 1e-7);
    assert_true(fabs((double)r[0][2] - (exp(2.0) / z - 1.0)) < 1e-7);
    assert_true(fabs((double)r[1][0] + (double)r[1][1] + (double)r[1][2]) < 1e-7);
    /* A sample that the network is sure of: 1 - p would be rounding noise. */
    const float sure[3] = {0.0f, 30.0f, 1.0f};
    const size_t right = 1;
    start_choose(&loss, 1, 3, sure, &right, s);
    start_fill(&loss, 1, 3, sure, s, r[0]);
    const double others = exp(-30.0) + exp(-29.0);
    assert_true(fabs((double)r[0][1] + others) < 1e-6 * others);
}

static void parameters_are_read_as_their_choices_say(void **state)
{
    (void)state;
    assert_string_equal(aggregate_absolutes[ABSOLUTE_SUM], "sum");
    assert_string_equal(aggregate_norms[NORM_MAX], "max");
    assert_string_equal(start_values[START_LOSS], "loss");
    assert_true(aggregate_read(3.0, 1.0).absolute == ABSOLUTE_NEVER && aggregate_read(3.0, 1.0).normalise == NORM_L1);
    assert_true(start_read(1.0, 2.0).prediction && start_read(1.0, 2.0).value == START_LOSS);
    assert_null(start_values_of_rules[START_LOSS]); /* rules explain a logit */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_absolute_value_is_taken_where_it_is_asked_for),
        cmocka_unit_test(squares_are_those_of_the_summands),
        cmocka_unit_test(every_sample_weighs_the_same_after_normalising),
        cmocka_unit_test(the_explained_class_is_the_label_or_the_prediction),
        cmocka_unit_test(a_walk_starts_with_one_the_logit_or_the_derivative_of_the_loss),
        cmocka_unit_test(parameters_are_read_as_their_choices_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
