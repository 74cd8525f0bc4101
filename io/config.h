#ifndef IO_CONFIG_H
#define IO_CONFIG_H
/* A study as one YAML file, read with libfyaml and checked against field tables (io/config_schema.h), the only schema. Every error
 * names file, line and column, what was expected and found, and for an unknown key the closest known one. docs/config.md and
 * `--help config` follow from the same tables. */
#include "io/files.h"
#include "attribution/preset.h"
#include "nn/tensors.h"
#include "pruning/criterion.h"
#include "pruning/curve.h"
#include "pruning/ranking.h"

typedef struct config_model {
    const char *name;       /* unique; letters, digits, _ - . and not beginning with - or . */
    const char *checkpoint; /* ready to open: a relative path has been joined with the folder of the config file */
    size_t n_kinds;         /* which components are pruned, each a ranking of its own; 0 = the architecture's default */
    component_kind kinds[COMPONENT_KINDS];
    size_t n_facts;         /* architecture:, heads:, image_size: ... in the canonical form of io/checkpoint.h; source "config" */
    const fact *facts;
} config_model;

typedef struct config_criterion {
    const char *name; /* unique */
    const criterion_def *method;
    double parameters[MAX_CRITERION_PARAMETERS];
    const composite *composite; /* criterion_setup.composite: a preset's list or a stated one; NULL where the method takes none */
    const preset_def *preset;   /* NULL: the list was stated entry by entry */
    double preset_parameters[MAX_PRESET_PARAMETERS];
    ranking_options ranking; /* of any method: how its scores become an order */
    size_t n_models;         /* 0: for all models */
    const size_t *models;    /* [n_models] ascending indices */
    size_t n_references;     /* 0: for all of the study's */
    const size_t *references; /* [n_references] ascending, each one of config.references */
} config_criterion;

/* A class subset that is stated; what its classes are is known once the data are (pipeline/plan_subsets.c). */
typedef struct config_subset {
    const char *name; /* unique, no number */
    size_t n;
    const char *const *class; /* [n] name or number, as written */
    const char *const *where; /* [n] "study.yaml:31:16: tasks.subsets[0].classes[1]" */
} config_subset;

/* Explanations of evaluation images before and after pruning (docs/heatmaps.md). */
typedef struct config_heatmaps {
    size_t images;         /* of each class of a task; 0: nothing is explained after pruning */
    bool keep;             /* the maps themselves */
    const bool *rate;      /* [n_rates] which; the first, 0, always */
    const bool *criterion; /* [n_criteria] */
    config_criterion explanation; /* method lrp, with its composite and parameters; not one of `criteria` */
} config_heatmaps;

/* The search for the attribution that prunes best (docs/search.md): composites of the preset four-groups, judged on a part of the evaluation
 * images and on seeds of their own; the study's curves are then of the other images and of tasks.seeds. */
typedef enum config_search_method {
    SEARCH_EVERYTHING, SEARCH_BY_CHANCE, SEARCH_BY_SOBOL, SEARCH_BY_BAYES, SEARCH_BY_HALVING, CONFIG_SEARCH_METHODS
} config_search_method;
typedef enum config_search_objective { OBJECTIVE_MEAN, OBJECTIVE_TRAPEZOID, OBJECTIVE_PARAMETERS, OBJECTIVE_MACS, OBJECTIVE_ACCURACY, CONFIG_OBJECTIVES } config_search_objective;
enum { SEARCH_GROUPS = 4, SEARCH_MOST_CHOICES = 8 }; /* low, mid, high, fc, as the fields of the preset */
typedef struct config_search {
    bool on;
    config_search_method method;
    size_t n_rules[SEARCH_GROUPS];
    size_t rule[SEARCH_GROUPS][SEARCH_MOST_CHOICES]; /* indices into the choices of the preset's fields */
    size_t n_absolute, absolute[SEARCH_MOST_CHOICES]; /* aggregate_absolute: token, never (signed) ... */
    size_t n_softmax, softmax[SEARCH_MOST_CHOICES];   /* indices into softmax_rule_names; transformers only */
    bool continuous;          /* also gamma, gamma_fc, alpha and epsilon, where a rule has them */
    double gamma[2], gamma_fc[2], alpha[2], epsilon[2]; /* their ranges; not `continuous`: the preset's and the method's defaults hold */
    size_t trials, batch;     /* of the methods that propose: how many settings, and how many at a time */
    uint64_t seed;            /* of proposals */
    size_t eta, first_rates, first_seeds;  /* SEARCH_BY_HALVING: a rung is so many times the one before; rates and seeds of the first; */
    double first_images, confidence;       /* share of its images; that the best setting is not dropped as clearly worse */
    size_t n_seeds;
    const uint64_t *seeds;    /* of the tasks on which settings are judged; none is among config.seeds */
    size_t references;        /* images per class: one of config.references */
    double split;             /* share of each class's evaluation images on which settings are judged */
    config_search_objective objective;
    size_t n_at;              /* rates at which OBJECTIVE_ACCURACY is measured; 0: it is not */
    const double *at;         /* [n_at] ascending, all among config.rates */
    const char *resolved;     /* the section as YAML that gives the same */
    size_t report;            /* how many of the best settings get curves on the other images, as criteria tuned-<model>-<kind>-1, -2, ... */
} config_search;

/* What becomes of the scores of single images. */
typedef enum config_rows { ROWS_STREAM, ROWS_KEEP, ROWS_AUTO, CONFIG_ROWS } config_rows;

/* Who draws classes and reference images: we (core/rng.h), or the reference program's generator (docs/attribution.md, section i). */
typedef enum sampling { SAMPLING_POLLARD, SAMPLING_TORCH } sampling;

typedef struct config {
    const char *path;
    const char *text;       /* the file as it is */
    const char *resolved;   /* the study after defaults and --set, paths as written, as YAML that gives the same study and text again */
    const char *name;       /* study: */
    const char *reference, *evaluation; /* image folders, ready to open like a checkpoint */
    const char *reference_list, *evaluation_list; /* which images of them and of what class (io/dataset.h); NULL: as the folders say */
    sampling sampling;
    size_t n_models;
    const config_model *models;
    size_t n_criteria;
    const config_criterion *criteria;
    const char *const *scoring;   /* [n_criteria] what decides a criterion's scores: criteria of equal texts have equal scores */
    size_t n_tasks;               /* class subsets: those of tasks.classes, then those of tasks.subsets */
    const size_t *task_classes;   /* [n_tasks] how many classes each has */
    const char *const *task_name; /* [n_tasks] of a drawn subset its size, "10" */
    size_t n_subsets;
    const config_subset *subsets; /* the last n_subsets tasks: the others are drawn by the seeds */
    size_t n_seeds;
    const uint64_t *seeds;        /* tasks.seeds: a list, or a count n meaning 0..n-1 */
    size_t n_references;
    const size_t *references;     /* tasks.references: reference images per class, a list */
    size_t n_rates;
    const double *rates;          /* ascending, first 0, in [0, 1); from decimal text */
    const char *const *rate_text; /* "0.35" */
    curve_prediction prediction;  /* which count of correct images makes accuracies and A_PR; both are kept */
    size_t micro_batch;
    size_t decode_threads;        /* of a rank, that read images ahead; 0: it reads them itself */
    const char *backend;          /* "auto" or the name of a backend, which need not be built in */
    config_rows rows;
    bool spectrum;
    size_t spectrum_lapack;       /* order of the largest matrix that one rank works on alone */
    bool winograd;                /* `convolutions: winograd` */
    config_heatmaps heatmaps;
    config_search search;
    const char *output;           /* result path, relative to the working directory; <study>.h5 where none is given */
} config;

/* `text` is the file's content (rank 0 has read and broadcast it); `sets` are "section.key=value" of the command line, which win.
 * Errors: ST_CONFIG with a message that begins "path:line:column: ", or "--set section.key=value: " where an override is to blame;
 * ST_ENVIRONMENT (memory). */
MUST_CHECK status config_parse(arena *a, const char *path, file_bytes text, size_t n_sets, const char *const sets[], config **out);

/* A criterion of this method alone, for commands that have no study; `sets` are "key=value" of its section. Errors as above. */
MUST_CHECK status config_criterion_parse(arena *a, const char *method, size_t n_sets, const char *const sets[], config_criterion *out);

/* For `--help config`: every key with kind, default, range and help. */
void config_print_help(FILE *to);
/* The part of it about the rules of composites and the presets. */
void config_print_rules(FILE *to);

#endif
