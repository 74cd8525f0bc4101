#include "io/config_heatmaps.h"

#include <assert.h>
#include <string.h>

#include "core/text.h"
#include "io/config_composite.h"
#include "io/config_rates.h"
#include "io/config_read.h"

static const setting *setting_of(size_t key)
{
    return &heatmaps_section.settings[key];
}

/* The explanation is the method lrp, whose parameter has the key's name. */
static size_t parameter_of(const criterion_def *method, size_t key)
{
    const size_t i = field_index(method->n_fields, method->fields, setting_of(key)->field.name);
    assert(i < method->n_fields);
    return i;
}

double heatmaps_parameter(const config_heatmaps *h, size_t key)
{
    return h->explanation.parameters[parameter_of(h->explanation.method, key)];
}

/* The first one always is one: what is compared with. */
static status choose_rates(arena *a, const yaml_node *at, const config *c, const bool **out)
{
    const bool *listed = NULL;
    bool *chosen;
    const rate_list rates = {c->n_rates, c->rates, c->rate_text};
    TRY(rates_choose(a, at, setting_of(HEATMAPS_RATES), &rates, &listed));
    TRY_ALLOC(chosen, a, c->n_rates);
    memcpy(chosen, listed, c->n_rates * sizeof *chosen);
    chosen[0] = true;
    *out = chosen;
    return STATUS_OK;
}

static status choose_criterion(const yaml_node *at, const config *c, bool chosen[])
{
    const char *name, *names[MOST_CRITERIA];
    TRY(read_name(at, setting_of(HEATMAPS_CRITERIA), &name));
    for (size_t i = 0; i < c->n_criteria; i++) {
        names[i] = c->criteria[i].name;
        if (strcmp(names[i], name) == 0 && chosen[i]) {
            return FAIL_AT(at, "expected each criterion once, found '%s' again", name);
        }
        if (strcmp(names[i], name) == 0) {
            chosen[i] = true;
            return STATUS_OK;
        }
    }
    const char *closest = text_closest(name, c->n_criteria, names);
    return FAIL_AT(at, "expected the name of one of the study's criteria, found '%s'%s%s%s", name, closest != NULL ? "; did you mean '" : "",
                   closest != NULL ? closest : "", closest != NULL ? "'?" : "");
}

static status read_criteria(arena *a, const yaml_node *at, const config *c, const bool **out)
{
    bool *chosen;
    TRY_ALLOC(chosen, a, c->n_criteria);
    if (at != NULL) {
        TRY(read_list(at, setting_of(HEATMAPS_CRITERIA), 1, MOST_CRITERIA));
    }
    for (size_t i = 0; i < c->n_criteria; i++) {
        chosen[i] = at == NULL;
    }
    for (const yaml_node *v = at != NULL ? at->first : NULL; v != NULL; v = v->next) {
        TRY(choose_criterion(v, c, chosen));
    }
    *out = chosen;
    return STATUS_OK;
}

static const criterion_def *find_method(const char *name)
{
    for (size_t i = 0; i < criterion_count; i++) {
        if (strcmp(criterion_table[i]->name, name) == 0) {
            return criterion_table[i];
        }
    }
    return NULL;
}

/* The default is a composite for input heatmaps, and not that of a criterion. */
static status read_explanation(arena *a, const yaml_node *const v[], config_criterion *out)
{
    *out = (config_criterion){.name = "heatmaps", .method = find_method("lrp")};
    if (out->method == NULL) {
        return FAIL(ST_BUG, "the method 'lrp' is missing from the table");
    }
    for (size_t i = 0; i < out->method->n_fields; i++) {
        out->parameters[i] = out->method->fields[i].def;
    }
    for (size_t key = HEATMAPS_EPSILON; key <= HEATMAPS_SOFTMAX; key++) {
        if (v[key] != NULL) {
            TRY(read_value(v[key], setting_of(key), &out->parameters[parameter_of(out->method, key)]));
        }
    }
    if (v[HEATMAPS_COMPOSITE] != NULL) {
        return composite_read(a, v[HEATMAPS_COMPOSITE], out);
    }
    out->preset = preset_find(setting_of(HEATMAPS_COMPOSITE)->absent);
    if (out->preset == NULL) {
        return FAIL(ST_BUG, "the preset '%s' is missing from the table", setting_of(HEATMAPS_COMPOSITE)->absent);
    }
    for (size_t i = 0; i < out->preset->n_fields; i++) {
        out->preset_parameters[i] = out->preset->fields[i].def;
    }
    return preset_build(a, out->preset, out->preset_parameters, out->name, &out->composite);
}

status heatmaps_read(arena *a, const yaml_node *at, config *out, const char **written)
{
    const yaml_node *v[HEATMAPS_KEYS];
    config_heatmaps *h = &out->heatmaps;
    uint64_t images = 0;
    double keep = 0.0;
    *written = NULL;
    if (at == NULL) {
        return STATUS_OK;
    }
    TRY(read_section(at, &heatmaps_section, v));
    TRY(read_count(v[HEATMAPS_IMAGES], setting_of(HEATMAPS_IMAGES), &images));
    TRY(choose_rates(a, v[HEATMAPS_RATES], out, &h->rate));
    TRY(read_criteria(a, v[HEATMAPS_CRITERIA], out, &h->criterion));
    TRY(read_explanation(a, v, &h->explanation));
    if (v[HEATMAPS_KEEP] != NULL) {
        TRY(read_value(v[HEATMAPS_KEEP], setting_of(HEATMAPS_KEEP), &keep));
    }
    h->images = (size_t)images;
    h->keep = keep != 0.0;
    *written = composite_stated_text(a, &h->explanation);
    return *written != NULL ? STATUS_OK : (status){ST_ENVIRONMENT};
}
