#include "io/config_resolve.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "io/config_heatmaps.h"
#include "io/config_schema.h"
#include "io/config_yaml.h"

const config_fact_name config_fact_names[CONFIG_FACTS] = {
    {MODEL_ARCHITECTURE, "arch"}, {MODEL_HEADS, "num_heads"}, {MODEL_IMAGE_SIZE, "image_size"}, {MODEL_RESIZE, "resize"},
    {MODEL_CROP, "crop"}, {MODEL_MEAN, "mean"}, {MODEL_STD, "std"}, {MODEL_PREPROCESS, "preprocess"},
    {MODEL_EVALUATION_PREPROCESS, "evaluation_preprocess"}, {MODEL_INTERPOLATION, "interpolation"}, {MODEL_CROP_FRACTION, "crop_pct"},
};

/* Counts without a buffer, writes with one: the text is made twice, the first time to know its size. */
typedef struct emitter {
    char *to;
    size_t size, used;
} emitter;

static void emit(emitter *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void emit(emitter *e, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(e->to != NULL ? e->to + e->used : NULL, e->to != NULL ? e->size - e->used : 0, fmt, args);
    va_end(args);
    e->used += n > 0 ? (size_t)n : 0;
}

static const char *key_of(const section *s, size_t i)
{
    return s->settings[i].field.name;
}

/* Values hold no control characters (read_text). */
static void emit_text(emitter *e, const char *text)
{
    e->used += yaml_scalar(text, e->to != NULL ? e->to + e->used : NULL, e->to != NULL ? e->size - e->used : 0);
    emit(e, "\n");
}

static void emit_model(emitter *e, const config_model *m, const char *checkpoint)
{
    emit(e, "  - %s: ", key_of(&model_section, MODEL_NAME));
    emit_text(e, m->name);
    emit(e, "    %s: ", key_of(&model_section, MODEL_CHECKPOINT));
    emit_text(e, checkpoint);
    if (m->n_kinds > 0) {
        emit(e, "    %s: [", key_of(&model_section, MODEL_COMPONENTS));
    }
    for (size_t i = 0; i < m->n_kinds; i++) {
        emit(e, "%s%s", component_kind_name(m->kinds[i]), i + 1 < m->n_kinds ? ", " : "]\n");
    }
    for (size_t f = 0; f < m->n_facts; f++) {
        size_t i = 0;
        while (strcmp(config_fact_names[i].fact, m->facts[f].name) != 0) {
            i++;
        }
        const setting *s = &model_section.settings[config_fact_names[i].setting];
        const bool list = s->field.kind == FIELD_LIST;
        emit(e, "    %s: %s%s%s\n", s->field.name, list ? "[" : "", m->facts[f].value, list ? "]" : "");
    }
}

static void emit_parameter(emitter *e, const field *f, double value)
{
    const setting s = {.field = *f};
    emit(e, "    %s: %s\n", f->name, value_text(&s, value).text);
}

static void emit_criterion(emitter *e, const config_model models[], const config_criterion *c, const char *composite_text)
{
    const setting *s = criterion_section.settings;
    emit(e, "  - %s: ", key_of(&criterion_section, CRITERION_NAME));
    emit_text(e, c->name);
    emit(e, "    %s: ", key_of(&criterion_section, CRITERION_METHOD));
    emit_text(e, c->method->name);
    if (composite_text != NULL) {
        emit(e, "    %s:%s%s\n", composite_setting.field.name, composite_text[0] == '\n' ? "" : " ", composite_text);
    }
    for (size_t i = 0; i < c->method->n_fields; i++) {
        emit_parameter(e, &c->method->fields[i], c->parameters[i]);
    }
    emit_parameter(e, &s[CRITERION_ORDER].field, c->ranking.order);
    emit_parameter(e, &s[CRITERION_SCOPE].field, c->ranking.scope);
    emit_parameter(e, &s[CRITERION_FLOOR].field, c->ranking.floor);
    for (size_t i = 0; i < c->n_models; i++) {
        emit(e, "%s%s%s", i == 0 ? "    models: [" : ", ", models[c->models[i]].name, i + 1 < c->n_models ? "" : "]\n");
    }
    for (size_t i = 0; i < c->n_references; i++) {
        emit(e, "%s%zu%s", i == 0 ? "    references: [" : ", ", c->references[i], i + 1 < c->n_references ? "" : "]\n");
    }
}

static void emit_sizes(emitter *e, size_t key, size_t n, const size_t value[])
{
    emit(e, "  %s: [", key_of(&tasks_section, key));
    for (size_t i = 0; i < n; i++) {
        emit(e, "%s%zu", i == 0 ? "" : ", ", value[i]);
    }
    emit(e, "]\n");
}

static void emit_subsets(emitter *e, const config *c)
{
    for (size_t i = 0; i < c->n_subsets; i++) {
        const config_subset *s = &c->subsets[i];
        if (i == 0) {
            emit(e, "  %s:\n", key_of(&tasks_section, TASKS_SUBSETS));
        }
        emit(e, "    - %s: ", key_of(&subset_section, SUBSET_NAME));
        emit_text(e, s->name);
        emit(e, "      %s:\n", key_of(&subset_section, SUBSET_CLASSES));
        for (size_t k = 0; k < s->n; k++) {
            emit(e, "        - ");
            emit_text(e, s->class[k]);
        }
    }
}

static void emit_tasks(emitter *e, const config *c)
{
    emit(e, "%s:\n", key_of(&study_section, STUDY_TASKS));
    if (c->n_tasks > c->n_subsets) {
        emit_sizes(e, TASKS_CLASSES, c->n_tasks - c->n_subsets, c->task_classes);
    }
    emit_subsets(e, c);
    emit(e, "  %s: [", key_of(&tasks_section, TASKS_SEEDS));
    for (size_t i = 0; i < c->n_seeds; i++) {
        emit(e, "%s%" PRIu64, i == 0 ? "" : ", ", c->seeds[i]);
    }
    emit(e, "]\n");
    emit_sizes(e, TASKS_REFERENCES, c->n_references, c->references);
    emit(e, "%s: [", key_of(&study_section, STUDY_RATES));
    for (size_t i = 0; i < c->n_rates; i++) {
        emit(e, "%s%s", i == 0 ? "" : ", ", c->rate_text[i]);
    }
    emit(e, "]\n");
}

static void emit_heatmaps(emitter *e, const config *c, const char *composite_text)
{
    const config_heatmaps *h = &c->heatmaps;
    emit(e, "%s:\n  %s: %zu\n", key_of(&study_section, STUDY_HEATMAPS), key_of(&heatmaps_section, HEATMAPS_IMAGES), h->images);
    emit(e, "  %s: [", key_of(&heatmaps_section, HEATMAPS_RATES));
    for (size_t i = 0; i < c->n_rates; i++) { /* the first is always there */
        emit(e, "%s%s", !h->rate[i] || i == 0 ? "" : ", ", h->rate[i] ? c->rate_text[i] : "");
    }
    emit(e, "]\n  %s:\n", key_of(&heatmaps_section, HEATMAPS_CRITERIA));
    for (size_t i = 0; i < c->n_criteria; i++) {
        if (h->criterion[i]) {
            emit(e, "    - ");
            emit_text(e, c->criteria[i].name);
        }
    }
    emit(e, "  %s:%s%s\n", key_of(&heatmaps_section, HEATMAPS_COMPOSITE), composite_text[0] == '\n' ? "" : " ", composite_text);
    for (size_t i = HEATMAPS_EPSILON; i <= HEATMAPS_SOFTMAX; i++) {
        const setting *s = &heatmaps_section.settings[i];
        emit(e, "  %s: %s\n", s->field.name, value_text(s, heatmaps_parameter(h, i)).text);
    }
    emit(e, "  %s: %s\n", key_of(&heatmaps_section, HEATMAPS_KEEP), h->keep ? "true" : "false");
}

static void emit_study(emitter *e, const config *c, const config_written *w)
{
    emit(e, "%s: ", key_of(&study_section, STUDY_NAME));
    emit_text(e, c->name);
    emit(e, "%s:\n  %s: ", key_of(&study_section, STUDY_DATA), key_of(&data_section, DATA_REFERENCE));
    emit_text(e, w->reference);
    emit(e, "  %s: ", key_of(&data_section, DATA_EVALUATION));
    emit_text(e, w->evaluation);
    if (w->reference_list != NULL) {
        emit(e, "  %s: ", key_of(&data_section, DATA_REFERENCE_LIST));
        emit_text(e, w->reference_list);
    }
    if (w->evaluation_list != NULL) {
        emit(e, "  %s: ", key_of(&data_section, DATA_EVALUATION_LIST));
        emit_text(e, w->evaluation_list);
    }
    emit(e, "  %s: %s\n", key_of(&data_section, DATA_SAMPLING),
         setting_choice(&data_section.settings[DATA_SAMPLING], (size_t)c->sampling));
    emit(e, "%s:\n", key_of(&study_section, STUDY_MODELS));
    for (size_t i = 0; i < c->n_models; i++) {
        emit_model(e, &c->models[i], w->checkpoint[i]);
    }
    emit(e, "%s:\n", key_of(&study_section, STUDY_CRITERIA));
    for (size_t i = 0; i < c->n_criteria; i++) {
        emit_criterion(e, c->models, &c->criteria[i], w->composite[i]);
    }
    emit_tasks(e, c);
    emit(e, "%s: %s\n", key_of(&study_section, STUDY_PREDICTION), curve_prediction_names[c->prediction]);
    emit(e, "%s: %zu\n", key_of(&study_section, STUDY_MICRO_BATCH), c->micro_batch);
    emit(e, "%s: %zu\n", key_of(&study_section, STUDY_DECODE_THREADS), c->decode_threads);
    emit(e, "%s: %s\n", key_of(&study_section, STUDY_BACKEND), c->backend);
    emit(e, "%s: %s\n", key_of(&study_section, STUDY_ROWS), setting_choice(&study_section.settings[STUDY_ROWS], c->rows));
    emit(e, "%s: %s\n", key_of(&study_section, STUDY_SPECTRUM), c->spectrum ? "true" : "false");
    emit(e, "%s: %zu\n", key_of(&study_section, STUDY_SPECTRUM_LAPACK), c->spectrum_lapack);
    emit(e, "%s: %s\n", key_of(&study_section, STUDY_CONVOLUTIONS),
         setting_choice(&study_section.settings[STUDY_CONVOLUTIONS], c->winograd ? CONVOLUTIONS_WINOGRAD : CONVOLUTIONS_DIRECT));
    emit(e, "%s: ", key_of(&study_section, STUDY_OUTPUT));
    emit_text(e, c->output);
    if (c->heatmaps.images > 0) {
        emit_heatmaps(e, c, w->heatmaps_composite);
    }
    if (c->search.on) {
        emit(e, "%s", c->search.resolved);
    }
}

/* After a first pass that has counted: room for the second. */
static status emitter_fill(emitter *e, arena *a)
{
    e->size = e->used + 1;
    e->used = 0;
    TRY_ALLOC(e->to, a, e->size);
    return STATUS_OK;
}

status config_resolve(arena *a, const config *c, const config_written *w, const char **out)
{
    emitter e = {0};
    emit_study(&e, c, w);
    TRY(emitter_fill(&e, a));
    emit_study(&e, c, w);
    *out = e.to;
    return STATUS_OK;
}

/* Everything that a study says of a criterion decides its scores, except for its name, how it is ranked and what it is for. */
static status scoring_text(arena *a, const config *c, const config_written *w, size_t criterion, const char **out)
{
    emitter e = {0};
    config_criterion same = c->criteria[criterion];
    same.name = "";
    same.ranking = (ranking_options){0};
    same.n_models = same.n_references = 0;
    emit_criterion(&e, c->models, &same, w->composite[criterion]);
    TRY(emitter_fill(&e, a));
    emit_criterion(&e, c->models, &same, w->composite[criterion]);
    *out = e.to;
    return STATUS_OK;
}

status config_scoring(arena *a, const config *c, const config_written *w, const char *const **out)
{
    const char **texts;
    TRY_ALLOC(texts, a, c->n_criteria);
    for (size_t i = 0; i < c->n_criteria; i++) {
        TRY(scoring_text(a, c, w, i, &texts[i]));
    }
    *out = texts;
    return STATUS_OK;
}
