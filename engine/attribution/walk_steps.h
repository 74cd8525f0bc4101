#ifndef ATTRIBUTION_WALK_STEPS_H
#define ATTRIBUTION_WALK_STEPS_H
/* What a compiled walk consists of; internal to walk.c (runs it) and walk_compile.c (builds it). */
#include "attribution/walk.h"
#include "nn/layout.h"

enum { NO_BUFFER = -1 };
typedef ptrdiff_t buffer_id; /* index into the layout, or NO_BUFFER */

typedef struct walk_step {
    node_id id;
    const composite_entry *rule; /* NULL: the layer's own relevance */
    bool runs;                   /* false: nothing below is wanted, or the relevance passes in place */
    buffer_id r_out;
    buffer_id r_in[MAX_INPUTS];   /* where the layer writes; NO_BUFFER = not wanted */
    buffer_id add_to[MAX_INPUTS]; /* where r_in is added afterwards; NO_BUFFER = r_in is the place itself */
    buffer_id component;          /* heads: relevance at the component */
    shape in_shape[MAX_INPUTS];
} walk_step;

typedef struct walk_program {
    size_t n_steps;
    const walk_step *steps; /* from the logits towards the input */
    const block *buffers;
    size_t slab_floats, work_floats;
    const buffer_id *relevance; /* [n_nodes] relevance at each node's output; NO_BUFFER: the walk does not go there */
} walk_program;

/* keep: no two relevances share memory, so that all can be read after a run. */
MUST_CHECK status walk_compile(arena *a, const graph *g, const composite *c, size_t batch, bool keep,
                               walk_program *out);

#endif
