#include "pipeline/plan.h"

#include <string.h>

#include "core/log.h"
#include "pipeline/winograd.h"
#include "stages/spectrum.h"

enum { LARGEST_CONFIG = 1 << 20 };

/* Rank 0 lists the folder, everybody parses the same text. list NULL: class folders. */
static status share_dataset(comm *c, arena *a, arena *scratch, const char *root, const char *list, const dataset *other,
                            dataset **out)
{
    char *text = NULL;
    size_t size = 0;
    arena_reset(scratch);
    TRY(comm_agree(c, c->rank != 0 ? STATUS_OK : dataset_list_any(scratch, root, list, other, &text, &size)));
    const void *data = text;
    TRY(comm_share_bytes(c, a, &data, &size));
    TRY(comm_agree(c, dataset_parse(a, root, data, size, out)));
    const char *misplaced = dataset_misplaced_number(*out);
    if (misplaced != NULL && c->rank == 0) {
        log_line(LOG_WARNING,
                 "data=%s folder='%s' class folders are numbers and are sorted as texts (0, 1, 10, 2), as torchvision does; where the "
                 "network counts otherwise, give them leading zeros",
                 root, misplaced);
    }
    return STATUS_OK;
}

/* The data set with class folders comes first: it has the names for numbers in the other's list. */
static status share_datasets(comm *c, arena *a, arena *scratch, const config *cfg, dataset **reference, dataset **evaluation)
{
    if (cfg->reference_list != NULL && cfg->evaluation_list == NULL) {
        TRY(share_dataset(c, a, scratch, cfg->evaluation, NULL, NULL, evaluation));
        return share_dataset(c, a, scratch, cfg->reference, cfg->reference_list, *evaluation, reference);
    }
    TRY(share_dataset(c, a, scratch, cfg->reference, cfg->reference_list, NULL, reference));
    return share_dataset(c, a, scratch, cfg->evaluation, cfg->evaluation_list, *reference, evaluation);
}

static status check_same_classes(const dataset *reference, const dataset *evaluation)
{
    const size_t both = reference->n_classes < evaluation->n_classes ? reference->n_classes : evaluation->n_classes;
    size_t first = 0; /* names are sorted, so here one of the two has a class that the other lacks */
    while (first < both && strcmp(reference->class_name[first], evaluation->class_name[first]) == 0) {
        first++;
    }
    if (reference->n_classes != evaluation->n_classes) {
        const dataset *has = reference, *lacks = evaluation;
        if (first == reference->n_classes ||
            (first < both && strcmp(reference->class_name[first], evaluation->class_name[first]) > 0)) {
            has = evaluation;
            lacks = reference;
        }
        return FAIL(ST_DATA, "%s has %zu class folders, %s has %zu; expected the same classes in both, but %s has no class '%s'", reference->root,
                    reference->n_classes, evaluation->root, evaluation->n_classes, lacks->root, has->class_name[first]);
    }
    for (size_t i = first; i < reference->n_classes; i++) {
        if (strcmp(reference->class_name[i], evaluation->class_name[i]) != 0) {
            return FAIL(ST_DATA, "class %zu is '%s' in %s and '%s' in %s; expected the same class folders in both", i,
                        reference->class_name[i], reference->root, evaluation->class_name[i], evaluation->root);
        }
    }
    return STATUS_OK;
}

static status load_models(comm *c, arena *a, arena *scratch, plan *out)
{
    study *s = &out->study;
    study_model *models = NULL;
    model_inputs *inputs = NULL;
    s->n_models = s->config->n_models;
    models = arena_alloc(a, s->n_models, sizeof *models);
    inputs = arena_alloc(a, s->n_models, sizeof *inputs);
    TRY(comm_agree(c, models == NULL || inputs == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    for (size_t i = 0; i < s->n_models; i++) {
        TRY(model_load(c, a, scratch, &s->config->models[i], &models[i], &inputs[i]));
        TRY(comm_agree(c, model_check_classes(&models[i], s->reference_data)));
        TRY(comm_agree(c, winograd_find(a, s->config, s->backend, &models[i])));
    }
    s->models = models;
    out->inputs = inputs;
    return STATUS_OK;
}

/* Packs of decoded images are for networks that want them as they are. */
static status check_decoded(arena *scratch, const study *s)
{
    for (size_t m = 0; m < s->n_models; m++) {
        const study_model *x = &s->models[m];
        if (s->reference_data->steps != NULL) {
            TRY(preprocess_check_steps(scratch, s->reference_data->root, s->reference_data->steps, x->config->name, &x->preprocess));
        }
        if (s->evaluation_data->steps != NULL) {
            TRY(preprocess_check_steps(scratch, s->evaluation_data->root, s->evaluation_data->steps, x->config->name, &x->evaluation_preprocess));
        }
    }
    return STATUS_OK;
}

/* Every criterion has to have what it looks at in every network, before anything is computed. */
static status check_criteria(const study *s)
{
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < s->config->n_criteria; k++) {
            const config_criterion *cc = &s->config->criteria[k];
            const criterion_setup setup = study_setup(s, m, k);
            const status st = study_wants(s, m, k) ? criterion_check(cc->method, &setup) : STATUS_OK;
            if (!status_ok(st)) {
                return status_about(st, "%s: criterion '%s' on model '%s'", s->config->path, cc->name, s->models[m].config->name);
            }
        }
    }
    return STATUS_OK;
}

/* Cells of one (model, kind, criterion): class counts, then references, then seeds, so that a curve's seeds lie together. */
static void add_cells(const study *s, size_t model, size_t kind, size_t criterion, study_cell *cells, size_t *n)
{
    const config *cfg = s->config;
    const bool samples = cfg->criteria[criterion].method->uses_samples;
    for (size_t k = 0; k < cfg->n_tasks; k++) {
        for (size_t r = 0; r < (samples ? cfg->n_references : 1); r++) {
            for (size_t i = 0; i < cfg->n_seeds && (!samples || study_wants_references(s, criterion, cfg->references[r])); i++) {
                const size_t task = k * cfg->n_seeds + i;
                cells[(*n)++] = (study_cell){model, kind, criterion, task, samples ? task * cfg->n_references + r : NO_REFERENCE};
            }
        }
    }
}

/* A model that no criterion is for would be loaded for nothing. */
static status check_models(const study *s)
{
    for (size_t m = 0; m < s->n_models; m++) {
        size_t i = 0;
        while (i < s->n_cells && s->cells[i].model != m) {
            i++;
        }
        if (i == s->n_cells) {
            return FAIL(ST_CONFIG, "%s: model '%s': expected a criterion that is for it (criteria.models), found none; leave the model out or add one",
                        s->config->path, s->models[m].config->name);
        }
    }
    return STATUS_OK;
}

status plan_cells(arena *a, study *s)
{
    const config *cfg = s->config;
    study_cell *cells;
    size_t most = 0;
    s->n_cells = 0;
    for (size_t m = 0; m < s->n_models; m++) {
        most += s->models[m].n_kinds * cfg->n_criteria * s->n_tasks * cfg->n_references;
    }
    TRY_ALLOC(cells, a, most);
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t kind = 0; kind < s->models[m].n_kinds; kind++) {
            for (size_t k = 0; k < cfg->n_criteria; k++) {
                if (study_wants(s, m, k)) {
                    add_cells(s, m, kind, k, cells, &s->n_cells);
                }
            }
        }
    }
    s->cells = cells;
    TRY(check_models(s));
    return plan_explanations(a, s);
}

static status start_backend(const config *cfg, const backend_def **out)
{
    *out = strcmp(cfg->backend, "auto") == 0 ? backend_default() : backend_find(cfg->backend);
    if (*out == NULL) {
        return FAIL(ST_ENVIRONMENT,
                    "%s: backend: %s is not built into this program; install its library and build again (docs/install.md), or take "
                    "`backend: auto`",
                    cfg->path, cfg->backend);
    }
    return (*out)->start();
}

static status build(comm *c, arena *a, arena *scratch, const char *path, size_t n_sets, const char *const sets[], plan *out)
{
    study *s = &out->study;
    file_bytes text;
    config *cfg = NULL;
    dataset *reference = NULL, *evaluation = NULL;
    TRY(share_file(c, a, path, false, LARGEST_CONFIG, &text, out->config_sha256));
    out->config_bytes = text.size;
    TRY(comm_agree(c, config_parse(a, path, text, n_sets, sets, &cfg)));
    s->config = cfg;
    TRY(share_datasets(c, a, scratch, cfg, &reference, &evaluation));
    TRY(comm_agree(c, check_same_classes(reference, evaluation)));
    s->reference_data = reference;
    s->evaluation_data = evaluation;
    s->part = cfg->search.on ? PART_HELD_OUT : PART_ALL;
    TRY(comm_agree(c, start_backend(cfg, &s->backend)));
    status st = plan_samples(a, scratch, s);
    TRY(comm_agree(c, st));
    TRY(comm_agree(c, plan_heatmaps(a, scratch, s)));
    TRY(load_models(c, a, scratch, out));
    TRY(comm_agree(c, check_decoded(scratch, s)));
    TRY(comm_agree(c, check_criteria(s)));
    TRY(comm_agree(c, spectrum_check(s, c->size)));
    TRY(comm_agree(c, plan_heatmaps_check(scratch, s)));
    return comm_agree(c, plan_cells(a, s));
}

status plan_build(comm *c, arena *a, const char *config_path, size_t n_sets, const char *const sets[], plan *out)
{
    arena *scratch = NULL;
    *out = (plan){.config_bytes = 0};
    status st = comm_agree(c, arena_open("plan", &scratch));
    if (status_ok(st)) {
        st = build(c, a, scratch, config_path, n_sets, sets, out);
    }
    arena_close(&scratch);
    return st;
}
