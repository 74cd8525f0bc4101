#include "support/support.h"

#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/dense.h"
#include "core/rng.h"
#include "pruning/gram.h"
#include "pruning/spectrum.h"

static arena *scratch;

static int set_up(void **state)
{
    (void)state;
    return status_ok(backend_default()->start()) && status_ok(arena_open("spectrum test", &scratch)) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&scratch);
    return 0;
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance * fmax(1.0, fabs(expected)))) {
        fail_msg("expected %.17g, found %.17g", expected, value);
    }
}

/* ---- the measures, where their values are known ---- */

static void equal_eigenvalues_count(void **state)
{
    (void)state;
    double l[100];
    for (size_t k = 1; k <= 100; k++) { /* k of them, whatever their size */
        for (size_t i = 0; i < 100; i++) {
            l[i] = i < k ? 1e-90 * (double)k : 0.0;
        }
        const spectrum s = spectrum_of(1000, 100, l);
        assert_near(s.trace / 1e-90, (double)(k * k), 1e-13);
        assert_near(s.participation, (double)k, 1e-13);
        assert_near(s.effective_rank, (double)k, 1e-13);
        for (size_t i = 0; i < SPECTRUM_SHARES; i++) {
            assert_true(s.modes[i] == ceil((double)k * spectrum_shares[i] - 1e-9));
        }
    }
}

/* l_i = r^i: all sums are geometric. Entropy: -sum p log p = log s - log r (sum i r^i) / s with s = sum r^i. */
static void geometric_eigenvalues(void **state)
{
    (void)state;
    enum { N = 40 };
    static const double ratios[] = {0.5, 0.9, 0.99};
    for (size_t q = 0; q < COUNT(ratios); q++) {
        const double r = ratios[q], rn = pow(r, N);
        const double s = (1.0 - rn) / (1.0 - r), moment = r * (1.0 - N * pow(r, N - 1) + (N - 1) * rn) / ((1.0 - r) * (1.0 - r));
        double l[N];
        for (size_t i = 0; i < N; i++) {
            l[i] = 1e77 * pow(r, (double)i);
        }
        const spectrum found = spectrum_of(1000, N, l);
        assert_near(found.trace / 1e77, s, 1e-12);
        assert_near(found.participation, s * s / ((1.0 - rn * rn) / (1.0 - r * r)), 1e-12);
        assert_near(found.effective_rank, exp(log(s) - log(r) * moment / s), 1e-12);
        for (size_t i = 0; i < SPECTRUM_SHARES; i++) { /* the fewest k with 1 - r^k >= share (1 - r^N) */
            assert_true(found.modes[i] == ceil(log(1.0 - spectrum_shares[i] * (1.0 - rn)) / log(r)));
        }
    }
}

/* Two eigenvalues whose (sum)^2 and sum of squares are what the Wishart distribution expects of a covariance with (tr C)^2 = c1, tr C^2 = 1. */
static void adjusted_inverts_the_expectation(void **state)
{
    (void)state;
    for (size_t n_samples = 3; n_samples < 200; n_samples += 7) {
        const double m = (double)(n_samples - 1);
        for (double c1 = 1.2; c1 < 1.7; c1 += 0.1) {
            const double s1 = sqrt(c1 + 2.0 / m), s2 = 1.0 + 1.0 / m + c1 / m, apart = sqrt(2.0 * s2 - s1 * s1);
            const double l[] = {(s1 + apart) / 2.0, (s1 - apart) / 2.0};
            if (l[1] >= 0.0) {
                assert_near(spectrum_of(n_samples, 2, l).adjusted, c1, 1e-12);
            }
        }
    }
}

static void what_does_not_vary_has_no_components(void **state)
{
    (void)state;
    static const double zeros[4];
    const spectrum s = spectrum_of(10, COUNT(zeros), zeros);
    assert_true(s.trace == 0.0 && s.participation == 0.0 && s.effective_rank == 0.0 && s.modes[0] == 0.0 && s.modes[2] == 0.0);
    assert_true(isnan(s.adjusted));
    const spectrum one = spectrum_of(1, COUNT(zeros), zeros);
    assert_true(isnan(one.trace) && isnan(one.participation) && isnan(one.adjusted) && isnan(one.effective_rank) && isnan(one.modes[1]));
    const double single = 3.0;
    assert_true(isnan(spectrum_of(2, 1, &single).adjusted)); /* (m - 1) = 0 */
    assert_true(spectrum_of(2, 1, &single).participation == 1.0);
}

/* ---- the Gram matrix and its eigenvalues ---- */

enum { ALL = 300, STRIDE = 230 };

typedef struct scores {
    float row[ALL * STRIDE];
    size_t sample[ALL], component[STRIDE];
} scores;

static scores *random_scores(uint64_t seed)
{
    scores *s = arena_alloc(scratch, 1, sizeof *s);
    assert_non_null(s);
    for (size_t i = 0; i < (size_t)ALL * STRIDE; i++) {
        const double u = rng_uniform(seed, RNG_SCORES, 0, (uint32_t)i) + 1e-12, v = rng_uniform(seed, RNG_SCORES, 1, (uint32_t)i);
        s->row[i] = (float)(sqrt(-2.0 * log(u)) * cos(2.0 * acos(-1.0) * v)); /* normal */
    }
    for (size_t i = 0; i < ALL; i++) {
        s->sample[i] = i;
    }
    for (size_t i = 0; i < STRIDE; i++) {
        s->component[i] = i;
    }
    return s;
}

static double centred(const scores *s, size_t n_samples, size_t i, size_t k)
{
    double mean = 0.0;
    for (size_t j = 0; j < n_samples; j++) {
        mean += (double)s->row[s->sample[j] * STRIDE + s->component[k]];
    }
    return (double)s->row[s->sample[i] * STRIDE + s->component[k]] - mean / (double)n_samples;
}

static gram open_gram(const scores *s, size_t n_samples, size_t n_components)
{
    gram g;
    assert_ok(gram_open(scratch, s->row, STRIDE, n_samples, s->sample, n_components, s->component, &g));
    return g;
}

/* Samples and components in odd orders, sizes that leave parts of tiles, both sides; shares of tiles on grids of several shapes. */
static void gram_is_its_definition(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{1, 1}, {5, 3}, {3, 5}, {64, 65}, {130, 70}, {70, 130}, {290, 64}, {33, 229}};
    static const size_t grids[][2] = {{1, 1}, {1, 2}, {2, 1}, {2, 3}};
    scores *s = random_scores(7);
    for (size_t i = 0; i < ALL; i++) {
        s->sample[i] = i * 7 % ALL;
    }
    for (size_t i = 0; i < STRIDE; i++) {
        s->component[i] = i * 3 % STRIDE;
    }
    for (size_t c = 0; c < COUNT(sizes); c++) {
        const size_t n = sizes[c][0], p = sizes[c][1];
        const gram g = open_gram(s, n, p);
        double *whole = arena_alloc(scratch, g.order * g.order, sizeof *whole), *x = arena_alloc(scratch, n * p, sizeof *x);
        assert_non_null(whole);
        assert_true(g.order == (n < p ? n : p));
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < p; k++) {
                x[i * p + k] = centred(s, n, i, k);
            }
        }
        gram_fill(&g, 0, 1, 0, 1, whole, g.order);
        for (size_t j = 0; j < g.order; j++) {
            for (size_t i = j; i < g.order; i++) {
                double sum = 0.0;
                for (size_t l = 0; l < (g.over_samples ? p : n); l++) {
                    sum += g.over_samples ? x[i * p + l] * x[j * p + l] : x[l * p + i] * x[l * p + j];
                }
                assert_near(whole[j * g.order + i], sum, 1e-12);
            }
        }
        for (size_t q = 0; q < COUNT(grids); q++) { /* the same bits from wherever a tile is computed */
            const size_t rows = grids[q][0], columns = grids[q][1], ldc = g.order + GRAM_TILE;
            for (size_t at = 0; at < rows * columns; at++) {
                double *share = arena_alloc(scratch, ldc * (g.order + GRAM_TILE), sizeof *share);
                gram_fill(&g, at / columns, rows, at % columns, columns, share, ldc);
                for (size_t j = 0; j < g.order; j++) {
                    const size_t tile_j = j / GRAM_TILE, local_j = tile_j / columns * GRAM_TILE + j % GRAM_TILE;
                    for (size_t i = j; i < g.order; i++) {
                        const size_t tile_i = i / GRAM_TILE, local_i = tile_i / rows * GRAM_TILE + i % GRAM_TILE;
                        if (tile_i % rows == at / columns && tile_j % columns == at % columns) {
                            assert_memory_equal(&share[local_j * ldc + local_i], &whole[j * g.order + i], sizeof *whole);
                        }
                    }
                }
            }
        }
    }
}

/* Scores with a covariance that is known: z has orthogonal columns of length 1 about mean 0 (discrete cosines), column k times a(k). */
static void eigenvalues_of_known_scores(void **state)
{
    (void)state;
    enum { N = 257, P = 130 };
    scores *s = random_scores(1);
    for (size_t k = 0; k < P; k++) {
        for (size_t i = 0; i < N; i++) {
            s->row[i * STRIDE + k] = (float)(sqrt(2.0 / N) * cos(acos(-1.0) * (double)(k + 1) * ((double)i + 0.5) / N) * (1.0 + (double)(k * 37 % P)) + 5.0);
        }
    }
    const gram g = open_gram(s, N, P);
    double values[P];
    assert_false(g.over_samples);
    assert_ok(gram_eigenvalues(scratch, &g, values));
    for (size_t k = 0; k < P; k++) {
        const double a = (double)(P - k);
        assert_near(values[k] * (N - 1), a * a, 1e-6); /* of float32 scores about 5 */
    }
}

/* X X' and X' X have the same eigenvalues: the matrix over samples of the first p components against that over components, n = p + 1 and p - 1. */
static void both_sides_agree(void **state)
{
    (void)state;
    enum { N = 90 };
    const scores *s = random_scores(3);
    const gram g = open_gram(s, N, 150);
    double *values = arena_alloc(scratch, N, sizeof *values), *other = arena_alloc(scratch, 150, sizeof *other),
           *matrix = arena_alloc(scratch, 150 * 150, sizeof *matrix);
    assert_ok(gram_eigenvalues(scratch, &g, values));
    gram turned = g; /* what gram_open() would not choose */
    turned.over_samples = false;
    turned.order = 150;
    gram_fill(&turned, 0, 1, 0, 1, matrix, 150);
    assert_ok(dense_eigenvalues(scratch, 150, matrix, other));
    gram_to_covariance(&turned, other);
    for (size_t k = 0; k < N; k++) {
        assert_near(values[k] / values[0], other[k] / values[0], 1e-12);
    }
    assert_true(other[N] < 1e-12 * other[0]);
    assert_true(values[N - 1] < 1e-12 * values[0]); /* means are gone: n - 1 are left */
    assert_true(values[N - 2] > 1e-4 * values[0]);
}

/* Of normal scores whose covariance has ten equal eigenvalues and a hundred small ones, few images give too low a ratio; the adjusted one is right on
 * average. The bounds are four standard errors of the twenty draws. */
static void adjusted_is_right_on_average(void **state)
{
    (void)state;
    enum { DRAWS = 20, N = 30, P = 110 };
    const double small = 0.1, s1 = 10.0 + 100.0 * small, s2 = 10.0 + 100.0 * small * small;
    double sum = 0.0, squares = 0.0, plain = 0.0;
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        scores *s = random_scores(100 + draw);
        double values[N];
        for (size_t i = 0; i < N; i++) {
            for (size_t k = 10; k < P; k++) {
                s->row[i * STRIDE + k] *= (float)sqrt(small);
            }
        }
        const gram g = open_gram(s, N, P);
        assert_ok(gram_eigenvalues(scratch, &g, values));
        const spectrum found = spectrum_of(N, N, values);
        sum += found.adjusted / DRAWS;
        squares += found.adjusted * found.adjusted / DRAWS;
        plain += found.participation / DRAWS;
        arena_reset(scratch);
    }
    const double error = sqrt((squares - sum * sum) / (DRAWS - 1));
    assert_true(fabs(sum - s1 * s1 / s2) < 4.0 * error);
    assert_true(error < 2.0);
    assert_true(plain < 0.7 * s1 * s1 / s2);
}

static void hostile_scores(void **state)
{
    (void)state;
    scores *s = random_scores(5);
    double values[STRIDE];
    gram g = open_gram(s, 1, 40); /* one image */
    assert_ok(gram_eigenvalues(scratch, &g, values));
    assert_true(g.order == 1 && isnan(values[0]));
    for (size_t i = 0; i < (size_t)ALL * STRIDE; i++) {
        s->row[i] = 0.1f; /* the mean of these is exactly this */
    }
    for (size_t n = 2; n < 300; n += 99) {
        g = open_gram(s, n, 40);
        assert_ok(gram_eigenvalues(scratch, &g, values));
        assert_true(values[0] == 0.0 && spectrum_of(n, g.order, values).participation == 0.0);
    }
    memset(s->row, 0, sizeof s->row);
    g = open_gram(s, 50, 60);
    assert_ok(gram_eigenvalues(scratch, &g, values));
    assert_true(values[0] == 0.0 && values[49] == 0.0);
    for (size_t i = 0; i < 50; i++) { /* the largest floats that there are */
        s->row[i * STRIDE + i % 7] = i % 2 == 0 ? 3e38f : -3e38f;
    }
    assert_ok(gram_eigenvalues(scratch, &g, values));
    g = open_gram(s, 50, 60);
    assert_ok(gram_eigenvalues(scratch, &g, values));
    const spectrum large = spectrum_of(50, 50, values);
    assert_true(isfinite(large.trace) && large.participation > 6.0 && large.participation <= 7.0);
    size_t sample = 0, component = 0;
    assert_true(gram_is_finite(&g, &sample, &component));
    s->row[49 * STRIDE + 59] = NAN;
    assert_false(gram_is_finite(&g, &sample, &component));
    assert_true(sample == 49 && component == 59);
    s->row[3 * STRIDE + 2] = INFINITY;
    assert_false(gram_is_finite(&g, &sample, &component));
    assert_true(sample == 3 && component == 2);
}

static void forecasts_are_bounds(void **state)
{
    (void)state;
    const scores *s = random_scores(9);
    for (size_t n = 1; n < STRIDE; n += 57) {
        double values[STRIDE];
        const size_t before = arena_bytes(scratch);
        const gram g = open_gram(s, n, 200);
        const size_t opened = arena_bytes(scratch);
        assert_ok(gram_eigenvalues(scratch, &g, values));
        assert_int_equal(opened - before, gram_open_bytes(200));
        assert_int_equal(arena_bytes(scratch) - opened, gram_eigenvalues_bytes(g.order));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_eigenvalues_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(geometric_eigenvalues, set_up, tear_down),
        cmocka_unit_test_setup_teardown(adjusted_inverts_the_expectation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_vary_has_no_components, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gram_is_its_definition, set_up, tear_down),
        cmocka_unit_test_setup_teardown(eigenvalues_of_known_scores, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_sides_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(adjusted_is_right_on_average, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_scores, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forecasts_are_bounds, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
