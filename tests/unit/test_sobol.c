#include "support/support.h"

#include <math.h>
#include <string.h>

#include "search/sobol.h"

/* As published with the direction numbers (Joe and Kuo, "Notes on generating Sobol' sequences", 2008): three dimensions, ten points. */
static void first_points_are_the_published_ones(void **state)
{
    (void)state;
    static const double published[10][3] = {{0, 0, 0},
                                            {0.5, 0.5, 0.5},
                                            {0.75, 0.25, 0.25},
                                            {0.25, 0.75, 0.75},
                                            {0.375, 0.375, 0.625},
                                            {0.875, 0.875, 0.125},
                                            {0.625, 0.125, 0.875},
                                            {0.125, 0.625, 0.375},
                                            {0.1875, 0.3125, 0.9375},
                                            {0.6875, 0.8125, 0.4375}};
    for (uint32_t i = 0; i < 10; i++) {
        for (size_t d = 0; d < 3; d++) {
            assert_true((double)sobol_digits(d, i) * 0x1p-32 == published[i][d]);
        }
    }
}

/* FNV-1a over the bytes, lowest first, of 256 points in 128 dimensions as SciPy 1.17.1 has them:
 * qmc.Sobol(128, scramble=False, bits=32).random(256) * 2^32. */
static void all_dimensions_are_those_of_another_implementation(void **state)
{
    (void)state;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < 256; i++) {
        for (size_t d = 0; d < SOBOL_DIMENSIONS; d++) {
            const uint32_t digits = sobol_digits(d, i);
            for (unsigned byte = 0; byte < 4; byte++) {
                hash = (hash ^ (digits >> 8 * byte & 0xff)) * UINT64_C(0x100000001b3);
            }
        }
    }
    assert_true(hash == UINT64_C(0xe6c1458244e13425));
}

/* In every dimension each of the 2^k first points has an interval of length 2^-k to itself, and so has each rectangle of area 2^-k of the first
 * two dimensions: scrambling keeps the net. */
static void scrambled_points_are_a_net(void **state)
{
    (void)state;
    enum { N = 64, K = 6, DIMENSIONS = 50 };
    static double x[N][DIMENSIONS];
    for (uint64_t seed = 0; seed < 5; seed++) {
        for (uint32_t i = 0; i < N; i++) {
            sobol_point(seed, DIMENSIONS, i, x[i]);
        }
        for (size_t d = 0; d < DIMENSIONS; d++) {
            uint64_t taken = 0;
            for (size_t i = 0; i < N; i++) {
                assert_true(x[i][d] > 0.0 && x[i][d] < 1.0);
                taken |= UINT64_C(1) << (unsigned)(x[i][d] * N);
            }
            assert_true(taken == UINT64_MAX);
        }
        for (unsigned k = 0; k <= K; k++) {
            uint64_t taken = 0;
            for (size_t i = 0; i < N; i++) {
                const unsigned row = (unsigned)(x[i][0] * (1u << k)), column = (unsigned)(x[i][1] * (1u << (K - k)));
                taken |= UINT64_C(1) << (row << (K - k) | column);
            }
            assert_true(taken == UINT64_MAX);
        }
    }
}

/* Each scrambled point is uniform, and two seeds are independent of each other. */
static void scrambling_is_uniform(void **state)
{
    (void)state;
    enum { SEEDS = 4000 };
    size_t count[8] = {0}, both[4] = {0}, alike = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        double x[3], y[3];
        sobol_point(seed, 3, 5, x);
        sobol_point(seed, 3, 6, y);
        count[(size_t)(x[2] * 8.0)]++;
        both[(x[1] < 0.5) << 1 | (y[2] < 0.5)]++;
        /* 0.0000 and 0.1000: the second digits are flipped by bits of their own, as the first ones differ */
        sobol_point(seed, 1, 0, x);
        sobol_point(seed, 1, 1, y);
        alike += ((uint32_t)(x[0] * 4.0) & 1) == ((uint32_t)(y[0] * 4.0) & 1);
    }
    double chi = 0.0, chi_both = 0.0;
    for (size_t i = 0; i < 8; i++) {
        chi += pow((double)count[i] - SEEDS / 8.0, 2.0) / (SEEDS / 8.0);
    }
    for (size_t i = 0; i < 4; i++) {
        chi_both += pow((double)both[i] - SEEDS / 4.0, 2.0) / (SEEDS / 4.0);
    }
    assert_true(chi < 24.3 && chi_both < 16.3); /* 7 and 3 degrees of freedom at 0.001 */
    assert_true(fabs((double)alike - SEEDS / 2.0) < 3.3 * sqrt(SEEDS / 4.0));
}

static double discrepancy(size_t n, size_t width, double x[])
{
    /* L2 star discrepancy (Warnock 1972), squared */
    double single = 0.0, pairs = 0.0;
    for (size_t i = 0; i < n; i++) {
        double product = 1.0;
        for (size_t d = 0; d < width; d++) {
            product *= 1.0 - x[i * width + d] * x[i * width + d];
        }
        single += product;
        for (size_t j = 0; j < n; j++) {
            double both = 1.0;
            for (size_t d = 0; d < width; d++) {
                both *= 1.0 - fmax(x[i * width + d], x[j * width + d]);
            }
            pairs += both;
        }
    }
    return pow(3.0, -(double)width) - pow(2.0, 1.0 - (double)width) * single / (double)n + pairs / (double)(n * n);
}

static void points_are_more_even_than_random_ones(void **state)
{
    (void)state;
    enum { N = 128, DIMENSIONS = 6 };
    static double x[N * DIMENSIONS];
    double worst_sobol = 0.0, best_random = INFINITY;
    for (uint64_t seed = 0; seed < 20; seed++) {
        for (uint32_t i = 0; i < N; i++) {
            sobol_point(seed, DIMENSIONS, i, &x[i * DIMENSIONS]);
        }
        worst_sobol = fmax(worst_sobol, discrepancy(N, DIMENSIONS, x));
        for (uint32_t i = 0; i < N; i++) {
            random_point(seed, DIMENSIONS, i, &x[i * DIMENSIONS]);
        }
        best_random = fmin(best_random, discrepancy(N, DIMENSIONS, x));
    }
    assert_true(worst_sobol < best_random);
}

/* A coordinate depends on (seed, dimension, index) and on nothing else. */
static void points_can_be_taken_up_anywhere(void **state)
{
    (void)state;
    double few[3], many[SOBOL_DIMENSIONS], other[3];
    sobol_point(9, SOBOL_DIMENSIONS, 1000000, many);
    sobol_point(9, 3, 1000000, few);
    assert_memory_equal(few, many, sizeof few);
    sobol_point(10, 3, 1000000, other);
    assert_memory_not_equal(few, other, sizeof few);
    random_point(9, SOBOL_DIMENSIONS, 77, many);
    random_point(9, 3, 77, few);
    assert_memory_equal(few, many, sizeof few);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_points_are_the_published_ones),
        cmocka_unit_test(all_dimensions_are_those_of_another_implementation),
        cmocka_unit_test(scrambled_points_are_a_net),
        cmocka_unit_test(scrambling_is_uniform),
        cmocka_unit_test(points_are_more_even_than_random_ones),
        cmocka_unit_test(points_can_be_taken_up_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
