#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H
/* What is measured, as the stages do it: the only file of the bench that runs the engine. */
#include "backend/backend.h"
#include "nn/graph.h"

typedef enum engine_task {
    TASK_FORWARD,  /* stages/evaluate.c: images to logits, buffers reused */
    TASK_WINOGRAD, /* the same by Winograd's algorithm where the backend has it */
    TASK_LRP,      /* stages/attribute.c: images to rows of component relevance, criterion `lrp` with its defaults */
    TASK_COUNT
} engine_task;
const char *engine_task_name(engine_task t); /* "forward", "winograd", "lrp" */

typedef struct engine engine;

/* `g` and `backend` (started) are borrowed; the images are random. masks > 0: a run of a task that is not lrp takes the next of so many
 * masks, each with half of the components. Errors: ST_ENVIRONMENT (memory). */
MUST_CHECK status engine_open(arena *a, const graph *g, const backend_def *backend, engine_task task, size_t batch,
                              size_t masks, engine **out);
void engine_run(engine *e); /* one micro-batch */
/* Whether the last run gave finite numbers that are not all the same. Errors: ST_BUG. */
MUST_CHECK status engine_check(const engine *e);

const float *engine_logits(const engine *e); /* [batch, n_classes] of the last run; not of lrp */

/* Multiply-adds per image of the direct algorithm:
 *   forward, winograd  those of graph_cost(): convolutions, linear layers, and the two products of attention
 *   lrp      forward, and per layer that the compiled walk really goes through: one adjoint of a convolution or linear
 *            layer; of attention the products of its adjoint, one for the attention's own relevance and one for each of
 *            q, k, v that relevance goes on to
 * Denominators are the kept outputs and cost nothing; what an implementation computes a second time does not count. */
MUST_CHECK status engine_macs(const graph *g, engine_task task, uint64_t *out);

#endif
