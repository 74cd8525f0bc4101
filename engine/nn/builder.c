#include "nn/builder.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "nn/sizes.h"

struct builder {
    arena *a;
    const tensors *t;
    weight_block *weights;
    const tensor **sorted; /* [t->n] by name */
    bool *used;            /* [t->n] */
    graph_tensor *taken;   /* [n_taken] of [t->n] */
    size_t n_taken;
    status st;
    node *nodes;
    size_t n_nodes, room;
    node_id *layers; /* prunable nodes in module order; room for `room` */
    size_t n_layers, n_components;
};

static int compare_names(const void *a, const void *b)
{
    const tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static status sort_names(builder *b)
{
    const tensors *t = b->t;
    TRY_ALLOC(b->sorted, b->a, t->n);
    for (size_t i = 0; i < t->n; i++) {
        b->sorted[i] = &t->list[i];
    }
    qsort(b->sorted, t->n, sizeof *b->sorted, compare_names);
    for (size_t i = 1; i < t->n; i++) {
        if (strcmp(b->sorted[i - 1]->name, b->sorted[i]->name) == 0) {
            return FAIL(ST_DATA, "%s: two tensors are called '%s'", t->source, b->sorted[i]->name);
        }
    }
    return STATUS_OK;
}

static const tensor *find(const builder *b, const char *name)
{
    const tensor key = {.name = name}, *wanted = &key;
    const tensor **found = bsearch(&wanted, b->sorted, b->t->n, sizeof *b->sorted, compare_names);
    return found == NULL ? NULL : *found;
}

status builder_open(arena *a, const tensors *t, weight_block *weights, builder **out)
{
    builder *b;
    TRY_ALLOC(b, a, 1);
    *b = (builder){.a = a, .t = t, .weights = weights};
    TRY_ALLOC(b->used, a, t->n);
    TRY_ALLOC(b->taken, a, t->n);
    TRY(sort_names(b));
    *out = b;
    return STATUS_OK;
}

const tensors *builder_tensors(const builder *b)
{
    return b->t;
}

bool builder_failed(const builder *b)
{
    return !status_ok(b->st);
}

void builder_fail(builder *b, status st)
{
    b->st = status_first(b->st, st);
}

void *builder_alloc(builder *b, size_t n, size_t size)
{
    void *p = builder_failed(b) ? NULL : arena_alloc(b->a, n, size);
    if (p == NULL) {
        builder_fail(b, (status){ST_ENVIRONMENT});
    }
    return p;
}

bool builder_fills(const builder *b)
{
    return b->weights->fills;
}

float *builder_weights(builder *b, size_t n)
{
    float *p = NULL;
    if (!builder_failed(b)) {
        builder_fail(b, weight_block_take(b->weights, n, &p));
    }
    return p;
}

const char *builder_text(builder *b, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const char *kept = builder_failed(b) ? "" : arena_text(b->a, "%s", text);
    if (kept == NULL) {
        builder_fail(b, (status){ST_ENVIRONMENT});
        return "";
    }
    return kept;
}

/* Facts. */

bool builder_count(builder *b, const char *name, size_t *out)
{
    bool found = false;
    if (!builder_failed(b)) {
        builder_fail(b, tensors_fact_count(b->t, name, out, &found));
    }
    return found && !builder_failed(b);
}

bool builder_real(builder *b, const char *name, double *out)
{
    bool found = false;
    if (!builder_failed(b)) {
        builder_fail(b, tensors_fact_real(b->t, name, out, &found));
    }
    return found && !builder_failed(b);
}

bool builder_size(builder *b, const char *name, size_t out[2])
{
    bool found = false;
    if (!builder_failed(b)) {
        builder_fail(b, tensors_fact_size(b->t, name, out, &found));
    }
    return found && !builder_failed(b);
}

/* Tensors. */

bool builder_has(const builder *b, const char *name)
{
    return find(b, name) != NULL;
}

void builder_ignore(builder *b, const char *name)
{
    const tensor *found = find(b, name);
    if (found != NULL) {
        b->used[found - b->t->list] = true;
    }
}

/* The number behind `prefix` in `name`, plus 1; 0 where there is none. */
static size_t index_end(const char *name, const char *prefix)
{
    const size_t length = strlen(prefix);
    size_t value = 0;
    const char *p = name + length;
    if (strncmp(name, prefix, length) != 0) {
        return 0;
    }
    for (; *p >= '0' && *p <= '9' && value < MAX_COUNT; p++) {
        value = value * 10 + (size_t)(*p - '0');
    }
    return p == name + length || *p != '.' ? 0 : value + 1;
}

size_t builder_index_end(const builder *b, const char *prefix, size_t rank)
{
    size_t end = 0;
    for (size_t i = 0; i < b->t->n; i++) {
        const size_t own = rank == 0 || b->t->list[i].rank == rank ? index_end(b->t->list[i].name, prefix) : 0;
        end = own > end ? own : end;
    }
    return end;
}

static status missing(const builder *b, const char *name, size_t rank, const size_t dim[])
{
    const char **names;
    char expected[SHAPE_TEXT];
    size_t n = 0;
    TRY_ALLOC(names, b->a, b->t->n);
    for (size_t i = 0; i < b->t->n; i++) {
        if (!b->used[i]) {
            names[n++] = b->t->list[i].name;
        }
    }
    const char *near = text_closest(name, n, names);
    return FAIL(ST_DATA, "%s: expected a tensor '%s' of shape %s, found none%s%s%s", b->t->source, name,
                shape_pattern_text(rank, dim, expected), near == NULL ? "" : "; the closest free name is '",
                near == NULL ? "" : near, near == NULL ? "" : "'");
}

static status check_shape(const builder *b, const tensor *t, size_t rank, const size_t dim[], size_t *count)
{
    char expected[SHAPE_TEXT], found[SHAPE_TEXT];
    bool same = t->rank == rank;
    for (size_t i = 0; same && i < rank; i++) {
        same = dim[i] == 0 || t->dim[i] == dim[i];
    }
    if (!same) {
        return FAIL(ST_DATA, "%s: tensor '%s': expected shape %s, found %s", b->t->source, t->name,
                    shape_pattern_text(rank, dim, expected),
                    shape_text(t->rank < MAX_TENSOR_DIMS ? t->rank : MAX_TENSOR_DIMS, t->dim, found));
    }
    if (!sizes_product(rank, t->dim, count)) {
        return FAIL(ST_DATA, "%s: tensor '%s': expected 1 to %zu elements, found shape %s", b->t->source, t->name,
                    MAX_COUNT, shape_text(rank, t->dim, found));
    }
    return STATUS_OK;
}

/* "[3, 0, 1, 1]": where in the tensor element i is. */
static const char *index_text(const tensor *t, size_t i, char text[SHAPE_TEXT])
{
    size_t index[MAX_TENSOR_DIMS];
    for (size_t d = t->rank; d-- > 0;) {
        index[d] = i % t->dim[d];
        i /= t->dim[d];
    }
    return shape_text(t->rank, index, text);
}

static status check_finite(const builder *b, const tensor *t, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(t->data[i])) {
            char at[SHAPE_TEXT];
            return FAIL(ST_DATA, "%s: tensor '%s': expected finite numbers, found %g at %s", b->t->source, t->name,
                        (double)t->data[i], index_text(t, i, at));
        }
    }
    return STATUS_OK;
}

static status take(builder *b, const char *name, size_t rank, const size_t dim[], const tensor **found, float **copy)
{
    const tensor *t = find(b, name);
    size_t count = 0;
    if (t == NULL) {
        return missing(b, name, rank, dim);
    }
    TRY(check_shape(b, t, rank, dim, &count));
    if (t->type != TENSOR_F32 || (t->data == NULL && b->weights->fills)) {
        return FAIL(ST_DATA, "%s: tensor '%s': expected type F32, found %s; convert the checkpoint to float32",
                    b->t->source, t->name, t->type_name);
    }
    if (b->weights->fills) {
        TRY(check_finite(b, t, count));
    }
    if (b->used[t - b->t->list]) {
        return FAIL(ST_BUG, "the architecture takes the tensor '%s' twice", name);
    }
    TRY(weight_block_take(b->weights, count, copy));
    if (b->weights->fills) {
        memcpy(*copy, t->data, count * sizeof **copy);
    }
    graph_tensor *taken = &b->taken[b->n_taken++];
    *taken = (graph_tensor){.rank = t->rank, .data = *copy};
    memcpy(taken->dim, t->dim, sizeof taken->dim);
    TRY_TEXT(taken->name, b->a, "%s", name);
    b->used[t - b->t->list] = true;
    *found = t;
    return STATUS_OK;
}

float *builder_take(builder *b, const char *name, size_t rank, const size_t dim[], size_t found[])
{
    const tensor *t = NULL;
    float *copy = NULL;
    if (builder_failed(b)) {
        return NULL;
    }
    builder_fail(b, take(b, name, rank, dim, &t, &copy));
    if (builder_failed(b) || t == NULL) {
        return NULL;
    }
    if (found != NULL) {
        memcpy(found, t->dim, rank * sizeof *found);
    }
    return copy;
}

/* Nodes. */

static status make_room(builder *b)
{
    if (b->n_nodes < b->room) {
        return STATUS_OK;
    }
    const size_t room = b->room == 0 ? 64 : 2 * b->room;
    node *nodes;
    node_id *layers;
    TRY_ALLOC(nodes, b->a, room);
    TRY_ALLOC(layers, b->a, room);
    if (b->n_nodes > 0) {
        memcpy(nodes, b->nodes, b->n_nodes * sizeof *nodes);
        memcpy(layers, b->layers, b->n_layers * sizeof *layers);
    }
    b->nodes = nodes;
    b->layers = layers;
    b->room = room;
    return STATUS_OK;
}

/* An op knows its node's name but not the file: it is put in front here. */
static status name_source(const builder *b, status st)
{
    if (status_ok(st)) {
        return st;
    }
    char message[1024];
    (void)snprintf(message, sizeof message, "%s", status_message());
    status_clear();
    return FAIL(st.code, "%s: %s", b->t->source, message);
}

static status add(builder *b, node n, const void *attr, size_t attr_bytes, node_id *out)
{
    TRY(make_room(b));
    if (attr_bytes > 0) {
        void *copy = arena_alloc(b->a, attr_bytes, 1);
        if (copy == NULL) {
            return (status){ST_ENVIRONMENT};
        }
        memcpy(copy, attr, attr_bytes);
        n.attr = copy;
    }
    shape in[MAX_INPUTS] = {{0}};
    for (size_t i = 0; i < n.n_in; i++) {
        in[i] = b->nodes[n.in[i]].out;
    }
    TRY(name_source(b, n.op->infer(&n, in, &n.out)));
    *out = b->n_nodes;
    b->nodes[b->n_nodes++] = n;
    return STATUS_OK;
}

node_id builder_add(builder *b, const struct op_def *op, const char *name, size_t n_in, const node_id in[],
                    const void *attr, size_t attr_bytes, const float *weight, size_t n_weight, const float *bias,
                    size_t n_bias)
{
    if (builder_failed(b)) {
        return 0;
    }
    node n = {.op = op, .n_in = n_in, .weight = weight, .bias = bias, .n_weight = n_weight, .n_bias = n_bias};
    n.name = builder_text(b, "%s", name);
    memcpy(n.in, in, n_in * sizeof *in);
    node_id id = 0;
    builder_fail(b, add(b, n, attr, attr_bytes, &id));
    return id;
}

node_id builder_simple(builder *b, const struct op_def *op, const char *name, node_id in)
{
    return builder_add(b, op, name, 1, &in, NULL, 0, NULL, 0, NULL, 0);
}

static const size_t size_any[MAX_TENSOR_DIMS] = {0};

static status check_input(const builder *b, shape s)
{
    size_t count, channels = s.dim[0];
    bool found;
    if (!sizes_product(3, s.dim, &count)) {
        char text[SHAPE_TEXT];
        return FAIL(ST_DATA, "%s: an image %s is too large", b->t->source, shape_text(3, s.dim, text));
    }
    TRY(tensors_fact_count(b->t, "channels", &channels, &found));
    if (channels != s.dim[0]) {
        return FAIL(ST_DATA, "%s: channels: the first layer's weights expect %zu, found the fact %zu", b->t->source,
                    s.dim[0], channels);
    }
    return STATUS_OK;
}

static status image_shape(const builder *b, const char *first, const size_t otherwise[2], shape *out)
{
    const tensor *t = find(b, first);
    size_t size[2] = {0, 0};
    bool found;
    if (t == NULL || t->rank != 4) {
        return t == NULL ? missing(b, first, 4, size_any) : check_shape(b, t, 4, size_any, &size[0]);
    }
    TRY(tensors_fact_size(b->t, "image_size", size, &found));
    if (!found && otherwise == NULL) {
        return FAIL(ST_DATA,
                    "%s: the image size cannot be seen from the tensors; state it in the checkpoint's metadata "
                    "(input=3x224x224) or in "
                    "a model.json beside it, or `image_size:` with the model in the config",
                    b->t->source);
    }
    *out = (shape){.rank = 3, .dim = {t->dim[1], found ? size[0] : otherwise[0], found ? size[1] : otherwise[1]}};
    return check_input(b, *out);
}

node_id builder_images(builder *b, const char *first, const size_t otherwise[2])
{
    node n = {.op = &op_input, .name = "input"};
    node_id id = 0;
    if (!builder_failed(b)) {
        builder_fail(b, image_shape(b, first, otherwise, &n.out));
    }
    if (!builder_failed(b)) {
        builder_fail(b, add(b, n, NULL, 0, &id));
    }
    return id;
}

void builder_prunable(builder *b, node_id id, component_kind kind, size_t n)
{
    if (builder_failed(b)) {
        return;
    }
    node *layer = &b->nodes[id];
    layer->components = kind;
    layer->n_components = n;
    layer->first_component = b->n_components;
    b->n_components += n;
    b->layers[b->n_layers++] = id;
}

void builder_norm_scale(builder *b, node_id id, const float *scale)
{
    if (!builder_failed(b)) {
        b->nodes[id].norm_scale = scale;
    }
}

void builder_group(builder *b, node_id id, depth_group group)
{
    if (!builder_failed(b)) {
        b->nodes[id].group = group;
    }
}

shape builder_shape(const builder *b, node_id id)
{
    return builder_failed(b) ? (shape){.rank = 1, .dim = {1}} : b->nodes[id].out;
}

/* The finished graph. */

static bool is_counter(const char *name)
{
    static const char ending[] = "num_batches_tracked";
    const size_t length = strlen(name), tail = sizeof ending - 1;
    return length >= tail && strcmp(name + length - tail, ending) == 0;
}

static status check_all_used(const builder *b, const char *architecture)
{
    size_t unused = 0, first = 0;
    for (size_t i = b->t->n; i-- > 0;) {
        if (!b->used[i] && !is_counter(b->t->list[i].name)) {
            unused++;
            first = i;
        }
    }
    if (unused == 0) {
        return STATUS_OK;
    }
    const tensor *t = &b->t->list[first];
    char found[SHAPE_TEXT];
    return FAIL(ST_DATA, "%s: tensor '%s' of shape %s%s has no place in the architecture '%s'%s", b->t->source, t->name,
                shape_text(t->rank < MAX_TENSOR_DIMS ? t->rank : MAX_TENSOR_DIMS, t->dim, found),
                unused > 1 ? " (and others)" : "", architecture,
                "; is this another architecture, or a head of its own?");
}

static status check_logits(const builder *b)
{
    const node *last = &b->nodes[b->n_nodes - 1];
    size_t classes = shape_count(last->out);
    bool found;
    TRY(tensors_fact_count(b->t, "num_classes", &classes, &found));
    if (last->out.rank != 1 || classes != last->out.dim[0]) {
        return FAIL(ST_DATA, "%s: num_classes: expected %zu, found a last layer '%s' with %zu outputs", b->t->source,
                    classes, last->name, shape_count(last->out));
    }
    return STATUS_OK;
}

status builder_close(builder *b, const char *architecture, const graph **out)
{
    TRY(b->st);
    TRY(check_all_used(b, architecture));
    TRY(check_logits(b));
    graph *g;
    TRY_ALLOC(g, b->a, 1);
    *g = (graph){
        .architecture = architecture,
        .n_nodes = b->n_nodes,
        .nodes = b->nodes,
        .input = b->nodes[0].out,
        .n_classes = b->nodes[b->n_nodes - 1].out.dim[0],
        .n_layers = b->n_layers,
        .layers = b->layers,
        .n_components = b->n_components,
        .n_tensors = b->n_taken,
        .tensors = b->taken,
    };
    *out = g;
    return STATUS_OK;
}
