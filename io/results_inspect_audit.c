#include "io/results_inspect_audit.h"

#include <math.h>
#include <string.h>

#include "io/text_table.h"

enum { LONGEST_CELL = 60 };

/* One /audit/<model>/<criterion>. */
typedef struct audit {
    size_t n_sets, n_steps;
    const char *const *layer, *const *rule;
    const int64_t *complete;
    const double *residual, *growth, *out, *in; /* [n_sets, n_steps] */
} audit;

static status read_one(arena *a, const h5_file *f, const char *group, const char *name, audit *x, const double **out)
{
    char *path;
    size_t both[] = {x->n_sets, x->n_steps};
    TRY_TEXT(path, a, "%s/%s", group, name);
    TRY(h5_get_reals(a, f, path, 2, both, out));
    x->n_sets = both[0];
    return STATUS_OK;
}

static status read_audit(arena *a, const h5_file *f, const char *group, audit *x)
{
    char *layer, *rule, *complete;
    *x = (audit){.n_sets = H5_ANY_SIZE, .n_steps = H5_ANY_SIZE};
    TRY_TEXT(layer, a, "%s/layer", group);
    TRY_TEXT(rule, a, "%s/rule", group);
    TRY(h5_get_texts(a, f, layer, 1, &x->n_steps, &x->layer));
    TRY(h5_get_texts(a, f, rule, 1, &x->n_steps, &x->rule));
    TRY_TEXT(complete, a, "%s/complete", group);
    TRY(h5_get_counts(a, f, complete, 1, &x->n_steps, &x->complete));
    TRY(read_one(a, f, group, "residual", x, &x->residual));
    TRY(read_one(a, f, group, "growth", x, &x->growth));
    TRY(read_one(a, f, group, "absolute_out", x, &x->out));
    return read_one(a, f, group, "absolute_in", x, &x->in);
}

static double residual(const audit *x, size_t i)
{
    return x->complete[i % x->n_steps] != 0 ? x->residual[i] : 0.0; /* else it is not known */
}

static double gain(const audit *x, size_t i)
{
    return x->in[i] / x->out[i];
}

static double growth(const audit *x, size_t i)
{
    return x->growth[i];
}

/* What a layer can be the worst in. */
static const struct measure {
    const char *name;
    double (*of)(const audit *x, size_t i);
} measures[] = {{"residual", residual}, {"gain", gain}, {"growth", growth}};

/* The largest in size over all sets and steps, the first of equal ones; what is not a number is larger than any. */
static size_t find_worst(const audit *x, const struct measure *m)
{
    size_t worst = 0;
    double most = -1.0;
    for (size_t i = 0; i < x->n_sets * x->n_steps && !isnan(most); i++) {
        const double size = fabs(m->of(x, i));
        if (size > most || isnan(size)) {
            most = size;
            worst = i;
        }
    }
    return worst;
}

static status fill_row(arena *a, const audit *x, const struct measure *m, const char **cell)
{
    const size_t i = find_worst(x, m);
    cell[2] = m->name;
    TRY_TEXT(cell[3], a, "%.3g", m->of(x, i));
    TRY(text_printable(a, x->layer[i % x->n_steps], LONGEST_CELL, &cell[4]));
    return text_printable(a, x->rule[i % x->n_steps], LONGEST_CELL, &cell[5]);
}

/* The names of all audits: *model [*n], *criterion [*n]. */
static status list_audits(arena *a, const h5_file *f, size_t *n, const char ***model, const char ***criterion)
{
    const char *const *models = NULL, *const *names = NULL;
    size_t n_models = 0;
    *n = 0;
    TRY(h5_list(a, f, "/audit", &n_models, &models));
    for (int pass = 0; pass < 2; pass++) { /* counts, then fills in */
        size_t k = 0;
        for (size_t m = 0; m < n_models; m++) {
            size_t each = 0;
            char *path;
            TRY_TEXT(path, a, "/audit/%s", models[m]);
            TRY(h5_list(a, f, path, &each, &names));
            for (size_t i = 0; i < each; i++, k++) {
                if (pass == 1) {
                    (*model)[k] = models[m];
                    (*criterion)[k] = names[i];
                }
            }
        }
        if (pass == 0) {
            *n = k;
            TRY_ALLOC(*model, a, k);
            TRY_ALLOC(*criterion, a, k);
        }
    }
    return STATUS_OK;
}

static status print_audits(arena *a, const h5_file *f, FILE *to)
{
    static const char *const headings[] = {"model", "criterion", "largest", "value", "layer", "rule"};
    const char **model = NULL, **criterion = NULL;
    size_t n = 0;
    text_table t;
    TRY(list_audits(a, f, &n, &model, &criterion));
    TRY(text_table_open(a, COUNT(headings), n * COUNT(measures), &t));
    memcpy(t.cell, headings, sizeof headings);
    t.right[3] = true;
    t.n_rows = 0;
    for (size_t i = 0; i < n; i++) {
        char *group;
        audit x;
        TRY_TEXT(group, a, "/audit/%s/%s", model[i], criterion[i]);
        TRY(read_audit(a, f, group, &x));
        for (size_t k = 0; k < COUNT(measures) && x.n_sets * x.n_steps > 0; k++) {
            const char **cell = &t.cell[++t.n_rows * t.n_columns];
            TRY(text_printable(a, model[i], LONGEST_CELL, &cell[0]));
            TRY(text_printable(a, criterion[i], LONGEST_CELL, &cell[1]));
            TRY(fill_row(a, &x, &measures[k], cell));
        }
    }
    if (t.n_rows > 0) {
        (void)fputs("\nRelevance lost or gained (residual), grown in a layer (gain) and since the start (growth): the worst layers\n",
                    to);
        text_table_print(&t, to);
    }
    return STATUS_OK;
}

status results_inspect_audits(arena *a, const h5_file *f, FILE *to)
{
    const char *const *parts = NULL;
    size_t n = 0, i = 0;
    TRY(h5_list(a, f, "/", &n, &parts));
    while (i < n && strcmp(parts[i], "audit") != 0) {
        i++;
    }
    return i == n ? STATUS_OK : print_audits(a, f, to);
}
