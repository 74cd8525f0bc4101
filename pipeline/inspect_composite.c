#include "pipeline/inspect_composite.h"

#include <string.h>

#include "attribution/walk.h"
#include "io/checkpoint.h"
#include "io/config_composite.h"
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

static status print_nodes(arena *a, const graph *g, const config_model *cm, const composite *c,
                          const composite_entry *const given[], const walk_way way[], FILE *to)
{
    static const char *const heading[] = {"node", "type", "group", "output", "rule", "relevance", "prunable"};
    text_table t;
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

/* What to know about an entry that decides less than its reader may think. */
static const char *remark(arena *a, size_t matched, size_t decided, size_t used)
{
    if (matched == 0) {
        return "matches none";
    }
    if (decided == 0) {
        return arena_text(a, "matches %zu, which entries before it have", matched);
    }
    if (used == 0) {
        return "without effect on scores: relevance is not wanted below";
    }
    return decided < matched ? arena_text(a, "matches %zu, of which entries before it have %zu", matched, matched - decided) : "";
}

static status print_entries(arena *a, const graph *g, const composite *c, const composite_entry *const given[],
                            const walk_way way[], FILE *to)
{
    static const char *const heading[] = {"entry", "", "nodes", ""};
    const size_t *matched;
    size_t *decided, *used;
    text_table t;
    TRY(composite_matches(a, c, g, &matched));
    TRY_ALLOC(decided, a, c->n);
    TRY_ALLOC(used, a, c->n);
    for (node_id id = 0; id < g->n_nodes; id++) {
        if (given[id] != NULL) {
            decided[given[id] - c->entries]++;
            used[given[id] - c->entries] += way[id] == WALK_COMPUTES || way[id] == WALK_PASSES;
        }
    }
    TRY(text_table_open(a, COUNT(heading), c->n, &t));
    memcpy(t.cell, heading, sizeof heading);
    t.right[0] = true;
    t.right[2] = true;
    for (size_t i = 0; i < c->n; i++) {
        const char **cells = &t.cell[(i + 1) * COUNT(heading)];
        const char *text = composite_entry_text(a, &c->entries[i]);
        cells[0] = arena_text(a, "%zu", i + 1);
        cells[2] = arena_text(a, "%zu", decided[i]);
        cells[3] = remark(a, matched[i], decided[i], used[i]);
        if (text == NULL || cells[0] == NULL || cells[2] == NULL || cells[3] == NULL) {
            return (status){ST_ENVIRONMENT};
        }
        TRY(text_printable(a, text, 1000, &cells[1]));
    }
    (void)fputc('\n', to);
    text_table_print(&t, to);
    return STATUS_OK;
}

/* `named`: whether the criterion has a name of its own, as in a study. */
static status print_under(arena *a, const char *title, const graph *g, const config_model *cm, const config_criterion *k,
                          bool named, FILE *to)
{
    const composite *c;
    const composite_entry *const *given;
    const walk_way *way;
    const char *text = criterion_text(a, k);
    if (k->method->composite == NULL) {
        if (named) {
            (void)fprintf(to, "\n%s, criterion %s (%s): no relevance rules\n", title, k->name, k->method->name);
        }
        return STATUS_OK;
    }
    if (text == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    const criterion_setup setup = {.graph = g, .parameters = k->parameters, .composite = k->composite};
    TRY(k->method->composite(a, &setup, &c));
    TRY(composite_resolve(a, c, g, &given));
    TRY(walk_ways(a, g, c, &way));
    (void)fprintf(to, named ? "\n%s, criterion %s (%s):\n" : "\n%s, criterion %s%s:\n", title, named ? k->name : text,
                  named ? text : "");
    TRY(print_nodes(a, g, cm, c, given, way, to));
    return print_entries(a, g, c, given, way, to);
}

static status of_study(arena *a, const char *path, file_bytes text, size_t n_sets, const char *const sets[], FILE *to)
{
    config *cfg;
    TRY(config_parse(a, path, text, n_sets, sets, &cfg));
    (void)fprintf(to, "Study %s\n", cfg->name);
    for (size_t m = 0; m < cfg->n_models; m++) {
        const config_model *cm = &cfg->models[m];
        tensors *t;
        const graph *g;
        size_t bytes = 0;
        TRY(model_read(a, cm->checkpoint, cm, &t, &bytes));
        TRY(graph_build(a, t, &g));
        for (size_t k = 0; k < cfg->n_criteria; k++) {
            TRY(print_under(a, cm->name, g, cm, &cfg->criteria[k], true, to));
        }
    }
    return STATUS_OK;
}

/* With overrides those criteria that let a composite be stated; they say which. */
static status of_checkpoint(arena *a, const char *path, size_t n_sets, const char *const sets[], FILE *to)
{
    tensors *t;
    const graph *g;
    size_t bytes = 0;
    const char *title;
    TRY(model_read(a, path, NULL, &t, &bytes));
    TRY(graph_build(a, t, &g));
    TRY(text_printable(a, path, 512, &title));
    for (size_t k = 0; k < criterion_count; k++) {
        const criterion_def *method = criterion_table[k];
        config_criterion one;
        if (method->composite != NULL && (n_sets == 0 || method->takes_composite)) {
            TRY(config_criterion_parse(a, method->name, n_sets, sets, &one));
            TRY(print_under(a, title, g, NULL, &one, false, to));
        }
    }
    return STATUS_OK;
}

/* A checkpoint by its bytes, or by a zero among the first: no text has one. */
static bool is_text(file_bytes bytes)
{
    const size_t n = bytes.size < 8 ? bytes.size : 8;
    return memchr(bytes.data, 0, n) == NULL && (bytes.size < 8 || checkpoint_format(bytes) == NULL);
}

static status inspect_in(arena *a, const char *path, size_t n_sets, const char *const sets[], FILE *to)
{
    file_bytes bytes;
    if (results_recognise(path)) {
        return FAIL(ST_DATA,
                    "%s: expected a study or a checkpoint, found a result; its study is in /provenance/config_resolved",
                    path);
    }
    TRY(file_read(a, path, model_largest_checkpoint, &bytes));
    if (!is_text(bytes)) {
        return of_checkpoint(a, path, n_sets, sets, to);
    }
    if (bytes.size > LARGEST_CONFIG) {
        return FAIL(ST_DATA, "%s: expected a study of at most %d bytes, or a checkpoint, found %zu bytes of text", path,
                    (int)LARGEST_CONFIG, bytes.size);
    }
    return of_study(a, path, bytes, n_sets, sets, to);
}

status inspect_composite(const char *path, size_t n_sets, const char *const sets[], FILE *to)
{
    arena *a = NULL;
    TRY(arena_open("inspect", &a));
    const status st = inspect_in(a, path, n_sets, sets, to);
    arena_close(&a);
    return st;
}
