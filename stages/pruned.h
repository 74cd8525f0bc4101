#ifndef STAGES_PRUNED_H
#define STAGES_PRUNED_H
/* One model's pruned networks on this rank: a mask is physically cut out of the network (nn/passes/compact.h), which is then run on
 * micro-batches. */
#include "nn/forward.h"
#include "stages/study.h"

typedef struct pruned {
    const graph *whole;
    const backend_def *backend;
    size_t batch;
    bool winograd;
    arena *small;    /* the network of the mask at hand; reset by pruned_cut() */
    uint8_t *wanted; /* [n_classes] logits that are computed */
    size_t n_logits; /* of the network at hand */
    forward *run;
} pruned;

MUST_CHECK status pruned_open(arena *a, const study *s, size_t model, arena *small, pruned *out);
void pruned_want(pruned *p, size_t n, const uint32_t classes[]); /* from the next cut on, only these logits; ascending */
/* all_logits: whatever is wanted. */
MUST_CHECK status pruned_cut(pruned *p, const uint8_t alive[], bool all_logits);

/* The most that a cut takes; SIZE_MAX where no network can be built. `scratch` is reset. */
size_t pruned_bytes(arena *scratch, const study *s, size_t model);

#endif
