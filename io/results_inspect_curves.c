/* Curves, averaged over the cells that differ in their seeds alone. */
#include "io/results_inspect_curves.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "io/guard.h"
#include "io/text_table.h"
#include "pruning/curve.h"

enum { LONGEST_CELL = 60, MOST_RATES_SHOWN = 11, CURVE_KEYS = 6 };

typedef struct curves {
    size_t n_cells, n_rates, n_slots;
    const char *const *model, *const *kind, *const *criterion, *const *task;
    const int64_t *references, *total;
    const int64_t *correct, *agree;             /* [n_cells, n_rates] */
    const int64_t *class_total, *class_correct; /* [n_cells, n_slots], [n_cells, n_rates, n_slots] */
    const double *rate, *loss;                  /* [n_rates], [n_cells, n_rates] */
} curves;

/* The variables whose counts make the study's accuracies. */
static status counted(arena *a, const h5_file *f, const char **correct, const char **class_correct)
{
    const char *prediction = "";
    TRY(h5_get_attr_text(a, f, "/", "prediction", &prediction));
    const bool masked = strcmp(prediction, curve_prediction_names[PREDICTION_MASKED]) == 0;
    *correct = masked ? "/curves/correct_masked" : "/curves/correct";
    *class_correct = masked ? "/curves/class_correct_masked" : "/curves/class_correct";
    return STATUS_OK;
}

/* Counts of images of which there are `of` [n / each]. */
static status check_counts(const h5_file *f, const char *path, size_t n, size_t each, const int64_t count[], const int64_t of[])
{
    for (size_t i = 0; i < n; i++) {
        if (count[i] < 0 || count[i] > of[i / each]) {
            return FAIL(ST_DATA, "%s: %s: cell %zu counts %" PRId64 " of %" PRId64 " images; " FILE_DAMAGED, f->path, path, i / each, count[i],
                        of[i / each]);
        }
    }
    return STATUS_OK;
}

/* Of classes: the k-th slot of a cell has the same total at every rate. */
static status check_classes(const h5_file *f, const char *path, const curves *c)
{
    for (size_t i = 0; i < c->n_cells * c->n_rates * c->n_slots; i++) {
        const size_t cell = i / (c->n_rates * c->n_slots), slot = i % c->n_slots;
        const int64_t of = c->class_total[cell * c->n_slots + slot];
        if (c->class_correct[i] < 0 || c->class_correct[i] > of) {
            return FAIL(ST_DATA, "%s: %s: cell %zu counts %" PRId64 " of %" PRId64 " images of its class %zu; " FILE_DAMAGED, f->path, path, cell,
                        c->class_correct[i], of, slot);
        }
    }
    return STATUS_OK;
}

static status read_keys(arena *a, const h5_file *f, curves *c)
{
    *c = (curves){.n_cells = H5_ANY_SIZE, .n_rates = H5_ANY_SIZE, .n_slots = H5_ANY_SIZE};
    TRY(h5_get_texts(a, f, "/curves/model", 1, &c->n_cells, &c->model));
    TRY(h5_get_texts(a, f, "/curves/kind", 1, &c->n_cells, &c->kind));
    TRY(h5_get_texts(a, f, "/curves/criterion", 1, &c->n_cells, &c->criterion));
    TRY(h5_get_texts(a, f, "/curves/task", 1, &c->n_cells, &c->task));
    TRY(h5_get_counts(a, f, "/curves/references", 1, &c->n_cells, &c->references));
    TRY(h5_get_counts(a, f, "/curves/total", 1, &c->n_cells, &c->total));
    return h5_get_reals(a, f, "/curves/rate", 1, &c->n_rates, &c->rate);
}

static status read_curves(arena *a, const h5_file *f, curves *c)
{
    const char *correct = NULL, *class_correct = NULL;
    TRY(read_keys(a, f, c));
    TRY(counted(a, f, &correct, &class_correct));
    size_t points[] = {c->n_cells, c->n_rates}, of_class[] = {c->n_cells, c->n_slots};
    TRY(h5_get_counts(a, f, correct, 2, points, &c->correct));
    TRY(h5_get_counts(a, f, "/curves/agree", 2, points, &c->agree));
    TRY(h5_get_reals(a, f, "/curves/loss_sum", 2, points, &c->loss));
    TRY(h5_get_counts(a, f, "/curves/class_total", 2, of_class, &c->class_total));
    c->n_slots = of_class[1];
    size_t by_class[] = {c->n_cells, c->n_rates, c->n_slots};
    TRY(h5_get_counts(a, f, class_correct, 3, by_class, &c->class_correct));
    TRY(check_counts(f, correct, c->n_cells * c->n_rates, c->n_rates, c->correct, c->total));
    TRY(check_counts(f, "/curves/agree", c->n_cells * c->n_rates, c->n_rates, c->agree, c->total));
    return check_classes(f, class_correct, c);
}

static bool same_group(const curves *c, size_t a, size_t b)
{
    return strcmp(c->task[a], c->task[b]) == 0 && c->references[a] == c->references[b] && strcmp(c->model[a], c->model[b]) == 0 &&
           strcmp(c->kind[a], c->kind[b]) == 0 && strcmp(c->criterion[a], c->criterion[b]) == 0;
}

static size_t group_end(const curves *c, size_t first)
{
    size_t end = first + 1;
    while (end < c->n_cells && same_group(c, first, end)) {
        end++;
    }
    return end;
}

/* ---- what is told of a cell at a rate ---- */

static double share(int64_t n, int64_t of)
{
    return of == 0 ? (double)NAN : (double)n / (double)of;
}

static double accuracy(const curves *c, size_t cell, size_t rate)
{
    return share(c->correct[cell * c->n_rates + rate], c->total[cell]);
}

static double agreement(const curves *c, size_t cell, size_t rate)
{
    return share(c->agree[cell * c->n_rates + rate], c->total[cell]);
}

static double loss(const curves *c, size_t cell, size_t rate)
{
    return c->total[cell] == 0 ? (double)NAN : c->loss[cell * c->n_rates + rate] / (double)c->total[cell];
}

/* Of the classes with images; slots beyond the task's classes have none. */
static double worst_class(const curves *c, size_t cell, size_t rate)
{
    double worst = (double)NAN;
    for (size_t i = 0; i < c->n_slots; i++) {
        worst = fmin(worst, share(c->class_correct[(cell * c->n_rates + rate) * c->n_slots + i], c->class_total[cell * c->n_slots + i]));
    }
    return worst;
}

static const struct measure {
    const char *title;
    double (*of)(const curves *c, size_t cell, size_t rate);
} measures[] = {
    {"Accuracy over the pruning rate, mean over the seeds", accuracy},
    {"Accuracy of the worst class of the task (all of them: class_correct in /curves)", worst_class},
    {"Share of the images with the answer of the unpruned network", agreement},
    {"Cross entropy of an image, in nat", loss},
};

static double mean_of(const curves *c, const struct measure *m, size_t first, size_t end, size_t rate)
{
    double sum = 0.0;
    for (size_t i = first; i < end; i++) {
        sum += m->of(c, i, rate);
    }
    return sum / (double)(end - first);
}

static status fill_row(arena *a, const curves *c, const struct measure *m, size_t first, size_t step, size_t n_columns, const char **cell)
{
    const size_t end = group_end(c, first);
    TRY(text_printable(a, c->model[first], LONGEST_CELL, &cell[0]));
    TRY(text_printable(a, c->kind[first], LONGEST_CELL, &cell[1]));
    TRY(text_printable(a, c->criterion[first], LONGEST_CELL, &cell[2]));
    TRY(text_printable(a, c->task[first], LONGEST_CELL, &cell[3]));
    TRY_TEXT(cell[4], a, "%" PRId64, c->references[first]);
    TRY_TEXT(cell[5], a, "%zu", end - first);
    for (size_t i = CURVE_KEYS; i < n_columns; i++) {
        TRY_TEXT(cell[i], a, "%.3f", mean_of(c, m, first, end, (i - CURVE_KEYS) * step));
    }
    return STATUS_OK;
}

static status print_measure(arena *a, FILE *to, const curves *c, const struct measure *m)
{
    static const char *const keys[CURVE_KEYS] = {"model", "pruned", "criterion", "classes", "references", "seeds"};
    const size_t step = c->n_rates == 0 ? 1 : (c->n_rates + MOST_RATES_SHOWN - 1) / MOST_RATES_SHOWN;
    text_table t;
    size_t groups = 0;
    for (size_t first = 0; first < c->n_cells; first = group_end(c, first)) {
        groups++;
    }
    TRY(text_table_open(a, CURVE_KEYS + (c->n_rates + step - 1) / step, groups, &t));
    memcpy(t.cell, keys, sizeof keys);
    for (size_t i = 3; i < t.n_columns; i++) {
        t.right[i] = true;
        if (i >= CURVE_KEYS) {
            TRY_TEXT(t.cell[i], a, "%g", c->rate[(i - CURVE_KEYS) * step]);
        }
    }
    const char **row = t.cell;
    for (size_t first = 0; first < c->n_cells; first = group_end(c, first)) {
        row += t.n_columns;
        TRY(fill_row(a, c, m, first, step, t.n_columns, row));
    }
    (void)fprintf(to, "\n%s (%zu cells, %zu rates)\n", m->title, c->n_cells, c->n_rates);
    text_table_print(&t, to);
    return STATUS_OK;
}

status results_inspect_curves(arena *a, const h5_file *f, FILE *to)
{
    curves c;
    TRY(read_curves(a, f, &c));
    for (size_t i = 0; i < COUNT(measures); i++) {
        TRY(print_measure(a, to, &c, &measures[i]));
    }
    return STATUS_OK;
}
