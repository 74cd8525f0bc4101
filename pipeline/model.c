#include "pipeline/model.h"

#include <string.h>

#include "core/log.h"
#include "io/checkpoint.h"
#include "io/sha256.h"
#include "nn/arch.h"
#include "nn/passes/needed_rows.h"
#include "parallel/node.h"
#include "pipeline/tensor_list.h"

const size_t model_largest_checkpoint = (size_t)1 << 36;

static void digest_of(file_bytes bytes, char digest[65])
{
    uint8_t raw[32];
    sha256(bytes.data, bytes.size, raw);
    sha256_text(raw, digest);
}

status share_file(comm *c, arena *a, const char *path, bool optional, size_t most, file_bytes *out, char digest[65])
{
    arena *local = NULL;
    file_bytes bytes = {NULL, 0};
    status st = STATUS_OK;
    int64_t found = 1;
    if (c->rank == 0) {
        found = !(optional && file_is_absent(path));
        st = arena_open("input file", &local);
        if (status_ok(st) && found) {
            st = file_read(local, path, most, &bytes);
        }
    } else {
        found = 0;
    }
    st = comm_agree(c, st);
    if (status_ok(st)) {
        const void *data = bytes.data;
        size_t size = bytes.size;
        comm_sum_i64(c, 1, &found);
        st = comm_share_bytes(c, a, &data, &size);
        *out = found ? (file_bytes){data, size} : (file_bytes){NULL, 0};
    }
    arena_close(&local);
    digest[0] = '\0';
    if (status_ok(st) && found) {
        digest_of(*out, digest);
    }
    return st;
}

status model_tensors(arena *a, const char *path, file_bytes checkpoint, const char *json_path, file_bytes json,
                     const config_model *cm, tensors **out)
{
    size_t n_json = 0;
    fact *json_facts = NULL;
    TRY(checkpoint_parse(a, path, checkpoint, out));
    if (json.data != NULL) {
        TRY(model_json_parse(a, json_path, json, &n_json, &json_facts));
    }
    return facts_merge(a, cm != NULL ? cm->n_facts : 0, cm != NULL ? cm->facts : NULL, n_json, json_facts, *out);
}

status model_read(arena *a, const char *path, const config_model *cm, tensors **out, size_t *bytes)
{
    file_bytes checkpoint, json = {NULL, 0};
    char *folder = path_folder(a, path), *json_path = folder == NULL ? NULL : path_join(a, folder, "model.json");
    if (json_path == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    TRY(file_read(a, path, model_largest_checkpoint, &checkpoint));
    if (!file_is_absent(json_path)) {
        TRY(file_read(a, json_path, MODEL_LARGEST_JSON, &json));
    }
    *bytes = checkpoint.size;
    return model_tensors(a, path, checkpoint, json_path, json, cm, out);
}

/* Which components are pruned: the config's choice, else all kinds that the network has. */
static status choose_kinds(arena *a, study_model *m)
{
    const config_model *cm = m->config;
    for (component_kind kind = COMPONENT_FILTER; (int)kind < COMPONENT_KINDS; kind++) {
        size_t n = 0;
        const size_t *list = NULL;
        bool wanted = cm->n_kinds == 0;
        for (size_t i = 0; i < cm->n_kinds; i++) {
            wanted |= cm->kinds[i] == kind;
        }
        TRY(graph_components(a, m->graph, kind, &n, &list));
        if (wanted && n > 0) {
            m->kinds[m->n_kinds] = kind;
            m->component[m->n_kinds] = list;
            m->n_components[m->n_kinds] = n;
            ranking_layers *l = &m->layers[m->n_kinds];
            l->n = n;
            TRY(graph_layer_sizes(a, m->graph, kind, &l->n_layers, &l->size));
            m->n_kinds++;
        } else if (wanted && cm->n_kinds > 0) {
            return FAIL(ST_CONFIG, "model '%s': components: the network (%s) has no %s; leave the key out to prune what it has",
                        cm->name, m->graph->architecture, component_kind_name(kind));
        }
    }
    return STATUS_OK;
}

/* Every node has to see the file that rank 0 sees. */
static status check_digest(const char *path, const char *digest, const char *of_rank_0)
{
    return strcmp(digest, of_rank_0) == 0
               ? STATUS_OK
               : FAIL(ST_DATA, "%s: expected the file that rank 0 reads (SHA-256 %s), found another on this node (%s); put the same file on every node",
                      path, of_rank_0, digest);
}

/* On the first rank of each node alone; *out is empty elsewhere. */
static status read_checkpoint(comm *c, arena *scratch, file_bytes *out, model_inputs *in)
{
    const char *const *digest;
    status st = STATUS_OK;
    *out = (file_bytes){NULL, 0};
    if (c->node_rank == 0) {
        st = file_read(scratch, in->checkpoint_path, model_largest_checkpoint, out);
        if (status_ok(st)) {
            digest_of(*out, in->checkpoint_sha256);
        }
    }
    TRY(comm_agree(c, st));
    TRY(comm_gather_text(c, scratch, in->checkpoint_sha256, &digest));
    TRY(comm_agree(c, c->node_rank == 0 ? check_digest(in->checkpoint_path, in->checkpoint_sha256, digest[0]) : STATUS_OK));
    memcpy(in->checkpoint_sha256, digest[0], sizeof in->checkpoint_sha256);
    in->checkpoint_bytes = out->size;
    comm_bcast_in_node(c, sizeof in->checkpoint_bytes, &in->checkpoint_bytes);
    return STATUS_OK;
}

/* What the checkpoint says, on every rank; the numbers only where it was read. */
static status share_tensors(comm *c, arena *scratch, const config_model *cm, file_bytes checkpoint, file_bytes json,
                            const model_inputs *in, tensors **out)
{
    const bool reads = c->node_rank == 0;
    const void *list = NULL;
    size_t size = 0;
    status st = reads ? model_tensors(scratch, cm->checkpoint, checkpoint, in->json_path, json, cm, out) : STATUS_OK;
    if (reads && status_ok(st)) {
        st = tensor_list_write(scratch, *out, &list, &size);
    }
    TRY(comm_agree(c, st));
    TRY(comm_share_in_node(c, scratch, &list, &size));
    return comm_agree(c, reads ? STATUS_OK : tensor_list_read(scratch, list, size, out));
}

/* The same graph on every rank; one copy of its weights on each node. */
static status build_graph(comm *c, arena *a, const config_model *cm, const tensors *t, model_inputs *in, const graph **out)
{
    char what[128];
    node_block b;
    (void)snprintf(what, sizeof what, "the weights of model '%.80s'", cm->name);
    if (!c->shares) {
        return comm_agree(c, graph_build(a, t, out));
    }
    TRY(node_block_open(c, a, what, graph_weights(t) * sizeof(float), &b));
    weight_block w = {.data = b.data, .n = b.bytes / sizeof(float), .fills = c->node_rank == 0};
    TRY(node_block_ready(c, &b, graph_build_in(a, t, &w, out)));
    in->shared_bytes = b.shared ? b.bytes : 0;
    return comm_same_in_node(c, what, w.key);
}

static status describe(arena *a, const config_model *cm, const tensors *t, const graph *g, study_model *out)
{
    if (g->input.rank != 3 || g->input.dim[0] != 3) {
        return FAIL(ST_DATA, "%s: expected a network for images of 3 channels, found one for %zu", cm->checkpoint,
                    g->input.dim[0]);
    }
    out->config = cm;
    out->graph = g;
    TRY(graph_needed_rows(a, g, &out->logits_graph));
    TRY(preprocess_from_facts(t, g->input.dim[1], g->input.dim[2], &out->preprocess));
    TRY(preprocess_for_evaluation(t, g->input.dim[1], g->input.dim[2], &out->evaluation_preprocess));
    const char *classes = tensors_fact(t, "classes");
    if (classes != NULL) {
        TRY_TEXT(out->class_names, a, "%s", classes);
    }
    return choose_kinds(a, out);
}

/* The files, and then the network. */
static status load(comm *c, arena *a, arena *scratch, const config_model *cm, study_model *out, model_inputs *in)
{
    file_bytes checkpoint, json;
    tensors *t = NULL;
    const graph *g = NULL;
    TRY(read_checkpoint(c, scratch, &checkpoint, in));
    TRY(share_file(c, scratch, in->json_path, true, MODEL_LARGEST_JSON, &json, in->json_sha256));
    in->json_bytes = json.size;
    TRY(share_tensors(c, scratch, cm, checkpoint, json, in, &t));
    TRY(build_graph(c, a, cm, t, in, &g));
    return comm_agree(c, describe(a, cm, t, g, out));
}

status model_load(comm *c, arena *a, arena *scratch, const config_model *cm, study_model *out, model_inputs *inputs)
{
    char *folder = path_folder(a, cm->checkpoint);
    char *json_path = folder == NULL ? NULL : path_join(a, folder, "model.json");
    TRY(comm_agree(c, json_path == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    *inputs = (model_inputs){.checkpoint_path = cm->checkpoint, .json_path = json_path};
    *out = (study_model){.config = cm};
    arena_reset(scratch);
    return load(c, a, scratch, cm, out, inputs);
}

/* Compares the next element of a list of names with `name` and moves behind it. Elements end at a comma; a comma or backslash within
 * one has a backslash before it (io/checkpoint.h). */
static bool next_is(const char **list, const char *name)
{
    const char *p = *list;
    bool same = true;
    for (; *p != '\0' && *p != ','; p++) {
        p += *p == '\\' && p[1] != '\0';
        same = same && *name == *p;
        name += *name != '\0';
    }
    *list = *p == ',' ? p + 1 : p;
    return same && *name == '\0';
}

static const size_t NOT_FOUND = (size_t)-1;

static size_t find_name(const char *list, const char *name)
{
    for (size_t i = 0; *list != '\0'; i++) {
        if (next_is(&list, name)) {
            return i;
        }
    }
    return NOT_FOUND;
}

status model_check_classes(const study_model *m, const dataset *d)
{
    if (m->graph->n_classes != d->n_classes) {
        return FAIL(ST_DATA, "%s: expected %zu class folders, one for each class of model '%s' (%s), found %zu", d->root,
                    m->graph->n_classes, m->config->name, m->config->checkpoint, d->n_classes);
    }
    if (m->class_names == NULL) {
        return STATUS_OK; /* the model does not name its classes */
    }
    const char *names = m->class_names;
    for (size_t i = 0; i < d->n_classes; i++) {
        if (next_is(&names, d->class_name[i])) {
            continue;
        }
        const size_t other = find_name(m->class_names, d->class_name[i]);
        if (other != NOT_FOUND) {
            return FAIL(ST_DATA,
                        "%s: folder '%s' is class %zu by its place and class %zu by the names of model '%s' (%.200s); expected all "
                        "class folders of the model and no others",
                        d->root, d->class_name[i], i, other, m->config->name, m->class_names);
        }
        log_line(LOG_WARNING, "model=%s class=%zu folder='%s' the model calls its classes otherwise; taken by their order", m->config->name,
                 i, d->class_name[i]);
        return STATUS_OK; /* names of another kind, such as words for the codes of ImageNet's folders */
    }
    return STATUS_OK;
}
