/* A result file as tables. The file may be anything: every part is checked for kind and shape before it is used. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "io/guard.h"
#include "io/h5.h"
#include "io/results.h"
#include "io/results_carry.h"
#include "io/results_inspect_audit.h"
#include "io/results_inspect_curves.h"
#include "io/results_inspect_heatmaps.h"
#include "io/results_inspect_search.h"
#include "io/results_inspect_spectrum.h"
#include "io/results_inspect_waits.h"
#include "io/text_table.h"

enum { LONGEST_CELL = 60, LONGEST_LINE = 140, LONGEST_SECONDS = 120 };

typedef struct inspector {
    arena *a;
    h5_file file;
    FILE *to;
} inspector;

typedef enum cell_format { AS_TEXT, AS_COUNT, AS_REAL, AS_PERCENT } cell_format;

typedef struct inspect_column {
    const char *variable, *heading;
    cell_format format;
} inspect_column;

bool results_recognise(const char *path)
{
    return h5_signature(path);
}

/* ---- one-dimensional variables of a group as columns of a table ---- */

static status read_column(inspector *in, const char *group, const inspect_column *c, size_t *rows, const void **out)
{
    const char *path;
    TRY_TEXT(path, in->a, "%s/%s", group, c->variable);
    if (c->format == AS_TEXT) {
        const char *const *texts = NULL;
        TRY(h5_get_texts(in->a, &in->file, path, 1, rows, &texts));
        *out = texts;
    } else if (c->format == AS_COUNT) {
        const int64_t *counts = NULL;
        TRY(h5_get_counts(in->a, &in->file, path, 1, rows, &counts));
        *out = counts;
    } else {
        const double *reals = NULL;
        TRY(h5_get_reals(in->a, &in->file, path, 1, rows, &reals));
        *out = reals;
    }
    return STATUS_OK;
}

static status cell_text(arena *a, cell_format format, const void *data, size_t row, const char **out)
{
    switch (format) {
    case AS_TEXT:
        return text_printable(a, ((const char *const *)data)[row], LONGEST_CELL, out);
    case AS_COUNT:
        TRY_TEXT(*out, a, "%" PRId64, ((const int64_t *)data)[row]);
        break;
    case AS_REAL:
        TRY_TEXT(*out, a, "%.4f", ((const double *)data)[row]);
        break;
    case AS_PERCENT:
        TRY_TEXT(*out, a, "%.0f %%", 100.0 * ((const double *)data)[row]);
        break;
    }
    return STATUS_OK;
}

static status fill_column(inspector *in, const char *group, const inspect_column *c, size_t index, text_table *t)
{
    const void *data = NULL;
    size_t rows = t->n_rows;
    TRY(read_column(in, group, c, &rows, &data));
    t->cell[index] = c->heading;
    t->right[index] = c->format != AS_TEXT;
    for (size_t r = 0; r < rows && data != NULL; r++) {
        TRY(cell_text(in->a, c->format, data, r, &t->cell[(r + 1) * t->n_columns + index]));
    }
    return STATUS_OK;
}

static status print_group(inspector *in, const char *title, const char *group, size_t n, const inspect_column columns[])
{
    const void *first = NULL;
    size_t rows = H5_ANY_SIZE;
    text_table t;
    TRY(read_column(in, group, &columns[0], &rows, &first));
    TRY(text_table_open(in->a, n, rows, &t));
    for (size_t c = 0; c < n; c++) {
        TRY(fill_column(in, group, &columns[c], c, &t));
    }
    (void)fprintf(in->to, "\n%s\n", title);
    text_table_print(&t, in->to);
    return STATUS_OK;
}

/* ---- parts ---- */

static status attr_text(inspector *in, const char *object, const char *name, const char **out)
{
    const char *text = "";
    TRY(h5_get_attr_text(in->a, &in->file, object, name, &text));
    return text_printable(in->a, text, LONGEST_CELL, out);
}

static status print_study(inspector *in)
{
    const char *study = "", *source = "", *prediction = "";
    TRY(results_check_schema(&in->file));
    TRY(attr_text(in, "/", "study", &study));
    TRY(attr_text(in, "/", "source", &source));
    TRY(attr_text(in, "/", "prediction", &prediction));
    (void)fprintf(in->to, "Study '%s', written by %s, schema %d; accuracies are '%s'\n", study, source, (int)RESULTS_SCHEMA_VERSION,
                  prediction);
    return STATUS_OK;
}

static status model_row(inspector *in, const char *name, const char **cell)
{
    const char *path, *layers, *components;
    const char *const *layer = NULL;
    const int64_t *component = NULL;
    size_t n_layers = H5_ANY_SIZE, n_components = H5_ANY_SIZE;
    int64_t parameters = 0, macs = 0;
    TRY_TEXT(path, in->a, "/models/%s", name);
    TRY(attr_text(in, path, "architecture", &cell[1]));
    TRY(attr_text(in, path, "checkpoint", &cell[6]));
    TRY(h5_get_attr_count(&in->file, path, "total_parameters", &parameters));
    TRY(h5_get_attr_count(&in->file, path, "total_macs", &macs));
    TRY_TEXT(layers, in->a, "%s/layer", path);
    TRY_TEXT(components, in->a, "%s/component", path);
    TRY(h5_get_texts(in->a, &in->file, layers, 1, &n_layers, &layer));
    TRY(h5_get_counts(in->a, &in->file, components, 1, &n_components, &component));
    TRY(text_printable(in->a, name, LONGEST_CELL, &cell[0]));
    TRY_TEXT(cell[2], in->a, "%zu", n_layers);
    TRY_TEXT(cell[3], in->a, "%zu", n_components);
    TRY_TEXT(cell[4], in->a, "%" PRId64, parameters);
    TRY_TEXT(cell[5], in->a, "%" PRId64, macs);
    return STATUS_OK;
}

static status print_models(inspector *in)
{
    static const char *const headings[] = {"model",      "architecture",  "layers",    "components",
                                           "parameters", "multiply-adds", "checkpoint"};
    const char *const *names = NULL;
    size_t n = 0;
    text_table t;
    TRY(h5_list(in->a, &in->file, "/models", &n, &names));
    TRY(text_table_open(in->a, COUNT(headings), n, &t));
    memcpy(t.cell, headings, sizeof headings);
    for (size_t c = 2; c < 6; c++) {
        t.right[c] = true;
    }
    for (size_t i = 0; i < n; i++) {
        TRY(model_row(in, names[i], &t.cell[(i + 1) * t.n_columns]));
    }
    (void)fprintf(in->to, "\nModels\n");
    text_table_print(&t, in->to);
    return STATUS_OK;
}

static const inspect_column criteria_columns[] = {{"criterion", "criterion", AS_TEXT},
                                                  {"method", "method", AS_TEXT},
                                                  {"order", "order", AS_TEXT},
                                                  {"scope", "scope", AS_TEXT},
                                                  {"floor", "floor", AS_REAL}};

/* A line for each criterion with relevance rules, whole: they are too long for a table. */
static status print_rules(inspector *in)
{
    enum { LONGEST_LIST = 1 << 16 };
    const char *const *name = NULL, *const *rules = NULL, *shown;
    size_t n = H5_ANY_SIZE, printed = 0;
    TRY(h5_get_texts(in->a, &in->file, "/criteria/criterion", 1, &n, &name));
    TRY(h5_get_texts(in->a, &in->file, "/criteria/composite", 1, &n, &rules));
    for (size_t i = 0; i < n; i++) {
        if (rules[i][0] != '\0') {
            TRY(text_printable(in->a, name[i], LONGEST_CELL, &shown));
            (void)fprintf(in->to, "%s  %s: ", printed++ == 0 ? "\nRelevance rules\n" : "", shown);
            TRY(text_printable(in->a, rules[i], LONGEST_LIST, &shown));
            (void)fprintf(in->to, "%s\n", shown);
        }
    }
    return STATUS_OK;
}

static const inspect_column summary_columns[] = {
    {"model", "model", AS_TEXT},
    {"kind", "pruned", AS_TEXT},
    {"criterion", "criterion", AS_TEXT},
    {"task", "classes", AS_TEXT},
    {"references", "references", AS_COUNT},
    {"seeds", "seeds", AS_COUNT},
    {"accuracy", "accuracy", AS_REAL},
    {"a_pr_mean", "A_PR mean", AS_REAL},
    {"a_pr_mean_error", "+-", AS_REAL},
    {"a_pr_trapezoid", "area", AS_REAL},
    {"a_pr_trapezoid_error", "+-", AS_REAL},
    {"highest_rate_95", "keeps 95 % to", AS_PERCENT},
    {"parameters_removed_95", "parameters gone", AS_PERCENT},
    {"macs_removed_95", "multiply-adds gone", AS_PERCENT},
};

static const inspect_column difference_columns[] = {
    {"model", "model", AS_TEXT},
    {"kind", "pruned", AS_TEXT},
    {"task", "classes", AS_TEXT},
    {"references", "references", AS_COUNT},
    {"criterion", "criterion", AS_TEXT},
    {"other", "less", AS_TEXT},
    {"difference", "difference", AS_REAL},
    {"difference_error", "+-", AS_REAL},
    {"low_95", "from", AS_REAL},
    {"high_95", "to", AS_REAL},
};

static const inspect_column stability_columns[] = {
    {"model", "model", AS_TEXT},
    {"kind", "pruned", AS_TEXT},
    {"criterion", "criterion", AS_TEXT},
    {"task", "classes", AS_TEXT},
    {"references", "references", AS_COUNT},
    {"pairs", "pairs", AS_COUNT},
    {"kendall_mean", "Kendall", AS_REAL},
};

/* ---- provenance ---- */

static bool is_column(const char *name)
{
    static const char *const columns[] = {"input", "path", "sha256", "bytes", "rank", "host", "busy", "idle", "idle_share",
                                          "stage", "image_wait", "image_wait_share", "cell", "rate", "seconds_per_image"};
    for (size_t i = 0; i < COUNT(columns); i++) {
        if (strcmp(name, columns[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The first line of every text; what is longer can be read with h5dump or Python. */
static status print_texts(inspector *in)
{
    const char *const *names = NULL;
    size_t n = 0;
    TRY(h5_list(in->a, &in->file, "/provenance", &n, &names));
    for (size_t i = 0; i < n; i++) {
        if (!is_column(names[i])) {
            const char *path, *name, *line;
            const char *const *text = NULL;
            TRY_TEXT(path, in->a, "/provenance/%s", names[i]);
            TRY(h5_get_texts(in->a, &in->file, path, 0, NULL, &text));
            TRY(text_printable(in->a, names[i], LONGEST_CELL, &name));
            TRY(text_printable(in->a, text[0], LONGEST_LINE, &line));
            (void)fprintf(in->to, "  %-16s %s\n", name, line);
        }
    }
    return STATUS_OK;
}

static status print_provenance(inspector *in)
{
    static const inspect_column ranks[] = {
        {"host", "host", AS_TEXT}, {"busy", "busy s", AS_REAL}, {"idle", "idle s", AS_REAL}, {"idle_share", "share", AS_REAL}};
    const char *const *path = NULL;
    size_t n = H5_ANY_SIZE;
    (void)fprintf(in->to, "\nProvenance\n");
    TRY(print_texts(in));
    TRY(h5_get_texts(in->a, &in->file, "/provenance/path", 1, &n, &path));
    (void)fprintf(in->to, "  %-16s %zu files, with their SHA-256 in /provenance\n", "inputs", n);
    TRY(print_group(in, "Ranks", "/provenance", COUNT(ranks), ranks));
    return results_inspect_waits(in->a, &in->file, in->to);
}

static status print_all(inspector *in)
{
    TRY(print_study(in));
    TRY(print_models(in));
    TRY(print_group(in, "Criteria", "/criteria", COUNT(criteria_columns), criteria_columns));
    TRY(print_rules(in));
    TRY(print_group(in, "Summary: means over the seeds, +- standard errors", "/summary", COUNT(summary_columns),
                    summary_columns));
    TRY(print_group(in, "Differences of A_PR, paired over the seeds, with 95 % confidence intervals", "/differences", COUNT(difference_columns),
                    difference_columns));
    TRY(print_group(in, "Stability of the rankings over pairs of seeds", "/stability", COUNT(stability_columns),
                    stability_columns));
    TRY(results_inspect_curves(in->a, &in->file, in->to));
    TRY(results_inspect_spectra(in->a, &in->file, in->to));
    TRY(results_inspect_audits(in->a, &in->file, in->to));
    TRY(results_inspect_heatmaps(in->a, &in->file, in->to));
    TRY(results_inspect_searches(in->a, &in->file, in->to));
    return print_provenance(in);
}

static status inspect_here(void *context)
{
    inspector *in = context;
    status st = h5_file_open(in->file.path, in->a, &in->file);
    if (status_ok(st)) {
        st = print_all(in);
    }
    st = h5_file_close(st, &in->file);
    if (status_ok(st) && (fflush(in->to) != 0 || ferror(in->to))) {
        st = FAIL(ST_CANT_WRITE, "standard output cannot be written");
    }
    return st;
}

/* HDF5 1.10 trusts lengths in a file's heap of texts, which no checksum protects: a damaged one can crash it or keep it busy for ever. */
status results_inspect(arena *a, const char *path, FILE *to)
{
    inspector in = {.a = a, .to = to, .file.path = path};
    return guard_run(path, LONGEST_SECONDS, inspect_here, &in);
}
