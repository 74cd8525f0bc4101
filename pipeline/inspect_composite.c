#include "pipeline/inspect_composite.h"

#include <string.h>

#include "attribution/walk.h"
#include "io/config_schema.h"
#include "io/results.h"
#include "io/text_table.h"
#include "nn/arch.h"
#include "pipeline/model.h"
#include "pipeline/rule_text.h"

enum { LARGEST_CONFIG = 1 << 20 };

static const char *way_text(walk_way way)
{
    switch (way) {
    case WALK_COMPUTES:
        return "rule is run";
    case WALK_PASSES:
        return "passes on";
    case WALK_ENDS:
        return "ends here";
    default:
        return "not reached";
    }
}

/* What of the node can be pruned, and whether the study does. */
static const char *prunable(arena *a, const node *n, const config_model *cm)
{
    if (n->n_components == 0) {
        return "";
    }
    bool wanted = cm == NULL || cm->n_kinds == 0;
    for (size_t i = 0; cm != NULL && i < cm->n_kinds; i++) {
        wanted = wanted || cm->kinds[i] == n->components;
    }
    return arena_text(a, "%zu %s%s", n->n_components, component_kind_name(n->components),
                      wanted ? "" : ", kept by the study");
}

static status print_nodes(arena *a, const graph *g, const config_model *cm, const composite *c, FILE *to)
{
    static const char *const heading[] = {"node", "type", "group", "output", "rule", "relevance", "prunable"};
    const composite_entry *const *given;
    const walk_way *way;
    text_table t;
    TRY(composite_resolve(a, c, g, &given));
    TRY(walk_ways(a, g, c, &way));
    TRY(text_table_open(a, COUNT(heading), g->n_nodes, &t));
    memcpy(t.cell, heading, sizeof heading);
    for (node_id id = 0; id < g->n_nodes; id++) {
        const node *n = &g->nodes[id];
        char shape_of[SHAPE_TEXT], *output;
        const char *name;
        TRY(text_printable(a, n->name, 200, &name));
        TRY_TEXT(output, a, "%s", shape_text(n->out.rank, n->out.dim, shape_of));
        const char *const cells[] = {name,
                                     n->op->name,
                                     depth_group_name(n->group),
                                     output,
                                     rule_text(a, c, given[id], n),
                                     way_text(way[id]),
                                     prunable(a, n, cm)};
        for (size_t i = 0; i < COUNT(cells); i++) {
            if (cells[i] == NULL) {
                return (status){ST_ENVIRONMENT};
            }
            t.cell[(id + 1) * COUNT(heading) + i] = cells[i];
        }
    }
    text_table_print(&t, to);
    return STATUS_OK;
}

/* A criterion as a study has it. */
typedef struct chosen {
    const char *name; /* NULL: not of a study */
    const criterion_def *method;
    const double *parameters;
    const composite *stated; /* by the study; NULL: none */
} chosen;

static status print_under(arena *a, const char *title, const graph *g, const config_model *cm, const chosen *k,
                          FILE *to)
{
    const composite *c;
    if (k->method->composite == NULL) {
        if (k->name != NULL) {
            (void)fprintf(to, "\n%s, criterion %s (%s): no relevance rules\n", title, k->name, k->method->name);
        }
        return STATUS_OK;
    }
    (void)fprintf(to, "\n%s, criterion %s%s%s", title, k->name != NULL ? k->name : k->method->name,
                  k->name != NULL ? " (" : "", k->name != NULL ? k->method->name : "");
    for (size_t i = 0; i < k->method->n_fields; i++) {
        const setting key = {.field = k->method->fields[i]};
        (void)fprintf(to, " %s=%s", key.field.name, value_text(&key, k->parameters[i]).text);
    }
    (void)fprintf(to, "%s:\n", k->name != NULL ? ")" : " (its defaults)");
    const criterion_setup setup = {.graph = g, .parameters = k->parameters, .composite = k->stated};
    TRY(k->method->composite(a, &setup, &c));
    return print_nodes(a, g, cm, c, to);
}

static status of_study(arena *a, const char *path, file_bytes text, FILE *to)
{
    config *cfg;
    TRY(config_parse(a, path, text, 0, NULL, &cfg));
    (void)fprintf(to, "Study %s\n", cfg->name);
    for (size_t m = 0; m < cfg->n_models; m++) {
        const config_model *cm = &cfg->models[m];
        tensors *t;
        const graph *g;
        size_t bytes = 0;
        TRY(model_read(a, cm->checkpoint, cm, &t, &bytes));
        TRY(graph_build(a, t, &g));
        for (size_t k = 0; k < cfg->n_criteria; k++) {
            const config_criterion *cc = &cfg->criteria[k];
            const chosen one = {cc->name, cc->method, cc->parameters, cc->composite};
            TRY(print_under(a, cm->name, g, cm, &one, to));
        }
    }
    return STATUS_OK;
}

static status of_checkpoint(arena *a, const char *path, FILE *to)
{
    tensors *t;
    const graph *g;
    size_t bytes = 0;
    const char *title;
    TRY(model_read(a, path, NULL, &t, &bytes));
    TRY(graph_build(a, t, &g));
    TRY(text_printable(a, path, 512, &title));
    for (size_t k = 0; k < criterion_count; k++) {
        double parameters[MAX_CRITERION_PARAMETERS] = {0.0};
        for (size_t i = 0; i < criterion_table[k]->n_fields; i++) {
            parameters[i] = criterion_table[k]->fields[i].def;
        }
        const chosen one = {NULL, criterion_table[k], parameters, NULL};
        TRY(print_under(a, title, g, NULL, &one, to));
    }
    return STATUS_OK;
}

/* The first eight bytes of a checkpoint are the length of its header, so that the last of them is 0; no text has such a byte. */
static bool is_text(file_bytes bytes)
{
    const size_t n = bytes.size < 8 ? bytes.size : 8;
    return memchr(bytes.data, 0, n) == NULL;
}

static status inspect_in(arena *a, const char *path, FILE *to)
{
    file_bytes bytes;
    if (results_recognise(path)) {
        return FAIL(ST_DATA,
                    "%s: expected a study or a checkpoint, found a result; its study is in /provenance/config_resolved",
                    path);
    }
    TRY(file_read(a, path, model_largest_checkpoint, &bytes));
    if (!is_text(bytes)) {
        return of_checkpoint(a, path, to);
    }
    if (bytes.size > LARGEST_CONFIG) {
        return FAIL(ST_DATA, "%s: expected a study of at most %d bytes, or a checkpoint, found %zu bytes of text", path,
                    (int)LARGEST_CONFIG, bytes.size);
    }
    return of_study(a, path, bytes, to);
}

status inspect_composite(const char *path, FILE *to)
{
    arena *a = NULL;
    TRY(arena_open("inspect", &a));
    const status st = inspect_in(a, path, to);
    arena_close(&a);
    return st;
}
