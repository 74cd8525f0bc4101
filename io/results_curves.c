/* /curves: one row per cell of the study. */
#include <math.h>
#include <string.h>

#include "io/results_parts.h"

#define CELL(field) offsetof(result_cell, field)

static const h5_column coordinates[] = {
    COLUMN("model", "cell", H5_STRING, NULL, "model", FROM_INDEX, CELL(model), LIST_MODELS),
    COLUMN("kind", "cell", H5_STRING, NULL, "what is pruned: filters, neurons or heads", FROM_ENUM, CELL(kind),
           LIST_KINDS),
    COLUMN("criterion", "cell", H5_STRING, NULL, "criterion", FROM_INDEX, CELL(criterion), LIST_CRITERIA),
    COLUMN("seed", "cell", H5_SEED, NULL, "seed of the task", FROM_COUNT, CELL(seed), 0),
    COLUMN("references", "cell", H5_COUNT, "1", "reference images per class; 0: the criterion needs none", FROM_SIZE,
           CELL(n_references), 0),
    COLUMN("task", "cell", H5_STRING, NULL, "class subset: how many classes a seed draws, or the name of a stated one", FROM_INDEX, CELL(task), LIST_TASKS),
    COLUMN("n_classes", "cell", H5_COUNT, "1", "classes of the task", FROM_SIZE, CELL(n_classes), 0),
};

static const h5_column measures[] = {
    COLUMN("reference_images", "cell", H5_COUNT, "1", "reference images of all classes; 0: the criterion needs none", FROM_SIZE,
           CELL(n_images), 0),
    COLUMN("total", "cell", H5_COUNT, "1", "evaluation images", FROM_COUNT, CELL(total), 0),
    COLUMN("correct", "cell rate", H5_COUNT, "1", "images whose class has the largest logit among the task's classes",
           FROM_COUNTS, CELL(correct), 0),
    COLUMN("correct_masked", "cell rate", H5_COUNT, "1",
           "images whose class has the largest of all logits, those outside the task set to 0", FROM_COUNTS,
           CELL(correct_masked), 0),
    COLUMN("top5", "cell rate", H5_COUNT, "1",
           "images whose class is among the five largest logits of the task's classes", FROM_COUNTS, CELL(top5), 0),
    COLUMN("top5_masked", "cell rate", H5_COUNT, "1",
           "images whose class is among the five largest of all logits, those outside the task set to 0", FROM_COUNTS,
           CELL(top5_masked), 0),
    COLUMN("agree", "cell rate", H5_COUNT, "1",
           "images with the same largest logit among the task's classes as in the unpruned network", FROM_COUNTS, CELL(agree), 0),
    COLUMN("loss_sum", "cell rate", H5_REAL, "nat",
           "cross entropy over the task's classes, summed exactly over the evaluation images", FROM_REALS,
           CELL(loss_sum), 0),
    COLUMN("removed", "cell rate", H5_COUNT, "1", "components removed", FROM_COUNTS, CELL(removed), 0),
    COLUMN("layers_emptied", "cell rate", H5_COUNT, "1", "layers of which nothing is left", FROM_COUNTS, CELL(layers_emptied), 0),
    COLUMN("parameters_left", "cell rate", H5_COUNT, "1", "parameters of the compacted network", FROM_COUNTS,
           CELL(parameters_left), 0),
    COLUMN("macs_left", "cell rate", H5_COUNT, "1", "multiply-adds per image of the compacted network", FROM_COUNTS,
           CELL(macs_left), 0),
    COLUMN("a_pr_mean", "cell", H5_REAL, "1", "A_PR: mean of the accuracy over the rates", FROM_REAL, CELL(a_pr_mean),
           0),
    COLUMN("a_pr_trapezoid", "cell", H5_REAL, "1", "A_PR: area under the accuracy over the rates", FROM_REAL,
           CELL(a_pr_trapezoid), 0),
    COLUMN("highest_rate_95", "cell", H5_REAL, "1",
           "highest rate up to which every rate keeps 95 % of the unpruned accuracy", FROM_REAL, CELL(highest_rate), 0),
    COLUMN("area_parameters", "cell", H5_REAL, "1", "area under the accuracy over the share of removed parameters", FROM_REAL,
           CELL(area_parameters), 0),
    COLUMN("area_macs", "cell", H5_REAL, "1", "area under the accuracy over the share of removed multiply-adds", FROM_REAL,
           CELL(area_macs), 0),
    COLUMN("parameters_removed_95", "cell", H5_REAL, "1", "share of the parameters that is gone at highest_rate_95", FROM_REAL,
           CELL(parameters_removed), 0),
    COLUMN("macs_removed_95", "cell", H5_REAL, "1", "share of the multiply-adds that is gone at highest_rate_95", FROM_REAL,
           CELL(macs_removed), 0),
};

static status put_accuracy(h5_group *g, const results *r)
{
    static const h5_variable v = {
        "accuracy", "cell rate", H5_REAL, "1", "share of the images that are correct by the study's prediction",
        NULL,       NULL};
    double *accuracy;
    TRY_ALLOC(accuracy, g->file->scratch, r->n_cells * r->n_rates);
    for (size_t c = 0; c < r->n_cells; c++) {
        for (size_t i = 0; i < r->n_rates; i++) {
            const result_cell *cell = &r->cells[c];
            const double correct = (double)results_correct(r, cell)[i];
            accuracy[c * r->n_rates + i] = cell->total == 0 ? NAN : correct / (double)cell->total;
        }
    }
    return h5_put(g, &v, accuracy);
}

/* Tasks have different numbers of classes: slots beyond a cell's n_classes hold no class and count nothing. */
static status put_classes(h5_group *g, const results *r, size_t slots)
{
    static const int64_t none = -1;
    static const h5_variable classes = {
        "classes", "cell class_slot", H5_SIGNED, NULL, "class numbers of the task", &none, NULL};
    static const h5_variable totals = {
        "class_total", "cell class_slot", H5_COUNT, "1", "evaluation images of the class", NULL, NULL};
    int64_t *class;
    uint64_t *total;
    TRY_ALLOC(class, g->file->scratch, r->n_cells * slots);
    TRY_ALLOC(total, g->file->scratch, r->n_cells * slots);
    for (size_t c = 0; c < r->n_cells; c++) {
        for (size_t i = 0; i < slots; i++) {
            const bool used = i < r->cells[c].n_classes;
            class[c * slots + i] = used ? (int64_t)r->cells[c].classes[i] : none;
            total[c * slots + i] = used ? r->cells[c].class_total[i] : 0;
        }
    }
    TRY(h5_put(g, &classes, class));
    return h5_put(g, &totals, total);
}

static status put_class_correct(h5_group *g, const results *r, size_t slots)
{
    static const h5_variable variables[CURVE_PREDICTIONS] = {
        [PREDICTION_RESTRICTED] = {"class_correct", "cell rate class_slot", H5_COUNT, "1",
                                   "images of the class that are counted in `correct`", NULL, NULL},
        [PREDICTION_MASKED] = {"class_correct_masked", "cell rate class_slot", H5_COUNT, "1",
                               "images of the class that are counted in `correct_masked`", NULL, NULL},
    };
    uint64_t *correct;
    TRY_ALLOC(correct, g->file->scratch, r->n_cells * r->n_rates * slots);
    for (size_t p = 0; p < CURVE_PREDICTIONS; p++) {
        for (size_t c = 0; c < r->n_cells; c++) {
            const result_cell *cell = &r->cells[c];
            const uint64_t *from = p == PREDICTION_MASKED ? cell->class_correct_masked : cell->class_correct;
            for (size_t i = 0; i < r->n_rates; i++) {
                memcpy(&correct[(c * r->n_rates + i) * slots], &from[i * cell->n_classes],
                       cell->n_classes * sizeof *correct);
            }
        }
        TRY(h5_put(g, &variables[p], correct));
    }
    return STATUS_OK;
}

static size_t most_classes(const results *r)
{
    size_t most = 0;
    for (size_t c = 0; c < r->n_cells; c++) {
        most = r->cells[c].n_classes > most ? r->cells[c].n_classes : most;
    }
    return most;
}

status results_put_curves(const results_writer *w)
{
    const results *r = w->r;
    const size_t slots = most_classes(r);
    const h5_table cells = {r->n_cells, sizeof *r->cells, r->cells, r->n_rates, w->names};
    status st = STATUS_OK;
    h5_group g;
    TRY(h5_group_create(w->file, "/curves", &g));
    TRY_OR(cleanup, st, h5_attr_text(&g, "coordinates", "model kind criterion seed references task n_classes"));
    TRY_OR(cleanup, st, h5_attr_text(&g, "convolutions", r->winograd ? "winograd" : "direct"));
    TRY_OR(cleanup, st, results_put_numbering(&g, "cell", r->n_cells, "cell of the study"));
    TRY_OR(cleanup, st, results_put_rates(&g, r));
    TRY_OR(cleanup, st, results_put_numbering(&g, "class_slot", slots, "place of a class in the task"));
    TRY_OR(cleanup, st, h5_put_table(&g, &cells, COUNT(coordinates), coordinates));
    TRY_OR(cleanup, st, h5_put_table(&g, &cells, COUNT(measures), measures));
    TRY_OR(cleanup, st, put_accuracy(&g, r));
    TRY_OR(cleanup, st, put_classes(&g, r, slots));
    TRY_OR(cleanup, st, put_class_correct(&g, r, slots));
cleanup:
    return h5_group_close(st, &g);
}
