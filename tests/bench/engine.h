#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H
/* What is measured, as the stages do it: the only file of the bench that runs the engine. */
#include "backend/backend.h"
#include "nn/graph.h"

typedef enum engine_task {
    TASK_FORWARD,  /* stages/evaluate.c: images to logits, buffers reused */
    TASK_WINOGRAD, /* the same by Winograd's algorithm where the backend has it */
    TASK_LRP, /* stages/attribute.c: images to rows of component relevance, one rule with its defaults in all layers that take one */
    TASK_COUNT
} engine_task;
const char *engine_task_name(engine_task t); /* "forward", "winograd", "lrp" */

typedef struct engine engine;

typedef struct engine_case {
    const graph *g;
    const backend_def *backend; /* started */
    engine_task task;
    const char *rule; /* of TASK_LRP */
    size_t batch;
    size_t masks; /* of the other tasks: a run takes the next of so many, each with half of the components; 0: none */
} engine_case;

/* What the case points to is borrowed; the images are random. Errors: ST_ENVIRONMENT (memory). */
MUST_CHECK status engine_open(arena *a, const engine_case *c, engine **out);
void engine_run(engine *e); /* one micro-batch */
/* Whether the last run gave finite numbers that are not all the same. Errors: ST_BUG. */
MUST_CHECK status engine_check(const engine *e);

const float *engine_logits(const engine *e); /* [batch, n_classes] of the last run; not of lrp */

/* Multiply-adds per image of the direct algorithm:
 *   forward, winograd  those of graph_cost(): convolutions, linear layers, and the two products of attention
 *   lrp      forward, and per layer that the compiled walk really goes through: of a convolution or linear layer the
 *            products, forward and transposed, that its rule makes there (epsilon: one); of attention the products of its
 *            adjoint, one for the attention's own relevance and one for each of q, k, v that relevance goes on to
 * Single sums that are computed again do not count. */
MUST_CHECK status engine_macs(const engine *e, uint64_t *out);

#endif
