#include "pipeline/inspect.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/checkpoint.h"
#include "io/results.h"
#include "nn/arch.h"
#include "nn/op.h"
#include "pipeline/model.h"

static void print_tensors(FILE *to, const tensors *t)
{
    (void)fprintf(to, "\n%zu tensors:\n", t->n);
    for (size_t i = 0; i < t->n; i++) {
        const tensor *x = &t->list[i];
        (void)fprintf(to, "  %-56s %-5s [", x->name, x->type_name);
        for (size_t k = 0; k < x->rank; k++) {
            (void)fprintf(to, "%s%zu", k > 0 ? ", " : "", x->dim[k]);
        }
        (void)fputs("]\n", to);
    }
}

static void print_shape(FILE *to, shape s)
{
    char text[80] = "";
    for (size_t i = 0; i < s.rank; i++) {
        const size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "%s%zu", i > 0 ? "x" : "", s.dim[i]);
    }
    (void)fprintf(to, "%-14s", text);
}

static status print_graph(arena *a, FILE *to, const graph *g)
{
    uint64_t parameters = 0, macs = 0, *own_parameters, *own_macs;
    TRY_ALLOC(own_parameters, a, g->n_components);
    TRY_ALLOC(own_macs, a, g->n_components);
    graph_cost(g, &parameters, &macs, own_parameters, own_macs);
    (void)fprintf(to, "\n%s, input %zux%zux%zu, %zu classes, %" PRIu64 " parameters (batch norm folded), %" PRIu64
                      " multiply-adds an image\n",
                  g->architecture, g->input.dim[0], g->input.dim[1], g->input.dim[2], g->n_classes, parameters, macs);
    (void)fprintf(to, "\n%zu prunable layers:\n  %-56s %-10s %-5s %-14s %9s  %-8s %14s %14s\n", g->n_layers, "layer", "type", "group",
                  "output", "count", "kind", "parameters", "multiply-adds");
    for (size_t i = 0; i < g->n_layers; i++) {
        const node *n = &g->nodes[g->layers[i]];
        const size_t c = n->first_component;
        (void)fprintf(to, "  %-56s %-10s %-5s ", n->name, n->op->name, depth_group_name(n->group));
        print_shape(to, n->out);
        (void)fprintf(to, " %9zu  %-8s %14" PRIu64 " %14" PRIu64 "\n", n->n_components, component_kind_name(n->components),
                      own_parameters[c] * n->n_components, own_macs[c] * n->n_components);
    }
    return STATUS_OK;
}

static status inspect_checkpoint(arena *a, const char *path, FILE *to)
{
    file_bytes bytes, json = {NULL, 0};
    tensors *t = NULL;
    const graph *g = NULL;
    char *folder = path_folder(a, path), *json_path = folder == NULL ? NULL : path_join(a, folder, "model.json");
    if (json_path == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    TRY(file_read(a, path, model_largest_checkpoint, &bytes));
    if (access(json_path, F_OK) == 0) {
        TRY(file_read(a, json_path, MODEL_LARGEST_JSON, &json));
    }
    TRY(model_tensors(a, path, bytes, json_path, json, NULL, &t));
    (void)fprintf(to, "%s: checkpoint, %zu bytes\n\nfacts:\n", path, bytes.size);
    for (size_t i = 0; i < t->n_facts; i++) {
        (void)fprintf(to, "  %-20s %s (%s)\n", t->facts[i].name, t->facts[i].value, t->facts[i].source);
    }
    print_tensors(to, t);
    TRY(graph_build(a, t, &g));
    return print_graph(a, to, g);
}

static status inspect_dataset(arena *a, const char *path, FILE *to)
{
    dataset *d = NULL;
    TRY(dataset_open(a, path, &d));
    (void)fprintf(to, "%s: image folder, %zu classes, %zu images\n\n%7s  %8s  %-32s %s\n", path, d->n_classes, d->n_samples, "class",
                  "images", "name", "first image");
    for (size_t i = 0; i < d->n_classes; i++) {
        (void)fprintf(to, "%7zu  %8zu  %-32s %s\n", i, d->class_first[i + 1] - d->class_first[i], d->class_name[i],
                      d->path[d->class_first[i]]);
    }
    return STATUS_OK;
}

status inspect_file(const char *path, FILE *to)
{
    arena *a = NULL;
    struct stat info;
    TRY(arena_open("inspect", &a));
    status st;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        st = inspect_dataset(a, path, to);
    } else if (results_recognise(path)) {
        st = results_inspect(a, path, to);
    } else {
        st = inspect_checkpoint(a, path, to);
    }
    arena_close(&a);
    return st;
}
