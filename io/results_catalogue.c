/* What was studied: models with their layers and components, criteria, classes. */
#include <string.h>

#include "io/results_parts.h"

#define LAYER(field) offsetof(result_layer, field)

static const h5_column layer_columns[] = {
    COLUMN("type", "layer", H5_STRING, NULL, "type of the layer", FROM_TEXT, LAYER(type), 0),
    COLUMN("group", "layer", H5_STRING, NULL, "depth group: low, mid, high, fc or none", FROM_TEXT, LAYER(group), 0),
    COLUMN("kind", "layer", H5_STRING, NULL, "what is pruned in the layer: filters, neurons or heads", FROM_ENUM,
           LAYER(kind), LIST_KINDS),
    COLUMN("n_components", "layer", H5_COUNT, "1", "number of components", FROM_SIZE, LAYER(n_components), 0),
    COLUMN("first_component", "layer", H5_COUNT, NULL, "component number of the layer's first", FROM_SIZE,
           LAYER(first_component), 0),
};

static status put_layers(h5_group *g, const results_writer *w, const result_model *m)
{
    static const h5_variable name = {"layer", "layer", H5_STRING, NULL, "name of the prunable layer", NULL, NULL};
    const char **names;
    TRY_ALLOC(names, g->file->scratch, m->n_layers);
    for (size_t i = 0; i < m->n_layers; i++) {
        names[i] = m->layers[i].name;
    }
    TRY(h5_dim_add(g, &name, m->n_layers, names));
    const h5_table table = {m->n_layers, sizeof *m->layers, m->layers, 0, w->names};
    return h5_put_table(g, &table, COUNT(layer_columns), layer_columns);
}

static status put_components(h5_group *g, const result_model *m)
{
    static const h5_variable variables[] = {
        {"layer_index", "component", H5_INDEX32, NULL, "position of the component's layer along `layer`", NULL, NULL},
        {"index_in_layer", "component", H5_INDEX32, NULL, "which filter, neuron or head of its layer", NULL, NULL},
        {"parameters", "component", H5_COUNT, "1", "the component's own parameters", NULL, NULL},
        {"macs", "component", H5_COUNT, "1", "the component's own multiply-adds per image", NULL, NULL},
    };
    uint32_t *layer, *index;
    TRY_ALLOC(layer, g->file->scratch, m->n_components);
    TRY_ALLOC(index, g->file->scratch, m->n_components);
    for (size_t l = 0; l < m->n_layers; l++) {
        for (size_t c = 0; c < m->layers[l].n_components; c++) {
            layer[m->layers[l].first_component + c] = (uint32_t)l;
            index[m->layers[l].first_component + c] = (uint32_t)c;
        }
    }
    const void *const data[] = {layer, index, m->parameters, m->macs};
    TRY(results_put_numbering(g, "component", m->n_components, "component number, over all layers and kinds"));
    for (size_t i = 0; i < COUNT(variables); i++) {
        TRY(h5_put(g, &variables[i], data[i]));
    }
    return STATUS_OK;
}

static status describe_model(const h5_group *g, const result_model *m)
{
    const char *slash = strrchr(m->checkpoint, '/'); /* folders belong to a machine, so to /provenance */
    TRY(h5_attr_text(g, "architecture", m->architecture));
    TRY(h5_attr_text(g, "checkpoint", slash == NULL ? m->checkpoint : slash + 1));
    TRY(h5_attr_text(g, "preprocessing", m->preprocessing));
    TRY(h5_attr_count(g, "n_classes", m->n_classes));
    TRY(h5_attr_count(g, "total_parameters", m->total_parameters));
    return h5_attr_count(g, "total_macs", m->total_macs);
}

static status put_model(const results_writer *w, const result_model *m)
{
    status st = STATUS_OK;
    h5_group g;
    char *path;
    TRY_TEXT(path, w->file->scratch, "/models/%s", m->name);
    TRY(h5_group_create(w->file, path, &g));
    TRY_OR(cleanup, st, describe_model(&g, m));
    TRY_OR(cleanup, st, put_layers(&g, w, m));
    TRY_OR(cleanup, st, put_components(&g, m));
cleanup:
    return h5_group_close(st, &g);
}

/* How each criterion's scores became an order. */
static status put_rankings(h5_group *g, const results *r)
{
    static const h5_variable variables[] = {
        {"order", "criterion", H5_STRING, NULL, "which end of the scores is removed first: least-first or most-first",
         NULL, NULL},
        {"scope", "criterion", H5_STRING, NULL,
         "whether all layers are ranked together (global) or each by itself (layer)", NULL, NULL},
        {"floor", "criterion", H5_REAL, "1", "share of every layer that stays as long as anything else can go", NULL,
         NULL},
    };
    const char **order, **scope;
    double *floor;
    TRY_ALLOC(order, g->file->scratch, r->n_criteria);
    TRY_ALLOC(scope, g->file->scratch, r->n_criteria);
    TRY_ALLOC(floor, g->file->scratch, r->n_criteria);
    for (size_t i = 0; i < r->n_criteria; i++) {
        order[i] = ranking_order_names[r->criterion_ranking[i].order];
        scope[i] = ranking_scope_names[r->criterion_ranking[i].scope];
        floor[i] = r->criterion_ranking[i].floor;
    }
    const void *const data[] = {order, scope, floor};
    for (size_t i = 0; i < COUNT(variables); i++) {
        TRY(h5_put(g, &variables[i], data[i]));
    }
    return STATUS_OK;
}

static status put_criteria(const results_writer *w)
{
    static const h5_variable name = {"criterion", "criterion", H5_STRING, NULL, "name of the criterion", NULL, NULL};
    static const h5_variable method = {"method", "criterion", H5_STRING, NULL, "method and its parameters", NULL, NULL};
    static const h5_variable composite = {"composite", "criterion", H5_STRING, NULL,
                                          "relevance rules, the first entry that matches a layer wins; empty: none", NULL, NULL};
    status st = STATUS_OK;
    h5_group g;
    TRY(h5_group_create(w->file, "/criteria", &g));
    TRY_OR(cleanup, st, h5_dim_add(&g, &name, w->r->n_criteria, w->r->criterion_name));
    TRY_OR(cleanup, st, h5_put(&g, &method, w->r->criterion_method));
    TRY_OR(cleanup, st, h5_put(&g, &composite, w->r->criterion_composite));
    TRY_OR(cleanup, st, put_rankings(&g, w->r));
cleanup:
    return h5_group_close(st, &g);
}

static status put_classes(const results_writer *w)
{
    static const h5_variable name = {"name", "class", H5_STRING, NULL, "name of the class: its folder", NULL, NULL};
    status st = STATUS_OK;
    h5_group g;
    TRY(h5_group_create(w->file, "/classes", &g));
    TRY_OR(cleanup, st, results_put_numbering(&g, "class", w->r->n_classes, "class number: the logit's index"));
    TRY_OR(cleanup, st, h5_put(&g, &name, w->r->class_name));
cleanup:
    return h5_group_close(st, &g);
}

status results_put_catalogue(const results_writer *w)
{
    h5_group models; /* also where there is none, so that readers need not ask */
    TRY(h5_group_create(w->file, "/models", &models));
    status st = h5_group_close(STATUS_OK, &models);
    for (size_t i = 0; i < w->r->n_models && status_ok(st); i++) {
        st = put_model(w, &w->r->models[i]);
    }
    TRY(st);
    TRY(put_criteria(w));
    return put_classes(w);
}
