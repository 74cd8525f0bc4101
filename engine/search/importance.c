#include "search/importance.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "search/sobol.h"

enum { BLOCK = 128 };

static status check_grid(const space *s, size_t n, const double value[])
{
    for (size_t d = 0; d < s->n; d++) {
        if (s->dimension[d].kind != SPACE_CATEGORICAL || s->dimension[d].parent != SPACE_ALWAYS) {
            return FAIL(ST_DATA, "importance: %s is %s; expected choices that always exist, whose settings are a grid", s->dimension[d].name,
                        s->dimension[d].kind == SPACE_CONTINUOUS ? "continuous" : "there for some settings only");
        }
    }
    if (n == SIZE_MAX) {
        return FAIL(ST_DATA, "importance: the grid is larger than the address space");
    }
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(value[i])) {
            return FAIL(ST_DATA, "importance: the value of setting %zu is %g; expected a finite number", i, value[i]);
        }
    }
    return STATUS_OK;
}

static double mean_of(size_t n, const double value[])
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += value[i];
    }
    return sum / (double)n;
}

/* The mean square of n numbers around their mean. */
static double variance_of(size_t n, const double value[])
{
    const double mean = mean_of(n, value);
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (value[i] - mean) * (value[i] - mean);
    }
    return sum / (double)n;
}

/* Of what is constant but for rounding there is nothing to share out. */
static bool is_constant(size_t n, const double value[], double variance)
{
    double largest = 0.0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(value[i]));
    }
    return sqrt(variance) <= 1e-13 * largest;
}

status importance_of_grid(arena *scratch, const space *s, const double value[], double *variance, importance out[])
{
    const size_t n = space_combinations(s);
    TRY(check_grid(s, n, value));
    *variance = variance_of(n, value);
    const bool constant = is_constant(n, value, *variance);
    double *mean, line[SPACE_MOST_CHOICES];
    TRY_ALLOC(mean, scratch, SPACE_MOST_CHOICES);
    size_t stride = n; /* of dimension d: the product of the choices behind it */
    for (size_t d = 0; d < s->n; d++) {
        const size_t choices = s->dimension[d].n_choices;
        stride /= choices;
        memset(mean, 0, choices * sizeof *mean);
        double inner = 0.0;
        for (size_t outer = 0; outer < n; outer += stride * choices) {
            for (size_t i = 0; i < stride; i++) { /* a line: all choices of d, the others fixed */
                for (size_t c = 0; c < choices; c++) {
                    line[c] = value[outer + c * stride + i];
                    mean[c] += line[c] * (double)choices / (double)n;
                }
                inner += variance_of(choices, line) * (double)choices / (double)n;
            }
        }
        out[d].main = constant ? 0.0 : variance_of(choices, mean) / *variance;
        out[d].total = constant ? 0.0 : inner / *variance;
    }
    return STATUS_OK;
}

/* The posterior mean at n points of the unit cube [n, s->n]. */
static void means(const space *s, const gp *g, size_t n, const double unit[], double code[], double work[], double out[])
{
    double point[SPACE_MOST_DIMENSIONS], variance[BLOCK];
    for (size_t begin = 0; begin < n; begin += BLOCK) {
        const size_t m = n - begin < BLOCK ? n - begin : BLOCK;
        for (size_t i = 0; i < m; i++) {
            space_from_unit(s, &unit[(begin + i) * s->n], point);
            space_encode(s, point, &code[i * s->n_encoded]);
        }
        gp_predict(g, m, code, work, &out[begin], variance);
    }
}

status importance_of_process(arena *scratch, const space *s, const gp *g, uint64_t seed, size_t n_samples, double *variance, importance out[])
{
    const size_t n = n_samples, width = s->n;
    assert(2 * SPACE_MOST_DIMENSIONS <= SOBOL_DIMENSIONS && n > 0);
    const uint64_t key = rng_u64(seed, RNG_ROUND, ROUND_IMPORTANCE, 0);
    double *a, *b, *mixed, *of_a, *of_b, *of_mixed, *code, *work, both[SOBOL_DIMENSIONS];
    TRY_ALLOC(a, scratch, n * width);
    TRY_ALLOC(b, scratch, n * width);
    TRY_ALLOC(mixed, scratch, n * width);
    TRY_ALLOC(of_a, scratch, 2 * n);
    TRY_ALLOC(of_mixed, scratch, n);
    TRY_ALLOC(code, scratch, BLOCK * s->n_encoded);
    TRY_ALLOC(work, scratch, BLOCK * (g->data.n + s->n_encoded));
    of_b = &of_a[n];
    for (size_t i = 0; i < n; i++) {
        sobol_point(key, 2 * width, (uint32_t)i, both);
        memcpy(&a[i * width], both, width * sizeof *both);
        memcpy(&b[i * width], &both[width], width * sizeof *both);
    }
    means(s, g, n, a, code, work, of_a);
    means(s, g, n, b, code, work, of_b);
    const double centre = mean_of(2 * n, of_a);
    *variance = variance_of(2 * n, of_a);
    const bool constant = is_constant(2 * n, of_a, *variance);
    for (size_t d = 0; d < width; d++) {
        double main = 0.0, total = 0.0;
        memcpy(mixed, a, n * width * sizeof *a); /* a with the d-th coordinate of b */
        for (size_t i = 0; i < n; i++) {
            mixed[i * width + d] = b[i * width + d];
        }
        means(s, g, n, mixed, code, work, of_mixed);
        for (size_t i = 0; i < n; i++) {
            /* around the mean: the difference is 0 on average and not in a sample, so a mean far from 0 would be noise */
            main += (of_b[i] - centre) * (of_mixed[i] - of_a[i]) / (double)n;
            total += (of_a[i] - of_mixed[i]) * (of_a[i] - of_mixed[i]) / (2.0 * (double)n);
        }
        out[d].main = constant ? 0.0 : fmax(0.0, main / *variance);
        out[d].total = constant ? 0.0 : total / *variance;
    }
    return STATUS_OK;
}
