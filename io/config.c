#include "io/config.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

#include "io/config_composite.h"
#include "io/config_heatmaps.h"
#include "io/config_search.h"
#include "io/config_rates.h"
#include "io/config_resolve.h"
#include "io/config_set.h"
#include "io/config_tasks.h"

/* A study on its way from the tree to the struct. */
typedef struct reader {
    arena *a;
    const char *folder; /* of the study file */
    config *c;
    config_written written;
} reader;

static const setting *setting_of(const section *s, size_t i)
{
    return &s->settings[i];
}

static status read_input_path(reader *r, const yaml_node *at, const setting *s, const char **written, const char **path)
{
    TRY(read_path(at, s, written));
    *path = strcmp(r->folder, ".") == 0 ? *written : path_join(r->a, r->folder, *written);
    return *path != NULL ? STATUS_OK : (status){ST_ENVIRONMENT};
}

static status read_data(reader *r, const yaml_node *at)
{
    const yaml_node *v[DATA_KEYS];
    config *c = r->c;
    TRY(read_section(at, &data_section, v));
    TRY(read_input_path(r, v[DATA_REFERENCE], setting_of(&data_section, DATA_REFERENCE), &r->written.reference,
                        &c->reference));
    TRY(read_input_path(r, v[DATA_EVALUATION], setting_of(&data_section, DATA_EVALUATION), &r->written.evaluation, &c->evaluation));
    if (v[DATA_REFERENCE_LIST] != NULL) {
        TRY(read_input_path(r, v[DATA_REFERENCE_LIST], setting_of(&data_section, DATA_REFERENCE_LIST), &r->written.reference_list,
                            &c->reference_list));
    }
    if (v[DATA_EVALUATION_LIST] != NULL) {
        TRY(read_input_path(r, v[DATA_EVALUATION_LIST], setting_of(&data_section, DATA_EVALUATION_LIST), &r->written.evaluation_list,
                            &c->evaluation_list));
    }
    if (v[DATA_SAMPLING] != NULL) {
        size_t choice = 0;
        TRY(read_choice(v[DATA_SAMPLING], setting_of(&data_section, DATA_SAMPLING), &choice));
        c->sampling = (sampling)choice;
    }
    return STATUS_OK;
}

static status read_components(const yaml_node *at, config_model *m)
{
    const setting *s = setting_of(&model_section, MODEL_COMPONENTS);
    TRY(read_list(at, s, 1, COMPONENT_KINDS - 1));
    for (const yaml_node *v = at->first; v != NULL; v = v->next) {
        size_t choice = 0;
        TRY(read_choice(v, s, &choice));
        const component_kind kind = (component_kind)(choice + 1); /* no choice for COMPONENT_NONE */
        for (size_t i = 0; i < m->n_kinds; i++) {
            if (m->kinds[i] == kind) {
                return FAIL_AT(v, "expected each kind once, found '%s' again", component_kind_name(kind));
            }
        }
        m->kinds[m->n_kinds++] = kind;
    }
    return STATUS_OK;
}

/* Reads digits in [min, max] at `*p` and steps over them; 0 where there are none or too large ones. */
static size_t take_size(const char **p, const field *f)
{
    size_t value = 0;
    const char *from = *p;
    for (; **p >= '0' && **p <= '9' && value <= (size_t)f->max; (*p)++) {
        value = 10 * value + (size_t)(**p - '0');
    }
    return *p > from && *from != '0' && value >= (size_t)f->min && value <= (size_t)f->max ? value : 0;
}

/* "N" or "HxW", or "none" where the key allows it. N stays N for resize (the shorter side), else it is "NxN". */
static status read_size(reader *r, const yaml_node *at, size_t key, const char **out)
{
    const setting *s = setting_of(&model_section, key);
    const char *p = NULL;
    TRY(read_text(at, s, out));
    if (key != MODEL_IMAGE_SIZE && strcmp(*out, "none") == 0) {
        return STATUS_OK;
    }
    p = *out;
    const size_t height = take_size(&p, &s->field);
    const bool both = *p == 'x';
    p += both ? 1 : 0;
    const size_t width = both ? take_size(&p, &s->field) : height;
    if (height == 0 || width == 0 || *p != '\0') {
        return FAIL_AT(at, "expected %s, found %s", setting_expected(s).text, yaml_found(at).text);
    }
    if (both || key != MODEL_RESIZE) {
        TRY_TEXT(*out, r->a, "%zux%zu", height, width);
    }
    return STATUS_OK;
}

static status read_colours(reader *r, const yaml_node *at, size_t key, const char **out)
{
    const setting *s = setting_of(&model_section, key);
    const setting one = {.field = {.kind = FIELD_REAL, .min = s->field.min, .max = s->field.max}};
    double value[3];
    assert(s->length == COUNT(value));
    TRY(read_list(at, s, s->length, s->length));
    for (const yaml_node *v = at->first; v != NULL; v = v->next) {
        TRY(read_real(v, &one, &value[v->index]));
    }
    TRY_TEXT(*out, r->a, "%s,%s,%s", number_text(value[0]).text, number_text(value[1]).text, number_text(value[2]).text);
    return STATUS_OK;
}

static status read_fact(reader *r, const yaml_node *at, size_t key, const char **out)
{
    uint64_t count = 0;
    size_t choice = 0;
    double fraction = 0.0;
    switch (key) {
    case MODEL_ARCHITECTURE:
        return read_name(at, setting_of(&model_section, key), out);
    case MODEL_HEADS:
        TRY(read_count(at, setting_of(&model_section, key), &count));
        TRY_TEXT(*out, r->a, "%" PRIu64, count);
        return STATUS_OK;
    case MODEL_PREPROCESS:
    case MODEL_EVALUATION_PREPROCESS:
    case MODEL_INTERPOLATION:
        TRY(read_choice(at, setting_of(&model_section, key), &choice));
        *out = setting_choice(setting_of(&model_section, key), choice);
        return STATUS_OK;
    case MODEL_CROP_FRACTION:
        TRY(read_real(at, setting_of(&model_section, key), &fraction));
        TRY_TEXT(*out, r->a, "%s", number_text(fraction).text);
        return STATUS_OK;
    case MODEL_MEAN:
    case MODEL_STD:
        return read_colours(r, at, key, out);
    default:
        return read_size(r, at, key, out);
    }
}

static status read_model(reader *r, const yaml_node *at, config_model *m, const char **checkpoint)
{
    const yaml_node *v[MODEL_KEYS];
    fact *facts = NULL;
    TRY(read_section(at, &model_section, v));
    TRY(read_unique_name(v[MODEL_NAME], setting_of(&model_section, MODEL_NAME), &m->name));
    TRY(read_input_path(r, v[MODEL_CHECKPOINT], setting_of(&model_section, MODEL_CHECKPOINT), checkpoint, &m->checkpoint));
    if (v[MODEL_COMPONENTS] != NULL) {
        TRY(read_components(v[MODEL_COMPONENTS], m));
    }
    TRY_ALLOC(facts, r->a, CONFIG_FACTS);
    for (size_t i = 0; i < CONFIG_FACTS; i++) {
        const config_fact_name *name = &config_fact_names[i];
        if (v[name->setting] != NULL) {
            fact *f = &facts[m->n_facts++];
            *f = (fact){.name = name->fact, .source = "config"};
            TRY(read_fact(r, v[name->setting], name->setting, &f->value));
        }
    }
    m->facts = facts;
    return STATUS_OK;
}

static status read_models(reader *r, const yaml_node *at)
{
    config_model *models = NULL;
    const char **checkpoint = NULL;
    TRY(read_list(at, setting_of(&study_section, STUDY_MODELS), 1, MOST_MODELS));
    TRY_ALLOC(models, r->a, at->n);
    TRY_ALLOC(checkpoint, r->a, at->n);
    for (const yaml_node *v = at->first; v != NULL; v = v->next) {
        TRY(read_model(r, v, &models[v->index], &checkpoint[v->index]));
    }
    r->c->n_models = at->n;
    r->c->models = models;
    r->written.checkpoint = checkpoint;
    return STATUS_OK;
}

/* The keys of a criterion of any method that say how its scores become an order. */
static status read_ranking(const setting settings[], const yaml_node *const v[], ranking_options *out)
{
    double value[CRITERION_KEYS] = {0};
    for (size_t i = CRITERION_ORDER; i <= CRITERION_FLOOR; i++) {
        value[i] = settings[i].field.def;
        if (v[i] != NULL) {
            TRY(read_value(v[i], &settings[i], &value[i]));
        }
    }
    *out = (ranking_options){.order = (ranking_order)value[CRITERION_ORDER], .scope = (ranking_scope)value[CRITERION_SCOPE],
                             .floor = value[CRITERION_FLOOR]};
    if (out->scope == RANKING_LAYER && out->floor > 0.0) {
        return FAIL_AT(v[CRITERION_FLOOR], "expected 0 beside 'scope: layer', which takes the same share of every layer, found %s; leave one "
                       "of the two out", yaml_found(v[CRITERION_FLOOR]).text);
    }
    return STATUS_OK;
}

static int compare_size(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* One of the study's models. */
static status find_model(const reader *r, const yaml_node *at, size_t *out)
{
    const char *names[MOST_MODELS], *name = NULL;
    TRY(read_name(at, setting_of(&model_section, MODEL_NAME), &name));
    for (size_t i = 0; i < r->c->n_models; i++) {
        names[i] = r->c->models[i].name;
        if (strcmp(names[i], name) == 0) {
            *out = i;
            return STATUS_OK;
        }
    }
    const char *closest = text_closest(name, r->c->n_models, names);
    return FAIL_AT(at, "expected the name of a model of this study, found '%s'%s%s%s", name, closest != NULL ? "; did you mean '" : "",
                   closest != NULL ? closest : "", closest != NULL ? "'?" : "");
}

static status read_models_of(reader *r, const yaml_node *at, config_criterion *c)
{
    size_t *models;
    if (at == NULL) {
        return STATUS_OK;
    }
    if (r->c == NULL) {
        return FAIL_AT(at, "expected no such key, since there is no study whose models it could name; leave it out");
    }
    TRY(read_list(at, setting_of(&criterion_section, CRITERION_MODELS), 1, MOST_MODELS));
    TRY_ALLOC(models, r->a, at->n);
    for (const yaml_node *v = at->first; v != NULL; v = v->next) {
        TRY(find_model(r, v, &models[v->index]));
        for (size_t i = 0; i < v->index; i++) {
            if (models[i] == models[v->index]) {
                return FAIL_AT(v, "expected each model once, found '%s' again; it is [%zu] already", v->text, i);
            }
        }
    }
    qsort(models, at->n, sizeof models[0], compare_size);
    c->n_models = at->n;
    c->models = models;
    return STATUS_OK;
}

static status read_references_of(reader *r, const yaml_node *at, config_criterion *c)
{
    if (at == NULL) {
        return STATUS_OK;
    }
    if (!c->method->uses_samples) {
        return FAIL_AT(at, "expected no such key, since '%s' looks at no images; leave it out", c->method->name);
    }
    return sizes_read(r->a, at, setting_of(&criterion_section, CRITERION_REFERENCES), &c->n_references, &c->references);
}

/* Behind the tasks: a criterion's numbers of references are some of theirs. */
static status check_references(const config *c, const yaml_node *criteria)
{
    for (const yaml_node *v = criteria->first; v != NULL; v = v->next) {
        const config_criterion *one = &c->criteria[v->index];
        for (size_t i = 0; i < one->n_references; i++) {
            size_t k = 0;
            while (k < c->n_references && c->references[k] != one->references[i]) {
                k++;
            }
            if (k == c->n_references) {
                const yaml_node *at = yaml_element(yaml_find(v, setting_of(&criterion_section, CRITERION_REFERENCES)->field.name), i);
                return FAIL_AT(at, "expected one of the numbers in tasks.references, found %zu", one->references[i]);
            }
        }
    }
    return STATUS_OK;
}

/* A criterion's section has the keys of every criterion, then the fields of its method, then the composite where the method takes one. */
static status read_criterion(reader *r, const yaml_node *at, config_criterion *c)
{
    setting settings[CRITERION_KEYS + MAX_CRITERION_PARAMETERS + 1];
    section own = {CRITERION_KEYS, settings};
    const yaml_node *v[CRITERION_KEYS + MAX_CRITERION_PARAMETERS + 1];
    memcpy(settings, criterion_section.settings, CRITERION_KEYS * sizeof *settings);
    const yaml_node *method = at->kind == YAML_MAPPING ? yaml_find(at, settings[CRITERION_METHOD].field.name) : NULL;
    if (method != NULL) {
        size_t choice = 0;
        TRY(read_choice(method, &settings[CRITERION_METHOD], &choice));
        c->method = criterion_table[choice];
        assert(c->method->n_fields <= MAX_CRITERION_PARAMETERS);
        for (size_t i = 0; i < c->method->n_fields; i++) {
            settings[own.n++] = (setting){.field = c->method->fields[i]};
        }
        if (c->method->takes_composite) {
            settings[own.n++] = composite_setting;
        }
    }
    TRY(read_section(at, &own, v));
    TRY(read_unique_name(v[CRITERION_NAME], &settings[CRITERION_NAME], &c->name));
    TRY(read_ranking(settings, v, &c->ranking));
    TRY(read_models_of(r, v[CRITERION_MODELS], c));
    TRY(read_references_of(r, v[CRITERION_REFERENCES], c));
    for (size_t i = 0; i < c->method->n_fields; i++) {
        const size_t k = CRITERION_KEYS + i;
        c->parameters[i] = settings[k].field.def;
        if (v[k] != NULL) {
            TRY(read_value(v[k], &settings[k], &c->parameters[i]));
        }
    }
    return c->method->takes_composite ? composite_read(r->a, v[own.n - 1], c) : STATUS_OK;
}

static status read_criteria(reader *r, const yaml_node *at)
{
    config_criterion *criteria = NULL;
    const char **stated = NULL;
    TRY(read_list(at, setting_of(&study_section, STUDY_CRITERIA), 1, MOST_CRITERIA));
    TRY_ALLOC(criteria, r->a, at->n);
    TRY_ALLOC(stated, r->a, at->n);
    for (const yaml_node *v = at->first; v != NULL; v = v->next) {
        config_criterion *c = &criteria[v->index];
        TRY(read_criterion(r, v, c));
        if (c->composite != NULL) {
            stated[v->index] = composite_stated_text(r->a, c);
            TRY(stated[v->index] != NULL ? STATUS_OK : (status){ST_ENVIRONMENT});
        }
    }
    r->c->n_criteria = at->n;
    r->c->criteria = criteria;
    r->written.composite = stated;
    return STATUS_OK;
}

static status read_output(reader *r, const yaml_node *at)
{
    if (at != NULL) {
        return read_path(at, setting_of(&study_section, STUDY_OUTPUT), &r->c->output);
    }
    TRY_TEXT(r->c->output, r->a, "%s.h5", r->c->name);
    return STATUS_OK;
}

/* A key of the study whose value is a choice; absent, its default. */
static status read_study_choice(const yaml_node *at, size_t key, size_t *out)
{
    const setting *s = setting_of(&study_section, key);
    *out = (size_t)s->field.def;
    return at != NULL ? read_choice(at, s, out) : STATUS_OK;
}

/* A backend that is named and has no such algorithm contradicts the key. With `auto` the study means whatever there is. */
static status read_convolutions(reader *r, const yaml_node *at)
{
    const backend_def *named = backend_find(r->c->backend);
    size_t choice = CONVOLUTIONS_DIRECT;
    TRY(read_study_choice(at, STUDY_CONVOLUTIONS, &choice));
    r->c->winograd = choice == CONVOLUTIONS_WINOGRAD;
    if (r->c->winograd && named != NULL && !named->winograd) {
        return FAIL_AT(at, "expected direct, since `backend: %s` has no other, found winograd; take `backend: auto` or leave the key out",
                       named->name);
    }
    return STATUS_OK;
}

static status read_spectrum(config *c, const yaml_node *wanted, const yaml_node *lapack)
{
    const setting *want = setting_of(&study_section, STUDY_SPECTRUM), *order = setting_of(&study_section, STUDY_SPECTRUM_LAPACK);
    double value = want->field.def;
    uint64_t n = (uint64_t)order->field.def;
    TRY(wanted != NULL ? read_value(wanted, want, &value) : STATUS_OK);
    TRY(lapack != NULL ? read_count(lapack, order, &n) : STATUS_OK);
    c->spectrum = value != 0.0;
    c->spectrum_lapack = (size_t)n;
    return STATUS_OK;
}

static status read_study(reader *r, const yaml_node *root)
{
    const yaml_node *v[STUDY_KEYS];
    config *c = r->c;
    rate_list rates;
    size_t prediction = 0, backend = 0, rows = 0;
    uint64_t micro_batch = (uint64_t)setting_of(&study_section, STUDY_MICRO_BATCH)->field.def;
    uint64_t decode_threads = (uint64_t)setting_of(&study_section, STUDY_DECODE_THREADS)->field.def;
    TRY(read_section(root, &study_section, v));
    TRY(read_name(v[STUDY_NAME], setting_of(&study_section, STUDY_NAME), &c->name));
    TRY(read_data(r, v[STUDY_DATA]));
    TRY(read_models(r, v[STUDY_MODELS]));
    TRY(read_criteria(r, v[STUDY_CRITERIA]));
    TRY(tasks_read(r->a, v[STUDY_TASKS], c));
    TRY(check_references(c, v[STUDY_CRITERIA]));
    TRY(rates_read(r->a, v[STUDY_RATES], &rates));
    c->n_rates = rates.n;
    c->rates = rates.value;
    c->rate_text = rates.text;
    if (v[STUDY_MICRO_BATCH] != NULL) {
        TRY(read_count(v[STUDY_MICRO_BATCH], setting_of(&study_section, STUDY_MICRO_BATCH), &micro_batch));
    }
    c->micro_batch = (size_t)micro_batch;
    if (v[STUDY_DECODE_THREADS] != NULL) {
        TRY(read_count(v[STUDY_DECODE_THREADS], setting_of(&study_section, STUDY_DECODE_THREADS), &decode_threads));
    }
    c->decode_threads = (size_t)decode_threads;
    TRY(read_study_choice(v[STUDY_PREDICTION], STUDY_PREDICTION, &prediction));
    TRY(read_study_choice(v[STUDY_BACKEND], STUDY_BACKEND, &backend));
    TRY(read_study_choice(v[STUDY_ROWS], STUDY_ROWS, &rows));
    c->prediction = (curve_prediction)prediction;
    c->backend = setting_choice(setting_of(&study_section, STUDY_BACKEND), backend);
    c->rows = (config_rows)rows;
    TRY(read_spectrum(c, v[STUDY_SPECTRUM], v[STUDY_SPECTRUM_LAPACK]));
    TRY(read_convolutions(r, v[STUDY_CONVOLUTIONS]));
    TRY(heatmaps_read(r->a, v[STUDY_HEATMAPS], c, &r->written.heatmaps_composite));
    TRY(search_read(r->a, v[STUDY_SEARCH], c));
    return read_output(r, v[STUDY_OUTPUT]);
}

status config_parse(arena *a, const char *path, file_bytes text, size_t n_sets, const char *const sets[], config **out)
{
    yaml_node *root = NULL;
    reader r = {.a = a};
    TRY(yaml_parse(a, path, true, (const char *)text.data, text.size, &root));
    if (root == NULL || yaml_is_null(root)) {
        const yaml_node top = {.at = {path, 1, 1}};
        return FAIL_AT(&top, "expected a study, found an empty file; `pollard --help config` lists its keys");
    }
    if (root->kind != YAML_MAPPING) {
        return FAIL_AT(root, "expected keys like study: and data:, found %s; `pollard --help config` lists them",
                       yaml_found(root).text);
    }
    for (size_t i = 0; i < n_sets; i++) {
        TRY(config_set(a, root, sets[i]));
    }
    TRY_ALLOC(r.c, a, 1);
    TRY_TEXT(r.c->path, a, "%s", path);
    TRY_TEXT(r.c->text, a, "%.*s", (int)text.size, (const char *)text.data);
    r.folder = path_folder(a, path);
    if (r.folder == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    TRY(read_study(&r, root));
    TRY(config_resolve(a, r.c, &r.written, &r.c->resolved));
    TRY(config_scoring(a, r.c, &r.written, &r.c->scoring));
    *out = r.c;
    return STATUS_OK;
}

/* A text as a value of a mapping. */
static status add_scalar(arena *a, yaml_node *mapping, const char *key, const char *text)
{
    yaml_node *value = yaml_add(a, mapping, YAML_SCALAR, key, mapping->at);
    if (value == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    value->text = text;
    value->size = strlen(text);
    return STATUS_OK;
}

status config_criterion_parse(arena *a, const char *method, size_t n_sets, const char *const sets[], config_criterion *out)
{
    const yaml_place at = {.origin = method};
    reader r = {.a = a};
    yaml_node *root = yaml_add(a, NULL, YAML_MAPPING, NULL, at);
    yaml_node *list = root == NULL ? NULL : yaml_add(a, root, YAML_SEQUENCE, setting_of(&study_section, STUDY_CRITERIA)->field.name, at);
    yaml_node *criterion = list == NULL ? NULL : yaml_add(a, list, YAML_MAPPING, NULL, at);
    if (criterion == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    TRY(add_scalar(a, criterion, setting_of(&criterion_section, CRITERION_NAME)->field.name, method));
    TRY(add_scalar(a, criterion, setting_of(&criterion_section, CRITERION_METHOD)->field.name, method));
    for (size_t i = 0; i < n_sets; i++) {
        TRY(config_set(a, criterion, sets[i]));
    }
    *out = (config_criterion){0};
    return read_criterion(&r, criterion, out);
}
