#include "io/results_inspect_waits.h"

#include <string.h>

#include "io/text_table.h"

enum { LONGEST_CELL = 60 };

typedef struct waits {
    size_t n_ranks, n_stages;
    const char *const *stage;
    const double *wait, *share; /* [n_ranks, n_stages] */
} waits;

static status read_waits(arena *a, const h5_file *f, waits *w)
{
    size_t both[2] = {H5_ANY_SIZE, H5_ANY_SIZE};
    *w = (waits){.n_stages = H5_ANY_SIZE};
    TRY(h5_get_texts(a, f, "/provenance/stage", 1, &w->n_stages, &w->stage));
    both[1] = w->n_stages;
    TRY(h5_get_reals(a, f, "/provenance/image_wait", 2, both, &w->wait));
    TRY(h5_get_reals(a, f, "/provenance/image_wait_share", 2, both, &w->share));
    w->n_ranks = both[0];
    return STATUS_OK;
}

/* A stage that reads no images waits for none. */
static bool has_waited(const waits *w, size_t stage)
{
    for (size_t r = 0; r < w->n_ranks; r++) {
        if (w->wait[r * w->n_stages + stage] != 0.0) {
            return true;
        }
    }
    return false;
}

/* Seconds and share of one stage: two columns. */
static status fill_stage(arena *a, const waits *w, size_t stage, size_t column, text_table *t)
{
    const char *name;
    TRY(text_printable(a, w->stage[stage], LONGEST_CELL, &name));
    TRY_TEXT(t->cell[column], a, "%s s", name);
    t->cell[column + 1] = "share";
    t->right[column] = true;
    t->right[column + 1] = true;
    for (size_t r = 0; r < w->n_ranks; r++) {
        const size_t at = r * w->n_stages + stage;
        const char **cell = t->cell + (r + 1) * t->n_columns + column;
        TRY_TEXT(cell[0], a, "%.4f", w->wait[at]);
        TRY_TEXT(cell[1], a, "%.1f %%", 100.0 * w->share[at]);
    }
    return STATUS_OK;
}

static status print_waits(arena *a, const waits *w, FILE *to)
{
    text_table t;
    size_t n = 0, column = 1;
    for (size_t i = 0; i < w->n_stages; i++) {
        n += has_waited(w, i);
    }
    TRY(text_table_open(a, 1 + 2 * n, w->n_ranks, &t));
    t.cell[0] = "rank";
    t.right[0] = true;
    for (size_t r = 0; r < w->n_ranks; r++) {
        TRY_TEXT(t.cell[(r + 1) * t.n_columns], a, "%zu", r);
    }
    for (size_t i = 0; i < w->n_stages; i++) {
        if (has_waited(w, i)) {
            TRY(fill_stage(a, w, i, column, &t));
            column += 2;
        }
    }
    (void)fprintf(to, "\nWaiting for images, and its share of a stage's time\n");
    text_table_print(&t, to);
    return STATUS_OK;
}

status results_inspect_waits(arena *a, const h5_file *f, FILE *to)
{
    const char *const *names = NULL;
    size_t n = 0;
    waits w;
    TRY(h5_list(a, f, "/provenance", &n, &names));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], "image_wait") == 0) { /* older files have none */
            TRY(read_waits(a, f, &w));
            return print_waits(a, &w, to);
        }
    }
    return STATUS_OK;
}
