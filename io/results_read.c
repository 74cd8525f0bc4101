/* /curves: which cells and rates a result has. */
#include "io/results_read.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/guard.h"
#include "io/results_carry.h"

static status read_texts(arena *a, const h5_file *f, const char *name, size_t *n, json_t *out)
{
    const char *path;
    const char *const *texts = NULL;
    TRY_TEXT(path, a, "/curves/%s", name);
    TRY(h5_get_texts(a, f, path, 1, n, &texts));
    return carry_texts(out, name, *n, texts);
}

/* Numbers beyond what JSON's integers hold exactly, as texts. */
static status read_seeds(arena *a, const h5_file *f, size_t *n, json_t *out)
{
    const uint64_t *seed = NULL;
    const char **text;
    TRY(h5_get_seeds(a, f, "/curves/seed", 1, n, &seed));
    TRY_ALLOC(text, a, *n);
    for (size_t i = 0; i < *n; i++) {
        TRY_TEXT(text[i], a, "%" PRIu64, seed[i]);
    }
    return carry_texts(out, "seed", *n, text);
}

static status read_counts(arena *a, const h5_file *f, const char *name, size_t *n, json_t *out)
{
    const char *path;
    const int64_t *count = NULL;
    TRY_TEXT(path, a, "/curves/%s", name);
    TRY(h5_get_counts(a, f, path, 1, n, &count));
    for (size_t i = 0; i < *n; i++) {
        if (count[i] < 0) {
            return FAIL(ST_DATA, "%s: %s: cell %zu has %" PRId64 "; " FILE_DAMAGED, f->path, path, i, count[i]);
        }
    }
    return carry_counts(out, name, *n, count);
}

/* "%a" says a double exactly. */
static status read_rates(arena *a, const h5_file *f, json_t *out)
{
    const double *rate = NULL;
    const char **text;
    size_t n = H5_ANY_SIZE;
    TRY(h5_get_reals(a, f, "/curves/rate", 1, &n, &rate));
    TRY_ALLOC(text, a, n);
    for (size_t i = 0; i < n; i++) {
        if (!(rate[i] >= 0.0 && rate[i] <= 1.0)) {
            return FAIL(ST_DATA, "%s: /curves/rate: expected rates from 0 to 1, found %g; " FILE_DAMAGED, f->path, rate[i]);
        }
        TRY_TEXT(text[i], a, "%a", rate[i]);
    }
    return carry_texts(out, "rate", n, text);
}

static const char *const texts[] = {"model", "kind", "criterion", "task"}, *const counts[] = {"n_classes", "references"};

enum { MOST_CELLS = 1 << 18 }; /* that anything is exported of; each is a few texts here and in the parent */

static status read_all(arena *a, const h5_file *f, const void *context, json_t *out)
{
    const int64_t *cell = NULL;
    size_t n = H5_ANY_SIZE;
    (void)context;
    TRY(h5_get_counts(a, f, "/curves/cell", 1, &n, &cell));
    if (n > MOST_CELLS) {
        return FAIL(ST_DATA, "%s: /curves: expected at most %d cells, found %zu; " FILE_DAMAGED, f->path, (int)MOST_CELLS, n);
    }
    for (size_t i = 0; i < COUNT(texts); i++) {
        TRY(read_texts(a, f, texts[i], &n, out));
    }
    TRY(read_seeds(a, f, &n, out));
    for (size_t i = 0; i < COUNT(counts); i++) {
        TRY(read_counts(a, f, counts[i], &n, out));
    }
    return read_rates(a, f, out);
}

/* Names of groups, and of folders and files of whoever exports them. */
static status check_name(const char *path, const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const size_t length = strlen(name);
    if (length == 0 || length > 200 || strspn(name, allowed) != length || name[0] == '.') {
        return FAIL(ST_DATA, "%s: /curves: expected names of letters, digits, _ - . for models, kinds, criteria and tasks, found '%.80s'; " FILE_DAMAGED,
                    path, name);
    }
    return STATUS_OK;
}

static status take_cells(arena *a, const char *path, const json_t *from, results_cells *out)
{
    results_cell *list;
    const char *const *text[COUNT(texts)], *const *seed;
    const json_t *count[COUNT(counts)];
    out->n = H5_ANY_SIZE;
    for (size_t i = 0; i < COUNT(texts); i++) {
        TRY(carried_texts(a, from, texts[i], &out->n, &text[i]));
    }
    TRY(carried_texts(a, from, "seed", &out->n, &seed));
    for (size_t i = 0; i < COUNT(counts); i++) {
        TRY(carried_list(from, counts[i], &out->n, &count[i]));
    }
    TRY_ALLOC(list, a, out->n);
    for (size_t i = 0; i < out->n; i++) {
        for (size_t k = 0; k < COUNT(texts); k++) {
            TRY(check_name(path, text[k][i]));
        }
        list[i] = (results_cell){text[0][i], text[1][i], text[2][i], text[3][i], strtoull(seed[i], NULL, 10),
                                 (size_t)json_integer_value(json_array_get(count[0], i)),
                                 (size_t)json_integer_value(json_array_get(count[1], i))};
    }
    out->list = list;
    return STATUS_OK;
}

static status take_rates(arena *a, const json_t *from, results_cells *out)
{
    double *rates;
    const char *const *text;
    out->n_rates = H5_ANY_SIZE;
    TRY(carried_texts(a, from, "rate", &out->n_rates, &text));
    TRY_ALLOC(rates, a, out->n_rates);
    for (size_t i = 0; i < out->n_rates; i++) {
        rates[i] = strtod(text[i], NULL);
    }
    out->rates = rates;
    return STATUS_OK;
}

status results_read_cells(arena *a, const char *path, results_cells *out)
{
    json_t *from = NULL;
    TRY(results_carry(path, read_all, NULL, &from));
    status st = take_cells(a, path, from, out);
    if (status_ok(st)) {
        st = take_rates(a, from, out);
    }
    json_decref(from);
    TRY(st);
    return out->n > 0 && out->n_rates > 0 ? STATUS_OK : FAIL(ST_DATA, "%s: /curves has no cells; " FILE_DAMAGED, path);
}
