#ifndef IO_SHRUNK_JSON_H
#define IO_SHRUNK_JSON_H
/* A shrunk network in words (docs/export.md): layer by layer which rows, columns, channels and heads of the whole network it has, the facts
 * of its architecture, and where it comes from. With the tensors beside it, it is all that is needed to build the network again. */
#include "nn/passes/tensor_cuts.h"
#include "nn/tensors.h"

/* Where an exported network comes from, and what was seen when it was made. */
typedef struct export_origin {
    const char *program;                    /* that exports */
    const char *result, *result_sha256, *source, *study; /* source: the program that wrote the result */
    const char *checkpoint, *checkpoint_sha256;
    const char *model, *kind, *criterion;
    double rate, accuracy;                  /* accuracy: of the result */
    uint64_t seed;
    size_t references, n_classes, n_ranked, n_removed;
    const size_t *classes;                  /* [n_classes] */
    const char *images, *images_from;       /* "study" or "random"; the folder, or why not from there */
    const char *backend;
    size_t n_images, n_agree;               /* that were compared; with the same largest logit */
    double difference;                      /* largest of an image's largest difference by its largest logit */
} export_origin;

/* The facts of an origin as texts: what __metadata__ of every file says. */
MUST_CHECK status export_origin_facts(arena *a, const export_origin *o, size_t *n, const fact **out);

/* Errors: ST_CANT_WRITE, ST_ENVIRONMENT. */
MUST_CHECK status shrunk_json_write(const char *path, const graph *g, const tensor_cuts *cuts, size_t n_facts, const fact facts[],
                                    const export_origin *o);

#endif
