/* Eigenvalues by ScaLAPACK over all ranks, held against closed forms, against LAPACK on one rank and against ScaLAPACK's own pdsyevd. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "parallel/eigen.h"
#include "parallel/node_copy.h"
#include "pruning/gram.h"

static comm world;
static arena *memory;

static int open_memory(void **state)
{
    (void)state;
    return status_ok(arena_open("eigen", &memory)) ? 0 : 1;
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

static void *zeroed(size_t n, size_t size)
{
    void *p = arena_alloc(memory, n, size);
    assert_non_null(p);
    return p;
}

/* a(i,j) = min(i,j), counted from 1. Its inverse is the second difference, so that its eigenvalues are known:
 * 1 / (4 sin^2((2k - 1) pi / (4n + 2))), k = 1 .. n, from the largest. */
static void fill_min(const void *context, size_t i, size_t p, size_t j, size_t q, double *to, size_t ldc)
{
    const size_t order = *(const size_t *)context;
    for (size_t column = 0; column < order; column++) {
        for (size_t row = column; row < order; row++) {
            const size_t tile_row = row / EIGEN_TILE, tile_column = column / EIGEN_TILE;
            if (tile_row % p == i && tile_column % q == j) {
                to[(tile_column / q * EIGEN_TILE + column % EIGEN_TILE) * ldc + tile_row / p * EIGEN_TILE + row % EIGEN_TILE] =
                    (double)(row < column ? row : column) + 1.0;
            }
        }
    }
}

static void known_eigenvalues(void **state)
{
    (void)state;
    static const size_t orders[] = {1, 2, 63, 64, 65, 200, 500};
    size_t beyond = 0; /* told at the end: a rank that leaves alone would leave the others waiting */
    for (size_t c = 0; c < COUNT(orders); c++) {
        const size_t n = orders[c];
        double *values = zeroed(n, sizeof *values);
        const eigen_matrix m = {n, &n, fill_min};
        const size_t opened = arena_bytes(memory);
        const status st = eigen_values(&world, memory, &m, values);
        if (!eigen_built()) {
            assert_fails(st, ST_ENVIRONMENT, "ScaLAPACK", eigen_package(), NULL);
            continue;
        }
        assert_ok(st);
        beyond += arena_bytes(memory) - opened > eigen_bytes(n, world.size);
        for (size_t k = 1; k <= n && world.rank == 0; k++) {
            const double s = sin((2.0 * (double)k - 1.0) * acos(-1.0) / (4.0 * (double)n + 2.0)), expected = 0.25 / (s * s);
            beyond += fabs(values[n - k] - expected) <= 1e-14 * (double)n * (double)n ? 0 : 1; /* the largest is about 0.4 n^2 */
        }
    }
    assert_int_equal(beyond, 0);
}

static void fill_gram(const void *context, size_t i, size_t p, size_t j, size_t q, double *to, size_t ldc)
{
    gram_fill(context, i, p, j, q, to, ldc);
}

/* [n_samples, n_components], correlated, with scales from 1 to 1e-6: spectra of scores fall off. */
static gram made_gram(size_t n_samples, size_t n_components)
{
    float *rows = zeroed(n_samples * n_components, sizeof *rows);
    size_t *sample = zeroed(n_samples, sizeof *sample), *component = zeroed(n_components, sizeof *component);
    gram g;
    for (size_t i = 0; i < n_samples * n_components; i++) {
        const double scale = pow(10.0, -6.0 * (double)(i % n_components) / (double)n_components);
        rows[i] = (float)(rng_uniform(11, RNG_SCORES, 0, (uint32_t)i) * scale + rng_uniform(11, RNG_SCORES, 1, (uint32_t)(i / n_components)));
    }
    for (size_t i = 0; i < n_samples || i < n_components; i++) {
        if (i < n_samples) {
            sample[i] = i;
        }
        if (i < n_components) {
            component[i] = i;
        }
    }
    assert_ok(gram_open(memory, rows, n_components, n_samples, sample, n_components, component, &g));
    return g;
}

static void lapack_and_scalapack_agree(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{40, 30}, {64, 64}, {100, 300}, {300, 100}, {700, 520}};
    size_t beyond = 0;
    if (!eigen_built()) {
        skip();
    }
    for (size_t c = 0; c < COUNT(sizes); c++) {
        const gram g = made_gram(sizes[c][0], sizes[c][1]);
        double *one = zeroed(g.order, sizeof *one), *all = zeroed(g.order, sizeof *all);
        const eigen_matrix m = {g.order, &g, fill_gram};
        assert_ok(gram_eigenvalues(memory, &g, one));
        assert_ok(eigen_values(&world, memory, &m, all));
        gram_to_covariance(&g, all);
        for (size_t k = 0; k < g.order && world.rank == 0; k++) {
            beyond += fabs(all[k] - one[k]) <= 1e-13 * one[0] ? 0 : 1;
        }
        arena_reset(memory);
    }
    assert_int_equal(beyond, 0);
}

#ifdef POLLARD_HAVE_SCALAPACK
extern int Csys2blacs_handle(MPI_Comm c);
extern void Cblacs_gridinit(int *context, const char *order, int rows, int columns);
extern void Cblacs_gridinfo(int context, int *rows, int *columns, int *row, int *column);
extern void Cblacs_gridexit(int context);
extern void descinit_(int *descriptor, const int *m, const int *n, const int *mb, const int *nb, const int *row, const int *column,
                      const int *context, const int *lld, int *info);
extern void pdsyevd_(const char *job, const char *half, const int *n, double *a, const int *ia, const int *ja, const int *da, double *w,
                     double *z, const int *iz, const int *jz, const int *dz, double *work, const int *lwork, int *iwork, const int *liwork,
                     int *info, size_t, size_t);

/* On a grid of one row: nothing is shared with parallel/eigen.c but the library. */
static void pdsyevd_agrees(void **state)
{
    (void)state;
    static const int zero = 0, one = 1, tile = EIGEN_TILE, ask = -1;
    const gram g = made_gram(400, 350);
    const int n = (int)g.order, tiles = (n + tile - 1) / tile;
    int context = Csys2blacs_handle(world.mpi), rows, columns, row, column, info = 0, width = 0, d[9], ints = 0;
    double wanted = 0.0, *values = zeroed((size_t)n, sizeof *values), *other = zeroed((size_t)n, sizeof *other);
    Cblacs_gridinit(&context, "Row", 1, world.size);
    Cblacs_gridinfo(context, &rows, &columns, &row, &column);
    for (int t = column; t < tiles; t += columns) {
        width += n - t * tile < tile ? n - t * tile : tile;
    }
    descinit_(d, &n, &n, &tile, &tile, &zero, &zero, &context, &n, &info);
    double *a = zeroed((size_t)n * (size_t)(width + 1), sizeof *a), *z = zeroed((size_t)n * (size_t)(width + 1), sizeof *z);
    gram_fill(&g, 0, 1, (size_t)column, (size_t)columns, a, (size_t)n);
    pdsyevd_("V", "L", &n, a, &one, &one, d, other, z, &one, &one, d, &wanted, &ask, &ints, &ask, &info, 1, 1);
    const int size = (int)wanted + 6 * n + 2 * n * width + tile * (n + 1) + 3 * n, n_ints = ints + 8 * n;
    double *work = zeroed((size_t)size, sizeof *work);
    int *iwork = zeroed((size_t)n_ints, sizeof *iwork);
    pdsyevd_("V", "L", &n, a, &one, &one, d, other, z, &one, &one, d, work, &size, iwork, &n_ints, &info, 1, 1);
    assert_int_equal(info, 0);
    Cblacs_gridexit(context);
    const eigen_matrix m = {g.order, &g, fill_gram};
    assert_ok(eigen_values(&world, memory, &m, values));
    for (int k = 0; k < n && world.rank == 0; k++) {
        assert_true(fabs(values[k] - other[k]) <= 1e-13 * values[n - 1]);
    }
}
#endif

/* Every rank reads what rank 0 has, also beyond the size of one message, and on every node. */
static void every_node_has_a_copy(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 1000, ((size_t)1 << 26) + 4097};
    for (size_t c = 0; c < COUNT(sizes); c++) {
        const size_t n = sizes[c];
        const void *copy = NULL;
        uint8_t *mine = world.rank == 0 ? zeroed(n, 1) : NULL;
        for (size_t i = 0; i < n && world.rank == 0; i++) {
            mine[i] = (uint8_t)(i * 31 % 251);
        }
        assert_ok(node_copy(&world, memory, "numbers of a test", n, mine, &copy));
        size_t wrong = 0;
        for (size_t i = 0; i < n; i++) {
            wrong += ((const uint8_t *)copy)[i] != (uint8_t)(i * 31 % 251);
        }
        assert_int_equal(wrong, 0);
        assert_true(world.size == 1 ? copy == mine : copy != mine);
        arena_reset(memory);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(known_eigenvalues, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(lapack_and_scalapack_agree, open_memory, close_memory),
#ifdef POLLARD_HAVE_SCALAPACK
        cmocka_unit_test_setup_teardown(pdsyevd_agrees, open_memory, close_memory),
#endif
        cmocka_unit_test_setup_teardown(every_node_has_a_copy, open_memory, close_memory),
    };
    if (!status_ok(comm_start(&argc, &argv, &world))) {
        (void)fprintf(stderr, "%s\n", status_message());
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_finish(&world);
    return failed;
}
