#include "pruning/gram.h"

#include <math.h>
#include <string.h>

#include "backend/dense.h"

enum { CHUNK = 256 }; /* of the index that is summed over: two panels of it lie in a core's second cache */

status gram_open(arena *a, const float *rows, size_t stride, size_t n_samples, const size_t sample[], size_t n_components,
                 const size_t component[], gram *out)
{
    double *mean;
    TRY_ALLOC(mean, a, n_components);
    *out = (gram){.rows = rows, .stride = stride, .n_samples = n_samples, .sample = sample, .n_components = n_components,
                  .component = component, .mean = mean, .over_samples = n_samples <= n_components};
    out->order = out->over_samples ? n_samples : n_components;
    for (size_t i = 0; i < n_samples; i++) {
        const float *row = rows + sample[i] * stride;
        for (size_t k = 0; k < n_components; k++) {
            mean[k] += (double)row[component[k]];
        }
    }
    for (size_t k = 0; k < n_components; k++) {
        mean[k] /= (double)n_samples;
    }
    TRY_ALLOC(out->panel[0], a, GRAM_TILE * CHUNK);
    TRY_ALLOC(out->panel[1], a, GRAM_TILE * CHUNK);
    return STATUS_OK;
}

bool gram_is_finite(const gram *g, size_t *sample, size_t *component)
{
    for (size_t i = 0; i < g->n_samples; i++) {
        for (size_t k = 0; k < g->n_components; k++) {
            if (!isfinite(g->rows[g->sample[i] * g->stride + g->component[k]])) {
                *sample = i;
                *component = k;
                return false;
            }
        }
    }
    return true;
}

size_t gram_open_bytes(size_t n_components)
{
    return arena_block_bytes(n_components, sizeof(double)) + 2 * arena_block_bytes(GRAM_TILE * CHUNK, sizeof(double));
}

/* Rows or columns of the matrix [first, first + GRAM_TILE) of scores about their means, and of the index that is summed over
 * [from, from + n): [n, GRAM_TILE], zeros beyond the end of the matrix. */
static void fill_panel(const gram *g, size_t first, size_t from, size_t n, double *to)
{
    const size_t width = g->order - first < GRAM_TILE ? g->order - first : GRAM_TILE;
    memset(to, 0, n * GRAM_TILE * sizeof *to);
    if (g->over_samples) {
        for (size_t v = 0; v < width; v++) {
            const float *row = g->rows + g->sample[first + v] * g->stride;
            for (size_t l = 0; l < n; l++) {
                to[l * GRAM_TILE + v] = (double)row[g->component[from + l]] - g->mean[from + l];
            }
        }
        return;
    }
    for (size_t l = 0; l < n; l++) {
        const float *row = g->rows + g->sample[from + l] * g->stride;
        for (size_t v = 0; v < width; v++) {
            to[l * GRAM_TILE + v] = (double)row[g->component[first + v]] - g->mean[first + v];
        }
    }
}

static void compute_tile(const gram *g, size_t row, size_t column, double tile[GRAM_TILE * GRAM_TILE])
{
    const size_t length = g->over_samples ? g->n_components : g->n_samples;
    memset(tile, 0, GRAM_TILE * GRAM_TILE * sizeof *tile);
    for (size_t from = 0; from < length; from += CHUNK) {
        const size_t n = length - from < CHUNK ? length - from : CHUNK;
        fill_panel(g, row * GRAM_TILE, from, n, g->panel[0]);
        fill_panel(g, column * GRAM_TILE, from, n, g->panel[1]);
        dense_add_products(GRAM_TILE, GRAM_TILE, n, g->panel[0], g->panel[1], tile, GRAM_TILE);
    }
}

void gram_fill(const gram *g, size_t i, size_t p, size_t j, size_t q, double *to, size_t ldc)
{
    const size_t tiles = (g->order + GRAM_TILE - 1) / GRAM_TILE;
    double tile[GRAM_TILE * GRAM_TILE];
    for (size_t column = j; column < tiles; column += q) {
        for (size_t row = i; row < tiles; row += p) {
            if (row < column) {
                continue;
            }
            const size_t height = g->order - row * GRAM_TILE < GRAM_TILE ? g->order - row * GRAM_TILE : GRAM_TILE;
            const size_t width = g->order - column * GRAM_TILE < GRAM_TILE ? g->order - column * GRAM_TILE : GRAM_TILE;
            double *at = to + column / q * GRAM_TILE * ldc + row / p * GRAM_TILE;
            compute_tile(g, row, column, tile);
            for (size_t k = 0; k < width; k++) {
                memcpy(at + k * ldc, tile + k * GRAM_TILE, height * sizeof *tile);
            }
        }
    }
}

void gram_to_covariance(const gram *g, double *values)
{
    for (size_t low = 0, high = g->order; low < high--; low++) {
        const double first = values[low];
        values[low] = values[high];
        values[high] = first;
    }
    for (size_t k = 0; k < g->order; k++) {
        values[k] = g->n_samples < 2 ? (double)NAN : values[k] > 0.0 ? values[k] / (double)(g->n_samples - 1) : 0.0;
    }
}

status gram_eigenvalues(arena *scratch, const gram *g, double *values)
{
    double *matrix;
    TRY_ALLOC(matrix, scratch, g->order * g->order);
    gram_fill(g, 0, 1, 0, 1, matrix, g->order);
    TRY(dense_eigenvalues(scratch, g->order, matrix, values));
    gram_to_covariance(g, values);
    return STATUS_OK;
}

size_t gram_eigenvalues_bytes(size_t order)
{
    return arena_block_bytes(order * order, sizeof(double)) + arena_block_bytes(dense_eigenvalues_work(order), sizeof(double));
}
