#ifndef STAGES_STUDY_H
#define STAGES_STUDY_H
/* A study resolved: what a config means for the data and networks at hand. Built once by the pipeline, the same on every rank and
 * independent of their number; stages only read it. */
#include "io/config.h"
#include "io/dataset.h"
#include "io/image.h"
#include "nn/graph.h"
#include "pruning/ranking.h"

/* A set of samples cut into micro-batches of the study's fixed size; the last one is padded by repeating its first sample. */
typedef struct sample_list {
    size_t n;
    const size_t *sample; /* [n] ascending indices into a data set */
} sample_list;

typedef struct study_model {
    const config_model *config;
    const graph *graph;        /* as the architecture defines it: what costs and components are counted on */
    const graph *logits_graph; /* the same logits, of them the same relevance, and the same components (nn/passes/needed_rows.h) */
    preprocess preprocess, evaluation_preprocess; /* of images that are explained, and of those on which accuracy is measured */
    const char *class_names; /* "a,b,c" as the checkpoint's facts say, or NULL */
    size_t n_kinds;
    component_kind kinds[COMPONENT_KINDS];
    const size_t *component[COMPONENT_KINDS]; /* by kind index: components of that kind in the graph's vector */
    size_t n_components[COMPONENT_KINDS];
    ranking_layers layers[COMPONENT_KINDS]; /* how they are divided */
    size_t n_winograd; /* layers that `evaluate` runs by Winograd's algorithm (`convolutions: winograd`) */
    const node_id *winograd; /* which of logits_graph */
} study_model;

/* A class subset, drawn by a seed or stated; a seed draws its reference images in either case. */
typedef struct study_task {
    size_t n_classes;
    uint64_t seed;
    const uint32_t *classes; /* [n_classes] ascending */
    const uint32_t *stated;  /* [n_classes] in the study's order; NULL: drawn */
    size_t subset;           /* which of the config's tasks */
    size_t evaluation;       /* index of its evaluation set */
} study_task;

/* Images of a class set; tasks with the same classes share it. */
typedef struct study_evaluation {
    size_t number; /* what keys of items and known masks call it: the same for the same images in all rounds of a search */
    size_t n_classes;
    const uint32_t *classes; /* ascending */
    sample_list samples;
    const uint64_t *class_total; /* [n_classes] */
    sample_list heatmaps;        /* those of its images that are explained before and after pruning; none without `heatmaps:` */
} study_evaluation;

/* Reference images of one (task, number of references per class). */
typedef struct study_reference {
    size_t task, per_class;
    sample_list samples; /* ascending */
} study_reference;

/* Everything that has a ranking and a curve of its own. */
typedef struct study_cell {
    size_t model, kind, criterion, task; /* kind: index into study_model.kinds */
    size_t reference;                    /* index into references; NO_REFERENCE for criteria without samples */
} study_cell;
#define NO_REFERENCE ((size_t)-1)

/* What is explained for a criterion in a model: the images of those reference sets that its cells have, or another criterion's with its scores. */
typedef struct study_explanation {
    sample_list samples;
    const uint8_t *needed; /* [n_references] is it such a set? Of another, `samples` may have some images */
} study_explanation;

/* Which evaluation images count: a search judges by some and reports on the others. */
typedef enum study_part { PART_ALL, PART_TUNING, PART_HELD_OUT } study_part;

/* Of every class's images of PART_TUNING, in the order in which they were drawn, those from first/of to end/of, rounded up; of == 0: all. */
typedef struct study_share {
    size_t first, end, of;
} study_share;

typedef struct study {
    const config *config;
    study_part part;
    study_share share; /* of that part */
    const dataset *reference_data, *evaluation_data;
    const backend_def *backend;
    size_t n_models, n_tasks, n_evaluations, n_references, n_cells;
    const study_model *models;
    const study_task *tasks;
    const study_evaluation *evaluations;
    const study_reference *references;
    const study_cell *cells; /* by model, kind, criterion, class subset, references, seed */
    sample_list explained;   /* the union of all references: each is explained at most once per model and criterion */
    const study_explanation *explanations; /* [models, criteria], the same for the same scores; NULL: for each all of `explained` */
} study;

/* Is the criterion for this model? */
static inline bool study_wants(const study *s, size_t model, size_t criterion)
{
    const config_criterion *c = &s->config->criteria[criterion];
    size_t i = 0;
    while (i < c->n_models && c->models[i] != model) {
        i++;
    }
    return c->n_models == 0 || i < c->n_models;
}

/* Is it for so many reference images a class? */
static inline bool study_wants_references(const study *s, size_t criterion, size_t per_class)
{
    const config_criterion *c = &s->config->criteria[criterion];
    size_t i = 0;
    while (i < c->n_references && c->references[i] != per_class) {
        i++;
    }
    return c->n_references == 0 || i < c->n_references;
}

/* The images that are explained for it, if any are. */
static inline const sample_list *study_explained(const study *s, size_t model, size_t criterion)
{
    return s->explanations == NULL ? &s->explained : &s->explanations[model * s->config->n_criteria + criterion].samples;
}

/* Is the reference set one of those whose sums are wanted? */
static inline bool study_needs(const study *s, size_t model, size_t criterion, size_t reference)
{
    return s->explanations == NULL || s->explanations[model * s->config->n_criteria + criterion].needed[reference];
}

/* What a criterion of the study is opened with. */
static inline criterion_setup study_setup(const study *s, size_t model, size_t criterion)
{
    const config_criterion *c = &s->config->criteria[criterion];
    const study_model *m = &s->models[model];
    return (criterion_setup){.graph = c->method->logits_only ? m->logits_graph : m->graph,
                             .backend = s->backend,
                             .batch = s->config->micro_batch,
                             .parameters = c->parameters,
                             .composite = c->composite,
                             .n_channels = COUNT(s->models[model].preprocess.mean),
                             .mean = s->models[model].preprocess.mean,
                             .std = s->models[model].preprocess.std};
}

/* The same for explanations of images before and after pruning, which are relevance of logits. */
static inline criterion_setup study_heatmap_setup(const study *s, size_t model)
{
    const config_criterion *c = &s->config->heatmaps.explanation;
    const study_model *m = &s->models[model];
    return (criterion_setup){.graph = m->logits_graph,
                             .backend = s->backend,
                             .batch = s->config->micro_batch,
                             .parameters = c->parameters,
                             .composite = c->composite,
                             .n_channels = COUNT(m->evaluation_preprocess.mean),
                             .mean = m->evaluation_preprocess.mean,
                             .std = m->evaluation_preprocess.std};
}

static inline size_t study_batches(const sample_list *list, size_t micro_batch)
{
    return (list->n + micro_batch - 1) / micro_batch;
}

#endif
