#include "io/results_inspect_heatmaps.h"

#include <inttypes.h>
#include <string.h>

#include "io/text_table.h"

enum { LONGEST_CELL = 60, MOST_RATES = 4 };

/* /heatmaps */
typedef struct heatmaps {
    size_t n, n_rates;
    const char *const *model, *const *kind, *const *criterion, *const *task; /* [n] */
    const int64_t *references, *images;            /* [n] */
    const double *rate;                                        /* [n_rates] */
    const double *cosine, *map_cosine, *confidence, *loss;     /* [n, n_rates] */
    const int64_t *changed;                                    /* [n, n_rates] */
} heatmaps;

static status read_texts(arena *a, const h5_file *f, heatmaps *h)
{
    const struct {
        const char *path;
        const char *const **out;
    } texts[] = {{"/heatmaps/model", &h->model}, {"/heatmaps/kind", &h->kind}, {"/heatmaps/criterion", &h->criterion},
                 {"/heatmaps/task", &h->task}};
    for (size_t i = 0; i < COUNT(texts); i++) {
        TRY(h5_get_texts(a, f, texts[i].path, 1, &h->n, texts[i].out));
    }
    return STATUS_OK;
}

static status read_heatmaps(arena *a, const h5_file *f, heatmaps *h)
{
    *h = (heatmaps){.n = H5_ANY_SIZE, .n_rates = H5_ANY_SIZE};
    TRY(read_texts(a, f, h));
    TRY(h5_get_reals(a, f, "/heatmaps/rate", 1, &h->n_rates, &h->rate));
    TRY(h5_get_counts(a, f, "/heatmaps/references", 1, &h->n, &h->references));
    TRY(h5_get_counts(a, f, "/heatmaps/images", 1, &h->n, &h->images));
    size_t both[] = {h->n, h->n_rates};
    const struct {
        const char *path;
        const double **out;
    } reals[] = {{"/heatmaps/cosine_mean", &h->cosine},
                 {"/heatmaps/map_cosine_mean", &h->map_cosine},
                 {"/heatmaps/confidence_mean", &h->confidence},
                 {"/heatmaps/confidence_loss_mean", &h->loss}};
    for (size_t i = 0; i < COUNT(reals); i++) {
        TRY(h5_get_reals(a, f, reals[i].path, 2, both, reals[i].out));
    }
    return h5_get_counts(a, f, "/heatmaps/changed", 2, both, &h->changed);
}

/* The cells of a curve, which differ in the seed alone, lie together. */
static size_t curve_end(const heatmaps *h, size_t first)
{
    size_t end = first + 1;
    while (end < h->n && strcmp(h->model[end], h->model[first]) == 0 && strcmp(h->kind[end], h->kind[first]) == 0 &&
           strcmp(h->criterion[end], h->criterion[first]) == 0 && strcmp(h->task[end], h->task[first]) == 0 &&
           h->references[end] == h->references[first]) {
        end++;
    }
    return end;
}

/* Some rates, evenly over their list, the last one among them. */
static size_t choose_rates(const heatmaps *h, size_t rate[MOST_RATES])
{
    const size_t n = h->n_rates - 1 < MOST_RATES ? h->n_rates - 1 : MOST_RATES; /* not the first, which removes nothing */
    for (size_t i = 0; i < n; i++) {
        rate[i] = (h->n_rates - 1) * (i + 1) / n;
    }
    return n;
}

static double mean_of(const heatmaps *h, const double *value, size_t first, size_t end, size_t rate)
{
    double sum = 0.0;
    for (size_t i = first; i < end; i++) {
        sum += value[i * h->n_rates + rate];
    }
    return sum / (double)(end - first);
}

static status fill_row(arena *a, const heatmaps *h, size_t first, size_t end, size_t rate, const char **cell)
{
    double changed = 0.0, images = 0.0;
    for (size_t i = first; i < end; i++) {
        changed += (double)h->changed[i * h->n_rates + rate];
        images += (double)h->images[i];
    }
    TRY(text_printable(a, h->model[first], LONGEST_CELL, &cell[0]));
    TRY(text_printable(a, h->kind[first], LONGEST_CELL, &cell[1]));
    TRY(text_printable(a, h->criterion[first], LONGEST_CELL, &cell[2]));
    TRY(text_printable(a, h->task[first], LONGEST_CELL, &cell[3]));
    TRY_TEXT(cell[4], a, "%" PRId64, h->references[first]);
    TRY_TEXT(cell[5], a, "%g", h->rate[rate]);
    TRY_TEXT(cell[6], a, "%.4f", mean_of(h, h->cosine, first, end, rate));
    TRY_TEXT(cell[7], a, "%.4f", mean_of(h, h->map_cosine, first, end, rate));
    TRY_TEXT(cell[8], a, "%.4f", mean_of(h, h->confidence, first, end, rate));
    TRY_TEXT(cell[9], a, "%.4f", mean_of(h, h->loss, first, end, rate));
    TRY_TEXT(cell[10], a, "%.1f%%", images > 0.0 ? 100.0 * changed / images : 0.0);
    return STATUS_OK;
}

static status print_table(arena *a, const heatmaps *h, FILE *to)
{
    static const char *const headings[] = {"model",  "kind",       "criterion",  "classes", "refs",   "rate",
                                           "cosine", "map cosine", "confidence", "lost",    "changed"};
    size_t rate[MOST_RATES];
    text_table t;
    TRY(text_table_open(a, COUNT(headings), h->n * MOST_RATES, &t));
    memcpy(t.cell, headings, sizeof headings);
    for (size_t i = 3; i < COUNT(headings); i++) {
        t.right[i] = true;
    }
    t.n_rows = 0;
    const size_t n = h->n_rates == 0 ? 0 : choose_rates(h, rate);
    for (size_t first = 0, end; first < h->n; first = end) {
        end = curve_end(h, first);
        for (size_t r = 0; r < n; r++) {
            TRY(fill_row(a, h, first, end, rate[r], &t.cell[++t.n_rows * t.n_columns]));
        }
    }
    if (t.n_rows > 0) {
        (void)fputs("\nExplanations under pruning: similarity to those before it, confidence in the image's class and how much of it is lost\n", to);
        text_table_print(&t, to);
    }
    return STATUS_OK;
}

status results_inspect_heatmaps(arena *a, const h5_file *f, FILE *to)
{
    const char *const *parts = NULL;
    size_t n = 0, i = 0;
    heatmaps h;
    TRY(h5_list(a, f, "/", &n, &parts));
    while (i < n && strcmp(parts[i], "heatmaps") != 0) {
        i++;
    }
    if (i == n) {
        return STATUS_OK;
    }
    TRY(h5_list(a, f, "/heatmaps", &n, &parts));
    if (n == 0) { /* the study asks for none */
        return STATUS_OK;
    }
    TRY(read_heatmaps(a, f, &h));
    return print_table(a, &h, to);
}
