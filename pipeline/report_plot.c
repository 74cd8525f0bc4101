/* A plot of text cells. Curves are drawn with one letter each; where they meet, the first criterion of the study is seen. */
#include <math.h>
#include <string.h>

#include "pipeline/report.h"

enum { HEIGHT = 9, WIDTH = 44, PER_ROW = 2, INDENT = 6 };

/* One plot: the curves of all criteria of one (model, kind). */
typedef struct plot {
    const char *title;
    char cell[HEIGHT][WIDTH];
} plot;

static const char marks[] = "*ox+#@%&";

static char mark_of(size_t criterion)
{
    return marks[criterion % (sizeof marks - 1)];
}

/* A cell of the task of most classes, the first of equal ones. */
static const result_cell *largest_task(const results *r)
{
    size_t most = 0;
    for (size_t i = 0; i < r->n_cells; i++) {
        most = r->cells[i].n_classes > r->cells[most].n_classes ? i : most;
    }
    return &r->cells[most];
}

/* "10 classes", "animals (6 classes)" */
static const char *task_text(arena *a, const results *r, const result_cell *c)
{
    const char *number = arena_text(a, "%zu", c->n_classes), *name = r->task_name[c->task];
    return number == NULL                 ? NULL
           : strcmp(name, number) == 0    ? arena_text(a, "%s classes", name)
                                          : arena_text(a, "%s (%s classes)", name, number);
}

/* Mean accuracy per rate over the seeds of (model, kind, criterion) in a task with the most references. */
static size_t mean_curve(const results *r, const result_summary *of, size_t task, double *curve)
{
    size_t n = 0, references = 0;
    for (size_t i = 0; i < r->n_cells; i++) {
        const result_cell *c = &r->cells[i];
        if (c->model == of->model && c->kind == of->kind && c->criterion == of->criterion && c->n_references > references) {
            references = c->n_references;
        }
    }
    for (size_t k = 0; k < r->n_rates; k++) {
        curve[k] = 0.0;
    }
    for (size_t i = 0; i < r->n_cells; i++) {
        const result_cell *c = &r->cells[i];
        if (c->model == of->model && c->kind == of->kind && c->criterion == of->criterion && c->task == task &&
            c->n_references == references) {
            for (size_t k = 0; k < r->n_rates; k++) {
                curve[k] += (double)results_correct(r, c)[k] / (double)c->total;
            }
            n++;
        }
    }
    for (size_t k = 0; k < r->n_rates && n > 0; k++) {
        curve[k] /= (double)n;
    }
    return n;
}

/* Accuracy at a rate between two measured ones, on the straight line. */
static double curve_at(const results *r, const double curve[], double rate)
{
    size_t k = 0;
    while (k + 2 < r->n_rates && r->rates[k + 1] < rate) {
        k++;
    }
    if (k + 1 >= r->n_rates || r->rates[k + 1] <= r->rates[k]) {
        return curve[0];
    }
    const double t = (rate - r->rates[k]) / (r->rates[k + 1] - r->rates[k]);
    return curve[k] + (t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t) * (curve[k + 1] - curve[k]);
}

static void draw(const results *r, const double curve[], char mark, plot *p)
{
    const double last = r->rates[r->n_rates - 1];
    for (int x = 0; x < WIDTH; x++) {
        const double y = curve_at(r, curve, last * x / (WIDTH - 1));
        const int row = HEIGHT - 1 - (int)lround(y * (HEIGHT - 1));
        p->cell[row][x] = mark;
    }
}

static void print_row(FILE *to, const results *r, const plot *plots, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)fprintf(to, "%*s%-*s  ", INDENT, "", WIDTH, plots[i].title);
    }
    (void)fputc('\n', to);
    for (int row = 0; row < HEIGHT; row++) {
        for (size_t i = 0; i < n; i++) {
            char label[8] = "";
            if (row % ((HEIGHT - 1) / 2) == 0) {
                (void)snprintf(label, sizeof label, "%.1f", 1.0 - (double)row / (HEIGHT - 1));
            }
            (void)fprintf(to, "%*s |%.*s  ", INDENT - 2, label, WIDTH, plots[i].cell[row]);
        }
        (void)fputc('\n', to);
    }
    for (size_t i = 0; i < n; i++) {
        (void)fprintf(to, "%*s +", INDENT - 2, "");
        for (int x = 0; x < WIDTH; x++) {
            (void)fputc('-', to);
        }
        (void)fprintf(to, "  ");
    }
    (void)fputc('\n', to);
    for (size_t i = 0; i < n; i++) {
        (void)fprintf(to, "%*s0 %%%*.0f %%  ", INDENT, "", WIDTH - 5, 100.0 * r->rates[r->n_rates - 1]);
    }
    (void)fputs("\n\n", to);
}

static bool same_plot(const result_summary *a, const result_summary *b)
{
    return a->model == b->model && a->kind == b->kind;
}

/* Draws from summary row `first` on all curves of its plot; returns the row after them. */
static status fill_plot(arena *scratch, const results *r, size_t task, size_t *first, plot *p)
{
    const result_summary *s = &r->summary[*first];
    double *curve;
    size_t end = *first;
    TRY_ALLOC(curve, scratch, r->n_rates);
    TRY_TEXT(p->title, scratch, "%s, %s", r->models[s->model].name, component_kind_name(s->kind));
    memset(p->cell, ' ', sizeof p->cell);
    while (end < r->n_summary && same_plot(s, &r->summary[end])) {
        end++;
    }
    for (size_t i = end; i-- > *first;) { /* backwards: the first criterion stays on top */
        if (r->summary[i].task == task && mean_curve(r, &r->summary[i], task, curve) > 0) {
            draw(r, curve, mark_of(r->summary[i].criterion), p);
        }
    }
    *first = end;
    return STATUS_OK;
}

status report_plot(arena *scratch, FILE *to, const results *r)
{
    const size_t task = largest_task(r)->task;
    const char *classes = task_text(scratch, r, largest_task(r));
    if (classes == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    (void)fprintf(to, "Accuracy over the share of removed components, %s, mean over seeds:", classes);
    for (size_t i = 0; i < r->n_criteria; i++) {
        (void)fprintf(to, "  %c %s", mark_of(i), r->criterion_name[i]);
    }
    (void)fputs("\n\n", to);
    for (size_t first = 0; first < r->n_summary;) {
        plot *plots;
        size_t n = 0;
        TRY_ALLOC(plots, scratch, PER_ROW);
        while (n < PER_ROW && first < r->n_summary) {
            TRY(fill_plot(scratch, r, task, &first, &plots[n]));
            n++;
        }
        print_row(to, r, plots, n);
    }
    return STATUS_OK;
}
