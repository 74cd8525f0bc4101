/* /tracks, /models and /provenance: one mask, the layers that it is about, and where the network came from. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/guard.h"
#include "io/results_carry.h"
#include "io/results_read.h"

enum { MOST_INPUTS = 4096 }; /* the study, checkpoints and model.json come first, images behind them */

typedef struct wanted {
    const results_cells *cells;
    size_t cell, rate;
} wanted;

/* What is where in the file. */
typedef struct position {
    const char *model, *track; /* paths of groups */
    size_t row;                /* of the cell in the track */
    size_t n_cells, n_ranked;  /* of the track */
} position;

#define PATH(out, a, group, name) TRY_TEXT(out, a, "%s/%s", group, name)

/* ---- in the child ---- */

static status carry_attr(arena *a, const h5_file *f, const char *object, const char *name, json_t *out)
{
    const char *text = "";
    TRY(h5_get_attr_text(a, f, object, name, &text));
    return carry_text(out, name, text);
}

static status read_layers(arena *a, const h5_file *f, const position *at, json_t *out)
{
    static const char *const counts[] = {"n_components", "first_component"};
    const char *path;
    const char *const *texts = NULL;
    const int64_t *numbers = NULL;
    size_t n = H5_ANY_SIZE, n_components = H5_ANY_SIZE;
    PATH(path, a, at->model, "layer");
    TRY(h5_get_texts(a, f, path, 1, &n, &texts));
    TRY(carry_texts(out, "layer", n, texts));
    PATH(path, a, at->model, "kind");
    TRY(h5_get_texts(a, f, path, 1, &n, &texts));
    TRY(carry_texts(out, "layer_kind", n, texts));
    for (size_t i = 0; i < COUNT(counts); i++) {
        PATH(path, a, at->model, counts[i]);
        TRY(h5_get_counts(a, f, path, 1, &n, &numbers));
        for (size_t k = 0; k < n; k++) {
            if (numbers[k] < 0) {
                return FAIL(ST_DATA, "%s: %s: layer %zu has %" PRId64 "; " FILE_DAMAGED, f->path, path, k, numbers[k]);
            }
        }
        TRY(carry_counts(out, counts[i], n, numbers));
    }
    PATH(path, a, at->model, "component");
    TRY(h5_get_counts(a, f, path, 1, &n_components, &numbers));
    return carry_count(out, "components", n_components);
}

static status find_row(arena *a, const h5_file *f, size_t cell, position *at)
{
    const char *path;
    const int64_t *cells = NULL;
    at->n_cells = H5_ANY_SIZE;
    PATH(path, a, at->track, "cell");
    TRY(h5_get_counts(a, f, path, 1, &at->n_cells, &cells));
    for (at->row = 0; at->row < at->n_cells; at->row++) {
        if (cells[at->row] == (int64_t)cell) {
            return STATUS_OK;
        }
    }
    return FAIL(ST_DATA, "%s: %s: expected cell %zu, as /curves says, found none; " FILE_DAMAGED, f->path, path, cell);
}

/* Components that are gone at the rate, by their number in the model. */
static status read_removed(arena *a, const h5_file *f, const wanted *w, position *at, json_t *out)
{
    const char *path, *counted;
    const int64_t *component = NULL, *removed_at = NULL, *removed = NULL;
    int64_t *gone;
    size_t n = 0, n_rates = w->cells->n_rates;
    at->n_ranked = H5_ANY_SIZE;
    PATH(path, a, at->track, "component");
    TRY(h5_get_counts(a, f, path, 1, &at->n_ranked, &component));
    PATH(path, a, at->track, "removed_at");
    TRY(h5_get_row_of_counts(a, f, path, at->n_cells, at->row, &at->n_ranked, &removed_at));
    PATH(counted, a, at->track, "removed");
    TRY(h5_get_row_of_counts(a, f, counted, at->n_cells, at->row, &n_rates, &removed));
    TRY_ALLOC(gone, a, at->n_ranked);
    for (size_t i = 0; i < at->n_ranked; i++) {
        if (removed_at[i] <= (int64_t)w->rate) {
            gone[n++] = component[i];
        }
    }
    const int64_t expected = removed[w->rate];
    if (expected != (int64_t)n) {
        return FAIL(ST_DATA, "%s: %s removes %zu components, %s says %" PRId64 "; " FILE_DAMAGED, f->path, path, n, counted, expected);
    }
    TRY(carry_counts(out, "ranked", at->n_ranked, component));
    return carry_counts(out, "removed", n, gone);
}

static status read_task(arena *a, const h5_file *f, const wanted *w, json_t *out)
{
    const size_t n = w->cells->list[w->cell].n_classes;
    const int64_t *classes = NULL;
    const double *accuracy = NULL;
    const char *text;
    size_t slots = H5_ANY_SIZE, rates[2] = {w->cells->n, w->cells->n_rates};
    TRY(h5_get_row_of_counts(a, f, "/curves/classes", w->cells->n, w->cell, &slots, &classes));
    TRY(h5_get_reals(a, f, "/curves/accuracy", 2, rates, &accuracy));
    if (n > slots) {
        return FAIL(ST_DATA, "%s: /curves/classes: cell %zu has %zu classes, and there is room for %zu; " FILE_DAMAGED, f->path, w->cell, n,
                    slots);
    }
    for (size_t i = 0; i < n; i++) {
        if (classes[i] < 0) {
            return FAIL(ST_DATA, "%s: /curves/classes: cell %zu lacks a class; " FILE_DAMAGED, f->path, w->cell);
        }
    }
    TRY(carry_counts(out, "classes", n, classes));
    TRY_TEXT(text, a, "%a", accuracy[w->cell * w->cells->n_rates + w->rate]);
    return carry_text(out, "accuracy", text);
}

static status read_provenance(arena *a, const h5_file *f, json_t *out)
{
    static const char *const names[] = {"config_path", "config_resolved"};
    const char *path;
    const char *const *texts = NULL;
    size_t n = H5_ANY_SIZE;
    for (size_t i = 0; i < COUNT(names); i++) {
        PATH(path, a, "/provenance", names[i]);
        TRY(h5_get_texts(a, f, path, 0, NULL, &texts));
        TRY(carry_text(out, names[i], texts[0]));
    }
    TRY(h5_get_texts(a, f, "/provenance/path", 1, &n, &texts));
    TRY(carry_texts(out, "input", n < MOST_INPUTS ? n : MOST_INPUTS, texts));
    TRY(h5_get_texts(a, f, "/provenance/sha256", 1, &n, &texts));
    return carry_texts(out, "sha256", n < MOST_INPUTS ? n : MOST_INPUTS, texts);
}

static status read_all(arena *a, const h5_file *f, const void *context, json_t *out)
{
    const wanted *w = context;
    const results_cell *c = &w->cells->list[w->cell];
    position at = {.model = NULL};
    PATH(at.model, a, "/models", c->model);
    TRY_TEXT(at.track, a, "/tracks/%s/%s/%s", c->model, c->kind, c->criterion);
    TRY(carry_attr(a, f, "/", "study", out));
    TRY(carry_attr(a, f, "/", "source", out));
    TRY(read_layers(a, f, &at, out));
    TRY(find_row(a, f, w->cell, &at));
    TRY(read_removed(a, f, w, &at, out));
    TRY(read_task(a, f, w, out));
    return read_provenance(a, f, out);
}

/* ---- in the parent ---- */

static bool kind_of(const char *name, component_kind *out)
{
    for (component_kind k = COMPONENT_FILTER; (int)k < COMPONENT_KINDS; k++) {
        if (strcmp(name, component_kind_name(k)) == 0) {
            *out = k;
            return true;
        }
    }
    return false;
}

static size_t number_at(const json_t *list, size_t i)
{
    return (size_t)json_integer_value(json_array_get(list, i));
}

static status take_layers(arena *a, const char *path, const json_t *from, results_mask *out)
{
    results_layer *layers;
    const char *const *name, *const *kind;
    const json_t *n, *first;
    size_t next = 0;
    out->n_layers = H5_ANY_SIZE;
    TRY(carried_texts(a, from, "layer", &out->n_layers, &name));
    TRY(carried_texts(a, from, "layer_kind", &out->n_layers, &kind));
    TRY(carried_list(from, "n_components", &out->n_layers, &n));
    TRY(carried_list(from, "first_component", &out->n_layers, &first));
    TRY(carried_count(from, "components", &out->n_components));
    TRY_ALLOC(layers, a, out->n_layers);
    for (size_t i = 0; i < out->n_layers; i++) {
        layers[i] = (results_layer){name[i], COMPONENT_NONE, number_at(n, i), number_at(first, i)};
        if (!kind_of(kind[i], &layers[i].kind) || layers[i].first_component != next || layers[i].n_components > out->n_components - next) {
            return FAIL(ST_DATA, "%s: /models: the components of layer '%.80s' do not follow those before it; " FILE_DAMAGED, path, name[i]);
        }
        next += layers[i].n_components;
    }
    out->layers = layers;
    return next == out->n_components ? STATUS_OK
                                     : FAIL(ST_DATA, "%s: /models: layers have %zu components, the model %zu; " FILE_DAMAGED, path, next,
                                            out->n_components);
}

static component_kind kind_of_component(const results_mask *m, size_t component)
{
    for (size_t i = 0; i < m->n_layers; i++) {
        if (component >= m->layers[i].first_component && component - m->layers[i].first_component < m->layers[i].n_components) {
            return m->layers[i].kind;
        }
    }
    return COMPONENT_NONE;
}

static status take_mask(arena *a, const char *path, const json_t *from, results_mask *out)
{
    const json_t *ranked, *removed;
    uint8_t *seen, *alive;
    size_t n = H5_ANY_SIZE;
    TRY(carried_list(from, "ranked", &n, &ranked));
    out->n_ranked = n;
    n = H5_ANY_SIZE;
    TRY(carried_list(from, "removed", &n, &removed));
    out->n_removed = n;
    TRY_ALLOC(seen, a, out->n_components);
    TRY_ALLOC(alive, a, out->n_components);
    memset(alive, 1, out->n_components);
    for (size_t i = 0; i < out->n_ranked; i++) {
        const size_t c = number_at(ranked, i);
        if (c >= out->n_components || seen[c] || kind_of_component(out, c) != out->kind) {
            return FAIL(ST_DATA, "%s: /tracks: component %" JSON_INTEGER_FORMAT " is none of the model's %s, or is there twice; " FILE_DAMAGED,
                        path, json_integer_value(json_array_get(ranked, i)), component_kind_name(out->kind));
        }
        seen[c] = 1;
    }
    for (size_t i = 0; i < out->n_removed; i++) {
        alive[number_at(removed, i)] = 0; /* one of those ranked */
    }
    out->alive = alive;
    return STATUS_OK;
}

static status take_rest(arena *a, const json_t *from, results_mask *out)
{
    const json_t *list;
    const char *accuracy;
    size_t *classes;
    TRY(carried_text(a, from, "study", &out->study));
    TRY(carried_text(a, from, "source", &out->source));
    TRY(carried_text(a, from, "config_path", &out->config_path));
    TRY(carried_text(a, from, "config_resolved", &out->config));
    out->n_inputs = H5_ANY_SIZE;
    TRY(carried_texts(a, from, "input", &out->n_inputs, &out->input));
    TRY(carried_texts(a, from, "sha256", &out->n_inputs, &out->sha256));
    out->n_classes = H5_ANY_SIZE;
    TRY(carried_list(from, "classes", &out->n_classes, &list));
    TRY_ALLOC(classes, a, out->n_classes);
    for (size_t i = 0; i < out->n_classes; i++) {
        classes[i] = number_at(list, i);
    }
    out->classes = classes;
    TRY(carried_text(a, from, "accuracy", &accuracy));
    out->accuracy = strtod(accuracy, NULL);
    return STATUS_OK;
}

static status take_all(arena *a, const char *path, const json_t *from, const results_cell *c, results_mask *out)
{
    if (!kind_of(c->kind, &out->kind)) {
        return FAIL(ST_DATA, "%s: /curves/kind: '%.80s' is no kind of component; " FILE_DAMAGED, path, c->kind);
    }
    TRY(take_layers(a, path, from, out));
    TRY(take_mask(a, path, from, out));
    return take_rest(a, from, out);
}

status results_read_mask(arena *a, const char *path, const results_cells *cells, size_t cell, size_t rate, results_mask *out)
{
    const wanted w = {cells, cell, rate};
    json_t *from = NULL;
    *out = (results_mask){.n_layers = 0};
    TRY(results_carry(path, read_all, &w, &from));
    const status st = take_all(a, path, from, &cells->list[cell], out);
    json_decref(from);
    return st;
}
