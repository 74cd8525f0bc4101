#include "io/results_inspect_spectrum.h"

#include <inttypes.h>
#include <string.h>

#include "io/text_table.h"

enum { LONGEST_CELL = 60, COLUMNS = 13, TEXTS = 3, SHARES = 3 };

/* One /spectrum/<model>/<criterion>. */
typedef struct spectra {
    size_t n_sets, n_parts;
    const int64_t *references, *images, *components;
    const char *const *task;              /* [n_sets] */
    const char *const *name, *const *level; /* [n_parts] */
    const double *participation, *adjusted, *rank; /* [n_sets, n_parts] */
    const double *modes;                           /* [n_sets, n_parts, SHARES] */
} spectra;

static status object(arena *a, const char *group, const char *name, const char **out)
{
    TRY_TEXT(*out, a, "%s/%s", group, name);
    return STATUS_OK;
}

static status read_counts(arena *a, const h5_file *f, const char *group, const char *name, size_t *n, const int64_t **out)
{
    const char *path;
    TRY(object(a, group, name, &path));
    return h5_get_counts(a, f, path, 1, n, out);
}

static status read_reals(arena *a, const h5_file *f, const char *group, const char *name, size_t rank, const spectra *x, const double **out)
{
    const char *path;
    size_t dims[] = {x->n_sets, x->n_parts, SHARES};
    TRY(object(a, group, name, &path));
    return h5_get_reals(a, f, path, rank, dims, out);
}

static status read_texts(arena *a, const h5_file *f, const char *group, const char *name, size_t *n, const char *const **out)
{
    const char *path;
    TRY(object(a, group, name, &path));
    return h5_get_texts(a, f, path, 1, n, out);
}

static status read_spectra(arena *a, const h5_file *f, const char *group, spectra *x)
{
    *x = (spectra){.n_sets = H5_ANY_SIZE, .n_parts = H5_ANY_SIZE};
    TRY(read_texts(a, f, group, "task", &x->n_sets, &x->task));
    TRY(read_counts(a, f, group, "references", &x->n_sets, &x->references));
    TRY(read_counts(a, f, group, "images", &x->n_sets, &x->images));
    TRY(read_counts(a, f, group, "components", &x->n_parts, &x->components));
    TRY(read_texts(a, f, group, "name", &x->n_parts, &x->name));
    TRY(read_texts(a, f, group, "level", &x->n_parts, &x->level));
    TRY(read_reals(a, f, group, "participation", 2, x, &x->participation));
    TRY(read_reals(a, f, group, "adjusted", 2, x, &x->adjusted));
    TRY(read_reals(a, f, group, "effective_rank", 2, x, &x->rank));
    return read_reals(a, f, group, "modes", 3, x, &x->modes);
}

static bool same_task(const spectra *x, size_t a, size_t b)
{
    return x->references[a] == x->references[b] && strcmp(x->task[a], x->task[b]) == 0;
}

/* Is the set the first of its task? Sets that differ in their seeds alone are one line. */
static bool is_first(const spectra *x, size_t set)
{
    size_t i = 0;
    while (!same_task(x, i, set)) {
        i++;
    }
    return i == set;
}

/* Mean over the sets of a task of numbers [sets, parts, width]. */
static double mean(const spectra *x, const double *of, size_t width, size_t set, size_t part, size_t at)
{
    double sum = 0.0;
    size_t n = 0;
    for (size_t i = 0; i < x->n_sets; i++) {
        if (same_task(x, i, set)) {
            sum += of[(i * x->n_parts + part) * width + at];
            n++;
        }
    }
    return sum / (double)n;
}

/* Over the layers: what is left when each is taken by itself. */
static double sum_of_layers(const spectra *x, size_t set)
{
    double sum = 0.0;
    for (size_t p = 0; p < x->n_parts; p++) {
        sum += strcmp(x->level[p], "layer") == 0 ? mean(x, x->participation, 1, set, p, 0) : 0.0;
    }
    return sum;
}

static size_t seeds(const spectra *x, size_t set)
{
    size_t n = 0;
    for (size_t i = 0; i < x->n_sets; i++) {
        n += same_task(x, i, set);
    }
    return n;
}

static status fill_row(arena *a, const spectra *x, size_t set, size_t part, const char **cell)
{
    TRY(text_printable(a, x->name[part], LONGEST_CELL, &cell[2]));
    TRY(text_printable(a, x->task[set], LONGEST_CELL, &cell[3]));
    TRY_TEXT(cell[4], a, "%" PRId64, x->references[set]);
    TRY_TEXT(cell[5], a, "%zu", seeds(x, set));
    TRY_TEXT(cell[6], a, "%" PRId64, x->images[set]);
    TRY_TEXT(cell[7], a, "%" PRId64, x->components[part]);
    TRY_TEXT(cell[8], a, "%.2f", mean(x, x->participation, 1, set, part, 0));
    TRY_TEXT(cell[9], a, "%.2f", mean(x, x->adjusted, 1, set, part, 0));
    TRY_TEXT(cell[10], a, "%.2f", mean(x, x->rank, 1, set, part, 0));
    TRY_TEXT(cell[11], a, "%.1f", mean(x, x->modes, SHARES, set, part, 1));
    if (strcmp(x->level[part], "network") == 0) {
        TRY_TEXT(cell[12], a, "%.2f", sum_of_layers(x, set));
    } else {
        cell[12] = "";
    }
    return STATUS_OK;
}

/* Layers are for those who read the file; where all components are of one kind, so is it. */
static bool is_shown(const spectra *x, size_t part)
{
    size_t kinds = 0;
    for (size_t p = 0; p < x->n_parts; p++) {
        kinds += strcmp(x->level[p], "kind") == 0;
    }
    return strcmp(x->level[part], "network") == 0 || (strcmp(x->level[part], "kind") == 0 && kinds > 1);
}

/* Lines of a group; with t NULL they are only counted. */
static status add_rows(arena *a, const h5_file *f, const char *model, const char *criterion, size_t *rows, text_table *t)
{
    char *group;
    spectra x;
    TRY_TEXT(group, a, "/spectrum/%s/%s", model, criterion);
    TRY(read_spectra(a, f, group, &x));
    for (size_t set = 0; set < x.n_sets; set++) {
        for (size_t p = 0; p < x.n_parts && is_first(&x, set); p++) {
            if (!is_shown(&x, p)) {
                continue;
            }
            ++*rows;
            if (t != NULL) {
                const char **cell = &t->cell[*rows * COLUMNS];
                TRY(text_printable(a, model, LONGEST_CELL, &cell[0]));
                TRY(text_printable(a, criterion, LONGEST_CELL, &cell[1]));
                TRY(fill_row(a, &x, set, p, cell));
            }
        }
    }
    return STATUS_OK;
}

static status add_groups(arena *a, const h5_file *f, size_t *rows, text_table *t)
{
    const char *const *models = NULL, *const *criteria = NULL;
    size_t n_models = 0, n = 0;
    *rows = 0;
    TRY(h5_list(a, f, "/spectrum", &n_models, &models));
    for (size_t m = 0; m < n_models; m++) {
        char *path;
        TRY_TEXT(path, a, "/spectrum/%s", models[m]);
        TRY(h5_list(a, f, path, &n, &criteria));
        for (size_t k = 0; k < n; k++) {
            TRY(add_rows(a, f, models[m], criteria[k], rows, t));
        }
    }
    return STATUS_OK;
}

static status print_spectra(arena *a, const h5_file *f, FILE *to)
{
    static const char *const headings[COLUMNS] = {"model", "criterion", "of", "classes", "references", "seeds", "images", "components",
                                                  "participation", "adjusted", "effective rank", "for 95 %", "sum over layers"};
    size_t rows = 0;
    text_table t;
    TRY(add_groups(a, f, &rows, NULL));
    if (rows == 0) {
        return STATUS_OK;
    }
    TRY(text_table_open(a, COLUMNS, rows, &t));
    memcpy(t.cell, headings, sizeof headings);
    for (size_t c = TEXTS; c < COLUMNS; c++) {
        t.right[c] = true;
    }
    TRY(add_groups(a, f, &rows, &t));
    (void)fputs("\nIndependent components, by the covariance of scores over the reference images: means over the seeds\n", to);
    text_table_print(&t, to);
    return STATUS_OK;
}

status results_inspect_spectra(arena *a, const h5_file *f, FILE *to)
{
    const char *const *groups = NULL;
    size_t n = 0, i = 0;
    TRY(h5_list(a, f, "/", &n, &groups));
    while (i < n && strcmp(groups[i], "spectrum") != 0) {
        i++;
    }
    return i == n ? STATUS_OK : print_spectra(a, f, to);
}
