#include "bench/comparison.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/rng.h"
#include "io/checkpoint.h"
#include "nn/arch.h"
#include "nn/op.h"
#include "nn/passes/needed_rows.h"

enum { LINE = 256 };

/* A file of numbers of 4 bytes, `multiple` at a time. */
static status read_numbers(arena *a, const char *folder, const char *name, size_t multiple, size_t *n, file_bytes *out)
{
    const char *path = path_join(a, folder, name);
    if (path == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    TRY(file_read(a, path, SIZE_MAX, out));
    *n = out->size / (4 * multiple);
    return *n > 0 && out->size % (4 * multiple) == 0
               ? STATUS_OK
               : FAIL(ST_DATA, "%s: expected a multiple of %zu bytes, found %zu", path, 4 * multiple, out->size);
}

/* What the tensors do not tell, where there is such a file. */
static status read_facts(arena *scratch, const char *folder, tensors *t)
{
    file_bytes bytes;
    size_t n = 0;
    fact *facts = NULL;
    const char *path = path_join(scratch, folder, "model.json");
    if (path == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    if (access(path, F_OK) == 0) {
        TRY(file_read(scratch, path, SIZE_MAX, &bytes));
        TRY(model_json_parse(scratch, path, bytes, &n, &facts));
    }
    return facts_merge(scratch, 0, NULL, n, facts, t);
}

static status read_network(arena *a, arena *scratch, comparison *c)
{
    file_bytes bytes;
    tensors *t = NULL;
    const char *path = path_join(scratch, c->folder, "net.pth");
    if (path == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    TRY(file_read(scratch, path, SIZE_MAX, &bytes));
    TRY(checkpoint_parse(scratch, path, bytes, &t));
    TRY(read_facts(scratch, c->folder, t));
    TRY(graph_build(a, t, &c->whole));
    return graph_needed_rows(a, c->whole, &c->g);
}

static status read_labels(arena *a, comparison *c)
{
    file_bytes bytes;
    size_t n = 0, *label;
    TRY(read_numbers(a, c->folder, "labels.u32", 1, &n, &bytes));
    TRY_ALLOC(label, a, c->n_images);
    for (size_t i = 0; i < n && i < c->n_images; i++) {
        uint32_t value;
        memcpy(&value, bytes.data + 4 * i, sizeof value);
        label[i] = value;
        if (value >= c->g->n_classes) {
            return FAIL(ST_DATA, "labels.u32: expected classes below %zu, found %u", c->g->n_classes, (unsigned)value);
        }
    }
    c->label = label;
    return n == c->n_images ? STATUS_OK : FAIL(ST_DATA, "labels.u32: expected %zu labels, found %zu", c->n_images, n);
}

static status draw_order(arena *a, comparison *c)
{
    const size_t *component = NULL;
    size_t *place, *scratch, *order;
    TRY(graph_components(a, c->g, COMPONENT_FILTER, &c->n_order, &component));
    if (c->n_order == 0) {
        TRY(graph_components(a, c->g, COMPONENT_NEURON, &c->n_order, &component));
    }
    TRY_ALLOC(place, a, c->n_order);
    TRY_ALLOC(scratch, a, c->n_order);
    TRY_ALLOC(order, a, c->n_order);
    rng_subset(5, RNG_TEST, 0, c->n_order, c->n_order, scratch, place);
    for (size_t i = 0; i < c->n_order; i++) {
        order[i] = component[place[i]];
    }
    c->order = order;
    return STATUS_OK;
}

status comparison_open(arena *a, const char *folder, comparison *out)
{
    arena *scratch = NULL;
    file_bytes bytes;
    *out = (comparison){.folder = folder};
    status st = arena_open("comparison's checkpoint", &scratch);
    if (status_ok(st)) {
        st = read_network(a, scratch, out);
    }
    arena_close(&scratch);
    TRY(st);
    TRY(read_numbers(a, folder, "images.f32", shape_count(out->g->input), &out->n_images, &bytes));
    out->images = (const float *)(const void *)bytes.data;
    TRY(read_labels(a, out));
    return draw_order(a, out);
}

static status write_file(arena *scratch, const comparison *c, const char *name, const void *data, size_t size)
{
    const char *path = path_join(scratch, c->folder, name);
    return path == NULL ? (status){ST_ENVIRONMENT} : file_write_atomic(path, data, size);
}

status comparison_describe(arena *scratch, const comparison *c)
{
    char *text;
    uint32_t *order;
    size_t used = 0;
    TRY_ALLOC(text, scratch, LINE * c->g->n_nodes);
    for (node_id id = 0; id < c->g->n_nodes; id++) {
        const node *n = &c->g->nodes[id];
        if (n->op->product != NULL || n->n_components > 0) {
            const int wrote = snprintf(text + used, LINE, "%s %s %s %s %zu %zu\n", n->name, n->op->name, depth_group_name(n->group),
                                       n->n_components > 0 ? component_kind_name(n->components) : "none", n->first_component, n->n_components);
            if (wrote < 0 || wrote >= LINE) {
                return FAIL(ST_BUG, "'%s': its line in layers.txt is longer than %d bytes", n->name, (int)LINE);
            }
            used += (size_t)wrote;
        }
    }
    TRY(write_file(scratch, c, "layers.txt", text, used));
    TRY_ALLOC(order, scratch, c->n_order);
    for (size_t i = 0; i < c->n_order; i++) {
        order[i] = (uint32_t)c->order[i];
    }
    return write_file(scratch, c, "order.u32", order, c->n_order * sizeof *order);
}

status comparison_write(arena *scratch, const comparison *c, const char *name, size_t number, size_t n, const float *x)
{
    const char *file;
    TRY_TEXT(file, scratch, "pollard-%s.%zu.f32", name, number);
    return write_file(scratch, c, file, x, n * sizeof *x);
}
