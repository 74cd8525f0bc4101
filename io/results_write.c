/* The result file as a whole: its parts in order, made in memory, then written at once. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/results_parts.h"

status results_put_rates(h5_group *g, const results *r)
{
    static const h5_variable rate = {"rate", "rate", H5_REAL, "1", "fraction of the components removed", NULL, NULL};
    return h5_dim_add(g, &rate, r->n_rates, r->rates);
}

status results_put_numbering(h5_group *g, const char *name, size_t n, const char *long_name)
{
    const h5_variable v = {name, name, H5_COUNT, NULL, long_name, NULL, NULL};
    uint64_t *number;
    TRY_ALLOC(number, g->file->scratch, n);
    for (size_t i = 0; i < n; i++) {
        number[i] = i;
    }
    return h5_dim_add(g, &v, n, number);
}

#define SET(field) offsetof(result_set, field)

static const h5_column sets[] = {
    COLUMN("seed", "set", H5_SEED, NULL, "seed of the task", FROM_COUNT, SET(seed), 0),
    COLUMN("task", "set", H5_STRING, NULL, "class subset: how many classes a seed draws, or the name of a stated one", FROM_INDEX, SET(task), LIST_TASKS),
    COLUMN("n_classes", "set", H5_COUNT, "1", "classes of the task", FROM_SIZE, SET(n_classes), 0),
    COLUMN("references", "set", H5_COUNT, "1", "reference images per class", FROM_SIZE, SET(n_references), 0),
    COLUMN("images", "set", H5_COUNT, "1", "reference images", FROM_SIZE, SET(n_images), 0),
};

status results_put_sets(const results_writer *w, h5_group *g, size_t n, const result_set of[])
{
    const h5_table rows = {n, sizeof *of, of, 0, w->names};
    TRY(results_put_numbering(g, "set", n, "reference set: what the cells with its seed, task and references explain"));
    return h5_put_table(g, &rows, COUNT(sets), sets);
}

/* Names become links of the file, so they must not contain a slash, nor be "." or "". The config sees to it. */
static status check_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const size_t length = strlen(name);
    if (length == 0 || length > 200 || strspn(name, allowed) != length || strspn(name, ".") == length) {
        return FAIL(ST_BUG, "'%.80s' cannot name a group of the result file: expected letters, digits, _ - .", name);
    }
    return STATUS_OK;
}

static status list_names(arena *a, results_writer *w)
{
    const results *r = w->r;
    const char **models, **kinds;
    TRY_ALLOC(models, a, r->n_models);
    TRY_ALLOC(kinds, a, COMPONENT_KINDS);
    for (size_t i = 0; i < r->n_models; i++) {
        models[i] = r->models[i].name;
        TRY(check_name(models[i]));
    }
    for (size_t i = 0; i < r->n_criteria; i++) {
        TRY(check_name(r->criterion_name[i]));
    }
    for (size_t i = 0; i < COMPONENT_KINDS; i++) {
        kinds[i] = component_kind_name((component_kind)i);
    }
    w->names[LIST_MODELS] = models;
    w->names[LIST_CRITERIA] = r->criterion_name;
    w->names[LIST_KINDS] = kinds;
    w->names[LIST_TASKS] = r->task_name;
    return STATUS_OK;
}

static status put_root(const results_writer *w)
{
    const results *r = w->r;
    status st = STATUS_OK;
    h5_group g;
    TRY(h5_group_create(w->file, "/", &g));
    TRY_OR(cleanup, st, h5_attr_text(&g, "Conventions", "CF-1.8"));
    TRY_OR(cleanup, st,
           h5_attr_text(&g, "title", "Pruning study: relevance, rankings and accuracy over the pruning rate"));
    TRY_OR(cleanup, st, h5_attr_text(&g, "source", "Pollard " POLLARD_VERSION));
    TRY_OR(cleanup, st, h5_attr_count(&g, "schema_version", RESULTS_SCHEMA_VERSION));
    TRY_OR(cleanup, st, h5_attr_text(&g, "study", r->study));
    TRY_OR(cleanup, st, h5_attr_text(&g, "prediction", curve_prediction_names[r->prediction]));
    if (r->n_rates > 0) {
        TRY_OR(cleanup, st, h5_attr_reals(&g, "rates", r->n_rates, r->rates));
    }
cleanup:
    return h5_group_close(st, &g);
}

static status put_parts(const results_writer *w)
{
    status (*const parts[])(const results_writer *) = {
        put_root,           results_put_catalogue,  results_put_curves,
        results_put_tracks, results_put_statistics,
        results_put_audits, results_put_rows,       results_put_spectra,   results_put_heatmaps,
        results_put_searches, results_put_provenance};
    for (size_t i = 0; i < COUNT(parts); i++) {
        TRY(parts[i](w));
        arena_reset(w->file->scratch);
    }
    return STATUS_OK;
}

static status make_image(const char *path, const results *r, arena *lasting, arena *scratch, h5_image *image)
{
    h5_file file;
    results_writer w = {.file = &file, .r = r};
    TRY(list_names(lasting, &w));
    status st = h5_image_create(path, scratch, image, &file);
    if (status_ok(st)) {
        st = put_parts(&w);
    }
    return h5_image_finish(st, &file, image);
}

status results_write(const char *path, const results *r)
{
    status st = STATUS_OK;
    arena *lasting = NULL, *scratch = NULL;
    h5_image image = {NULL, 0};
    TRY(file_check_writable(path));
    TRY_OR(cleanup, st, arena_open("results", &lasting));
    TRY_OR(cleanup, st, arena_open("results, one part", &scratch));
    TRY_OR(cleanup, st, make_image(path, r, lasting, scratch, &image));
    TRY_OR(cleanup, st, file_write_atomic(path, image.data, image.size));
cleanup:
    h5_image_free(&image);
    arena_close(&scratch);
    arena_close(&lasting);
    return st;
}

/* The file's root is what is written first, so the names of its attributes stand at the beginning. HDF5 itself is not asked: a damaged result can
 * crash it, and may be replaced all the same. */
bool results_there(const char *path)
{
    static const char name[] = "schema_version";
    enum { BEGINNING = 1 << 14 };
    char start[BEGINNING];
    size_t n = 0;
    bool found = false;
    const int fd = h5_signature(path) ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd >= 0) {
        for (ssize_t more = 1; more > 0 && n < sizeof start; n += more > 0 ? (size_t)more : 0) {
            more = read(fd, start + n, sizeof start - n);
        }
        (void)close(fd);
    }
    for (size_t i = 0; i + sizeof name <= n && !found; i++) {
        found = memcmp(start + i, name, sizeof name) == 0; /* with the zero that ends it */
    }
    return found;
}

static status check_kind(const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0 && info.st_size > 0 && !results_there(path)) {
        return FAIL(
            ST_CANT_WRITE,
            "%s: expected a result of an earlier run or nothing, found a file of another kind, which would be lost; "
            "choose another output with -o",
            path);
    }
    return STATUS_OK;
}

status results_check_output(const char *path)
{
    TRY(file_check_writable(path));
    return check_kind(path);
}

status results_foresee_output(const char *path)
{
    TRY(file_foresee_writable(path));
    return check_kind(path);
}
