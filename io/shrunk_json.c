#include "io/shrunk_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "io/files.h"
#include "nn/op.h"

/* Failures to make a value leave NULL, which shows at the end: no object takes it. */
static bool put(json_t *to, const char *name, json_t *value)
{
    return json_object_set_new(to, name, value) == 0;
}

static json_t *numbers(size_t n, const uint32_t number[])
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        (void)json_array_append_new(list, json_integer(number[i]));
    }
    return list;
}

/* {"of": 64, "kept": [0, 3, ...]}; "kept" is left out where everything is. */
static json_t *kept(size_t whole, const channel_map *map)
{
    json_t *out = json_pack("{s:I}", "of", (json_int_t)whole);
    if (!map->whole) {
        (void)put(out, "kept", numbers(map->n, map->channel));
    }
    return out;
}

static void put_facts(json_t *to, const node *n)
{
    op_fact list[MAX_OP_FACTS];
    const size_t count = n->op->facts == NULL ? 0 : n->op->facts(n, list);
    for (size_t i = 0; i < count; i++) {
        const op_fact *f = &list[i];
        json_t *value = f->n == 0   ? json_real(f->real)
                        : f->n == 1 ? json_integer((json_int_t)f->count[0])
                                    : json_pack("[I,I]", (json_int_t)f->count[0], (json_int_t)f->count[1]);
        (void)put(to, f->name, value);
    }
}

/* Which tensors the layer is made of, and which of their columns it still reads. */
static bool put_tensors(json_t *to, const graph *g, const tensor_cuts *cuts, const node *n)
{
    size_t at, row;
    bool made = true;
    if (tensor_of_weight(g, n, &at, &row)) {
        const tensor_cut *c = &cuts->list[at];
        made = put(to, "weight", json_string(c->name)) && made;
        if (shape_channels(n->out) != c->rows && n->op->product != NULL) { /* q, k and v are rows of one matrix */
            made = put(to, "first_row", json_integer((json_int_t)row)) && made;
        }
        if (n->op->product != NULL) {
            made = put(to, "columns", kept(c->columns, &c->column)) && made;
        }
    }
    if (tensor_of_bias(g, n, &at, &row)) {
        made = put(to, "bias", json_string(cuts->list[at].name)) && made;
    }
    if (tensor_of_norm(g, n, &at)) {
        const char *name = cuts->list[at].name;
        made = put(to, "norm", json_stringn(name, strlen(name) - strlen(".weight"))) && made;
    }
    return made;
}

static bool put_heads(json_t *to, const node *n, const tensor_cuts *cuts)
{
    if (n->components != COMPONENT_HEAD) {
        return true;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n->n_components; i++) {
        if (cuts->kept[n->first_component + i]) {
            (void)json_array_append_new(list, json_integer((json_int_t)i));
        }
    }
    return put(to, "heads_kept", list);
}

/* Sums: where each channel of each input is in the output. Rows of a producer are scattered to these places. */
static bool put_places(json_t *to, const node *n, const tensor_cuts *cuts, const channel_map *out)
{
    json_t *all = json_array();
    for (size_t i = 0; i < n->n_in; i++) {
        const channel_map *in = &cuts->map[n->in[i]];
        json_t *list = json_array();
        for (size_t k = 0, place = 0; k < in->n; k++) { /* both ascend */
            while (place < out->n && out->channel[place] != in->channel[k]) {
                place++;
            }
            (void)json_array_append_new(list, json_integer((json_int_t)place));
        }
        (void)json_array_append_new(all, list);
    }
    return put(to, "places", all);
}

static bool is_emptied(const node *n, const tensor_cuts *cuts)
{
    return n->components != COMPONENT_NONE && op_count_live(cuts->alive + n->first_component, 0, n->n_components) == 0;
}

static json_t *layer(const graph *g, const tensor_cuts *cuts, node_id id)
{
    const node *n = &g->nodes[id];
    json_t *inputs = json_array(), *out = json_object();
    for (size_t i = 0; i < n->n_in; i++) {
        (void)json_array_append_new(inputs, json_string(g->nodes[n->in[i]].name));
    }
    bool made = put(out, "name", json_string(n->name)) && put(out, "type", json_string(n->op->name)) && put(out, "inputs", inputs);
    put_facts(out, n);
    made = put_tensors(out, g, cuts, n) && made;
    made = put(out, "outputs", kept(shape_channels(n->out), &cuts->map[id])) && made;
    made = put_heads(out, n, cuts) && made;
    if (n->n_in > 1 && n->op == &op_add) {
        made = put_places(out, n, cuts, &cuts->map[id]) && made;
    }
    if (is_emptied(n, cuts)) {
        made = put(out, "emptied", json_true()) && made;
    }
    if (!made) {
        json_decref(out);
        return NULL;
    }
    return out;
}

static json_t *architecture(const graph *g, size_t n_facts, const fact facts[])
{
    json_t *list = json_object();
    for (size_t i = 0; i < n_facts; i++) {
        (void)json_object_set_new(list, facts[i].name, json_string(facts[i].value)); /* no UTF-8: left out */
    }
    return json_pack("{s:s, s:[I,I,I], s:I, s:o}", "family", g->architecture, "input", (json_int_t)g->input.dim[0],
                     (json_int_t)g->input.dim[1], (json_int_t)g->input.dim[2], "classes", (json_int_t)g->n_classes, "facts", list);
}

static json_t *pruning(const export_origin *o)
{
    char seed[24];
    json_t *classes = json_array();
    for (size_t i = 0; i < o->n_classes; i++) {
        (void)json_array_append_new(classes, json_integer((json_int_t)o->classes[i]));
    }
    (void)snprintf(seed, sizeof seed, "%" PRIu64, o->seed); /* 64 bits are more than a JSON number holds everywhere */
    return json_pack("{s:s, s:s, s:s, s:s, s:f, s:s, s:I, s:o, s:I, s:I, s:o}", "study", o->study, "model", o->model, "kind", o->kind,
                     "criterion", o->criterion, "rate", o->rate, "seed", seed, "references", (json_int_t)o->references, "classes", classes,
                     "components", (json_int_t)o->n_ranked, "removed", (json_int_t)o->n_removed, "accuracy",
                     isfinite(o->accuracy) ? json_real(o->accuracy) : json_null()); /* none without images */
}

static json_t *provenance(const export_origin *o)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "program", o->program, "result", o->result, "result_sha256", o->result_sha256,
                     "result_source", o->source, "checkpoint", o->checkpoint, "checkpoint_sha256", o->checkpoint_sha256);
}

static json_t *comparison(const export_origin *o)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:f}", "images", o->images, "images_from", o->images_from, "backend", o->backend,
                     "n_images", (json_int_t)o->n_images, "same_largest_logit", (json_int_t)o->n_agree, "largest_relative_difference",
                     o->difference);
}

/* A member a line, and a layer a line: for people and for diff. */
static status dump(FILE *to, json_t *root)
{
    const char *key, *before = "{";
    json_t *value;
    bool made = true;
    json_object_foreach(root, key, value)
    {
        (void)fprintf(to, "%s\n\"%s\": ", before, key);
        before = ",";
        if (json_is_array(value)) {
            for (size_t i = 0; i < json_array_size(value); i++) {
                (void)fputs(i == 0 ? "[\n" : ",\n", to);
                made = json_dumpf(json_array_get(value, i), to, JSON_REAL_PRECISION(15)) == 0 && made;
            }
            (void)fputs("\n]", to);
        } else {
            made = json_dumpf(value, to, JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY) == 0 && made;
        }
    }
    made = fputs("\n}\n", to) >= 0 && fflush(to) == 0 && ferror(to) == 0 && made;
    return made ? STATUS_OK : FAIL(ST_ENVIRONMENT, "no memory, or no room in the folder of temporary files");
}

static status write_text(arena *a, const char *path, FILE *from)
{
    const long size = ftell(from);
    char *text;
    TRY_ALLOC(text, a, (size_t)size + 1);
    rewind(from);
    if (fread(text, 1, (size_t)size, from) != (size_t)size) {
        return FAIL(ST_ENVIRONMENT, "a temporary file cannot be read again");
    }
    return file_write_atomic(path, text, (size_t)size);
}

static status write_root(const char *path, json_t *root)
{
    arena *a = NULL;
    FILE *to = tmpfile();
    if (to == NULL) {
        return FAIL(ST_ENVIRONMENT, "%s: no temporary file to make it in", path);
    }
    status st = arena_open("description of a network", &a);
    if (status_ok(st)) {
        st = dump(to, root);
    }
    if (status_ok(st)) {
        st = write_text(a, path, to);
    }
    arena_close(&a);
    (void)fclose(to);
    return st;
}

status shrunk_json_write(const char *path, const graph *g, const tensor_cuts *cuts, size_t n_facts, const fact facts[],
                         const export_origin *o)
{
    json_t *root = json_object(), *layers = json_array();
    bool made = put(root, "format", json_string("pollard shrunk network")) && put(root, "version", json_integer(1)) &&
                put(root, "architecture", architecture(g, n_facts, facts)) && put(root, "pruning", pruning(o)) &&
                put(root, "provenance", provenance(o)) && put(root, "comparison", comparison(o));
    for (node_id id = 0; id < g->n_nodes; id++) {
        made = json_array_append_new(layers, layer(g, cuts, id)) == 0 && made;
    }
    made = put(root, "layers", layers) && made;
    const status st = made ? write_root(path, root) : FAIL(ST_ENVIRONMENT, "%s: out of memory, or a text that is no UTF-8", path);
    json_decref(root);
    return st;
}

status export_origin_facts(arena *a, const export_origin *o, size_t *n, const fact **out)
{
    const fact all[] = {
        {"format", "pt", NULL},
        {"pollard.program", o->program, NULL},
        {"pollard.result_sha256", o->result_sha256, NULL},
        {"pollard.checkpoint_sha256", o->checkpoint_sha256, NULL},
        {"pollard.study", o->study, NULL},
        {"pollard.model", o->model, NULL},
        {"pollard.kind", o->kind, NULL},
        {"pollard.criterion", o->criterion, NULL},
        {"pollard.rate", arena_text(a, "%.17g", o->rate), NULL},
        {"pollard.seed", arena_text(a, "%" PRIu64, o->seed), NULL},
        {"pollard.references", arena_text(a, "%zu", o->references), NULL},
        {"pollard.task", arena_text(a, "%zu", o->n_classes), NULL},
        {"pollard.removed", arena_text(a, "%zu of %zu", o->n_removed, o->n_ranked), NULL},
        {"pollard.compared_images", arena_text(a, "%zu %s", o->n_images, o->images), NULL},
        {"pollard.largest_relative_difference", arena_text(a, "%.3g", o->difference), NULL},
    };
    fact *list;
    TRY_ALLOC(list, a, COUNT(all));
    for (size_t i = 0; i < COUNT(all); i++) {
        if (all[i].value == NULL) {
            return (status){ST_ENVIRONMENT};
        }
        list[i] = all[i];
    }
    *n = COUNT(all);
    *out = list;
    return STATUS_OK;
}
