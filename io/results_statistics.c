/* /stability, /summary and /differences: what is known over the seeds of a (model, kind, criterion, task, references). */
#include "io/results_parts.h"

#define STABILITY(field) offsetof(result_stability, field)
#define SUMMARY(field) offsetof(result_summary, field)
#define DIFFERENCE(field) offsetof(result_difference, field)

static const h5_column stability[] = {
    COLUMN("model", "row", H5_STRING, NULL, "model", FROM_INDEX, STABILITY(model), LIST_MODELS),
    COLUMN("kind", "row", H5_STRING, NULL, "what is pruned: filters, neurons or heads", FROM_ENUM, STABILITY(kind),
           LIST_KINDS),
    COLUMN("criterion", "row", H5_STRING, NULL, "criterion", FROM_INDEX, STABILITY(criterion), LIST_CRITERIA),
    COLUMN("task", "row", H5_STRING, NULL, "class subset: how many classes a seed draws, or the name of a stated one", FROM_INDEX, STABILITY(task), LIST_TASKS),
    COLUMN("n_classes", "row", H5_COUNT, "1", "classes of the tasks", FROM_SIZE, STABILITY(n_classes), 0),
    COLUMN("references", "row", H5_COUNT, "1", "reference images per class", FROM_SIZE, STABILITY(n_references), 0),
    COLUMN("pairs", "row", H5_COUNT, "1", "pairs of seeds compared", FROM_SIZE, STABILITY(n_pairs), 0),
    COLUMN("kendall_mean", "row", H5_REAL, "1", "Kendall's tau of the rankings, mean over the pairs", FROM_REAL,
           STABILITY(kendall_mean), 0),
    COLUMN("jaccard_mean", "row rate", H5_REAL, "1", "Jaccard index of the removed sets, mean over the pairs",
           FROM_REALS, STABILITY(jaccard_mean), 0),
};

static const h5_column summary[] = {
    COLUMN("model", "row", H5_STRING, NULL, "model", FROM_INDEX, SUMMARY(model), LIST_MODELS),
    COLUMN("kind", "row", H5_STRING, NULL, "what is pruned: filters, neurons or heads", FROM_ENUM, SUMMARY(kind),
           LIST_KINDS),
    COLUMN("criterion", "row", H5_STRING, NULL, "criterion", FROM_INDEX, SUMMARY(criterion), LIST_CRITERIA),
    COLUMN("task", "row", H5_STRING, NULL, "class subset: how many classes a seed draws, or the name of a stated one", FROM_INDEX, SUMMARY(task), LIST_TASKS),
    COLUMN("n_classes", "row", H5_COUNT, "1", "classes of the tasks", FROM_SIZE, SUMMARY(n_classes), 0),
    COLUMN("references", "row", H5_COUNT, "1", "reference images per class", FROM_SIZE, SUMMARY(n_references), 0),
    COLUMN("seeds", "row", H5_COUNT, "1", "seeds", FROM_SIZE, SUMMARY(n_seeds), 0),
    COLUMN("accuracy", "row", H5_REAL, "1", "accuracy of the unpruned network, mean over the seeds", FROM_REAL,
           SUMMARY(accuracy), 0),
    COLUMN("a_pr_mean", "row", H5_REAL, "1", "A_PR as mean over the rates, mean over the seeds", FROM_REAL,
           SUMMARY(a_pr_mean), 0),
    COLUMN("a_pr_mean_error", "row", H5_REAL, "1", "standard error of a_pr_mean over the seeds", FROM_REAL,
           SUMMARY(a_pr_error), 0),
    COLUMN("a_pr_trapezoid", "row", H5_REAL, "1", "A_PR as area under the curve, mean over the seeds", FROM_REAL,
           SUMMARY(a_pr_trapezoid), 0),
    COLUMN("a_pr_trapezoid_error", "row", H5_REAL, "1", "standard error of a_pr_trapezoid over the seeds", FROM_REAL,
           SUMMARY(a_pr_trapezoid_error), 0),
    COLUMN("highest_rate_95", "row", H5_REAL, "1",
           "highest rate up to which every rate keeps 95 % of the unpruned accuracy", FROM_REAL, SUMMARY(highest_rate), 0),
    COLUMN("area_parameters", "row", H5_REAL, "1", "area under the accuracy over the share of removed parameters, mean over the seeds",
           FROM_REAL, SUMMARY(area_parameters), 0),
    COLUMN("area_macs", "row", H5_REAL, "1", "area under the accuracy over the share of removed multiply-adds, mean over the seeds",
           FROM_REAL, SUMMARY(area_macs), 0),
    COLUMN("parameters_removed_95", "row", H5_REAL, "1", "share of the parameters that is gone at highest_rate_95, mean over the seeds",
           FROM_REAL, SUMMARY(parameters_removed), 0),
    COLUMN("macs_removed_95", "row", H5_REAL, "1", "share of the multiply-adds that is gone at highest_rate_95, mean over the seeds",
           FROM_REAL, SUMMARY(macs_removed), 0),
};

static const h5_column differences[] = {
    COLUMN("model", "row", H5_STRING, NULL, "model", FROM_INDEX, DIFFERENCE(model), LIST_MODELS),
    COLUMN("kind", "row", H5_STRING, NULL, "what is pruned: filters, neurons or heads", FROM_ENUM, DIFFERENCE(kind),
           LIST_KINDS),
    COLUMN("criterion", "row", H5_STRING, NULL, "criterion", FROM_INDEX, DIFFERENCE(criterion), LIST_CRITERIA),
    COLUMN("other", "row", H5_STRING, NULL, "criterion that it is compared with", FROM_INDEX, DIFFERENCE(other), LIST_CRITERIA),
    COLUMN("task", "row", H5_STRING, NULL, "class subset: how many classes a seed draws, or the name of a stated one", FROM_INDEX, DIFFERENCE(task), LIST_TASKS),
    COLUMN("n_classes", "row", H5_COUNT, "1", "classes of the tasks", FROM_SIZE, DIFFERENCE(n_classes), 0),
    COLUMN("references", "row", H5_COUNT, "1", "reference images per class", FROM_SIZE, DIFFERENCE(n_references), 0),
    COLUMN("seeds", "row", H5_COUNT, "1", "seeds", FROM_SIZE, DIFFERENCE(n_seeds), 0),
    COLUMN("difference", "row", H5_REAL, "1", "A_PR (mean over the rates) of criterion less that of other, mean over the seeds", FROM_REAL,
           DIFFERENCE(mean), 0),
    COLUMN("difference_error", "row", H5_REAL, "1", "its standard error over the seeds", FROM_REAL, DIFFERENCE(error), 0),
    COLUMN("low_95", "row", H5_REAL, "1", "lower end of its 95 % confidence interval (Student's t)", FROM_REAL, DIFFERENCE(low), 0),
    COLUMN("high_95", "row", H5_REAL, "1", "upper end of its 95 % confidence interval (Student's t)", FROM_REAL, DIFFERENCE(high), 0),
};

static status put_stability(const results_writer *w)
{
    const results *r = w->r;
    const h5_table rows = {r->n_stability, sizeof *r->stability, r->stability, r->n_rates, w->names};
    status st = STATUS_OK;
    h5_group g;
    TRY(h5_group_create(w->file, "/stability", &g));
    TRY_OR(cleanup, st, h5_attr_text(&g, "coordinates", "model kind criterion n_classes references"));
    TRY_OR(cleanup, st, results_put_numbering(&g, "row", r->n_stability, "row of the table"));
    TRY_OR(cleanup, st, results_put_rates(&g, r));
    TRY_OR(cleanup, st, h5_put_table(&g, &rows, COUNT(stability), stability));
cleanup:
    return h5_group_close(st, &g);
}

static status put_summary(const results_writer *w)
{
    const results *r = w->r;
    const h5_table rows = {r->n_summary, sizeof *r->summary, r->summary, 0, w->names};
    status st = STATUS_OK;
    h5_group g;
    TRY(h5_group_create(w->file, "/summary", &g));
    TRY_OR(cleanup, st, h5_attr_text(&g, "coordinates", "model kind criterion n_classes references"));
    TRY_OR(cleanup, st, results_put_numbering(&g, "row", r->n_summary, "row of the table"));
    TRY_OR(cleanup, st, h5_put_table(&g, &rows, COUNT(summary), summary));
cleanup:
    return h5_group_close(st, &g);
}

static status put_differences(const results_writer *w)
{
    const results *r = w->r;
    const h5_table rows = {r->n_differences, sizeof *r->differences, r->differences, 0, w->names};
    status st = STATUS_OK;
    h5_group g;
    TRY(h5_group_create(w->file, "/differences", &g));
    TRY_OR(cleanup, st, h5_attr_text(&g, "coordinates", "model kind criterion other n_classes references"));
    TRY_OR(cleanup, st, results_put_numbering(&g, "row", r->n_differences, "row of the table"));
    TRY_OR(cleanup, st, h5_put_table(&g, &rows, COUNT(differences), differences));
cleanup:
    return h5_group_close(st, &g);
}

status results_put_statistics(const results_writer *w)
{
    TRY(put_stability(w));
    TRY(put_summary(w));
    return put_differences(w);
}
