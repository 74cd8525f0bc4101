#ifndef PIPELINE_EXPORT_NETWORK_H
#define PIPELINE_EXPORT_NETWORK_H
/* The network of a result with a mask of it, as tensors: masked and shrunk. */
#include "io/checkpoint.h"
#include "io/config.h"
#include "io/results_read.h"
#include "nn/passes/tensor_cuts.h"

typedef struct export_network {
    const char *checkpoint;         /* path */
    char sha256[65];
    const graph *graph;
    tensor_cuts cuts;
    const tensors *whole, *masked, *small; /* the same tensors in the same order; those that are no weights are shared */
    const tensor_cut *const *cut;   /* [n] of each tensor; NULL: no weight of the network, as it is in all three */
} export_network;

/* `checkpoint` NULL: where the study had it. Everything lies in `a`. Errors: ST_NO_INPUT; ST_DATA where it is not the file that the result
 * is of (by its SHA-256), or has other layers. */
MUST_CHECK status export_network_read(arena *a, const char *result, const results_mask *m, const config_model *model, const char *checkpoint,
                                      export_network *out);

/* The whole network again out of nothing but the shrunk tensors: zeros in every other place. */
MUST_CHECK status export_network_expand(arena *a, const export_network *n, tensors *out);

#endif
