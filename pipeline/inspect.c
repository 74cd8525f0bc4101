#include "pipeline/inspect.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "io/checkpoint.h"
#include "io/file_kind.h"
#include "io/results.h"
#include "io/tar_index.h"
#include "io/text_table.h"
#include "nn/arch.h"
#include "nn/op.h"
#include "pipeline/inspect_data.h"
#include "pipeline/model.h"

/* One line of what a file says, without what could command a terminal. */
static status printable(arena *a, const char *text, const char **out)
{
    return text_printable(a, text, SIZE_MAX, out);
}

static status print_facts(arena *a, FILE *to, const tensors *t)
{
    (void)fputs("\nfacts:\n", to);
    for (size_t i = 0; i < t->n_facts; i++) {
        const char *name, *value;
        TRY(printable(a, t->facts[i].name, &name));
        TRY(printable(a, t->facts[i].value, &value));
        (void)fprintf(to, "  %-20s %s (%s)\n", name, value, t->facts[i].source);
    }
    return STATUS_OK;
}

static status print_tensors(arena *a, FILE *to, const tensors *t)
{
    (void)fprintf(to, "\n%zu tensors:\n", t->n);
    for (size_t i = 0; i < t->n; i++) {
        const tensor *x = &t->list[i];
        const char *name;
        TRY(printable(a, x->name, &name));
        (void)fprintf(to, "  %-56s %-5s [", name, x->type_name);
        for (size_t k = 0; k < x->rank; k++) {
            (void)fprintf(to, "%s%zu", k > 0 ? ", " : "", x->dim[k]);
        }
        (void)fputs("]\n", to);
    }
    return STATUS_OK;
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

/* Before gigabytes are read for nothing. */
static status expect_checkpoint(const char *path, const char **format)
{
    unsigned char start[FILE_KIND_BYTES];
    size_t n = 0;
    TRY(file_read_start(path, start, &n));
    const file_bytes bytes = {start, n};
    *format = checkpoint_format(bytes);
    const file_kind *kind = file_kind_of(bytes);
    return *format != NULL ? STATUS_OK
                           : FAIL(ST_DATA, "%s: expected a checkpoint (.safetensors, .pth), a result (.h5) or an image folder, found %s%s%s", path,
                                  kind == NULL ? "something else" : kind->name, kind == NULL ? "" : kind->advice,
                                  kind == NULL || strcmp(kind->name, "text") != 0
                                      ? ""
                                      : "; what a study does says `pollard plan`, and which rules its layers get `pollard inspect --composite`");
}

static status inspect_checkpoint(arena *a, const char *path, FILE *to)
{
    tensors *t = NULL;
    const graph *g = NULL;
    const char *shown, *format;
    size_t bytes = 0;
    TRY(expect_checkpoint(path, &format));
    TRY(model_read(a, path, NULL, &t, &bytes));
    TRY(printable(a, path, &shown));
    (void)fprintf(to, "%s: %s, %zu bytes\n", shown, format, bytes);
    TRY(print_facts(a, to, t));
    TRY(print_tensors(a, to, t));
    TRY(graph_build(a, t, &g));
    return print_graph(a, to, g);
}

status inspect_file(const char *path, FILE *to)
{
    arena *a = NULL;
    struct stat info;
    if ((stat(path, &info) == 0 && S_ISDIR(info.st_mode)) || tar_is_file(path)) {
        return inspect_data(path, to);
    }
    TRY(arena_open("inspect", &a));
    status st;
    if (results_recognise(path)) {
        st = results_inspect(a, path, to);
    } else {
        st = inspect_checkpoint(a, path, to);
    }
    arena_close(&a);
    return st;
}
