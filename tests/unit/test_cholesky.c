#include "support/support.h"

#include <math.h>

#include "backend/backend.h"
#include "backend/cholesky.h"
#include "core/rng.h"

enum { MOST = 150 };
static double l[MOST * MOST], a[MOST * MOST], b[3 * MOST], x[3 * MOST];

static double draw(uint32_t stream, size_t i)
{
    return rng_uniform(3, RNG_TEST, stream, (uint32_t)i) - 0.5;
}

/* a = l l' of a random lower triangle, well conditioned at every size; the upper triangle of a holds rubbish. */
static void make(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            l[i * n + j] = j > i ? 0.0 : j == i ? 1.0 + fabs(draw(0, i)) : draw(1, i * n + j) / sqrt((double)n);
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            a[i * n + j] = j > i ? 1e30 : 0.0;
            for (size_t k = 0; j <= i && k <= j; k++) {
                a[i * n + j] += l[i * n + k] * l[j * n + k];
            }
        }
    }
}

static double lower(const double m[], size_t n, size_t i, size_t j)
{
    return i >= j ? m[i * n + j] : m[j * n + i];
}

/* Factor, solutions, inverse and determinant against their definitions, at sizes around the blocks of LAPACK. */
static void parts_are_their_definitions(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 2, 3, 7, 31, 32, 33, 64, 65, 100, 129};
    for (size_t t = 0; t < COUNT(sizes); t++) {
        const size_t n = sizes[t];
        double *factor = a, determinant = 0.0;
        static double whole[MOST * MOST];
        make(n);
        for (size_t i = 0; i < n * n; i++) {
            whole[i] = a[i];
        }
        assert_int_equal(cholesky_factor(n, factor), 0);
        for (size_t i = 0; i < n; i++) {
            determinant += 2.0 * log(l[i * n + i]);
            for (size_t j = 0; j < n; j++) {
                assert_true(j > i ? factor[i * n + j] == 1e30 : fabs(factor[i * n + j] - l[i * n + j]) < 1e-9);
            }
        }
        assert_true(fabs(cholesky_log_determinant(n, factor) - determinant) < 1e-9);
        for (size_t i = 0; i < 3 * n; i++) {
            b[i] = x[i] = draw(2, i);
        }
        cholesky_half_solve(n, factor, 3, x);
        for (size_t r = 0; r < 3; r++) {
            for (size_t i = 0; i < n; i++) {
                double sum = 0.0;
                for (size_t k = 0; k <= i; k++) {
                    sum += factor[i * n + k] * x[r * n + k];
                }
                assert_true(fabs(sum - b[r * n + i]) < 1e-9);
            }
        }
        for (size_t i = 0; i < 3 * n; i++) {
            x[i] = b[i];
        }
        cholesky_solve(n, factor, 3, x);
        for (size_t r = 0; r < 3; r++) {
            for (size_t i = 0; i < n; i++) {
                double sum = 0.0, size = 0.0;
                for (size_t k = 0; k < n; k++) {
                    sum += lower(whole, n, i, k) * x[r * n + k];
                    size += fabs(lower(whole, n, i, k) * x[r * n + k]);
                }
                assert_true(fabs(sum - b[r * n + i]) < 1e-12 * fmax(1.0, size));
            }
        }
        cholesky_inverse(n, factor);
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) {
                double sum = 0.0, size = 0.0;
                for (size_t k = 0; k < n; k++) {
                    sum += lower(whole, n, i, k) * lower(factor, n, k, j);
                    size += fabs(lower(whole, n, i, k) * lower(factor, n, k, j));
                }
                assert_true(fabs(sum - (i == j ? 1.0 : 0.0)) < 1e-11 * fmax(1.0, size));
            }
        }
    }
}

static void what_has_no_factor_is_told(void **state)
{
    (void)state;
    double indefinite[] = {1.0, 9.0, 2.0, 1.0};
    assert_int_equal(cholesky_factor(2, indefinite), 2);
    double zero[] = {0.0};
    assert_int_equal(cholesky_factor(1, zero), 1);
    for (size_t n = 3; n <= 129; n += 63) { /* wherever a NaN lies in the lower triangle */
        for (size_t i = 0; i < n; i += n / 3) {
            for (size_t j = 0; j <= i; j += n / 3) {
                make(n);
                a[i * n + j] = NAN;
                assert_int_not_equal(cholesky_factor(n, a), 0);
            }
        }
    }
    assert_int_equal(cholesky_factor(0, NULL), 0);
}

static int start(void **state)
{
    (void)state;
    return status_ok(backend_default()->start()) ? 0 : 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_their_definitions),
        cmocka_unit_test(what_has_no_factor_is_told),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
