#include "pipeline/report.h"

#include <math.h>
#include <string.h>

static int wider(int width, const char *text)
{
    const int length = (int)strlen(text);
    return length > width ? length : width;
}

/* What such a network still computes comes from biases and shortcuts alone. */
static void note_emptied(FILE *to, const results *r)
{
    size_t cells = 0;
    double first = INFINITY;
    for (size_t i = 0; i < r->n_cells; i++) {
        size_t k = 0;
        while (k < r->n_rates && r->cells[i].layers_emptied[k] == 0) {
            k++;
        }
        cells += k < r->n_rates;
        first = k < r->n_rates ? fmin(first, r->rates[k]) : first;
    }
    if (cells > 0) {
        (void)fprintf(to, "\n%zu of %zu curves lose a whole layer, the first at %.0f %% (layers_emptied in the result).\n", cells, r->n_cells,
                      100.0 * first);
    }
}

void report_table(FILE *to, const results *r)
{
    int model = wider(0, "model"), criterion = wider(0, "criterion"), task = wider(0, "classes");
    for (size_t i = 0; i < r->n_summary; i++) {
        model = wider(model, r->models[r->summary[i].model].name);
        criterion = wider(criterion, r->criterion_name[r->summary[i].criterion]);
        task = wider(task, r->task_name[r->summary[i].task]);
    }
    (void)fprintf(to, "%-*s  %-7s  %*s  %-*s  %10s  %8s  %-17s  %s\n", model, "model", "pruned", task, "classes", criterion, "criterion",
                  "references", "accuracy", "A_PR", "keeps 95 % without components (parameters, multiply-adds)");
    for (size_t i = 0; i < r->n_summary; i++) {
        const result_summary *s = &r->summary[i];
        char references[24] = "-", error[32] = "-"; /* NaN with one seed */
        if (s->n_references > 0) {
            (void)snprintf(references, sizeof references, "%zu", s->n_references);
        }
        if (!isnan(s->a_pr_error)) {
            (void)snprintf(error, sizeof error, "%.4f", s->a_pr_error);
        }
        if (i > 0 && (s->model != s[-1].model || s->kind != s[-1].kind)) {
            (void)fputc('\n', to);
        }
        (void)fprintf(to, "%-*s  %-7s  %*s  %-*s  %10s  %8.4f  %.4f +- %-6s  %5.0f %%  (%.0f %%, %.0f %%)\n", model, r->models[s->model].name,
                      component_kind_name(s->kind), task, r->task_name[s->task], criterion, r->criterion_name[s->criterion], references,
                      s->accuracy, s->a_pr_mean, error, 100.0 * s->highest_rate,
                      100.0 * s->parameters_removed, 100.0 * s->macs_removed);
    }
    note_emptied(to, r);
    const size_t n_seeds = r->n_summary > 0 ? r->summary[0].n_seeds : 0;
    (void)fprintf(to, "\nA_PR: mean accuracy over the %zu pruning rate%s, ", r->n_rates, r->n_rates == 1 ? "" : "s");
    if (n_seeds == 1) {
        (void)fputs("of one seed: a standard error needs two.\n", to);
    } else {
        (void)fprintf(to, "+- standard error over %zu seeds.\n", n_seeds);
    }
    if (r->prediction == PREDICTION_MASKED) {
        (void)fputs("Correct is an image whose class has the largest of all logits, with those outside the task set to 0.\n", to);
    }
}
