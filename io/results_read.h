#ifndef IO_RESULTS_READ_H
#define IO_RESULTS_READ_H
/* What a finished result (docs/results.md) says about its masks. The file may be anything: kinds, shapes and numbers are checked. */
#include <stdbool.h>

#include "core/arena.h"
#include "core/status.h"
#include "nn/graph.h"

/* A curve, and with it a ranking. */
typedef struct results_cell {
    const char *model, *kind, *criterion;
    const char *task; /* how many classes a seed draws, or the name of a stated subset */
    uint64_t seed;
    size_t n_classes, references;
} results_cell;

typedef struct results_cells {
    size_t n, n_rates;
    const results_cell *list;
    const double *rates; /* [n_rates] */
} results_cells;

/* Errors: ST_NO_INPUT, ST_DATA (no result, another schema, damaged; also a name that cannot be part of a path). */
MUST_CHECK status results_read_cells(arena *a, const char *path, results_cells *out);

typedef struct results_layer {
    const char *name;
    component_kind kind;
    size_t n_components, first_component;
} results_layer;

typedef struct results_mask {
    const char *study, *source;             /* name of the study; program that wrote the result */
    const char *config_path, *config;       /* the study's file, and the study with all defaults (config_parse reads it) */
    size_t n_inputs;
    const char *const *input, *const *sha256; /* [n_inputs] checkpoints and what lies beside them; images may be among them */
    size_t n_layers, n_components;          /* of the model */
    const results_layer *layers;
    component_kind kind;
    size_t n_ranked, n_removed;             /* components of the kind; those that the mask removes */
    const uint8_t *alive;                   /* [n_components] */
    size_t n_classes;
    const size_t *classes;                  /* [n_classes] of the task */
    double accuracy;
} results_mask;

/* The mask of a cell at a rate, both by their place in `cells`. Errors: ST_NO_INPUT, ST_DATA. */
MUST_CHECK status results_read_mask(arena *a, const char *path, const results_cells *cells, size_t cell, size_t rate, results_mask *out);

#endif
