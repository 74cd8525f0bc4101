#include "pipeline/export_network.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "io/guard.h"
#include "io/sha256.h"
#include "nn/arch.h"
#include "pipeline/model.h"

static const char *recorded(const results_mask *m, const char *path)
{
    for (size_t i = 0; i < m->n_inputs; i++) {
        if (strcmp(m->input[i], path) == 0) {
            return m->sha256[i];
        }
    }
    return NULL;
}

static void digest_of(file_bytes bytes, char text[65])
{
    uint8_t raw[32];
    sha256(bytes.data, bytes.size, raw);
    sha256_text(raw, text);
}

static status read_checkpoint(arena *a, const char *result, const results_mask *m, const config_model *model, export_network *out,
                              file_bytes *bytes)
{
    const char *expected = recorded(m, model->checkpoint);
    if (expected == NULL) {
        return FAIL(ST_DATA, "%s: /provenance/path has no '%s', the checkpoint of model '%s'; " FILE_DAMAGED, result, model->checkpoint,
                    model->name);
    }
    if (access(out->checkpoint, R_OK) != 0) {
        return FAIL(ST_NO_INPUT, "%s: the checkpoint of model '%s' cannot be opened: %s; say where it is with --checkpoint", out->checkpoint,
                    model->name, strerror(errno));
    }
    TRY(file_read(a, out->checkpoint, model_largest_checkpoint, bytes));
    digest_of(*bytes, out->sha256);
    if (strcmp(out->sha256, expected) != 0) {
        return FAIL(ST_DATA,
                    "%s: expected the checkpoint that the masks of %s are of, with the SHA-256 %.64s, found %s; say where it is with "
                    "--checkpoint, or repeat the study",
                    out->checkpoint, result, expected, out->sha256);
    }
    return STATUS_OK;
}

static status in_folder_of(arena *a, const char *path, const char *name, const char **out)
{
    const char *folder = path_folder(a, path);
    *out = folder == NULL ? NULL : path_join(a, folder, name);
    return *out == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK;
}

/* model.json beside it, which should be what it was: a warning, since most of what it says does not matter here. */
static status read_json(arena *a, const results_mask *m, const config_model *model, const export_network *n, const char **path,
                        file_bytes *bytes)
{
    const char *then;
    char digest[65] = "";
    *bytes = (file_bytes){NULL, 0};
    TRY(in_folder_of(a, model->checkpoint, "model.json", &then));
    TRY(in_folder_of(a, n->checkpoint, "model.json", path));
    if (!file_is_absent(*path)) {
        TRY(file_read(a, *path, MODEL_LARGEST_JSON, bytes));
        digest_of(*bytes, digest);
    }
    const char *expected = recorded(m, then);
    if (strcmp(expected == NULL ? "" : expected, digest) != 0) {
        log_line(LOG_WARNING, "file=%s %s", *path,
                 bytes->data == NULL ? "is missing; the study read one" : "is not what the study read; facts in it may differ");
    }
    return STATUS_OK;
}

static status not_of(const char *result, const export_network *n, const char *what, const char *layer)
{
    return FAIL(ST_DATA, "%s: the masks do not fit the network in %s: %s '%.200s'; " FILE_DAMAGED, result, n->checkpoint, what, layer);
}

/* Layer by layer, so that every component of the mask is the one of that number. */
static status check_layers(const char *result, const results_mask *m, const export_network *n)
{
    const graph *g = n->graph;
    for (size_t i = 0; i < g->n_layers || i < m->n_layers; i++) {
        if (i >= g->n_layers) {
            return not_of(result, n, "it has no layer", m->layers[i].name);
        }
        const node *layer = &g->nodes[g->layers[i]];
        if (i >= m->n_layers || strcmp(m->layers[i].name, layer->name) != 0) {
            return not_of(result, n, "they have no layer", layer->name);
        }
        if (m->layers[i].kind != layer->components || m->layers[i].n_components != layer->n_components ||
            m->layers[i].first_component != layer->first_component) {
            return not_of(result, n, "other components in layer", layer->name);
        }
    }
    return STATUS_OK;
}

/* For every tensor of the checkpoint its cut. */
static status match_cuts(arena *a, export_network *n)
{
    const tensor_cut **cut;
    TRY_ALLOC(cut, a, n->whole->n);
    for (size_t i = 0; i < n->whole->n; i++) {
        for (size_t k = 0; k < n->cuts.n && cut[i] == NULL; k++) {
            cut[i] = strcmp(n->cuts.list[k].name, n->whole->list[i].name) == 0 ? &n->cuts.list[k] : NULL;
        }
    }
    n->cut = cut;
    return STATUS_OK;
}

static status copy_list(arena *a, const tensors *from, tensor **list, tensors **out)
{
    TRY_ALLOC(*list, a, from->n);
    TRY_ALLOC(*out, a, 1);
    if (from->n > 0) {
        memcpy(*list, from->list, from->n * sizeof **list);
    }
    **out = *from;
    (*out)->list = *list;
    return STATUS_OK;
}

static status make_masked(arena *a, export_network *n)
{
    tensor *list;
    tensors *masked;
    TRY(copy_list(a, n->whole, &list, &masked));
    for (size_t i = 0; i < masked->n; i++) {
        const tensor_cut *c = n->cut[i];
        if (c != NULL && c->prunable) {
            float *data;
            TRY_ALLOC(data, a, c->rows * c->columns * c->taps);
            tensor_cut_apply(c, list[i].data, data);
            list[i].data = data;
        }
    }
    n->masked = masked;
    return STATUS_OK;
}

/* Out of the masked ones, so that a row which only stands for an emptied layer is zero. */
static status make_small(arena *a, export_network *n)
{
    tensor *list;
    tensors *small;
    TRY(copy_list(a, n->masked, &list, &small));
    for (size_t i = 0; i < small->n; i++) {
        const tensor_cut *c = n->cut[i];
        if (c != NULL && !(c->row.whole && c->column.whole)) {
            float *data;
            TRY_ALLOC(data, a, tensor_cut_elements(c));
            tensor_cut_shrink(c, list[i].data, data);
            list[i].data = data;
            tensor_cut_shape(c, list[i].dim);
        }
    }
    n->small = small;
    return STATUS_OK;
}

status export_network_read(arena *a, const char *result, const results_mask *m, const config_model *model, const char *checkpoint,
                           export_network *out)
{
    file_bytes bytes, json;
    const char *json_path = NULL;
    tensors *t = NULL;
    *out = (export_network){.checkpoint = checkpoint != NULL ? checkpoint : model->checkpoint};
    TRY(read_checkpoint(a, result, m, model, out, &bytes));
    TRY(read_json(a, m, model, out, &json_path, &json));
    TRY(model_tensors(a, out->checkpoint, bytes, json_path, json, model, &t));
    out->whole = t;
    TRY(graph_build(a, t, &out->graph));
    TRY(check_layers(result, m, out));
    TRY(tensor_cuts_build(a, out->graph, m->kind, m->alive, &out->cuts));
    TRY(match_cuts(a, out));
    TRY(make_masked(a, out));
    return make_small(a, out);
}

status export_network_expand(arena *a, const export_network *n, tensors *out)
{
    tensor *list;
    tensors *expanded;
    TRY(copy_list(a, n->small, &list, &expanded));
    for (size_t i = 0; i < expanded->n; i++) {
        const tensor_cut *c = n->cut[i];
        if (c != NULL && !(c->row.whole && c->column.whole)) {
            float *data;
            TRY_ALLOC(data, a, c->rows * c->columns * c->taps);
            tensor_cut_expand(c, list[i].data, data);
            list[i].data = data;
            memcpy(list[i].dim, c->dim, sizeof c->dim);
        }
    }
    *out = *expanded;
    return STATUS_OK;
}
