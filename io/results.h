#ifndef IO_RESULTS_H
#define IO_RESULTS_H
/* The result file: HDF5 in the netCDF-4 layout (docs/results.md), so that xarray.open_dataset(file, group=...) works on every group.
 * Made in memory by one rank, written to a temporary file beside the target, fsynced, renamed: the old result or none after a crash. */
#include "io/files.h"
#include "nn/graph.h"
#include "pruning/curve.h"
#include "pruning/ranking.h"
#include "pruning/spectrum.h"

enum { RESULTS_SCHEMA_VERSION = 4 };

/* One prunable layer of a model. */
typedef struct result_layer {
    const char *name, *type, *group; /* "features.0", "conv2d", "low" */
    component_kind kind;
    size_t n_components, first_component;
} result_layer;

typedef struct result_model {
    const char *name, *architecture, *checkpoint, *preprocessing;
    size_t n_layers;
    const result_layer *layers;
    size_t n_components;         /* all kinds */
    const uint64_t *parameters, *macs; /* [n_components] each component's own share */
    uint64_t total_parameters, total_macs;
    size_t n_classes;            /* of its logits */
} result_model;

/* One study cell: everything that shares a curve. */
typedef struct result_cell {
    size_t model, criterion, task; /* indices */
    component_kind kind;
    uint64_t seed;
    size_t n_references;     /* per class; 0 for criteria without samples */
    size_t n_images;         /* of the reference set; fewer than classes x references where a class has too few */
    size_t n_classes;
    const uint32_t *classes; /* [n_classes] ascending */
    uint64_t total;          /* evaluation images */
    const uint64_t *class_total; /* [n_classes] */
    const uint64_t *parameters_left, *macs_left, *removed, *layers_emptied; /* [n_rates] */
    const uint64_t *correct, *correct_masked, *top5, *top5_masked; /* [n_rates] by either prediction (pruning/curve.h) */
    const uint64_t *agree; /* [n_rates] images that are taken for the same of the task's classes as by the unpruned network */
    const uint64_t *class_correct, *class_correct_masked; /* [n_rates, n_classes] */
    const double *loss_sum;  /* [n_rates] exact sum of float32 cross entropies, rounded once */
    const double *seconds_per_image; /* [n_rates] of the compacted network; goes to /provenance */
    double a_pr_mean, a_pr_trapezoid, highest_rate; /* up to which every rate keeps 95 % of the unpruned accuracy */
    double area_parameters, area_macs;              /* under the accuracy over the share of removed parameters, multiply-adds */
    double parameters_removed, macs_removed;        /* shares, at the highest rate */
} result_cell;

/* Relevance and ranking of all cells of one (model, kind, criterion). */
typedef struct result_track {
    size_t model, criterion;
    component_kind kind;
    size_t n_components;
    const size_t *component; /* [n_components] index into the model's components */
    size_t n_cells;
    const size_t *cell;      /* [n_cells] index into the cells of the study */
    const double *relevance; /* [n_cells, n_components] the score that ranks */
    const uint32_t *ranking; /* [n_cells, n_components] positions in `component`; what is removed first comes first */
    const uint16_t *removed_at; /* [n_cells, n_components] index of the first rate without it; n_rates = never */
    size_t n_moments;        /* 0 for criteria without samples */
    const char *const *moment_names;
    const char *score_moment; /* the one that the score adds up; NULL: none */
    const double *moments;   /* [n_cells, n_moments, n_components] exact sums over the reference samples */
} result_track;

/* Stability of rankings over seeds, one row per (model, kind, criterion, task, references). */
typedef struct result_stability {
    size_t model, criterion, task, n_classes, n_references, n_pairs;
    component_kind kind;
    double kendall_mean;
    const double *jaccard_mean; /* [n_rates] of the removed sets */
} result_stability;

/* One row of the printed table. */
typedef struct result_summary {
    size_t model, criterion, task, n_classes, n_references, n_seeds;
    component_kind kind;
    double accuracy, a_pr_mean, a_pr_error, a_pr_trapezoid, a_pr_trapezoid_error, highest_rate;
    double area_parameters, area_macs, parameters_removed, macs_removed; /* as in result_cell, means over the seeds */
} result_summary;

/* A_PR of one criterion less that of another, over the seeds of both (pruning/paired.h). */
typedef struct result_difference {
    size_t model, criterion, other, task, n_classes, n_references, n_seeds; /* references: of the criteria that need any */
    component_kind kind;
    double mean, error, low, high;
} result_difference;

/* What was explained together: the reference images of a task. */
typedef struct result_set {
    uint64_t seed;
    size_t task, n_classes, n_references, n_images; /* references: per class */
} result_set;

/* A step of a relevance walk that runs a rule. */
typedef struct result_audit_step {
    const char *layer, *type, *rule; /* "features.0", "conv2d", "epsilon (epsilon=1e-06)" */
    bool complete;                   /* the walk goes to all inputs of the layer */
} result_audit_step;

/* What relevance every step of one (model, criterion) took and handed on: attribution/walk_audit.h. */
typedef struct result_audit {
    size_t model, criterion, n_steps, n_sets;
    const result_audit_step *steps; /* from the logits towards the input */
    const result_set *sets;
    const double *sums; /* [n_sets, n_steps, AUDIT_SUMS] exact sums over the images of a set */
} result_audit;

/* Scores of single images under one (model, criterion). */
typedef struct result_rows {
    size_t model, criterion;
    size_t scored; /* the criterion with the same scores whose rows these are; an earlier one, or `criterion` itself */
    const char *moment; /* which of the criterion's moments it is */
    size_t n_samples, n_components;
    const char *const *path; /* [n_samples] within the folder of reference images */
    const uint32_t *class;   /* [n_samples] ascending */
    const float *score;      /* [n_samples, n_components] */
    size_t n_sets;
    const result_set *sets;
    const uint8_t *member;   /* [n_sets, n_samples] does the set contain the image? */
} result_rows;

/* Components that are looked at together: a layer, all of a kind, the network. */
typedef struct result_part {
    const char *name, *level, *kind; /* "features.0", "layer", "filters"; kind "": of several kinds */
    size_t n_components;
} result_part;

/* Eigenvalues of the covariance of scores over images under one (model, criterion), and what they amount to (pruning/spectrum.h). Index of
 * part p under set r: r * n_parts + p. */
typedef struct result_spectrum {
    size_t model, criterion;
    size_t scored; /* the criterion with the same scores, as in result_rows */
    size_t n_parts, n_sets;
    const result_part *parts;
    const result_set *sets;
    const size_t *order;         /* how many eigenvalues there are */
    const double *const *values; /* [order] descending */
    const uint8_t *over_ranks;   /* found by all ranks together: the last digits depend on how many they were */
    const spectrum *measures;
} result_spectrum;

/* A cell whose pruned networks were explained (docs/heatmaps.md). Arrays are over the rates of results.heatmaps. Means are over the images
 * that are not counted in `undefined`, errors their standard errors. */
typedef struct result_heatmap_cell {
    size_t cell; /* index into the cells of the study, of which the next ones are copies */
    size_t model, criterion, task, n_references, n_classes;
    component_kind kind;
    uint64_t seed;
    size_t n_images;
    const double *cosine_mean, *cosine_error, *map_cosine_mean, *map_cosine_error, *logit_mean, *confidence_mean, *confidence_error,
        *confidence_loss_mean, *confidence_loss_error; /* [n_rates] */
    const uint64_t *changed, *gone, *undefined;        /* [n_rates] images */
    const size_t *image;                               /* [n_images] index into result_heatmaps.path */
    const double *cosine, *map_cosine, *logit, *confidence; /* [n_rates, n_images] */
    const int64_t *prediction;                         /* [n_rates, n_images] class number; -1: none */
    const size_t *map;                                 /* [n_rates, n_images] index into the model's maps; NULL: none are kept */
} result_heatmap_cell;

/* Maps of a model, each once however many points it is of. */
typedef struct result_heatmap_maps {
    size_t model, n_maps, height, width;
    const float *const *map; /* [n_maps] of [height, width] */
    const size_t *image;     /* [n_maps] */
} result_heatmap_maps;

typedef struct result_heatmaps {
    const char *method, *composite; /* as criterion_method and criterion_composite */
    size_t n_rates, n_cells, n_images, n_models;
    const double *rates; /* [n_rates] those of the study that were asked for */
    const result_heatmap_cell *cells;
    const char *const *path; /* [n_images] within the folder of evaluation images */
    const uint32_t *class;   /* [n_images] */
    const result_heatmap_maps *maps; /* [n_models]; n_models 0: none are kept */
} result_heatmaps;

/* The search of one model and kind of components: settings in the order in which they were proposed (docs/search.md). */
/* What became of a setting: its measures are of all images, rates and seeds of the search; or of a rung after which it was dropped, since the leader was
 * clearly better (TRIAL_WORSE) or too many were better (TRIAL_SHARE). */
typedef enum result_trial_state { TRIAL_COMPLETE, TRIAL_WORSE, TRIAL_SHARE, TRIAL_STATES } result_trial_state;

typedef struct result_search {
    size_t model;
    component_kind kind;
    size_t n_dimensions;
    const char *const *dimension;       /* [n_dimensions] "low", "absolute", "gamma" ... */
    const char *const *choice;          /* [n_dimensions] "epsilon,z-plus,gamma,alpha-beta": what the numbers of `point` stand for; "" continuous */
    size_t n_trials;
    const double *point;                /* [n_trials, n_dimensions] index of a choice, or a value; NaN: does not exist there */
    const char *const *setting;         /* [n_trials] as a criterion of a study, on one line of YAML */
    const uint64_t *round;              /* [n_trials] proposed together */
    const double *objective, *error;    /* [n_trials] mean over tasks and seeds on the tuning images; standard error over the seeds, NaN with one */
    const double *a_pr_mean, *a_pr_trapezoid, *area_parameters, *area_macs, *accuracy_at; /* [n_trials] means over tasks and seeds; accuracy_at NaN without rates */
    const double *cost;                 /* [n_trials] images x points of curves that objective and areas rest on; equal masks count for each */
    const double *regret;               /* [n_trials] what the best of all settings has above it, where all were measured on everything; else NaN */
    const result_trial_state *state;    /* [n_trials] */
    const int64_t *parent;              /* [n_trials] the trial that was taken for the best when this one was proposed; -1: none was */
    uint64_t n_masks, n_evaluated;      /* points of curves, and distinct masks that were run for them */
    uint64_t n_images;                  /* images through the networks of these masks and the unpruned one */
    uint64_t n_explained;               /* reference images x settings with scores of their own whose relevance was worked out */
    const uint32_t *front;              /* [n_trials] 0: not complete; 1: no other setting is better in a_pr_mean, area_parameters and area_macs at once; 2: only those are; ... */
    double *held_out, *held_out_error;  /* [n_trials] the objective on images and seeds that the search never saw; NaN: not reported */
    const size_t *rank;                 /* [n_trials] 0: the best */
    const double *main, *total;         /* [n_dimensions] importance; NaN: not known */
    const char *maximised;              /* what `objective` is: "a_pr_mean" ...; as in the study */
} result_search;

typedef struct result_input {
    const char *path, *sha256;
    uint64_t bytes; /* 0 = not recorded */
} result_input;

typedef struct result_text { /* a named text of /provenance */
    const char *name, *value;
} result_text;

typedef struct results {
    const char *study;
    size_t n_models, n_criteria, n_rates, n_cells, n_tracks, n_stability, n_summary, n_differences, n_audits, n_rows, n_spectra;
    const result_model *models;
    const char *const *criterion_name;   /* [n_criteria] */
    const ranking_options *criterion_ranking; /* [n_criteria] */
    curve_prediction prediction; /* whose counts make accuracy, A_PR and the summary */
    const char *const *criterion_method; /* [n_criteria] "lrp", with its parameters: "lrp composite=epsilon epsilon=1e-06 ..." */
    const char *const *criterion_composite; /* [n_criteria] relevance rules as a list of entries in YAML, "" where there are none */
    const double *rates;
    size_t n_tasks;
    const char *const *task_name;  /* [n_tasks] class subsets: "10" where seeds draw so many classes, else the name of a stated one */
    const char *const *class_name; /* [n_classes] of the data set */
    size_t n_classes;
    const result_cell *cells;
    bool winograd; /* some layer was run by Winograd's algorithm where accuracy was measured */
    const result_track *tracks;
    const result_stability *stability;
    const result_summary *summary;
    const result_difference *differences;
    const result_audit *audits;
    const result_rows *rows; /* empty unless the study keeps them */
    const result_spectrum *spectra; /* empty unless the study asks for them */
    const result_heatmaps *heatmaps; /* NULL: the study asks for none */
    size_t n_searches;
    const result_search *searches; /* empty without `search:` */
    /* /provenance: everything that is timed, dated or tied to a host, and what identifies the inputs */
    size_t n_texts, n_inputs, n_ranks;
    const result_text *texts;      /* config, config_resolved, command, git_revision, versions, started, ... */
    const result_input *inputs;
    const char *const *rank_host;  /* [n_ranks] */
    const double *rank_busy;       /* [n_ranks] seconds computing */
    const double *rank_idle;       /* [n_ranks] seconds waiting for other ranks to finish their items */
    const double *rank_idle_share; /* [n_ranks] of the seconds that all stages took */
    size_t n_stages;
    const char *const *stage_name;       /* [n_stages] in the order in which they ran */
    const double *image_wait;            /* [n_ranks, n_stages] seconds waiting for images */
    const double *image_wait_share;      /* [n_ranks, n_stages] of the seconds that the stage took on the rank */
} results;

/* The counts of right answers that make a cell's accuracy: [n_rates]. */
static inline const uint64_t *results_correct(const results *r, const result_cell *c)
{
    return r->prediction == PREDICTION_MASKED ? c->correct_masked : c->correct;
}

/* Rank-local. Makes missing folders. Needs memory for the file beside the results. Errors: ST_CANT_WRITE with the path and the system's reason,
 * ST_BUG for a model or criterion whose name is not of letters, digits, _ - . ; then no partial file stays and an old one is untouched. */
MUST_CHECK status results_write(const char *path, const results *r);

/* Does the file begin like a result of any version, whole or damaged? Other HDF5 files, such as the shards of a pack, do not. */
bool results_there(const char *path);

/* Before hours of work: can a result be put at `path`, and is what may be there already a result? A study file, a checkpoint or
 * somebody's HDF5 file is not replaced. Errors: ST_CANT_WRITE. */
MUST_CHECK status results_check_output(const char *path);
MUST_CHECK status results_foresee_output(const char *path); /* the same without making anything */

/* Prints a result file as tables: models, cells, summary, provenance. Errors: ST_NO_INPUT, ST_DATA (not ours, newer schema). */
MUST_CHECK status results_inspect(arena *a, const char *path, FILE *to);
bool results_recognise(const char *path); /* an HDF5 file? */

#endif
