#ifndef ATTRIBUTION_TREE_BRANCH_H
#define ATTRIBUTION_TREE_BRANCH_H
/* A tree while it grows: steps that know their children (tree_grow.c), which in the end become a list (tree_list.c). */
#include "attribution/tree_grow.h"

enum { STEP_BUFFERS = 3 + 2 * MAX_INPUTS };

typedef struct made_buffer {
    buffer_id id;
    size_t floats;
} made_buffer;

typedef struct branch {
    struct branch *parent, *child, *last, *next; /* first and last child, next sibling; the root stands for no step */
    size_t walks;                                /* composites whose walk has this step */
    bool ends;                                   /* one of them ends here */
    size_t node;
    walk_step step; /* its buffers are the tree's */
    size_t n_made;
    made_buffer made[STEP_BUFFERS]; /* buffers that it writes */
} branch;

/* Every place in a step that names a buffer; returns how many. */
enum { MOST_PLACES = 3 + 5 * MAX_INPUTS };
size_t branch_places(walk_step *s, buffer_id *out[MOST_PLACES]);

/* Steps, nodes and lives of buffers; n composites, whose walks end at `end`. out->relu_allowed and work_floats stay as they are. */
MUST_CHECK status tree_list(arena *a, const graph *g, branch *root, size_t n_steps, size_t n_buffers, size_t n, branch *const end[],
                            tree_program *out);

#endif
