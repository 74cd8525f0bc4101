#ifndef PIPELINE_DRY_RUN_PARTS_H
#define PIPELINE_DRY_RUN_PARTS_H
/* What the files of the dry run share. */
#include "pipeline/dry_run.h"

double dry_run_resident(void); /* bytes of this process alone that are in memory */
double dry_run_taken(void);    /* the same with its part of what it shares */
void dry_run_memory_start(const comm *c, const arena *planned, const plan *p, rank_memory *out); /* as soon as the plan is built */
/* writes: of rank 0, which gathers what the stages keep and makes the file. */
void dry_run_memory_sum(const stage_forecast stage[], const search_forecast *search, const study *s, bool writes, rank_memory *out);
double dry_run_memory_lacks(const comm *c, const stage_forecast stage[], const search_forecast *search); /* of the folder for shared memory, before a stage has run */
/* Collective. */
MUST_CHECK status dry_run_memory_of_nodes(comm *c, arena *a, const rank_memory *mine, node_memory *out);

/* What cells have in common and is done once, of one stage. */
typedef struct shared_work {
    const char *what;        /* "explained images" */
    bool at_most;            /* `once` is a bound, and so are the hours */
    size_t once, alone;      /* ... and the sum over the cells if each did its own */
    size_t passes, passes_alone; /* the same in micro-batches through a network */
    double hours, hours_alone;   /* of cores: of the trial, and as many times more as there are passes; < 0: not tried */
} shared_work;

enum { SHARED_EXPLAINED, SHARED_EVALUATED, SHARED_WORK };
void dry_run_shared(const dry_run_report *r, shared_work out[SHARED_WORK]);

/* Numbers of ranks that the study is to be simulated on. */
enum { SCALE_MOST = 16 };
typedef struct scale_wanted {
    size_t n, ranks[SCALE_MOST], per_node;
} scale_wanted;
MUST_CHECK status scale_parse(const cli *cl, scale_wanted *out); /* --ranks, --ranks-per-node. Errors: ST_USAGE */
MUST_CHECK status dry_run_print_scale(arena *a, FILE *to, const dry_run_report *r, const scale_wanted *w);

MUST_CHECK status dry_run_print(arena *a, FILE *to, const dry_run_report *r);
MUST_CHECK status dry_run_print_search(arena *a, FILE *to, const dry_run_report *r); /* nothing where the study has none */

#endif
