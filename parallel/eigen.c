#include "parallel/eigen.h"

#include <limits.h>

#include "backend/dense.h"

/* Ranks in rows and columns, as square as can be; what is left over has no part in it. */
typedef struct grid {
    int rows, columns, row, column; /* row < 0: this rank has no part */
} grid;

static grid grid_of(size_t order, int ranks)
{
    const size_t tiles = (order + EIGEN_TILE - 1) / EIGEN_TILE;
    const int most = tiles < (size_t)ranks ? (int)tiles : ranks; /* rows or columns with something to do */
    int rows = 1;
    while ((rows + 1) * (rows + 1) <= ranks && rows < most) {
        rows++;
    }
    const int columns = ranks / rows;
    return (grid){.rows = rows, .columns = columns < most ? columns : most};
}

/* How many rows or columns of the matrix are on place `at` of `n`. */
static size_t local_size(size_t order, size_t at, size_t n)
{
    size_t sum = 0;
    for (size_t first = at * EIGEN_TILE; first < order; first += n * EIGEN_TILE) {
        sum += order - first < EIGEN_TILE ? order - first : EIGEN_TILE;
    }
    return sum;
}

size_t eigen_bytes(size_t order, int ranks)
{
    const grid g = grid_of(order, ranks);
    const size_t height = local_size(order, 0, (size_t)g.rows), width = local_size(order, 0, (size_t)g.columns);
    const size_t doubles = (height + 3) * (width + 1) + EIGEN_TILE * (height + 3) + 2 * order; /* share_open() */
    return doubles * sizeof(double) + 6 * (size_t)64;
}

const char *eigen_package(void)
{
    return POLLARD_SCALAPACK_PACKAGE;
}

status eigen_check(size_t order, int ranks)
{
    const grid g = grid_of(order, ranks);
    const size_t height = local_size(order, 0, (size_t)g.rows), width = local_size(order, 0, (size_t)g.columns);
    if (!eigen_built()) {
        return FAIL(ST_ENVIRONMENT, "a matrix of order %zu: this build is without ScaLAPACK; install %s and build again", order, eigen_package());
    }
    if (order > INT_MAX / 2 || height * (width + 1) > INT_MAX) {
        return FAIL(ST_ENVIRONMENT, "a matrix of order %zu: %zu x %zu numbers of it would lie on one rank, and ScaLAPACK counts to %d; use more ranks",
                    order, height, width, INT_MAX);
    }
    return STATUS_OK;
}

#ifndef POLLARD_HAVE_SCALAPACK

bool eigen_built(void)
{
    return false;
}

const char *eigen_version(void)
{
    return "none";
}

status eigen_values(comm *c, arena *scratch, const eigen_matrix *m, double *values)
{
    (void)scratch;
    (void)values;
    return comm_agree(c, eigen_check(m->order, c->size));
}

#else

bool eigen_built(void)
{
    return true;
}

const char *eigen_version(void)
{
    return POLLARD_SCALAPACK_VERSION;
}

/* BLACS and ScaLAPACK have no headers. BLACS is called from C, ScaLAPACK as Fortran compilers do, lengths of texts at the end. */
extern int Csys2blacs_handle(MPI_Comm c);
extern void Cfree_blacs_system_handle(int handle);
extern void Cblacs_gridinit(int *context, const char *order, int rows, int columns);
extern void Cblacs_gridinfo(int context, int *rows, int *columns, int *row, int *column);
extern void Cblacs_gridexit(int context);
extern void descinit_(int *descriptor, const int *m, const int *n, const int *mb, const int *nb, const int *row, const int *column,
                      const int *context, const int *lld, int *info);
extern void pdsytrd_(const char *half, const int *n, double *a, const int *ia, const int *ja, const int *descriptor, double *d, double *e,
                     double *tau, double *work, const int *lwork, int *info, size_t);

/* This rank's share. */
typedef struct share {
    grid grid;
    int descriptor[9];
    size_t height, width;
    double *a;             /* [width columns of height] */
    double *d, *e, *tau;   /* [width] of its columns */
    double *both;          /* [2, order] diagonal and what is beside it, of all ranks */
    double *work;
    int n_work;
} share;

static status share_open(arena *a, const eigen_matrix *m, int context, grid g, share *out)
{
    static const int tile = EIGEN_TILE, zero = 0;
    const int order = (int)m->order;
    int info = 0;
    *out = (share){.grid = g};
    TRY_ALLOC(out->both, a, 2 * m->order);
    if (g.row < 0) {
        return STATUS_OK;
    }
    out->height = local_size(m->order, (size_t)g.row, (size_t)g.rows);
    out->width = local_size(m->order, (size_t)g.column, (size_t)g.columns);
    const int lld = out->height == 0 ? 1 : (int)out->height;
    descinit_(out->descriptor, &order, &order, &tile, &tile, &zero, &zero, &context, &lld, &info);
    TRY_ALLOC(out->a, a, (size_t)lld * (out->width + 1));
    TRY_ALLOC(out->d, a, out->width + 1);
    TRY_ALLOC(out->e, a, out->width + 1);
    TRY_ALLOC(out->tau, a, out->width + 1);
    if (info != 0) {
        return FAIL(ST_BUG, "a matrix of order %d: ScaLAPACK does not take it (descinit says %d)", order, info);
    }
    /* As documented. pdsytrd would say it too, but is collective when it does, and a rank without memory is not here any more. */
    out->n_work = EIGEN_TILE * (lld + 1) > 3 * EIGEN_TILE ? EIGEN_TILE * (lld + 1) : 3 * EIGEN_TILE;
    TRY_ALLOC(out->work, a, (size_t)out->n_work);
    return STATUS_OK;
}

/* All ranks of the grid. */
static int reduce(const eigen_matrix *m, share *s)
{
    static const int one = 1;
    const int order = (int)m->order;
    const size_t rows = (size_t)s->grid.rows, row = (size_t)s->grid.row, columns = (size_t)s->grid.columns, column = (size_t)s->grid.column;
    int info = 0;
    m->fill(m->context, row, rows, column, columns, s->a, s->height == 0 ? 1 : s->height);
    pdsytrd_("L", &order, s->a, &one, &one, s->descriptor, s->d, s->e, s->tau, s->work, &s->n_work, &info, 1);
    for (size_t k = 0; k < s->width && row == 0; k++) { /* the other rows have the same */
        const size_t at = (k / EIGEN_TILE * columns + column) * EIGEN_TILE + k % EIGEN_TILE;
        s->both[at] = s->d[k];
        s->both[m->order + at] = at + 1 < m->order ? s->e[k] : 0.0;
    }
    return info;
}

static status solve(comm *c, arena *scratch, const eigen_matrix *m, int context, grid g, double *values)
{
    share s;
    int info = 0;
    TRY(comm_agree(c, share_open(scratch, m, context, g, &s)));
    if (g.row >= 0) {
        info = reduce(m, &s);
    }
    TRY(comm_agree(c, info == 0 ? STATUS_OK : FAIL(ST_BUG, "a matrix of order %zu: pdsytrd says %d", m->order, info)));
    comm_or_bytes(c, 2 * m->order * sizeof(double), s.both); /* zeros but on the rank that knows */
    status st = STATUS_OK;
    if (c->rank == 0) {
        st = dense_tridiagonal_eigenvalues(m->order, s.both, s.both + m->order);
        for (size_t i = 0; i < m->order; i++) {
            values[i] = s.both[i];
        }
    }
    return comm_agree(c, st);
}

/* BLACS looks at no return value of MPI, so that its communicator's failures end the job at once, as those of parallel/comm.c do. */
status eigen_values(comm *c, arena *scratch, const eigen_matrix *m, double *values)
{
    MPI_Comm own = MPI_COMM_NULL;
    TRY(comm_agree(c, eigen_check(m->order, c->size)));
    const bool made = MPI_Comm_dup(c->mpi, &own) == MPI_SUCCESS && MPI_Comm_set_errhandler(own, MPI_ERRORS_ARE_FATAL) == MPI_SUCCESS;
    TRY(comm_agree(c, made ? STATUS_OK : FAIL(ST_ENVIRONMENT, "no communicator for ScaLAPACK")));
    const int handle = Csys2blacs_handle(own);
    grid g = grid_of(m->order, c->size);
    int context = handle;
    Cblacs_gridinit(&context, "Row", g.rows, g.columns);
    g.row = g.column = -1;
    if (c->rank < g.rows * g.columns) {
        Cblacs_gridinfo(context, &g.rows, &g.columns, &g.row, &g.column);
    }
    const status st = solve(c, scratch, m, context, g, values);
    if (g.row >= 0) {
        Cblacs_gridexit(context);
    }
    Cfree_blacs_system_handle(handle);
    (void)MPI_Comm_free(&own);
    return st;
}

#endif
