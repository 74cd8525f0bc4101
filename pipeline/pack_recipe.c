/* For which networks images are decoded. */
#include <string.h>

#include "io/config.h"
#include "nn/arch.h"
#include "pipeline/model.h"
#include "pipeline/pack.h"

enum { LARGEST_STUDY = 1 << 20 };

/* What one model of a study says of its images. */
static status read_model(arena *a, const config_model *cm, preprocess *explained, preprocess *evaluated)
{
    tensors *t = NULL;
    const graph *g = NULL;
    size_t bytes;
    TRY(model_read(a, cm->checkpoint, cm, &t, &bytes));
    TRY(graph_build(a, t, &g));
    TRY(preprocess_from_facts(t, g->input.dim[1], g->input.dim[2], explained));
    return preprocess_for_evaluation(t, g->input.dim[1], g->input.dim[2], evaluated);
}

typedef struct choice {
    const char *model;
    preprocess recipe;
    const char *steps; /* NULL: none yet */
} choice;

static status take(arena *a, const char *model, const preprocess *p, choice *c)
{
    const char *steps = preprocess_steps(a, p);
    if (steps == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    if (c->steps == NULL) {
        *c = (choice){model, *p, steps};
        return STATUS_OK;
    }
    return strcmp(steps, c->steps) == 0
               ? STATUS_OK
               : FAIL(ST_USAGE, "--decoded: model '%s' wants '%s', and model '%s' '%s'; say which with --model", c->model, c->steps, model, steps);
}

status pack_recipe(arena *a, const char *path, size_t n_sets, const char *const sets[], const char *model, bool evaluated, preprocess *out)
{
    file_bytes text;
    config *cfg = NULL;
    choice c = {.steps = NULL};
    TRY(file_read(a, path, LARGEST_STUDY, &text));
    TRY(config_parse(a, path, text, n_sets, sets, &cfg));
    for (size_t i = 0; i < cfg->n_models; i++) {
        const config_model *cm = &cfg->models[i];
        preprocess first, second;
        if (model == NULL || strcmp(model, cm->name) == 0) {
            TRY(read_model(a, cm, &first, &second));
            TRY(take(a, cm->name, evaluated ? &second : &first, &c));
        }
    }
    if (c.steps == NULL) {
        return FAIL(ST_USAGE, "--model %s: expected one of the models of %s, found none of that name", model == NULL ? "" : model, path);
    }
    *out = c.recipe;
    return STATUS_OK;
}
