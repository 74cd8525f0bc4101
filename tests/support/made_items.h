#ifndef SUPPORT_MADE_ITEMS_H
#define SUPPORT_MADE_ITEMS_H
/* Items whose results are known: item i's payload is one to four numbers that follow from i. Taken into sums, as stages do it, and counted.
 * What a list promises to a stage is checked on the way: items are expected in the order in which they are computed, inputs are read once,
 * a payload that is taken is the item's own. */
#include <mpi.h>

#include "stages/stage.h"

enum { MADE_MOST = 600, NO_ITEM = -1 };

typedef struct made_items {
    size_t n, stretch;
    size_t wide;      /* numbers that every payload has beside: another layout of the same items */
    long fail_at;     /* compute() of this item fails; NO_ITEM: none */
    long changed_at;  /* check() of this item fails */
    bool needed;      /* by all jobs of an array */
    long slow_us;     /* that an item takes */
    size_t expected[MADE_MOST], first, end; /* in line to be computed, on this rank */
    int64_t taken[MADE_MOST], computed, checked, sum; /* on this rank */
    double images_skipped;
} made_items;

/* The first `size` ranks of the world as a communicator of their own, cut into the world's nodes. False: this rank is not in it. */
bool made_comm_open(const comm *world, int size, comm *out);
void made_comm_close(comm *c);

/* A service that notes into `folder` (NULL: nowhere), in files that no service before it had, and knows what is noted there. Collective. */
void made_service(comm *c, arena *a, const char *folder, item_service *out);

/* Collective. A folder of the test's, which no service has noted into yet: the same name on all ranks, in `a`. */
const char *made_folder(comm *c, arena *a, const char *name);

typedef struct made_run {
    int64_t stopped, computed, restored; /* ranks; items of all ranks */
} made_run;
/* Collective. A stage with what `folder` has (NULL: nothing); it stops after so many items of a rank, < 0: never. ctx->items is as before afterwards. */
made_run made_stage_run(const stage_def *stage, arena *a, stage_ctx *ctx, const char *folder, long after);

/* Runs them from nothing taken. */
status made_items_run(item_service *s, arena *a, made_items *items);
/* Collective over c: fails unless every item was taken once and the sum is right. */
void made_items_assert_complete(const comm *c, made_items *items);
int64_t made_items_total(const comm *c, int64_t mine);

#endif
